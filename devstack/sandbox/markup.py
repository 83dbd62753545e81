"""reply_markup, checked as Telegram checks it."""

from __future__ import annotations

from devstack.sandbox.errors import bad_request
from devstack.sandbox.limits import CALLBACK_DATA_BYTES, INLINE_BUTTONS
from devstack.sandbox.links import LinkError, check_link
from devstack.sandbox.model import Markup
from devstack.sandbox.values import FieldError, Fields, Json, JsonValue

# What a reply keyboard may ask for in private chats only, with the word of the complaint.
REQUESTS = {
    "request_contact": "Phone number",
    "request_location": "Location",
    "request_poll": "Poll",
    "request_users": "Users",
    "request_chat": "Chats",
}
KEYBOARD_OPTIONS = ("is_persistent", "resize_keyboard", "one_time_keyboard", "selective")
PLACEHOLDER_CHARS = 64
COPY_TEXT_CHARS = 256
INLINE_ACTIONS = (
    "switch_inline_query",
    "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat",
    "login_url",
)
BUTTON_STYLES = ("danger", "success", "primary")


def read_markup(value: JsonValue, *, private: bool, inline_only: bool = False) -> Markup:
    """The markup to keep; raises ApiError in Telegram's words."""
    if value is None or value == "":
        return Markup()
    if not isinstance(value, dict):
        raise bad_request("object expected as reply markup")
    fields = Fields(value)
    try:
        markup = _read(fields, private=private)
    except FieldError as error:
        raise bad_request(str(error)) from error
    if inline_only and markup.keyboard is not None:
        raise bad_request("inline keyboard expected")
    return markup


def _read(fields: Fields, *, private: bool) -> Markup:
    if any(fields.items("keyboard")):
        return Markup(keyboard=_reply_keyboard(fields, private=private))
    if any(fields.items("inline_keyboard")):
        return Markup(inline=_inline_keyboard(fields, private=private))
    if fields.flag("remove_keyboard"):
        return Markup(keyboard={"remove_keyboard": True, "selective": fields.flag("selective")})
    if fields.flag("force_reply"):
        force: Json = {"force_reply": True, "selective": fields.flag("selective")}
        return Markup(keyboard=force | _placeholder(fields))
    return Markup()


def _placeholder(fields: Fields) -> Json:
    text = fields.text("input_field_placeholder", "")
    if len(text) > PLACEHOLDER_CHARS:
        raise bad_request("INPUT_FIELD_PLACEHOLDER_INVALID")  # the limit is documented, these words are not
    return {"input_field_placeholder": text} if text else {}


def _reply_keyboard(fields: Fields, *, private: bool) -> Json:
    rows: list[JsonValue] = []
    for row in fields.items("keyboard"):
        if not isinstance(row, list):
            raise FieldError('Field "keyboard" must be an Array of Arrays')
        rows.append([_reply_button(button, private=private) for button in row])
    options: Json = {name: fields.flag(name) for name in KEYBOARD_OPTIONS if name in fields}
    return {"keyboard": rows, **options, **_placeholder(fields)}


def _reply_button(value: JsonValue, *, private: bool) -> Json:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        raise FieldError("Can't parse keyboard button: KeyboardButton must be a String or an Object")
    fields = Fields(value)
    try:
        button: Json = {"text": fields.text("text")}
    except FieldError as error:
        raise FieldError(f"Can't parse keyboard button: {error}") from error
    if not button["text"]:
        raise FieldError("Keyboard button text must be non-empty")
    for name, what in REQUESTS.items():
        if fields.flag(name):
            if not private:
                raise FieldError(f"{what} can be requested in private chats only")
            button[name] = value[name]
    if "web_app" in fields:
        if not private:
            raise FieldError("Web App buttons can be used in private chats only")
        button["web_app"] = {
            "url": _url(fields.fields("web_app"), "Keyboard button Web App", https_only=True)
        }
    return button


def _inline_keyboard(fields: Fields, *, private: bool) -> list[list[Json]]:
    rows: list[list[Json]] = []
    for row in fields.items("inline_keyboard"):
        if not isinstance(row, list):
            raise FieldError('Field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
        rows.append([_inline_button(button, private=private) for button in row])
    if sum(len(row) for row in rows) > INLINE_BUTTONS:
        raise bad_request("reply markup is too long")
    return [row for row in rows if row]


def _inline_button(value: JsonValue, *, private: bool) -> Json:
    if not isinstance(value, dict):
        raise FieldError("Can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    fields = Fields(value)
    try:
        text = fields.text("text")
        action = _inline_action(fields, private=private)
    except FieldError as error:
        raise FieldError(f"Can't parse inline keyboard button: {error}") from error
    if not text:
        raise bad_request("Inline keyboard button text must be non-empty")
    return {"text": text, **action, **_style(fields)}


def _style(fields: Fields) -> Json:
    style = fields.text("style", "")
    if style and style not in BUTTON_STYLES:
        raise bad_request("invalid button style specified")
    return {"style": style} if style else {}


def _inline_action(fields: Fields, *, private: bool) -> Json:
    if fields.text("url", ""):
        return {"url": _url(fields, "Inline keyboard button")}
    data = fields.text("callback_data", "")
    if data:
        if len(data.encode()) > CALLBACK_DATA_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
        return {"callback_data": data}
    if "web_app" in fields:
        url = _url(fields.fields("web_app"), "Inline keyboard button Web App", https_only=True)
        if not private:
            raise bad_request("BUTTON_TYPE_INVALID")
        return {"web_app": {"url": url}}
    if "copy_text" in fields:
        copied = fields.fields("copy_text").text("text")
        if not 1 <= len(copied) <= COPY_TEXT_CHARS:
            raise bad_request("BUTTON_COPY_TEXT_INVALID")  # the limit is documented, these words are not
        return {"copy_text": {"text": copied}}
    for name in INLINE_ACTIONS:
        if name in fields:
            return {name: fields.values[name]}
    raise FieldError("Text buttons are unallowed in the inline keyboard")


def _url(fields: Fields, what: str, *, https_only: bool = False) -> str:
    url = fields.text("url")
    if url.startswith("tg://user?id="):
        return url
    try:
        return check_link(url, https_only=https_only)
    except LinkError as error:
        raise bad_request(f"{what} {error}") from error
