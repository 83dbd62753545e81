"""getChat, getChatMember, getChatAdministrators, getChatMemberCount, leaveChat."""

from __future__ import annotations

from devstack.sandbox import render
from devstack.sandbox.errors import bad_request
from devstack.sandbox.membership import set_status
from devstack.sandbox.methods.common import Access, Call, chat_of
from devstack.sandbox.model import Chat, Member, Status
from devstack.sandbox.values import JsonValue


async def get_chat(call: Call) -> JsonValue:
    """All about a chat."""
    return render.chat_full(chat_of(call, Access.READ))


async def get_chat_member(call: Call) -> JsonValue:
    """Somebody's place in a chat; who never was in it counts as left."""
    user_id = call.params.integer("user_id")
    if user_id <= 0:
        raise bad_request("invalid user_id specified")
    chat = _members_chat(call)
    user = call.sandbox.user(user_id)
    if user is None:
        raise bad_request("PARTICIPANT_ID_INVALID")
    if chat.is_private:
        inside = user_id in (call.bot.id, chat.id)
        return render.member(Member(user, Status.MEMBER if inside else Status.LEFT), chat.type)
    return render.member(chat.member(user_id) or Member(user, Status.LEFT), chat.type)


async def get_chat_administrators(call: Call) -> JsonValue:
    """Creator and administrators, other bots left out."""
    chat = _members_chat(call)
    if chat.is_private:
        raise bad_request("there are no administrators in the private chat")
    return [
        render.member(member, chat.type)
        for member in chat.members.values()
        if member.status.is_admin and (not member.user.is_bot or member.user.id == call.bot.id)
    ]


async def get_chat_member_count(call: Call) -> JsonValue:
    """How many are in it."""
    chat = _members_chat(call)
    return 2 if chat.is_private else sum(member.status.is_inside for member in chat.members.values())


async def leave_chat(call: Call) -> JsonValue:
    """The bot goes."""
    chat = chat_of(call, Access.WRITE)
    if chat.is_private:
        raise bad_request("chat member status can't be changed in private chats")
    set_status(call.sandbox, chat, call.bot.user, Status.LEFT, call.bot.user)
    return True


def _members_chat(call: Call) -> Chat:
    """Members of a group are shown only to who is in it; a migrated group's not at all."""
    chat = chat_of(call, Access.READ)
    return chat if chat.is_private else chat_of(call, Access.WRITE)
