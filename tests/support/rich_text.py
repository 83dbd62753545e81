"""Text with formatting, as Telegram's server takes it and as people see it."""

import unicodedata

from devstack.sandbox.autolink import find_entities
from devstack.sandbox.text import FormattedText, finish, read_entities
from devstack.sandbox.values import JsonValue
from shared.markup import MAX_ENTITIES, Entity, Rich, utf16_len

SHIELDS = {"code", "pre", "text_link"}
REMOVED_BY_TELEGRAM = "\u030a\u0333\u033f"
BLANK = "\u2800\ufffc"


def live(rich: Rich) -> list[str]:
    """What a client would make tappable beside the entities."""
    units = rich.text.encode("utf-16-le")
    shields = [entity for entity in rich.entities if entity["type"] in SHIELDS]
    return [
        units[2 * found.offset : 2 * found.end].decode("utf-16-le")
        for found in find_entities(rich.text)
        if not any(
            found.offset < shield["offset"] + shield["length"] and shield["offset"] < found.end
            for shield in shields
        )
    ]


def covered(rich: Rich, entity: Entity) -> str:
    """The words that an entity is on."""
    units = rich.text.encode("utf-16-le")
    return units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")


def formatted(*parts: Rich) -> list[tuple[str, frozenset[str]]]:
    """Every visible character with its formats."""
    result = []
    for part in parts:
        unit = 0
        for char in part.text:
            kinds = {
                entity["type"]
                for entity in part.entities
                if entity["offset"] <= unit < entity["offset"] + entity["length"]
            }
            if not Rich(char).blank:
                result.append((char, frozenset(kinds)))
            unit += utf16_len(char)
    return result


def seen(text: str) -> str:
    """The characters of a text that somebody sees, however they are composed."""
    return "".join(
        char
        for char in unicodedata.normalize("NFD", text)
        if unicodedata.category(char)[0] not in "CZ" and char not in REMOVED_BY_TELEGRAM + BLANK
    )


def refused(rich: Rich, limit: int) -> list[str]:
    """What Telegram's server would refuse, add or drop in a message of at most so many UTF-16 units."""
    given: list[JsonValue] = [dict(entity) for entity in rich.entities]  # type: ignore[arg-type]
    taken = finish(FormattedText(rich.text, tuple(read_entities(given, rich.text))), find_entities(rich.text))
    entities = tuple(
        Entity(type=each.type, offset=each.offset, length=each.length) for each in taken.entities
    )
    found = []
    if utf16_len(rich.text) > limit:
        found.append(f"{utf16_len(rich.text)} units")
    if len(rich.entities) > MAX_ENTITIES:
        found.append(f"{len(rich.entities)} entities")
    if formatted(Rich(taken.text, entities)) != formatted(rich):
        found.append(f"{entities} is made of {rich.entities}")
    return found
