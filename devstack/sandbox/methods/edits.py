"""editMessage*, deleteMessage, deleteMessages."""

from __future__ import annotations

from devstack.sandbox import render
from devstack.sandbox.errors import bad_request
from devstack.sandbox.limits import DELETE_AGE_S, DELETE_MANY
from devstack.sandbox.methods.common import Access, Call, charge, chat_of, markup_of, message_of
from devstack.sandbox.methods.media import input_media
from devstack.sandbox.methods.texts import caption_content, formatted_text, text_content
from devstack.sandbox.model import Chat, ChatType, Message, StoredFile
from devstack.sandbox.values import Json, JsonValue

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)
TEXT_FIELDS = frozenset({"text", "entities", "link_preview_options"})
CAPTION_FIELDS = frozenset({"caption", "caption_entities"})


async def edit_message_text(call: Call) -> JsonValue:
    """Change the text; buttons that are not given again are gone."""
    if not call.params.text("text"):
        raise bad_request("message text is empty")
    text = formatted_text(call.params, "text")
    message = _editable(call)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    content = text_content(call, text)
    return _apply(call, message, _without(message.content, TEXT_FIELDS) | content)


async def edit_message_caption(call: Call) -> JsonValue:
    """Change the caption of a photo or document."""
    caption = caption_content(call, call.params)
    message = _editable(call)
    if "text" in message.content or not message.files:
        raise bad_request("there is no caption in the message to edit")
    return _apply(call, message, _without(message.content, CAPTION_FIELDS) | caption)


async def edit_message_media(call: Call) -> JsonValue:
    """Change the photo or document."""
    given = call.params.json("media", "input media")
    if given is None:
        raise bad_request('parameter "media" is required')
    message = _editable(call)
    content, files = await input_media(call, given, prefix="can't parse InputMedia: ")
    return _apply(call, message, content, files)


async def edit_message_reply_markup(call: Call) -> JsonValue:
    """Change only the buttons."""
    message = _editable(call)
    return _apply(call, message, message.content)


async def delete_message(call: Call) -> JsonValue:
    """Take one message away."""
    chat = chat_of(call, Access.WRITE)
    message = message_of(call, chat, "delete")
    _check_deletable(call, message)
    call.sandbox.delete(message)
    return True


async def delete_messages(call: Call) -> JsonValue:
    """Take several away or, when one of them cannot go, none; ids that are not there are passed over."""
    chat = chat_of(call, Access.WRITE)
    messages = [message for one in _message_ids(call) if (message := chat.visible(one)) is not None]
    for message in messages:
        _check_deletable(call, message)
    for message in messages:
        call.sandbox.delete(message)
    return True


def _editable(call: Call) -> Message:
    """The bot's own message, if it can be edited: no forward, no reply keyboard, no ForceReply."""
    if not call.params.has("chat_id") and not call.params.has("message_id"):
        raise bad_request("message identifier is not specified")
    message = message_of(call, chat_of(call, Access.EDIT), "edit")
    own = message.sender.id == call.bot.id and not message.is_service
    if not own or message.forward_origin is not None or message.markup.keyboard is not None:
        raise bad_request("message can't be edited")
    return message


def _apply(call: Call, message: Message, content: Json, files: list[StoredFile] | None = None) -> JsonValue:
    markup = markup_of(call, message.chat, inline_only=True)
    if content == message.content and markup == message.markup:
        raise bad_request(NOT_MODIFIED)
    charge(call, message.chat)
    message.edits += content != message.content  # clients show no “edited” for a changed keyboard
    message.content, message.markup = content, markup
    message.files = message.files if files is None else files
    for file in message.files:
        file.bot_ids.add(call.bot.id)
    message.edit_date = call.sandbox.clock.unix()
    call.sandbox.show_edit(message)
    return render.message(message)


def _without(content: Json, names: frozenset[str]) -> Json:
    return {name: value for name, value in content.items() if name not in names}


def _message_ids(call: Call) -> list[int]:
    given = call.params.json("message_ids", "message_ids")
    if given is None:
        raise bad_request("message identifiers are not specified")
    if not isinstance(given, list):
        raise bad_request("expected an Array of message identifiers")
    if len(given) > DELETE_MANY:
        raise bad_request("too many message identifiers specified")
    try:
        ids = [int(str(one)) for one in given]
    except ValueError:
        raise bad_request("can't parse message identifier as a Number") from None
    if any(one <= 0 for one in ids):
        raise bad_request("invalid message identifier specified")
    if not ids:
        raise bad_request("message identifiers are not specified")
    return ids


def _check_deletable(call: Call, message: Message) -> None:
    """Telegram's rules of who may delete what, and the 48 hours."""
    chat = message.chat
    old = call.sandbox.clock.unix() - message.date > DELETE_AGE_S
    own = message.sender.id == call.bot.id and not message.is_service
    admin = chat.status_of(call.bot.id).is_admin
    if chat.type is ChatType.SUPERGROUP:
        if old or not (own or admin) or _is_first(chat, message):
            raise bad_request("message can't be deleted")
    elif old or not (chat.is_private or own or admin):
        raise bad_request("message can't be deleted for everyone")


def _is_first(chat: Chat, message: Message) -> bool:
    return message.id == min(chat.messages)
