"""Quiet hours, by the clock on the wall."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from shared.quiet import quiet_until, read_hours
from tests.fakes.services import settings_with

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = read_hours("22:00-07:00")
NOON = read_hours("12:00-13:30")


def at(text: str) -> datetime:
    """A moment of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_hours_are_two_times_of_day() -> None:
    assert read_hours(" 22:00 - 07:00 ") == (time(22), time(7))


@pytest.mark.parametrize("text", ["", "22:00", "22-7", "25:00-07:00", "22:00-22:00", "22:00-07:00-08:00"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="found"):
        read_hours(text)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-01-10 21:59", None),
        ("2026-01-10 22:00", "2026-01-11 07:00"),
        ("2026-01-11 03:00", "2026-01-11 07:00"),
        ("2026-01-11 07:00", None),
        # The nights in which the clock is changed.
        ("2026-03-28 23:00", "2026-03-29 07:00"),
        ("2026-10-24 23:00", "2026-10-25 07:00"),
        ("2026-12-31 23:59", "2027-01-01 07:00"),
    ],
)
def test_a_night_is_over_in_the_morning(moment: str, end: str | None) -> None:
    assert quiet_until(at(moment), NIGHT, BERLIN) == (end and at(end))


def test_hours_within_a_day_are_over_on_that_day() -> None:
    assert quiet_until(at("2026-01-10 12:30"), NOON, BERLIN) == at("2026-01-10 13:30")
    assert quiet_until(at("2026-01-10 13:30"), NOON, BERLIN) is None


def test_the_clock_is_that_of_the_zone() -> None:
    moment = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)
    assert quiet_until(moment, NIGHT, ZoneInfo("UTC")) is None
    assert quiet_until(moment, NIGHT, BERLIN) == datetime(2026, 7, 2, 5, 0, tzinfo=UTC)


def test_without_hours_it_is_never_quiet() -> None:
    assert quiet_until(at("2026-01-10 23:00"), None, BERLIN) is None


@pytest.mark.parametrize(
    "wrong", [{"quiet_hours": "late"}, {"time_zone": "Mars/Base"}, {"time_zone": "../x"}]
)
def test_settings_that_are_none_are_named_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"late|Mars/Base|\.\./x"):
        settings_with(**wrong)
