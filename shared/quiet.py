"""Quiet hours: when nobody is to be reminded of anything."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Hours = tuple[time, time]
"""From when to when, by the clock on the wall; the end may be of the next day."""


def read_hours(text: str) -> Hours:
    """Hours as ``22:00-07:00``.

    Raises:
        ValueError: they are none, or never end.
    """
    begin, _, end = text.partition("-")
    try:
        hours = _clock(begin), _clock(end)
    except ValueError:
        raise ValueError(f"found {text!r}, and two times of day are expected, like 22:00-07:00") from None
    if hours[0] == hours[1]:
        raise ValueError(f"found {text!r}, which would never end")
    return hours


def _clock(text: str) -> time:
    return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone


def zone_of(name: str | None) -> ZoneInfo | None:
    """The time zone of an IANA name, None where there is none such."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def quiet_until(moment: datetime, hours: Hours | None, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours that hold at a moment are over, by UTC; None if none hold."""
    if hours is None:
        return None
    begin, end = hours
    here = moment.astimezone(zone)
    now = here.time()
    is_quiet = begin <= now < end if begin < end else now >= begin or now < end
    if not is_quiet:
        return None
    day = here.date() if now < end else here.date() + timedelta(days=1)
    # Where the clock is put forward over the end, that comes as many minutes later.
    return datetime.combine(day, end, tzinfo=zone).astimezone(UTC)
