"""The buttons under a question: choices by pages, ticks, a calendar, and the keys that share something.

A button's item is its question, ``q2``; its option says what it does: a number chooses, ``t`` and a number
ticks, ``d`` is done, ``p`` and a number shows a page, ``a`` and a number a page of the step's own buttons,
``m202603`` a month, ``y20260314`` takes a day, ``s`` skips, ``b`` goes back, ``k`` keeps the answer of
before, ``u`` offers the page for larger files, ``n`` does nothing.
"""

import calendar
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from shared import texts
from shared.models import Json
from shared.steps.fields import TYPES, Widget, options_of
from shared.steps.fields.times import bounds
from shared.steps.model import Ask

Button = tuple[str, str] | tuple[str, str, str]
"""Caption, callback data or the address of a page of Telegram, and perhaps the style of the Bot API."""

Rows = tuple[tuple[Button, ...], ...]

PAGE = 10
"""Options on one page; a few more are shown without pages."""

SPARE = 2
SHORT = 18


@dataclass(frozen=True)
class View:
    """What a question shows just now: a page of its options, or of the step's own buttons, or a month."""

    page: int = 0
    actions: int = 0
    month: date | None = None
    only: tuple[int, ...] = ()


def widget_of(ask: Ask) -> Widget:
    """The widget of a question; whatever has options is chosen."""
    if ask.is_file:
        return Widget.PLAIN
    widget = TYPES[ask.type].widget
    return widget if widget is Widget.MANY or not options_of(ask) else Widget.ONE


def rows_of(ask: Ask, partial: Json, press: Callable[[str], str], view: View) -> Rows:
    """The rows of a question's widget; ``press`` gives an option its callback data."""
    widget = widget_of(ask)
    if widget is Widget.ONE:
        return _choices(ask, press, view, lambda at, caption: (caption, press(str(at))))
    if widget is Widget.MANY:
        chosen = partial.get("chosen", [])
        values = [option.value for option in options_of(ask)]
        ticked = _choices(
            ask,
            press,
            view,
            lambda at, caption: (("✓ " if values[at] in chosen else "") + caption, press(f"t{at}")),
        )
        return (*ticked, ((texts.say("button-chosen", count=len(chosen)), press("d")),))
    if widget is Widget.CALENDAR:
        return _month(ask, press, view.month or first_month(ask))
    return ()


def in_rows(buttons: Sequence[Button]) -> Rows:
    """Two buttons to a row, a long caption alone."""
    rows: list[tuple[Button, ...]] = []
    for button in buttons:
        short = len(button[0]) <= SHORT
        if rows and short and len(rows[-1]) == 1 and len(rows[-1][0][0]) <= SHORT:
            rows[-1] = (*rows[-1], button)
        else:
            rows.append((button,))
    return tuple(rows)


def page_of(at: int) -> int:
    """The page that an option is on."""
    return at // PAGE


def matching(ask: Ask, words: str) -> tuple[int, ...]:
    """The options whose captions have all these words somewhere."""
    wanted = words.casefold().split()
    return tuple(
        at
        for at, option in enumerate(options_of(ask))
        if wanted and all(word in option.caption.casefold() for word in wanted)
    )


def _choices(ask: Ask, press: Callable[[str], str], view: View, button: Callable[[int, str], Button]) -> Rows:
    options = options_of(ask)
    if view.only:
        return in_rows([button(at, options[at].caption) for at in view.only[:PAGE]])
    shown, turn = paged(len(options), view.page, lambda page: press(f"p{page}"), press("n"))
    return (*in_rows([button(at, options[at].caption) for at in shown]), *turn)


def paged(count: int, page: int, to: Callable[[int], str], nowhere: str) -> tuple[range, Rows]:
    """Which of many stand on a page, and the row that turns it; all of them and no row where they are few."""
    if count <= PAGE + SPARE:
        return range(count), ()
    last = page_of(count - 1)
    page = min(max(page, 0), last)
    turn: tuple[Button, ...] = (
        ("‹", to(page - 1) if page else nowhere),
        (f"{page + 1} / {last + 1}", nowhere),
        ("›", to(page + 1) if page < last else nowhere),
    )
    return range(page * PAGE, min((page + 1) * PAGE, count)), (turn,)


def first_month(ask: Ask) -> date:
    """The month that a calendar opens with: this one, or the nearest that has a day to choose."""
    today = datetime.now(UTC).date()
    low, high = bounds(ask)
    day = min(max(today, low or today), high or date.max)
    return day.replace(day=1)


def _month(ask: Ask, press: Callable[[str], str], month: date) -> Rows:
    low, high = bounds(ask)

    def turn(caption: str, to: date | None, is_free: bool) -> Button:
        return caption, press(f"m{to:%Y%m}") if to is not None and is_free else press("n")

    def cell(day: date) -> Button:
        if day.month != month.month:
            return " ", press("n")
        if (low is not None and day < low) or (high is not None and day > high):
            return "·", press("n")
        return str(day.day), press(f"y{day:%Y%m%d}")

    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    before, after = _shifted(month, -1), _shifted(month, 1)
    head = (
        turn("‹", before, low is None or month > low),
        (texts.formats.month(month), press("n")),
        turn("›", after, after is not None and (high is None or after <= high)),
    )
    names = tuple((name, press("n")) for name in texts.formats.weekdays())
    return (head, names, *(tuple(cell(day) for day in week) for week in weeks))


def _shifted(month: date, by: int) -> date | None:
    """Another month; None where the years that Python and the engine know end."""
    number = month.year * 12 + month.month - 1 + by
    year, index = divmod(number, 12)
    return date(year, index + 1, 1) if 1 < year < 9999 else None


def keyboard_of(ask: Ask, extra: Sequence[str]) -> Json | None:
    """The reply keyboard of a question in a private chat, as the Bot API takes it; None where it has none."""
    share: dict[Widget, Json] = {
        Widget.CONTACT: {"text": texts.say("button-share-phone"), "request_contact": True},
        Widget.LOCATION: {"text": texts.say("button-share-location"), "request_location": True},
        Widget.USER: {
            "text": texts.say("button-pick-user"),
            "request_users": {"request_id": 1, "user_is_bot": False, "max_quantity": 1},
        },
    }
    key = share.get(widget_of(ask))
    if key is None:
        return None
    rows = [[key], [{"text": caption} for caption in extra]]
    return {"keyboard": [row for row in rows if row], "resize_keyboard": True, "one_time_keyboard": True}
