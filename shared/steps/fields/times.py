"""Fields that are days and moments: date, datetime."""

from datetime import UTC, date, datetime

from shared import texts
from shared.engine.values import format_time, parse_time
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, Widget
from shared.steps.model import Ask

DAYS = ("%Y-%m-%d", "%d.%m.%Y")
MOMENTS = tuple(f"{day}{between}%H:%M" for day in DAYS for between in (" ", ", "))


def _date(ask: Ask, answer: str) -> Typed:
    day = _read(answer, DAYS)
    if day is None:
        raise InvalidAnswer(texts.NOT_A_DATE)
    _check(ask, day.date())
    # The one form of a date that the engine takes.
    return {"value": format_time(day.date()), "type": "Date"}


def _moment(ask: Ask, answer: str) -> Typed:
    moment = _read(answer, MOMENTS)
    if moment is None:
        raise InvalidAnswer(texts.NOT_A_DATETIME)
    _check(ask, moment.date())
    return {"value": format_time(moment), "type": "Date"}


def _read(answer: str, shapes: tuple[str, ...]) -> datetime | None:
    text = " ".join(answer.split())
    for shape in shapes:
        try:
            return datetime.strptime(text, shape).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


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
    return parse_time(typed["value"]).date().isoformat()


def _shown_moment(ask: Ask, typed: Typed) -> str:
    return parse_time(typed["value"]).strftime("%Y-%m-%d %H:%M")


TYPES = (
    FieldType(
        "date",
        _date,
        _shown_day,
        "`2026-03-14`, `14.03.2026`, or a day of the calendar",
        "Date, midnight UTC",
        Widget.CALENDAR,
    ),
    FieldType(
        "datetime",
        _moment,
        _shown_moment,
        "`2026-03-14 15:30`, `14.03.2026 15:30`, in UTC",
        "Date",
    ),
)
