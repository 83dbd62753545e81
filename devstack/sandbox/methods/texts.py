"""Text and captions of the bot's messages: parsed, made live, measured."""

from __future__ import annotations

from devstack.sandbox import render
from devstack.sandbox.autolink import find_entities
from devstack.sandbox.errors import bad_request
from devstack.sandbox.html import ParseError, parse_html
from devstack.sandbox.limits import CAPTION_UTF16, SOURCE_BYTES, TEXT_UTF16
from devstack.sandbox.markdown import parse_markdown
from devstack.sandbox.methods.common import Call
from devstack.sandbox.params import Params
from devstack.sandbox.text import Entity, FormattedText, finish, read_entities, utf16_len
from devstack.sandbox.values import Json


def formatted_text(values: Params, name: str, what: str = "") -> FormattedText:
    """Text or caption by parse_mode or entities, not finished yet; raises ApiError."""
    text, mode = values.text(name), values.text("parse_mode").lower()
    if len(text.encode()) > SOURCE_BYTES:
        raise bad_request("text is too long")
    if text and mode not in ("", "none"):
        if mode not in ("html", "markdownv2"):
            raise bad_request("unsupported parse_mode")
        try:
            return parse_html(text) if mode == "html" else parse_markdown(text)
        except ParseError as error:
            raise bad_request(f"can't parse entities: {error}") from error
    given = values.json(what or "entities", "entities")
    return FormattedText(text, tuple(read_entities(given if isinstance(given, list) else [], text)))


def finished_text(call: Call, text: FormattedText) -> FormattedText:
    """What is kept: live parts found, mentioned people looked up."""
    entities = tuple(found for entity in text.entities if (found := _known(call, entity)) is not None)
    return finish(FormattedText(text.text, entities), find_entities(text.text))


def _known(call: Call, entity: Entity) -> Entity | None:
    """A mention by id carries the whole user; Telegram drops it for someone the bot has never met."""
    if entity.type != "text_mention":
        return entity
    user = entity.extra.get("user")
    person = call.sandbox.user(int(str(user.get("id", 0)))) if isinstance(user, dict) else None
    if person is None:
        return None
    return Entity(entity.type, entity.offset, entity.length, {"user": render.user(person)})


def text_content(call: Call, text: FormattedText) -> Json:
    """text and entities of a message; raises ApiError when it is empty or too long."""
    kept = finished_text(call, text)
    if not kept.text:
        raise bad_request("text must be non-empty")
    if utf16_len(kept.text) > TEXT_UTF16:
        raise bad_request("message is too long")
    content: Json = {"text": kept.text}
    if kept.entities:
        content["entities"] = [entity.json() for entity in kept.entities]
    options = call.params.json("link_preview_options", "link preview options")
    if isinstance(options, dict):
        content["link_preview_options"] = options
    elif call.params.flag("disable_web_page_preview"):
        content["link_preview_options"] = {"is_disabled": True}
    return content


def caption_content(call: Call, values: Params) -> Json:
    """caption and caption_entities; raises ApiError when it is too long."""
    kept = finished_text(call, formatted_text(values, "caption", "caption_entities"))
    if utf16_len(kept.text) > CAPTION_UTF16:
        raise bad_request("message caption is too long")
    if not kept.text:
        return {}
    content: Json = {"caption": kept.text}
    if kept.entities:
        content["caption_entities"] = [entity.json() for entity in kept.entities]
    return content
