"""What people send, from a control call's fields to Bot API fields: text, files, albums, shared things."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from devstack.sandbox import render
from devstack.sandbox.autolink import find_entities
from devstack.sandbox.errors import ApiError, ControlError
from devstack.sandbox.files import Upload
from devstack.sandbox.membership import set_status
from devstack.sandbox.model import Chat, Status, StoredFile, User
from devstack.sandbox.state import Sandbox
from devstack.sandbox.text import FormattedText, finish, read_entities
from devstack.sandbox.values import Fields, Json, JsonValue

Content = tuple[Json, list[StoredFile]]


async def contents_of(
    sandbox: Sandbox, chat: Chat, user: User, fields: Fields, uploads: Mapping[str, Upload]
) -> list[Content]:
    """The Bot API fields and files of each message that a control call describes; raises ControlError."""
    album = fields.items("album")
    if album:
        parts = [Fields(part) for part in album if isinstance(part, dict)]
        return [await _media(sandbox, part, {}) for part in parts]
    if {"document", "photo"} & (fields.values.keys() | uploads.keys()):
        return [await _media(sandbox, fields, uploads)]
    if "text" in fields:
        return [(formatted(fields, "text", "text"), [])]
    return [(_special(sandbox, chat, user, fields), [])]


async def _media(sandbox: Sandbox, fields: Fields, uploads: Mapping[str, Upload]) -> Content:
    kind = "photo" if "photo" in fields or "photo" in uploads else "document"
    upload = uploads.get(kind) or await _upload(sandbox, fields.fields(kind), kind)
    try:
        if kind == "photo":
            files = await sandbox.files.photo(upload)
            content: Json = {"photo": [render.photo_size(file) for file in files]}
        else:
            files = [sandbox.files.document(upload)]
            content = {"document": render.document(files[0])}
    except ApiError as error:
        raise ControlError(error.description) from error
    return content | formatted(fields, "caption", "caption"), files


async def _upload(sandbox: Sandbox, fields: Fields, kind: str) -> Upload:
    """A file given as base64 or as the path of a local file."""
    if "path" in fields:
        path = Path(fields.text("path"))
        name = fields.text("name", path.name)
        try:
            return await sandbox.files.keep_file(name, path, fields.text("mime_type", ""))
        except OSError as error:
            raise ControlError(str(error)) from error
    name = fields.text("name", f"{kind}.bin")
    try:
        content = base64.b64decode(fields.text("content_base64"), validate=True)
    except binascii.Error as error:
        raise ControlError(f"content_base64: {error}") from error
    return await sandbox.files.keep(name, content, fields.text("mime_type", ""))


def formatted(fields: Fields, source: str, target: str) -> Json:
    """Text or caption with the entities that a client sends and that the server finds."""
    text = fields.text(source, "")
    given = fields.items("entities" if source == "text" else "caption_entities")
    try:
        entities = read_entities(given, text)
    except ApiError as error:
        raise ControlError(error.description) from error
    finished = finish(FormattedText(text, tuple(entities)), find_entities(text))
    if not finished.text:
        if target == "text":
            raise ControlError("text is empty")
        return {}
    out: Json = {target: finished.text}
    if finished.entities:
        name = "entities" if target == "text" else "caption_entities"
        out[name] = [entity.json() for entity in finished.entities]
    return out


def _special(sandbox: Sandbox, chat: Chat, user: User, fields: Fields) -> Json:
    """Contact, location, shared chats and users; `content` gives any other Bot API fields as they are."""
    if "contact" in fields:
        contact = fields.fields("contact")
        own: Json = {"first_name": user.first_name, "user_id": user.id}
        return {"contact": {**own, "phone_number": contact.text("phone_number"), **contact.values}}
    if "location" in fields:
        place = fields.fields("location")
        return {"location": {"latitude": place.number("latitude"), "longitude": place.number("longitude")}}
    if "chat_shared" in fields:
        return _chat_shared(sandbox, chat, user, fields.fields("chat_shared"))
    for name in ("users_shared", "user_shared"):
        if name in fields:
            return _users_shared(fields.fields(name))
    if "content" in fields:
        return dict(fields.fields("content").values)
    raise ControlError("nothing to send")


def _chat_shared(sandbox: Sandbox, chat: Chat, user: User, fields: Fields) -> Json:
    """A picked chat; where the button wants the bot to be a member, the client adds it."""
    request_id, chat_id = fields.integer("request_id"), fields.integer("chat_id")
    picked, bot = sandbox.chat(chat_id), sandbox.bot_by_id(chat.bot_id)
    if picked is None or bot is None:
        raise ControlError("chat_shared: no such chat to pick, or not in a private chat")
    if not picked.status_of(bot.id).is_inside and _wants_bot(chat, request_id):
        set_status(sandbox, picked, bot.user, Status.MEMBER, user)
    return {"chat_shared": {"request_id": request_id, "chat_id": chat_id}}


def _wants_bot(chat: Chat, request_id: int) -> bool:
    """Whether a button shown in the chat asks for a chat with the bot in it."""
    for message in reversed(chat.messages.values()):
        for row in Fields(message.markup.keyboard or {}).items("keyboard"):
            for button in row if isinstance(row, list) else []:
                wanted = Fields(button if isinstance(button, dict) else {}).fields("request_chat")
                if "request_id" in wanted and wanted.integer("request_id") == request_id:
                    return wanted.flag("bot_is_member")
    return False


def _users_shared(fields: Fields) -> Json:
    ids = fields.items("user_ids") or [fields.integer("user_id")]
    shared: list[JsonValue] = [{"user_id": one} for one in ids]
    request_id = fields.integer("request_id")
    return {"users_shared": {"request_id": request_id, "users": shared, "user_ids": ids}}
