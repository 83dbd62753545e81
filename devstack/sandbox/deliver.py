"""Which bot is told of what: privacy mode, membership, reactions."""

from __future__ import annotations

from devstack.sandbox import render, view
from devstack.sandbox.model import Chat, Member, Message, User
from devstack.sandbox.state import Bot, Sandbox
from devstack.sandbox.updates import NewUpdate
from devstack.sandbox.values import Json, JsonValue


def tell_message(sandbox: Sandbox, message: Message, *, edited: bool = False) -> None:
    """Queue message or edited_message for the bots that may see it."""
    kind = "edited_message" if edited else "message"
    for bot in sandbox.bots_in(message.chat):
        if message.sender.id != bot.id and sees(bot, message):
            update = NewUpdate(kind, render.message(message), ("chat", message.chat.id))
            sandbox.emit(bot, update, message.chat.id)


def sees(bot: Bot, message: Message) -> bool:
    """Privacy mode: commands, replies to the bot, its mention, service messages; administrators see all."""
    chat = message.chat
    if message.sender.is_bot and message.sender_chat is None:
        return message.is_service
    if chat.is_private or not chat.privacy or chat.status_of(bot.id).is_admin or message.is_service:
        return True
    replied = chat.visible(message.reply_to)
    if replied is not None and replied.sender.id == bot.id:
        return True
    return any(_is_addressed(bot, message, entity) for entity in view.entities_of(message))


def _is_addressed(bot: Bot, message: Message, entity: Json) -> bool:
    name = bot.user.username.lower()
    covered = view.covered(message, entity).lower()
    mentioned = entity.get("user")
    if isinstance(mentioned, dict):
        return mentioned.get("id") == bot.id
    if entity["type"] == "bot_command":
        _, at, addressee = covered.partition("@")
        return not at or addressee == name
    return entity["type"] == "mention" and covered == f"@{name}"


def tell_membership(sandbox: Sandbox, chat: Chat, actor: User, old: Member, new: Member) -> None:
    """Queue my_chat_member for the bot that it befalls, chat_member for the bots that administer the chat."""
    body: Json = {
        "chat": render.chat(chat),
        "from": render.user(actor),
        "date": sandbox.clock.unix(),
        "old_chat_member": render.member(old, chat.type),
        "new_chat_member": render.member(new, chat.type),
    }
    for bot in sandbox.bots.values():
        if bot.id == new.user.id:
            sandbox.emit(bot, NewUpdate("my_chat_member", body, ("my_chat_member", chat.id)), chat.id)
        elif chat.status_of(bot.id).is_admin:
            sandbox.emit(bot, NewUpdate("chat_member", body, ("chat_member", new.user.id)), chat.id)


def tell_reaction(sandbox: Sandbox, message: Message, user: User, old: list[JsonValue]) -> None:
    """Queue message_reaction: in groups for bots that are administrators."""
    chat = message.chat
    body: Json = {
        "chat": render.chat(chat),
        "message_id": message.id,
        "user": render.user(user),
        "date": sandbox.clock.unix(),
        "old_reaction": old,
        "new_reaction": message.reactions.get(user.id, []),
    }
    for bot in sandbox.bots_in(chat):
        if chat.is_private or chat.status_of(bot.id).is_admin:
            sandbox.emit(bot, NewUpdate("message_reaction", body, ("reaction", chat.id)), chat.id)
