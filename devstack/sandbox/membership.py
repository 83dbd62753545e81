"""Who is in which chat: joining, leaving, promotion, blocking, migration, and what is told of it."""

from __future__ import annotations

from dataclasses import replace

from devstack.sandbox import render, view
from devstack.sandbox.deliver import tell_membership, tell_message
from devstack.sandbox.errors import ControlError
from devstack.sandbox.model import Chat, ChatType, Member, Message, Status, User
from devstack.sandbox.state import Sandbox
from devstack.sandbox.values import Json

RANKS = list(Status)


def service_message(sandbox: Sandbox, chat: Chat, actor: User, content: Json) -> Message:
    """Post a message about the chat itself and tell the bots."""
    message = sandbox.post(Message(0, chat, actor, sandbox.clock.unix(), content))
    tell_message(sandbox, message)
    return message


def actor_of(chat: Chat, default: User) -> User:
    """Who does things in a chat when nobody is named: the person of the highest rank in it."""
    people = [
        member for member in chat.members.values() if not member.user.is_bot and member.status.is_inside
    ]
    return min(people, key=lambda member: RANKS.index(member.status)).user if people else default


def open_group(sandbox: Sandbox, chat: Chat) -> None:
    """Add a new group whose members stand; its bots learn that they are in."""
    sandbox.add_chat(chat)
    actor = actor_of(chat, sandbox.bot.user)
    sandbox.publish({"event": "chat", "chat": view.chat_entry(chat)})
    kind = "group_chat_created" if chat.type is ChatType.GROUP else "supergroup_chat_created"
    sandbox.post(Message(0, chat, actor, sandbox.clock.unix(), {kind: True}))
    for bot in sandbox.bots_in(chat):
        place = chat.members[bot.id]
        tell_membership(sandbox, chat, actor, replace(place, status=Status.LEFT), place)
        service_message(sandbox, chat, actor, _came(bot.user))


def set_status(
    sandbox: Sandbox, chat: Chat, user: User, status: Status, actor: User, *, anonymous: bool | None = None
) -> Member:
    """Give somebody another place in a group, and tell."""
    if chat.is_private:
        raise ControlError("a private chat has no members to change")
    old = chat.members.get(user.id) or Member(user, Status.LEFT)
    new = replace(old, status=status, is_anonymous=old.is_anonymous if anonymous is None else anonymous)
    if new == old:
        return old
    came, went = _moves(old, new)
    if went:
        service_message(sandbox, chat, actor, {"left_chat_member": render.user(user)})
    chat.members[user.id] = new
    tell_membership(sandbox, chat, actor, old, new)
    if came:
        service_message(sandbox, chat, actor, _came(user))
    sandbox.publish({"event": "chat", "chat": view.chat_entry(chat)})
    return new


def _moves(old: Member, new: Member) -> tuple[bool, bool]:
    came = not old.status.is_inside and new.status.is_inside
    went = old.status.is_inside and not new.status.is_inside
    return came, went


def _came(user: User) -> Json:
    shown = render.user(user)
    return {"new_chat_members": [shown], "new_chat_member": shown, "new_chat_participant": shown}


def set_blocked(sandbox: Sandbox, chat: Chat, *, blocked: bool) -> None:
    """The person blocks the bot or takes that back; the bot hears of it if it was started."""
    bot = sandbox.bot_by_id(chat.bot_id)
    if chat.is_blocked == blocked or chat.person is None or bot is None:
        return
    chat.is_blocked = blocked
    states = (Member(bot.user, Status.MEMBER), Member(bot.user, Status.KICKED))
    old, new = states if blocked else states[::-1]
    if chat.is_started:
        tell_membership(sandbox, chat, chat.person, old, new)
    sandbox.publish({"event": "chat", "chat": view.chat_entry(chat)})


def migrate(sandbox: Sandbox, chat: Chat) -> Chat:
    """Make a supergroup of a group: a new chat with the same members; old messages stay under the old id."""
    if chat.type is not ChatType.GROUP or chat.migrated_to is not None:
        raise ControlError("only a group that has not migrated can do so")
    new = Chat(sandbox.free_group_id(ChatType.SUPERGROUP), ChatType.SUPERGROUP, title=chat.title)
    new.members, new.privacy = dict(chat.members), chat.privacy
    sandbox.add_chat(new)
    actor = actor_of(chat, sandbox.bot.user)
    service_message(sandbox, chat, actor, {"migrate_to_chat_id": new.id})
    chat.migrated_to = new.id
    service_message(sandbox, new, actor, {"migrate_from_chat_id": chat.id})
    for entry in (chat, new):
        sandbox.publish({"event": "chat", "chat": view.chat_entry(entry)})
    return new
