"""What a type of field is."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from shared import texts
from shared.errors import StepgramError
from shared.steps.model import Ask, Option

Typed = dict[str, Any]
"""A variable as the engine takes it: ``{"value", "type"}``."""


class InvalidAnswer(StepgramError):
    """What a person answered does not fit; the message is the sentence that they read."""


class Widget(Enum):
    """What stands under a question, beside Back and Skip."""

    PLAIN = "plain"
    """Nothing: the answer is written."""
    ONE = "one"
    """Its options, of which one is tapped."""
    MANY = "many"
    """Its options, each with a tick, and Done."""
    CALENDAR = "calendar"
    """The days of a month."""
    CONTACT = "contact"
    """In private chats, a button that shares the person's own phone number."""
    LOCATION = "location"
    """In private chats, a button that shares where the person is."""
    USER = "user"
    """In private chats, a button that picks a Telegram user."""


@dataclass(frozen=True)
class FieldType:
    """One type of field; a platform team adds its own by the entry point ``stepgram.field_types``.

    ``read`` turns what a person wrote into the engine's variable, or raises :class:`InvalidAnswer` with a
    sentence that says what is expected and an example. ``show`` is the way back: reading what it shows gives
    the same variable again. ``takes`` and ``gives`` are the words of the reference.
    """

    name: str
    read: Callable[[Ask, str], Typed]
    show: Callable[[Ask, Typed], str]
    takes: str
    gives: str
    widget: Widget = Widget.PLAIN
    options: Callable[[], tuple[Option, ...]] = tuple
    """Choices that every field of the type has, in the language of the moment."""


def as_written(ask: Ask, typed: Typed) -> str:
    """The value's own text."""
    return str(typed["value"])


def check_bounds(ask: Ask, size: float | Decimal, complaint: Callable[[], str]) -> None:
    """Hold a number against the field's ``min`` and ``max``.

    Raises:
        InvalidAnswer: with the complaint.
    """
    low, high = ask.min, ask.max
    if (low is not None and size < low) or (high is not None and size > high):
        raise InvalidAnswer(complaint())


def check_number(ask: Ask, number: float | Decimal) -> None:
    """As :func:`check_bounds`, for an answer that is itself the number."""
    check_bounds(ask, number, lambda: texts.out_of_range(ask.min, ask.max))
