"""The types of fields: how an answer is read, which engine type it becomes, how it is shown again."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import regex

from shared import texts
from shared.engine.values import storable, to_engine
from shared.errors import StepgramError
from shared.steps.model import Ask, Option

PATTERN_LIMIT_S = 0.2
"""How long an author's pattern may take on one answer."""


class InvalidAnswer(StepgramError):
    """What a person answered does not fit; the message is the sentence that they read."""


@dataclass(frozen=True)
class FieldType:
    """One type: ``read`` turns text into the engine's variable ``{"value", "type"}``."""

    name: str
    read: Callable[[Ask, str], dict[str, Any]]
    options: tuple[Option, ...] = ()


def _check_bounds(ask: Ask, size: float | Decimal, complaint: Callable[[], str]) -> None:
    low, high = ask.min, ask.max
    if (low is not None and size < low) or (high is not None and size > high):
        raise InvalidAnswer(complaint())


def _string(ask: Ask, answer: str) -> dict[str, Any]:
    answer = storable(answer)
    _check_bounds(ask, len(answer), lambda: texts.wrong_length(ask.min, ask.max, len(answer)))
    if ask.pattern is not None and not _matches(ask.pattern, answer):
        raise InvalidAnswer(texts.wrong_pattern(ask.help))
    return dict(to_engine(answer))  # a text too long for a String travels as Json


def _matches(pattern: str, answer: str) -> bool:
    """Whether the whole answer fits. A pattern that backtracks for ever must not stop the process."""
    try:
        return regex.fullmatch(pattern, answer, timeout=PATTERN_LIMIT_S) is not None
    except TimeoutError:
        return False


def _integer(ask: Ask, answer: str) -> dict[str, Any]:
    try:
        number = int(answer.replace(" ", "").replace("\u00a0", ""))
    except ValueError:
        raise InvalidAnswer(texts.NOT_AN_INTEGER) from None
    if abs(number) >= 2**63:
        raise InvalidAnswer(texts.NOT_AN_INTEGER)
    _check_bounds(ask, number, lambda: texts.out_of_range(ask.min, ask.max))
    return {"value": number, "type": "Integer" if abs(number) < 2**31 else "Long"}


def _decimal(ask: Ask, answer: str) -> dict[str, Any]:
    try:
        number = Decimal(answer.replace(" ", "").replace("\u00a0", "").replace(",", "."))
    except InvalidOperation:
        raise InvalidAnswer(texts.NOT_A_NUMBER) from None
    # What is finite here may be too large for a Double, and neither JSON nor the engine has infinity.
    if not (number.is_finite() and math.isfinite(float(number))):
        raise InvalidAnswer(texts.NOT_A_NUMBER)
    _check_bounds(ask, number, lambda: texts.out_of_range(ask.min, ask.max))
    return {"value": float(number), "type": "Double"}


YES = {"yes", "y", "true", "1"}
NO = {"no", "n", "false", "0"}


def _boolean(ask: Ask, answer: str) -> dict[str, Any]:
    word = answer.strip().lower()
    if word not in YES | NO:
        raise InvalidAnswer(texts.NOT_YES_OR_NO)
    return {"value": word in YES, "type": "Boolean"}


def _date(ask: Ask, answer: str) -> dict[str, Any]:
    for shape in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            day: date = datetime.strptime(answer.strip(), shape).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        # The one form of a date that the engine takes.
        return {"value": f"{day.isoformat()}T00:00:00.000+0000", "type": "Date"}
    raise InvalidAnswer(texts.NOT_A_DATE)


def _email(ask: Ask, answer: str) -> dict[str, Any]:
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", answer.strip()) is None:
        raise InvalidAnswer(texts.NOT_AN_EMAIL)
    return _string(ask, answer.strip())


def _choice(ask: Ask, answer: str) -> dict[str, Any]:
    if answer in {option.value for option in ask.options}:  # a tap gives exactly the value of its button
        return {"value": answer, "type": "String"}
    wanted = answer.strip().casefold()
    for option in ask.options:
        if wanted in (option.caption.casefold(), option.value.casefold()):
            return {"value": option.value, "type": "String"}
    raise InvalidAnswer(texts.NOT_A_CHOICE)


TYPES: dict[str, FieldType] = {
    kind.name: kind
    for kind in (
        FieldType("string", _string),
        FieldType("text", _string),
        FieldType("integer", _integer),
        FieldType("decimal", _decimal),
        FieldType(
            "boolean", _boolean, (Option(value="yes", caption="Yes"), Option(value="no", caption="No"))
        ),
        FieldType("date", _date),
        FieldType("email", _email),
        FieldType("choice", _choice),
    )
}


def options_of(ask: Ask) -> tuple[Option, ...]:
    """The choices that stand under the question as buttons."""
    return ask.options or (() if ask.is_file else TYPES[ask.type].options)


def read_answer(ask: Ask, answer: str) -> dict[str, Any]:
    """A person's text as the answer that is kept: ``{"value", "type", "shown"}``.

    Raises:
        InvalidAnswer: it does not fit; the message says what is expected.
    """
    kept = TYPES[ask.type].read(ask, answer)
    caption = next((option.caption for option in options_of(ask) if option.value == answer), None)
    return {**kept, "shown": caption or answer}


def skipped(ask: Ask) -> dict[str, Any]:
    """The answer that is kept where the person skipped a field: its default, or nothing."""
    if ask.default is not None:
        return read_answer(ask, ask.default)
    return {"value": None, "type": "Null", "shown": texts.SKIPPED}
