"""Text with formatting as Telegram takes it, and its arithmetic: joining, cutting, splitting.

Offsets and lengths are counted in UTF-16 units, as Telegram counts entities; the limits are counted so too,
which is the safe side of Telegram's own count.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NotRequired, TypedDict

TEXT_UNITS = 4096
CAPTION_UNITS = 1024
MAX_ENTITIES = 100

_WHITESPACE = " \n\t\r"
# Telegram keeps these first when it cuts a message's entities, and so do we: code is what keeps a value dead
LASTING = frozenset({"code", "pre", "text_link", "blockquote", "expandable_blockquote"})


class Entity(TypedDict):
    """A stretch of formatted text, in the Bot API's own shape; offset and length in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: NotRequired[str]
    language: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Rich:
    """Text and its entities, sorted by offset, the wider one first."""

    text: str = ""
    entities: tuple[Entity, ...] = ()

    @property
    def blank(self) -> bool:
        """Nothing to see: Telegram refuses such a text."""
        return all(char in "\u2800\ufffc" or unicodedata.category(char)[0] in "CZ" for char in self.text)


def utf16_len(text: str) -> int:
    """The length of a text in UTF-16 units: characters beyond the basic plane count twice."""
    return len(text) + sum(char > "\uffff" for char in text)


def end_of(entity: Entity) -> int:
    """The first UTF-16 unit behind an entity."""
    return entity["offset"] + entity["length"]


def spanning(entity: Entity, start: int, end: int) -> Entity:
    """The same formatting on another stretch."""
    return {**entity, "offset": start, "length": end - start}


def in_order(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The entities as Telegram lists them."""
    return tuple(
        sorted(entities, key=lambda entity: (entity["offset"], -entity["length"], entity["type"] == "code"))
    )


def capped(entities: tuple[Entity, ...]) -> tuple[Entity, ...]:
    """At most MAX_ENTITIES of the entities; what goes is decoration first, then what comes last."""
    if len(entities) <= MAX_ENTITIES:
        return entities
    return in_order(sorted(entities, key=lambda entity: entity["type"] not in LASTING)[:MAX_ENTITIES])


def cut(rich: Rich, start: int, end: int) -> Rich:
    """The part between two indices of the text (characters), without white space at its ends."""
    while start < end and rich.text[start] in _WHITESPACE:
        start += 1
    while end > start and rich.text[end - 1] in _WHITESPACE:
        end -= 1
    text = rich.text[start:end]
    first = utf16_len(rich.text[:start])
    length = utf16_len(text)
    moved = (
        spanning(entity, max(entity["offset"] - first, 0), min(end_of(entity) - first, length))
        for entity in rich.entities
    )
    return Rich(text, tuple(entity for entity in moved if entity["length"] > 0))


def replaced(rich: Rich, start: int, end: int, words: str) -> Rich:
    """The text with other words between two indices (characters); formatting keeps to what it was on."""
    first, last = utf16_len(rich.text[:start]), utf16_len(rich.text[:end])
    shift = utf16_len(words) - (last - first)

    def moved(at: int) -> int:
        return at if at <= first else max(at, last) + shift

    entities = (spanning(each, moved(each["offset"]), moved(end_of(each))) for each in rich.entities)
    text = rich.text[:start] + words + rich.text[end:]
    return Rich(text, tuple(each for each in entities if each["length"] > 0))


def join(*parts: Rich, separator: str = "\n") -> Rich:
    """The parts in one text, with the separator between those that show anything."""
    texts: list[str] = []
    entities: list[Entity] = []
    offset = 0
    for part in parts:
        if part.blank:
            continue
        if texts:
            texts.append(separator)
            offset += utf16_len(separator)
        texts.append(part.text)
        entities += (
            spanning(entity, entity["offset"] + offset, end_of(entity) + offset) for entity in part.entities
        )
        offset += utf16_len(part.text)
    return Rich("".join(texts), tuple(entities))


def split(rich: Rich, limit: int = TEXT_UNITS) -> list[Rich]:
    """The text in messages of at most ``limit`` UTF-16 units and MAX_ENTITIES entities, none of them blank.

    Cuts stand at the end of a paragraph, else of a line, else of a word, else between two characters;
    formatting goes on behind the cut. A text that shows nothing gives an empty list.
    """
    pieces: list[Rich] = []
    rest = cut(rich, 0, len(rich.text))
    while rest.text:
        at = _cut_index(rest, limit)
        pieces.append(cut(rest, 0, at))
        rest = cut(rest, at, len(rest.text))
    return [Rich(piece.text, capped(piece.entities)) for piece in pieces if not piece.blank]


def truncate(rich: Rich, limit: int = TEXT_UNITS, ending: str = "…") -> Rich:
    """The beginning of the text: at most ``limit`` UTF-16 units, with an ending where there was more."""
    whole = cut(rich, 0, len(rich.text))
    if _cut_index(whole, limit) == len(whole.text):
        return whole
    head = cut(whole, 0, _cut_index(whole, limit - utf16_len(ending)))
    return Rich(head.text + ending, capped(head.entities))


def _cut_index(rich: Rich, limit: int) -> int:
    """The index in the text (characters) at which the first message of at most ``limit`` units ends."""
    if len(rich.entities) > MAX_ENTITIES and rich.entities[MAX_ENTITIES]["offset"] > 0:
        limit = min(limit, rich.entities[MAX_ENTITIES]["offset"])
    window = len(rich.text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", errors="ignore"))
    if window == len(rich.text):
        return window
    earliest = window // 4  # a message of two words before one of a page would look broken
    for boundary in ("\n\n", "\n", " "):
        at = rich.text.rfind(boundary, earliest, window + len(boundary))
        if at > 0:
            return at
    at = window
    while at > earliest and _inseparable(rich.text, at):
        at -= 1
    return at if at > earliest else max(window, 1)


def _inseparable(text: str, at: int) -> bool:
    """Whether a cut before ``text[at]`` would tear a visible character, or set a trigger free."""
    before, after = text[at - 1], text[at]
    if after in "/@#$":  # harmless behind a letter, alive at the start of a message
        return True
    if unicodedata.category(after)[0] == "M" or "\u200d" in (before, after) or "🏻" <= after <= "🏿":
        return True
    if not (_is_flag_half(before) and _is_flag_half(after)):
        return False
    halves = 1
    while halves < at and _is_flag_half(text[at - halves - 1]):
        halves += 1
    return halves % 2 == 1


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
