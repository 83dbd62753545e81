"""The analysis of a chat as one picture: by day, by hour, and who writes most.

Made to be read on a phone in a chat: upright, few lines, large letters.
"""

import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure, SubFigure
from matplotlib.ft2font import FT2Font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workers.handlers.export.tally import Analysis, Person

SIZE_PX = (1080, 1350)
DPI = 120
BLUE = "#2a9fd8"
PALE = "#c9e6f5"
INK = "#1f2d3a"
GREY = "#7d8b97"
FEWEST_DAYS = 7
MOST_BARS = 60
FEWEST_PLACES = 5
SHOWN_NAME_CHARACTERS = 20
NAME_ELSEWHERE = "(name in the text)"
LEFT = 0.04
"""Where titles begin, as a share of the width."""

STYLE: dict[Any, Any] = {
    "font.size": 15,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": PALE,
}

FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Symbola",
)
"""Tried in this order, character by character; only the first one is sure to be there."""


def draw(analysis: Analysis, path: Path) -> None:
    """Write the chart as a PNG of SIZE_PX to ``path``.

    A name that the installed fonts cannot show is replaced by a hint; its rank stands beside it.
    """
    with mpl.rc_context({**STYLE, "font.family": _installed_fonts()}):
        width, height = SIZE_PX
        layout = ConstrainedLayoutEngine(w_pad=0.25, h_pad=0.12)
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout=layout)
        parts = figure.subfigures(4, 1, squeeze=False, height_ratios=(1.2, 4, 3, 5))
        head, days, hours, people = parts.flat
        _write_head(head, analysis)
        _draw_days(_panel(days, "Messages a day"), analysis.messages_by_day)
        _draw_hours(_panel(hours, "By hour of the day"), analysis.messages_by_hour)
        _draw_people(_panel(people, "Most active"), analysis.top_people)
        figure.savefig(path, format="png")


def _write_head(part: SubFigure, analysis: Analysis) -> None:
    facts = [f"{analysis.messages:,} messages", f"{analysis.members:,} members"]
    if days := list(analysis.messages_by_day):
        facts.append(f"{days[0]} – {days[-1]}")
    name = drawable(analysis.chat_name, 30) or "History of the chat"
    part.text(LEFT, 0.85, name, fontsize=22, fontweight="bold", va="top")
    part.text(LEFT, 0.2, " · ".join(facts), color=GREY, va="bottom")


def _panel(part: SubFigure, title: str) -> Axes:
    part.suptitle(title, x=LEFT, ha="left", fontsize=17, fontweight="bold")
    return part.subplots()


def _draw_days(axes: Axes, by_day: dict[str, int]) -> None:
    if not by_day:
        return
    days, counts = _without_gaps(by_day)
    if len(days) <= MOST_BARS:
        axes.bar(days, counts, width=0.8, color=BLUE)  # type: ignore[arg-type]
    else:
        axes.fill_between(days, counts, step="mid", color=PALE, linewidth=0)  # type: ignore[arg-type]
        axes.plot(days, _moving_average(counts, max(7, len(days) // 60)), color=BLUE, linewidth=2.5)  # type: ignore[arg-type]
    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    _count_axis(axes)
    side = timedelta(days=max(1, (FEWEST_DAYS - len(days)) // 2))
    axes.set_xlim(days[0] - side, days[-1] + side)  # type: ignore[arg-type]


def _draw_hours(axes: Axes, by_hour: Sequence[int]) -> None:
    peak = max(by_hour)
    axes.bar(range(24), by_hour, width=0.8, color=[BLUE if count == peak else PALE for count in by_hour])
    axes.set_xticks(range(0, 24, 3), [f"{hour:02}:00" for hour in range(0, 24, 3)])
    _count_axis(axes)


def _draw_people(axes: Axes, people: Sequence[Person]) -> None:
    places = range(len(people))
    bars = axes.barh(places, [person.messages for person in people], height=0.62, color=BLUE)
    axes.bar_label(bars, [f"{person.messages:,}" for person in people], padding=7)
    names = [drawable(person.name, SHOWN_NAME_CHARACTERS) for person in people]
    axes.set_yticks(places, [name or NAME_ELSEWHERE for name in names])
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(INK if name else GREY)
    axes.tick_params(axis="y", length=0, pad=34)
    for place in places:
        # apart from the name: beside right-to-left letters a number would change sides
        rank = axes.annotate(f"{place + 1}", (0, place), xytext=(-9, 0), textcoords="offset points")
        rank.set(ha="right", va="center", color=GREY)
    axes.set_ylim(max(len(people), FEWEST_PLACES) - 0.5, -0.5)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.16)


def _count_axis(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    axes.tick_params(axis="both", length=0, pad=9)
    axes.grid(axis="y", color="#e8eef2")
    axes.set_axisbelow(True)


def _without_gaps(by_day: dict[str, int]) -> tuple[list[date], list[int]]:
    first, last = date.fromisoformat(min(by_day)), date.fromisoformat(max(by_day))
    days = [first + timedelta(days=day) for day in range((last - first).days + 1)]
    return days, [by_day.get(day.isoformat(), 0) for day in days]


def _moving_average(counts: Sequence[int], over_days: int) -> list[float]:
    half = over_days // 2
    windows = (counts[max(0, day - half) : day + half + 1] for day in range(len(counts)))
    return [sum(window) / len(window) for window in windows]


def drawable(name: str, longest: int) -> str:
    """The name as the installed fonts can show it, cut to ``longest`` characters; "" if they lack a letter.

    Pictures and signs may be dropped from a name, letters may not: that would make it somebody else's.
    """
    kept: list[str] = []
    for character in " ".join(name.split()):
        category = unicodedata.category(character)
        if category.startswith("C"):
            continue
        if ord(character) in _drawable_characters():
            kept.append(character)
        elif category.startswith(("L", "N")):
            return ""
    shown = " ".join("".join(kept).split())
    return shown if len(shown) <= longest else shown[: longest - 1].rstrip() + "…"


@cache
def _installed_fonts() -> list[str]:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [font for font in FONTS if font in known]


@cache
def _drawable_characters() -> frozenset[int]:
    paths = [font_manager.findfont(font, fallback_to_default=False) for font in _installed_fonts()]
    return frozenset(code for path in paths for code in FT2Font(path).get_charmap())
