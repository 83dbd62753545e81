"""How an analysis is told: a text for a message, a picture for a phone. Names come from an uploaded file."""

import warnings
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from PIL import Image

from devstack.exports.vocabulary import FIRST_NAMES, HOSTILE_NAMES, LAST_NAMES, WHOLE_NAMES
from shared.markup import TEXT_UNITS, render_html
from workers.handlers.export.chart import NAME_ELSEWHERE, SIZE_PX, draw, drawable
from workers.handlers.export.summary import MAX_SUMMARY_CHARACTERS, SHOWN_NAME_CHARACTERS, summarise
from workers.handlers.export.tally import TOP_PEOPLE, Analysis, Person

CHESS = Analysis(
    chat_name="Chess",
    chat_type="private_supergroup",
    members=12,
    writers=9,
    messages=1200,
    service_messages=34,
    replies=300,
    media=120,
    reactions=56,
    top_people=(Person("Anna", 700), Person("Ben", 500)),
    messages_by_day={"2024-02-28": 200, "2024-03-01": 1000},
    messages_by_hour=(0,) * 20 + (1000, 200, 0, 0),
    media_by_type={"photo": 120},
    top_reactions={"👍": 56},
)
ALL_NAMES = (*HOSTILE_NAMES, *WHOLE_NAMES, *FIRST_NAMES, *LAST_NAMES, "\u0301", "\u202e", "\ud83d", "\0")


# --- text ----------------------------------------------------------------------------------------


def test_the_summary_tells_period_numbers_and_people() -> None:
    assert render_html(summarise(CHESS, "Chess")).text.replace("\u200e", "") == (
        "Chess\n"
        "28 Feb 2024 – 1 Mar 2024 (3 days)\n"
        "\n"
        "Members: 12, of whom 9 wrote\n"
        "Messages: 1,200 and 34 service messages\n"
        "Replies: 25% · with media: 10% · reactions: 56\n"
        "Busiest day: 1 Mar 2024 (1,000)\n"
        "Busiest hour: 20:00–21:00\n"
        "\n"
        "Most active\n"
        "1. Anna — 700 (58.3%)\n"
        "2. Ben — 500 (41.7%)"
    )


def test_an_export_with_another_name_than_the_group_is_pointed_out() -> None:
    assert "the group is called Go club" in summarise(CHESS, "Go club")
    assert "the group is called" not in summarise(CHESS, " Chess ")
    assert "the group is called" not in summarise(CHESS, "")
    assert "<b>Go club</b>" in summarise(replace(CHESS, chat_name=""), "Go club")


def test_one_day_is_told_as_one_day() -> None:
    lines = summarise(replace(CHESS, messages_by_day={"2024-03-01": 5}), "Chess").splitlines()
    assert lines[1] == "1 Mar 2024"


def test_an_export_without_dates_or_people_is_told_too() -> None:
    bare = replace(CHESS, messages_by_day={}, messages_by_hour=(0,) * 24, top_people=())
    assert "Busiest" not in summarise(bare, "Chess")
    assert "Most active" not in summarise(bare, "Chess")


@pytest.mark.parametrize("name", ALL_NAMES, ids=ascii)
def test_a_name_is_shown_and_can_do_nothing(name: str) -> None:
    rich = render_html(summarise(replace(CHESS, chat_name=name, top_people=(Person(name, 5),)), name))
    assert {entity["type"] for entity in rich.entities} <= {"bold", "italic"}
    bold = [entity for entity in rich.entities if entity["type"] == "bold"]
    assert len(bold) == 4  # ours: the chat's name, members, messages, the heading of the list
    for trigger in ("@channel", "/start", "://", "spam.example"):
        assert trigger not in rich.text


@pytest.mark.parametrize("character", ['"', "&", "@", "<", "字", "👩‍💻", "a.b"])
def test_the_summary_fits_whatever_people_are_called(character: str) -> None:
    name = character * SHOWN_NAME_CHARACTERS * 3
    people = tuple(Person(name, 10**9) for _ in range(TOP_PEOPLE))
    big = replace(CHESS, chat_name=name, messages=10**10, members=10**9, writers=10**9, top_people=people)
    summary = summarise(big, "g" + name)
    assert len(summary) <= MAX_SUMMARY_CHARACTERS
    assert len(render_html(summary).text.encode("utf-16-le")) // 2 <= TEXT_UNITS


# --- picture -------------------------------------------------------------------------------------


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return tmp_path / "chart.png"


def test_the_chart_is_a_picture_of_the_size_of_a_phone(chart: Path) -> None:
    draw(CHESS, chart)
    with Image.open(chart) as picture:
        assert (picture.format, picture.size) == ("PNG", SIZE_PX)
        assert len(set(picture.convert("L").histogram())) > 20  # something is on it
    assert chart.stat().st_size < 1_000_000


@pytest.mark.parametrize("at", range(0, len(ALL_NAMES), TOP_PEOPLE))
def test_no_name_makes_the_chart_fail_or_warn(chart: Path, at: int) -> None:
    names = ALL_NAMES[at : at + TOP_PEOPLE]
    people = tuple(Person(name, 100 - place) for place, name in enumerate(names))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(replace(CHESS, chat_name=names[0], top_people=people), chart)
    assert chart.exists()


@pytest.mark.parametrize("days", [0, 1, 2, 60, 61, 4000])
def test_any_length_of_time_can_be_drawn(chart: Path, days: int) -> None:
    first = date(2015, 1, 1)
    by_day = {str(first + timedelta(days=day)): day % 7 + 1 for day in range(days)}
    draw(replace(CHESS, messages_by_day=by_day, top_people=CHESS.top_people if days else ()), chart)
    assert chart.exists()


def test_signs_without_a_picture_are_dropped_from_a_name_and_letters_are_not() -> None:
    assert drawable("Max 🧑‍🚀\U000e0001 Müller", 20) == "Max Müller"
    assert drawable("Мария 🦀", 20) == "Мария"
    assert drawable("\U0001e900 Anna", 20) == ""  # a letter of a script that no font here has
    assert drawable("\u202eevil\n  line", 20) == "evil line"


def test_a_long_name_is_cut() -> None:
    assert drawable("Bartholomew Montgomery", 10) == "Bartholom…"
    assert len(NAME_ELSEWHERE) <= 20
