"""Formatted text as Telegram keeps it: offsets and lengths in UTF-16 units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from devstack.sandbox.errors import bad_request
from devstack.sandbox.limits import ENTITIES
from devstack.sandbox.values import FieldError, Fields, Json, JsonValue

# Given by the client for these, the server finds them itself.
FOUND_BY_SERVER = frozenset(
    {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number"}
)
FORMATTING = frozenset(
    {
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
    }
)
# Nothing is found inside these.
OPAQUE = frozenset({"code", "pre", "text_link", "text_mention", "custom_emoji"})
# Of two entities at the same place the outer one comes first.
NESTING = ("blockquote", "expandable_blockquote", "bold", "italic", "underline", "strikethrough", "spoiler")


@dataclass(frozen=True, slots=True)
class Entity:
    """A MessageEntity; `extra` holds url, user, language or custom_emoji_id."""

    type: str
    offset: int
    length: int
    extra: Json = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The offset after it."""
        return self.offset + self.length

    def json(self) -> Json:
        """As the Bot API writes it."""
        return {"type": self.type, "offset": self.offset, "length": self.length, **self.extra}


@dataclass(frozen=True, slots=True)
class FormattedText:
    """Text and its entities, in order."""

    text: str
    entities: tuple[Entity, ...] = ()


def utf16_len(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def utf16_slice(text: str, offset: int, length: int) -> str:
    """The part of the text that an entity covers."""
    return text.encode("utf-16-le")[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")


def read_entities(values: list[JsonValue], text: str) -> list[Entity]:
    """Entities that a client gives; raises ApiError in Telegram's words."""
    entities = []
    for value in values:
        try:
            entity = _read_entity(value)
        except FieldError as error:
            raise bad_request(f"can't parse MessageEntity: {error}") from error
        if entity.type not in FOUND_BY_SERVER:
            _check_place(entity, text)
            entities.append(entity)
    return entities


def _read_entity(value: JsonValue) -> Entity:
    if not isinstance(value, dict):
        raise FieldError("expected an Object")
    fields = Fields(value)
    kind = fields.text("type")
    if kind not in FORMATTING | FOUND_BY_SERVER:
        raise FieldError("Unsupported type specified")
    extra = {name: value[name] for name in ("url", "user", "language", "custom_emoji_id") if name in fields}
    return Entity(kind, fields.integer("offset"), fields.integer("length"), extra)


def _check_place(entity: Entity, text: str) -> None:
    size = utf16_len(text)
    if entity.offset < 0:
        raise bad_request(f"receive an entity with incorrect offset {entity.offset}")
    if entity.length < 0:
        raise bad_request(f"receive an entity with incorrect length {entity.length}")
    if entity.offset > size:
        raise bad_request(f"entity begins after the end of the text at UTF-16 offset {entity.offset}")
    if entity.end > size:
        raise bad_request(
            f"entity beginning at UTF-16 offset {entity.offset} ends after the end of the text"
            f" at UTF-16 offset {entity.end}"
        )


def finish(text: FormattedText, found: list[Entity]) -> FormattedText:
    """What the server makes of it: trimmed, links found outside code and links, at most 100 entities."""
    explicit = [entity for entity in text.entities if entity.length > 0]
    opaque = [entity for entity in explicit if entity.type in OPAQUE]
    free = [
        entity
        for entity in found
        if not any(entity.offset < other.end and other.offset < entity.end for other in opaque)
    ]
    entities = sorted([*explicit, *free], key=_order)
    return _trim(FormattedText(text.text, tuple(entities[:ENTITIES])))


def _order(entity: Entity) -> tuple[int, int, int]:
    rank = NESTING.index(entity.type) if entity.type in NESTING else len(NESTING)
    return entity.offset, -entity.length, rank


def _trim(text: FormattedText) -> FormattedText:
    left = text.text.lstrip()
    cut = utf16_len(text.text) - utf16_len(left)
    trimmed = left.rstrip()
    size = utf16_len(trimmed)
    entities = []
    for entity in text.entities:
        start, end = max(0, entity.offset - cut), min(size, entity.end - cut)
        if end > start:
            entities.append(replace(entity, offset=start, length=end - start))
    return FormattedText(trimmed, tuple(entities))
