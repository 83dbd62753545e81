"""People and chats: who there is, what they send, tap and do."""

from __future__ import annotations

from devstack.sandbox import membership, people, render, view
from devstack.sandbox.control.base import Control, integer
from devstack.sandbox.errors import ControlError
from devstack.sandbox.model import Chat, ChatType, Member, Message, Status, User
from devstack.sandbox.values import Json, JsonValue


async def add_user(call: Control) -> Json:
    """Make a person."""
    body = call.body
    user_id = body.integer("id", call.sandbox.free_user_id())
    if call.sandbox.user(user_id) is not None:
        raise ControlError(f"user {user_id} exists")
    user = User(
        user_id,
        body.text("first_name"),
        last_name=body.text("last_name", ""),
        username=body.text("username", ""),
        language_code=body.text("language_code", "en"),
    )
    call.sandbox.add_user(user)
    return render.user(user)


async def list_users(call: Control) -> Json:
    """All people."""
    return {"users": [render.user(user) for user in call.sandbox.users.values()]}


async def change_user(call: Control) -> Json:
    """Block or unblock the bot."""
    user, bot_id = call.path_user(), call.body.integer("bot", call.sandbox.bot.id)
    chat = call.sandbox.chat(user.id, bot_id)
    if chat is None:
        raise ControlError("no such private chat", 404)
    if "blocked_bot" in call.body:
        membership.set_blocked(call.sandbox, chat, blocked=call.body.flag("blocked_bot"))
    return {"user": render.user(user), "blocked_bot": chat.is_blocked}


async def add_chat(call: Control) -> Json:
    """Make a group."""
    body, sandbox = call.body, call.sandbox
    kind = ChatType(body.text("type", "group"))
    if kind is ChatType.PRIVATE:
        raise ControlError("private chats come with their person")
    chat = Chat(sandbox.free_group_id(kind), kind, title=body.text("title"))
    chat.privacy, chat.is_forum = body.flag("privacy", default=True), body.flag("forum")
    for name, status in (("members", Status.MEMBER), ("admins", Status.ADMINISTRATOR)):
        for user_id in body.items(name):
            user = call.user_by_id(integer(str(user_id)))
            chat.members[user.id] = Member(user, status)
    if "creator" in body:
        creator = call.user("creator")
        chat.members[creator.id] = Member(creator, Status.CREATOR)
    if body.flag("with_bot", default=True):
        status = Status.ADMINISTRATOR if body.flag("bot_is_admin") else Status.MEMBER
        for bot_id in body.items("bots") or [sandbox.bot.id]:
            bot = call.user_by_id(integer(str(bot_id)))
            chat.members[bot.id] = Member(bot, status)
    membership.open_group(sandbox, chat)
    return {"chat": render.chat(chat), "entry": view.chat_entry(chat)}


async def list_chats(call: Control) -> Json:
    """All chats, private ones too."""
    return {"chats": [view.chat_entry(chat) for chat in call.sandbox.chats.values()]}


async def change_member(call: Control) -> Json:
    """Let somebody join, leave, rise or be thrown out."""
    chat, user = call.chat(), call.path_user()
    by = call.user("by") if "by" in call.body else membership.actor_of(chat, user)
    anonymous = call.body.flag("is_anonymous") if "is_anonymous" in call.body else None
    status = Status(call.body.text("status", str(chat.status_of(user.id))))
    member = membership.set_status(call.sandbox, chat, user, status, by, anonymous=anonymous)
    return {"member": render.member(member, chat.type)}


async def migrate_chat(call: Control) -> Json:
    """Turn a group into a supergroup."""
    new = membership.migrate(call.sandbox, call.chat())
    return {"chat": render.chat(new), "migrate_to_chat_id": new.id}


async def add_topic(call: Control) -> Json:
    """Open a topic in a forum; its id is that of the message that says so."""
    chat = call.chat()
    if not chat.is_forum:
        raise ControlError("this chat has no topics")
    name = call.body.text("name")
    actor = membership.actor_of(chat, call.sandbox.bot.user)
    topic: Json = {"name": name, "icon_color": 7322096}
    thread_id = chat.next_message_id
    chat.topics.add(thread_id)
    message = Message(
        0, chat, actor, call.sandbox.clock.unix(), {"forum_topic_created": topic}, thread_id=thread_id
    )
    call.sandbox.post(message)
    return {"message_thread_id": thread_id, "name": name}


async def send(call: Control) -> Json:
    """Somebody sends or edits a message."""
    sent = await people.send(call.sandbox, call.chat(), call.user(), call.body, call.uploads)
    shown: list[JsonValue] = [view.sandbox_message(message) for message in sent]
    return {"messages": shown} if "album" in call.body else {"message": shown[0]}


async def press(call: Control) -> Json:
    """Somebody taps an inline button."""
    query = people.press(call.sandbox, call.message(), call.user(), call.body)
    return {"callback_query_id": query.id}


async def react(call: Control) -> Json:
    """Somebody sets their reactions: {from, emoji: "👍" or a list, empty to take back}."""
    given = call.body.values.get("emoji")
    emoji = [str(one) for one in given] if isinstance(given, list) else [str(given)] if given else []
    message = call.message()
    people.react(call.sandbox, message, call.user(), emoji)
    return {"message": view.sandbox_message(message)}


async def remove(call: Control) -> Json:
    """Somebody deletes a message, their own or as administrator; Telegram tells bots nothing of it."""
    message = call.message()
    if "from" in call.body:
        people.check_may_delete(message, call.user())
    call.sandbox.delete(message)
    return {"ok": True}


async def list_messages(call: Control) -> Json:
    """What the chat shows now."""
    chat, after = call.chat(), integer(call.query("after") or "0")
    viewer = call.query("viewer")
    with_deleted = call.query("deleted") == "true"
    shown: list[JsonValue] = [
        view.sandbox_message(message, int(viewer) if viewer else None)
        for message in chat.messages.values()
        if message.id > after and (with_deleted or not message.deleted)
    ]
    return {"messages": shown}
