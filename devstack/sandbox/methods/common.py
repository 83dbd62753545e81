"""What the methods share: the call, its chat and message, formatted text, reply and markup."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from devstack.sandbox.errors import ApiError, bad_request, forbidden
from devstack.sandbox.markup import read_markup
from devstack.sandbox.model import Chat, ChatType, Markup, Message, Status, StoredFile
from devstack.sandbox.params import Params
from devstack.sandbox.state import Bot, Sandbox
from devstack.sandbox.values import FieldError, Fields, Json, JsonValue

GENERAL_TOPIC = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a bot."""

    sandbox: Sandbox
    bot: Bot
    params: Params


@dataclass(frozen=True, slots=True)
class Answer:
    """A result with a description beside it, as setWebhook gives."""

    result: JsonValue
    description: str


Method: TypeAlias = "Callable[[Call], Awaitable[JsonValue | Answer]]"


class Access(IntEnum):
    """What a bot wants of a chat; each includes the ones before it."""

    READ = 1
    EDIT = 2
    WRITE = 3


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how a new message goes."""

    chat: Chat
    reply_to: int | None
    thread_id: int | None
    markup: Markup


# chats


def chat_of(call: Call, access: Access, name: str = "chat_id") -> Chat:
    """The chat of that parameter; raises ApiError 400 or 403 in Telegram's words."""
    text = call.params.text(name).strip()
    if not text:
        raise bad_request("chat_id is empty")
    try:
        chat = call.sandbox.chat(int(text), call.bot.id)
    except ValueError:
        chat = None
    if chat is None or (chat.is_private and not chat.is_started):
        raise bad_request("chat not found")
    if chat.is_private:
        if chat.is_blocked and access >= Access.EDIT:
            raise forbidden("bot was blocked by the user")
    else:
        _check_group(chat, call.bot.id, access)
    return chat


def _check_group(chat: Chat, bot_id: int, access: Access) -> None:
    if chat.member(bot_id) is None:
        raise bad_request("chat not found")
    if chat.migrated_to is not None and access is Access.WRITE:
        raise ApiError(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            {"migrate_to_chat_id": chat.migrated_to},
        )
    status = chat.status_of(bot_id)
    if access is Access.READ and chat.type is not ChatType.SUPERGROUP:
        return
    if status is Status.KICKED:
        raise forbidden(f"bot was kicked from the {chat.type} chat")
    if status is Status.LEFT:
        raise forbidden(f"bot is not a member of the {chat.type} chat")


def message_of(call: Call, chat: Chat, purpose: str) -> Message:
    """The message named by message_id; raises ApiError "message to PURPOSE not found"."""
    message = chat.visible(call.params.integer("message_id"))
    if message is None:
        raise bad_request(f"message to {purpose} not found")
    return message


# sending


def markup_of(call: Call, chat: Chat, *, inline_only: bool = False) -> Markup:
    """The checked reply_markup."""
    value = call.params.json("reply_markup", "reply keyboard markup")
    return read_markup(value, private=chat.is_private, inline_only=inline_only)


def target_of(call: Call) -> Target:
    """Chat, thread, reply and markup of a new message, checked in Telegram's order."""
    chat = chat_of(call, Access.WRITE)
    thread_id = _thread(call, chat)
    replied = _replied(call, chat)
    if replied is not None and thread_id is None:
        thread_id = replied.thread_id
    reply_to = replied.id if replied is not None else thread_id
    return Target(chat, reply_to, thread_id, markup_of(call, chat))


def _thread(call: Call, chat: Chat) -> int | None:
    """Groups without topics ignore a thread; the general topic has no id that could be used."""
    thread_id = call.params.integer("message_thread_id")
    if thread_id <= 0 or not (chat.is_forum or chat.is_private):
        return None
    if thread_id == GENERAL_TOPIC or thread_id not in chat.topics:
        raise bad_request("message thread not found")
    return thread_id


def _replied(call: Call, chat: Chat) -> Message | None:
    given = call.params.json("reply_parameters", "reply parameters")
    if given is None:
        message_id = call.params.integer("reply_to_message_id")
        optional = call.params.flag("allow_sending_without_reply")
    elif isinstance(given, dict):
        message_id, optional = _reply_parameters(Fields(given))
    else:
        raise bad_request("object expected as reply parameters")
    if message_id <= 0:
        return None
    replied = chat.visible(message_id)
    if replied is None and not optional:
        raise bad_request("message to be replied not found")
    return replied


def _reply_parameters(fields: Fields) -> tuple[int, bool]:
    if not fields.values:
        return 0, False
    try:
        return fields.integer("message_id"), fields.flag("allow_sending_without_reply")
    except FieldError as error:
        raise bad_request(str(error)) from error


def charge(call: Call, chat: Chat, cost: int = 1) -> None:
    """Take the budget of a send or an edit; raises ApiError 429."""
    paid = call.params.flag("allow_paid_broadcast")
    call.sandbox.limits.charge(call.bot.id, chat, cost, paid=paid)


def post(
    call: Call, target: Target, content: Json, files: list[StoredFile], album_id: str | None = None
) -> Message:
    """Put the bot's message into the chat; the budget was taken before."""
    message = Message(
        0,
        target.chat,
        call.bot.user,
        call.sandbox.clock.unix(),
        content,
        reply_to=target.reply_to,
        thread_id=target.thread_id,
        markup=target.markup,
        album_id=album_id,
        files=files,
    )
    return call.sandbox.post(message)
