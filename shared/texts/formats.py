"""Numbers, money, days and sizes as a language writes them. The rules are CLDR's, by Babel."""

import contextlib
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.core import get_global
from babel.dates import format_date, format_timedelta, get_day_names, get_month_names, parse_date
from babel.numbers import (
    format_currency,
    format_decimal,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)

from shared.texts.voice import say, voice

UNGROUPED = 10_000
"""A smaller number is written without separators, as a year or the number of a house is."""

PLAIN_UNTIL = Decimal(10) ** 15
"""A larger number is written with its exponent."""


def number(value: float | Decimal) -> str:
    """A number with every digit that it has."""
    exact = _exact(value)
    if exact is None:
        return repr(value)
    language = voice().language
    grouped = abs(exact) >= UNGROUPED
    return format_decimal(exact, locale=language, decimal_quantization=False, group_separator=grouped)


def money(value: float | Decimal, currency: str) -> str:
    """An amount of a currency, which is an ISO 4217 code; cents are rounded only where there are none."""
    exact = _exact(value)
    if exact is None:
        return f"{value!r} {currency}"
    digits = max(0, -int(exact.as_tuple().exponent))
    # What has more digits than the currency keeps them, for nothing may be lost on the way back.
    return format_currency(exact, currency, locale=voice().language, currency_digits=digits <= 2,
                           decimal_quantization=digits <= 2)  # fmt: skip


def currency_names(currency: str) -> list[str]:
    """What people write beside an amount: its symbol and its code."""
    return [get_currency_symbol(currency, locale=voice().language), currency]


def is_currency(code: str) -> bool:
    """Whether a currency has this code by ISO 4217."""
    return code in get_global("all_currencies")


def separators() -> tuple[str, str]:
    """The signs between thousands and before the decimals."""
    language = voice().language
    return get_group_symbol(language), get_decimal_symbol(language)


def _exact(value: float | Decimal) -> Decimal | None:
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    tiny = exact and abs(exact) < 1 / PLAIN_UNTIL
    return None if abs(exact) >= PLAIN_UNTIL or tiny else exact


def day(value: date) -> str:
    """A day, like Mar 14, 2026."""
    return format_date(value, "medium", locale=voice().language)


def read_day(text: str) -> date | None:
    """A day as :func:`day` writes it, or in figures with slashes in the order of the language."""
    if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}", text, re.ASCII):
        with contextlib.suppress(ValueError):
            return parse_date(text, locale=voice().language)
    figures = re.findall(r"\d+", text, re.ASCII)
    if len(figures) != 2:
        return None
    for month in range(1, 13):
        for year, at in (map(int, figures), map(int, reversed(figures))):
            with contextlib.suppress(ValueError, OverflowError):
                found = date(year, month, at)
                if _plain(day(found)) == _plain(text):
                    return found
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def moment(value: datetime) -> str:
    """A day and a time by the person's clock."""
    here = value.astimezone(voice().zone)
    return f"{day(here.date())}, {here:%H:%M}"


def clock(value: datetime | None) -> str:
    """A time of day by the person's clock, with its zone's name where that is not said elsewhere."""
    return f"{value.astimezone(voice().zone):%H:%M} {voice().zone}" if value else "?"


def now() -> str:
    """The time of day by the person's clock."""
    return f"{datetime.now(voice().zone):%H:%M}"


def span(seconds: float) -> str:
    """How long something takes, roughly, like 3 hours."""
    return format_timedelta(timedelta(seconds=max(seconds, 60)), locale=voice().language)


def short_moment(value: datetime | None) -> str:
    """A day and a time for a list."""
    return f"{value.astimezone(voice().zone):%d.%m. %H:%M}" if value else "?"


def month(value: date) -> str:
    """A month and its year, as a heading."""
    name = get_month_names("wide", context="stand-alone", locale=voice().language)[value.month]
    return f"{name[:1].upper()}{name[1:]} {value.year}"


def weekdays() -> list[str]:
    """The names of the days of a week from Monday on, two or three letters each."""
    names = get_day_names("short", context="stand-alone", locale=voice().language)
    return [names[at] for at in range(7)]


def words(value: Any) -> str:
    """A variable's value as people read it in a line."""
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, datetime):
        is_day = (value.hour, value.minute, value.second) == (0, 0, 0)
        return day(value.date()) if is_day else moment(value)
    if isinstance(value, list):
        return ", ".join(words(each) for each in value) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {words(each)}" for key, each in value.items()) or "–"
    return "" if value is None else str(value)


def size(size_bytes: int) -> str:
    """A size for people."""
    if size_bytes >= 1_000_000_000:
        return say("size-gigabytes", number=_tenths(size_bytes / 1_000_000_000))
    if size_bytes >= 1_000_000:
        return say("size-megabytes", number=_tenths(size_bytes / 1_000_000))
    if size_bytes >= 1_000:
        return say("size-kilobytes", number=_tenths(size_bytes / 1_000))
    return say("size-bytes", number=size_bytes)


def _tenths(value: float) -> str:
    return format_decimal(value, "0.0", locale=voice().language)
