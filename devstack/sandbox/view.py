"""What the control API and the web chat see: Bot API JSON plus what only the sandbox knows."""

from __future__ import annotations

from urllib.parse import quote

from devstack.sandbox import render
from devstack.sandbox.model import Chat, Message, StoredFile
from devstack.sandbox.text import utf16_slice
from devstack.sandbox.values import Json, JsonValue


def sandbox_message(message: Message, viewer: int | None = None) -> Json:
    """A SandboxMessage; with a viewer, keyboards that are not meant for that person are left out."""
    details: Json = {
        "edited": message.edits > 0,
        "edits": message.edits,
        "deleted": message.deleted,
        "file_urls": file_urls(message),
    }
    keyboard = message.markup.keyboard
    if keyboard is not None and (viewer is None or is_meant_for(message, viewer)):
        name = next(
            name for name in ("reply_keyboard", "remove_keyboard", "force_reply") if _is(keyboard, name)
        )
        details[name] = True if name == "remove_keyboard" else dict(keyboard)
    if message.reactions:
        details["reactions"] = {str(user_id): list(given) for user_id, given in message.reactions.items()}
    out = render.message(message)
    if message.deleted:
        out["deleted"] = True
    return {**out, "sandbox": details}


def _is(keyboard: Json, name: str) -> bool:
    return ("keyboard" if name == "reply_keyboard" else name) in keyboard


def is_meant_for(message: Message, user_id: int) -> bool:
    """Whether a keyboard is shown to that person: selective ones only to the replied-to and the mentioned."""
    if not message.markup.is_selective or message.chat.is_private:
        return True
    replied = message.chat.visible(message.reply_to)
    return (replied is not None and replied.sender.id == user_id) or user_id in mentioned_ids(message)


def mentioned_ids(message: Message) -> set[int]:
    """The members that a message mentions, by @name or by a link to the person."""
    names = {
        member.user.username.lower(): member.user.id
        for member in message.chat.members.values()
        if member.user.username
    }
    ids: set[int] = set()
    for entity in entities_of(message):
        user = entity.get("user")
        if entity["type"] == "text_mention" and isinstance(user, dict):
            ids.add(int(str(user["id"])))
        elif entity["type"] == "mention":
            ids.add(names.get(covered(message, entity)[1:].lower(), 0))
    return ids - {0}


def entities_of(message: Message) -> list[Json]:
    """The entities of text or caption."""
    found = message.content.get("entities") or message.content.get("caption_entities") or []
    return [entity for entity in found if isinstance(entity, dict)] if isinstance(found, list) else []


def covered(message: Message, entity: Json) -> str:
    """The part of the text that an entity covers."""
    return utf16_slice(message.text, int(str(entity["offset"])), int(str(entity["length"])))


def file_urls(message: Message) -> Json:
    """Where the web chat gets the bytes: the document, and the largest size of a photo."""
    return {file.kind: file_url(file) for file in message.files}


def file_url(file: StoredFile) -> str:
    """The path of one file under the sandbox's own URL."""
    return f"/sandbox/files/{file.id}/{quote(file.name, safe='')}"


def chat_entry(chat: Chat) -> Json:
    """A chat as the list of chats shows it, with its members and its last message."""
    shown = [message for message in chat.messages.values() if not message.deleted]
    members: list[JsonValue] = [
        {
            "user": render.user(member.user),
            "status": str(member.status),
            "is_anonymous": member.is_anonymous,
        }
        for member in chat.members.values()
    ]
    out: Json = {
        **render.chat(chat),
        "members": members,
        "last": sandbox_message(shown[-1]) if shown else None,
        "privacy": chat.privacy,
        "topics": [int(topic) for topic in sorted(chat.topics)],
    }
    if chat.is_private:
        out.update(bot_id=chat.bot_id, started=chat.is_started, blocked_bot=chat.is_blocked)
    if chat.migrated_to is not None:
        out["migrated_to"] = chat.migrated_to
    return out
