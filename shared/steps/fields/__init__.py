"""The types of fields: how an answer is read, which engine type it becomes, how it is shown again."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from shared import texts
from shared.errors import ConfigurationError
from shared.steps.fields import choices, numbers, telegram, times, words
from shared.steps.fields.base import FieldType, InvalidAnswer, Widget
from shared.steps.model import Ask, Option

__all__ = [
    "ENTRY_POINTS",
    "TYPES",
    "FieldType",
    "InvalidAnswer",
    "Widget",
    "kept",
    "load",
    "options_of",
    "read_answer",
    "skipped",
    "ticked",
]

ENTRY_POINTS = "stepgram.field_types"
"""The group of entry points by which a platform team adds types; each names a :class:`FieldType`."""

TYPES: dict[str, FieldType] = {
    kind.name: kind for room in (words, numbers, choices, times, telegram) for kind in room.TYPES
}


def load() -> None:
    """Add the types that installed packages offer.

    Raises:
        ConfigurationError: one is no FieldType, or takes the name of another.
    """
    for point in entry_points(group=ENTRY_POINTS):
        kind = point.load()
        if not isinstance(kind, FieldType):
            raise ConfigurationError(
                f"entry point {point.name!r} of {ENTRY_POINTS} is no FieldType: {kind!r}"
            )
        if TYPES.setdefault(kind.name, kind) is not kind:
            raise ConfigurationError(
                f"two field types are called {kind.name!r}; rename that of {point.value!r}"
            )


def options_of(ask: Ask) -> tuple[Option, ...]:
    """The choices that stand under the question as buttons."""
    return ask.options or (() if ask.is_file else TYPES[ask.type].options())


def read_answer(ask: Ask, answer: str) -> dict[str, Any]:
    """A person's text as the answer that is kept: ``{"value", "type", "shown"}``.

    Raises:
        InvalidAnswer: it does not fit; the message says what is expected.
    """
    return kept(ask, TYPES[ask.type].read(ask, answer))


def kept(ask: Ask, typed: dict[str, Any]) -> dict[str, Any]:
    """A typed variable as the answer that is kept: with the words in which it is shown again."""
    caption = next((option.caption for option in ask.options if option.value == str(typed["value"])), None)
    return {**typed, "shown": caption or TYPES[ask.type].show(ask, typed)}


def ticked(ask: Ask, values: Sequence[str]) -> dict[str, Any]:
    """The answer that is kept of ticked options.

    Raises:
        InvalidAnswer: too few or too many.
    """
    return kept(ask, choices.chosen(ask, list(values)))


def skipped(ask: Ask) -> dict[str, Any]:
    """The answer that is kept where the person skipped a field: its default, or nothing."""
    if ask.default is not None:
        return read_answer(ask, ask.default)
    return {"value": None, "type": "Null", "shown": texts.say("skipped")}
