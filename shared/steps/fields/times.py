"""Fields that are days and moments: date, datetime."""

import contextlib
import re
from datetime import UTC, date, datetime

from shared import texts
from shared.engine.values import format_time, parse_time
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, Widget
from shared.steps.model import Ask

DAYS = ("%Y-%m-%d", "%d.%m.%Y")
EXAMPLE = datetime(2026, 3, 14, 15, 30, tzinfo=UTC)


def _date(ask: Ask, answer: str) -> Typed:
    day = _read_day(answer)
    if day is None:
        raise InvalidAnswer(texts.say("not-a-date", example=texts.formats.day(EXAMPLE.date())))
    _check(ask, day)
    # The one form of a date that the engine takes.
    return {"value": format_time(day), "type": "Date"}


def _moment(ask: Ask, answer: str) -> Typed:
    found = re.fullmatch(r"(.*\S)[\s,T]+(\d{1,2}):(\d{2})", answer.strip(), re.ASCII | re.DOTALL)
    day = _read_day(found[1].rstrip(", ")) if found else None
    if not found or day is None or int(found[2]) > 23 or int(found[3]) > 59:
        raise InvalidAnswer(texts.say("not-a-datetime", example=_example()))
    _check(ask, day)
    here = datetime(day.year, day.month, day.day, int(found[2]), int(found[3]), tzinfo=texts.voice().zone)
    try:
        return {"value": format_time(here.astimezone(UTC)), "type": "Date"}
    except OverflowError:  # the last day of all, seen from elsewhere
        raise InvalidAnswer(texts.say("not-a-datetime", example=_example())) from None


def _example() -> str:
    return f"{texts.formats.day(EXAMPLE.date())}, {EXAMPLE:%H:%M}"


def _read_day(answer: str) -> date | None:
    text = " ".join(answer.split())
    for shape in DAYS:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, shape).replace(tzinfo=UTC).date()
    return texts.formats.read_day(text)


def _check(ask: Ask, day: date) -> None:
    low, high = bounds(ask)
    if (low is not None and day < low) or (high is not None and day > high):
        raise InvalidAnswer(texts.day_out_of_range(low, high))


def bounds(ask: Ask) -> tuple[date | None, date | None]:
    """The first and the last day that a field takes."""
    return (
        None if ask.earliest is None else date.fromisoformat(ask.earliest),
        None if ask.latest is None else date.fromisoformat(ask.latest),
    )


def _shown_day(ask: Ask, typed: Typed) -> str:
    return texts.formats.day(parse_time(typed["value"]).date())


def _shown_moment(ask: Ask, typed: Typed) -> str:
    return texts.formats.moment(parse_time(typed["value"]))


TYPES = (
    FieldType(
        "date",
        _date,
        _shown_day,
        "`2026-03-14`, `14.03.2026`, `Mar 14, 2026` by language, or a day of the calendar",
        "Date, midnight UTC",
        Widget.CALENDAR,
    ),
    FieldType(
        "datetime",
        _moment,
        _shown_moment,
        "`2026-03-14 15:30`, `14.03.2026 15:30`, by the person's clock",
        "Date",
    ),
)
