"""What people do: send, edit, tap, react."""

from __future__ import annotations

import random
from collections.abc import Mapping

from devstack.sandbox import render
from devstack.sandbox.contents import contents_of, formatted
from devstack.sandbox.deliver import tell_message, tell_reaction
from devstack.sandbox.errors import ControlError
from devstack.sandbox.files import Upload
from devstack.sandbox.membership import set_blocked
from devstack.sandbox.model import ANONYMOUS_ADMIN, CallbackQuery, Chat, Message, User
from devstack.sandbox.state import Sandbox
from devstack.sandbox.updates import TAP_TTL_S, NewUpdate
from devstack.sandbox.values import Fields, Json, JsonValue

FORMATTED_FIELDS = frozenset({"text", "entities", "caption", "caption_entities"})


async def send(
    sandbox: Sandbox, chat: Chat, user: User, fields: Fields, uploads: Mapping[str, Upload]
) -> list[Message]:
    """Post what the person sends (an album makes several messages) and tell the bots."""
    if "edit" in fields:
        return [edit(sandbox, chat, user, fields)]
    anonymous = _check_sender(chat, user, fields)
    contents = await contents_of(sandbox, chat, user, fields, uploads)
    thread_id, reply_to = _place(chat, fields)
    _open_private_chat(sandbox, chat, fields)
    album_id = str(random.getrandbits(53)) if len(contents) > 1 else None
    origin = _forward_origin(sandbox, fields)
    messages = []
    for content, files in contents:
        message = Message(
            0,
            chat,
            ANONYMOUS_ADMIN if anonymous else user,
            sandbox.clock.unix(),
            content,
            sender_chat=chat if anonymous else None,
            reply_to=reply_to,
            thread_id=thread_id,
            album_id=album_id,
            forward_origin=origin,
            files=files,
        )
        messages.append(sandbox.post(message))
        tell_message(sandbox, message)
    return messages


def edit(sandbox: Sandbox, chat: Chat, user: User, fields: Fields) -> Message:
    """Change the text or caption of one's own message."""
    message = chat.visible(fields.integer("edit"))
    if message is None or not _is_own(message, user):
        raise ControlError("no own message with that id")
    name = "text" if "text" in message.content else "caption"
    kept = {key: value for key, value in message.content.items() if key not in FORMATTED_FIELDS}
    message.content = kept | formatted(fields, "text" if "text" in fields else "caption", name)
    message.edit_date, message.edits = sandbox.clock.unix(), message.edits + 1
    sandbox.show_edit(message)
    tell_message(sandbox, message, edited=True)
    return message


def press(sandbox: Sandbox, message: Message, user: User, fields: Fields) -> CallbackQuery:
    """Tap an inline button by caption or data. `stale` taps what is no longer shown, by data."""
    chat = message.chat
    stale = fields.flag("stale")
    bot = sandbox.bot_by_id(message.sender.id)
    if bot is None:
        raise ControlError("that message has no buttons")
    if chat.person is not user and not chat.status_of(user.id).is_inside:
        raise ControlError(f"{user.first_name} is not in this chat")
    data = fields.text("data") if stale else _data_of(message, fields)
    query = CallbackQuery(str(random.getrandbits(62) + 1), bot.id, chat, user, sandbox.clock.now())
    sandbox.callbacks[query.id] = query
    gone = message.deleted or fields.flag("inaccessible")
    body: Json = {
        "id": query.id,
        "from": render.user(user),
        "message": render.inaccessible(chat, message.id) if gone else render.message(message),
        "chat_instance": str(abs(hash((bot.id, chat.id)))),
        "data": data,
    }
    sandbox.emit(bot, NewUpdate("callback_query", body, ("taps", user.id), TAP_TTL_S), chat.id)
    return query


def react(sandbox: Sandbox, message: Message, user: User, emoji: list[str]) -> None:
    """Set a person's reactions to a message."""
    old = message.reactions.pop(user.id, [])
    new: list[JsonValue] = [{"type": "emoji", "emoji": one} for one in emoji]
    if new:
        message.reactions[user.id] = new
    sandbox.show_edit(message)
    tell_reaction(sandbox, message, user, old)


def check_may_delete(message: Message, user: User) -> None:
    """In private both sides may delete everything, in groups their own; raises ControlError."""
    chat = message.chat
    if chat.person is not user and message.sender.id != user.id and not chat.status_of(user.id).is_admin:
        raise ControlError(f"{user.first_name} may not delete that message")


def _is_own(message: Message, user: User) -> bool:
    anonymous = message.sender is ANONYMOUS_ADMIN and message.chat.status_of(user.id).is_admin
    return message.sender.id == user.id or anonymous


def _data_of(message: Message, fields: Fields) -> str:
    for button in (button for row in message.markup.inline or [] for button in row):
        meant = "data" in fields and button.get("callback_data") == fields.text("data")
        if meant or ("caption" in fields and button["text"] == fields.text("caption")):
            data = button.get("callback_data")
            if not isinstance(data, str):
                raise ControlError("that button opens something in the client, the bot is not told")
            return data
    raise ControlError("no such button is shown")


def _check_sender(chat: Chat, user: User, fields: Fields) -> bool:
    """Whether the message is sent as the group itself; raises ControlError when the person may not send."""
    if chat.migrated_to is not None:
        raise ControlError(f"this group has become the supergroup {chat.migrated_to}")
    if chat.is_private:
        if chat.person is not user:
            raise ControlError("that is somebody else's private chat")
        return False
    member = chat.member(user.id)
    if member is None or not member.status.is_inside:
        raise ControlError(f"{user.first_name} is not a member of this chat")
    return member.status.is_admin and (member.is_anonymous or fields.flag("anonymous"))


def _open_private_chat(sandbox: Sandbox, chat: Chat, fields: Fields) -> None:
    """The first message of a person opens the chat; /start also takes a block back."""
    if not chat.is_private:
        return
    if chat.is_blocked:
        if not fields.text("text", "").startswith("/start"):
            raise ControlError("the person has blocked the bot; /start takes that back")
        set_blocked(sandbox, chat, blocked=False)
    chat.is_started = True


def _place(chat: Chat, fields: Fields) -> tuple[int | None, int | None]:
    """Thread and replied-to message; in a topic a message without a reply replies to the topic's start."""
    thread_id = fields.integer("message_thread_id") if "message_thread_id" in fields else None
    if thread_id is not None and thread_id not in chat.topics:
        raise ControlError("no such topic")
    if "reply_to" not in fields:
        return thread_id, thread_id
    replied = chat.visible(fields.integer("reply_to"))
    if replied is None:
        raise ControlError("the message to reply to is not shown")
    return thread_id or replied.thread_id, replied.id


def _forward_origin(sandbox: Sandbox, fields: Fields) -> Json | None:
    if "forward_from" not in fields:
        return None
    author = sandbox.user(fields.integer("forward_from"))
    if author is None:
        raise ControlError("forward_from: no such user")
    return {"type": "user", "sender_user": render.user(author), "date": sandbox.clock.unix()}
