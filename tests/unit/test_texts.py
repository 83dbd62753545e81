"""Every language says everything, with the same values, and nothing that nobody says."""

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fluent.syntax import FluentParser
from fluent.syntax.ast import BaseNode, Junk, Message, Placeable, SelectExpression, VariableReference

from bot.commands import COMMANDS
from shared import texts
from shared.texts import formats

ROOT = Path(__file__).parents[2]
PRODUCTION = ("bot", "shared", "workers")
RUSSIAN = texts.Voice("ru", ZoneInfo("Europe/Moscow"))


@cache
def messages(language: str) -> dict[str, Message]:
    """A catalogue by message."""
    source = (ROOT / f"shared/texts/{language}.ftl").read_text("utf-8")
    entries = FluentParser().parse(source).body
    assert not [entry for entry in entries if isinstance(entry, Junk)]
    found = [entry for entry in entries if isinstance(entry, Message)]
    assert len({message.id.name for message in found}) == len(found), "a message stands twice"
    return {message.id.name: message for message in found}


def nodes(node: object) -> Iterator[BaseNode]:
    """A message's pattern with everything in it."""
    if isinstance(node, BaseNode):
        yield node
        for child in vars(node).values():
            yield from nodes(child)
    elif isinstance(node, list):
        for each in node:
            yield from nodes(each)


def values_of(message: Message) -> set[str]:
    """The values that a message wants."""
    return {node.id.name for node in nodes(message) if isinstance(node, VariableReference)}


def said() -> Iterator[tuple[str, str, set[str]]]:
    """Where our code says something: the place, the message, and the values that it gives."""
    for room in PRODUCTION:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                if ast.unparse(node.func) not in {"texts.say", "say", "_words", "_retire"}:
                    continue
                values = {each.arg or "**" for each in node.keywords}
                for word in (each for arg in node.args for each in ast.walk(arg)):
                    if isinstance(word, ast.Constant) and word.value in messages("en"):
                        yield f"{path.name}:{node.lineno}", str(word.value), values


def test_every_language_has_every_message_with_the_same_values() -> None:
    english = {name: values_of(message) for name, message in messages("en").items()}
    for language in texts.LANGUAGES:
        assert {name: values_of(message) for name, message in messages(language).items()} == english


def test_whatever_is_said_is_in_the_catalogue_with_its_values_and_nothing_else_is() -> None:
    wanted = {name: values_of(message) for name, message in messages("en").items()}
    found = {f"command-{name}" for name in COMMANDS}
    for place, message, values in said():
        found.add(message)
        assert values == wanted[message], place
    assert found == set(wanted)


def test_a_message_that_there_is_not_is_an_error() -> None:
    with pytest.raises(LookupError):
        texts.say("no-such-message")
    with pytest.raises(LookupError, match="name"):
        texts.say("hello")


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_plural_form_of_a_language_has_its_words(language: str) -> None:
    forms = {"en": {"one", "other"}, "ru": {"one", "few", "many"}}[language]
    for message in messages(language).values():
        for node in nodes(message):
            if isinstance(node, Placeable) and isinstance(node.expression, SelectExpression):
                keys = {getattr(variant.key, "name", "") for variant in node.expression.variants}
                assert keys == forms, message.id.name


def test_numbers_decide_the_plural_form() -> None:
    with texts.speaking(RUSSIAN):
        told = [texts.say("held-back", count=count).split(";")[0] for count in (1, 3, 5, 21)]
    assert told == [
        "… и ещё 1 шаг. Он придёт, когда вы ответите на эти",
        "… и ещё 3 шага. Они придут, когда вы ответите на эти",
        "… и ещё 5 шагов. Они придут, когда вы ответите на эти",
        "… и ещё 21 шаг. Он придёт, когда вы ответите на эти",
    ]


@pytest.mark.parametrize(
    ("wishes", "language"),
    [(("ru",), "ru"), (("ru-RU",), "ru"), (("pt_BR", "ru"), "ru"), ((None, "pt"), "en"), ((None, ""), "en")],
)
def test_the_first_wish_that_there_is_a_catalogue_for_is_the_language(
    wishes: tuple[str | None, ...], language: str
) -> None:
    assert texts.fitting(*wishes) == language


def test_whoever_has_chosen_nothing_is_spoken_to_as_the_installation_says() -> None:
    before = texts.default_voice()
    try:
        texts.speak_by_default(RUSSIAN)
        assert texts.say("done") == "Готово"
        assert texts.fitting("pt") == "ru"
    finally:
        texts.speak_by_default(before)
    assert texts.say("done") == "Done"


def test_a_value_from_right_to_left_keeps_its_place() -> None:
    assert texts.say("claimed-by", name="דנה") == "\u2068דנה\u2069 has taken this."
    assert texts.say("claimed-by", name="Ann 👩‍🚀 é") == "Ann 👩‍🚀 é has taken this."


def test_a_value_is_never_read_as_a_message() -> None:
    assert texts.say("claimed-by", name="{ $name } { hello }") == "{ $name } { hello } has taken this."


def test_figures_are_written_as_the_language_does() -> None:
    figures = [formats.number(12345.5), formats.money(1250.5, "EUR"), formats.size(1_500_000)]
    assert figures == ["12,345.5", "€1,250.50", "1.5 MB"]
    with texts.speaking(RUSSIAN):
        figures = [formats.number(12345.5), formats.money(1250.5, "EUR"), formats.size(1_500_000)]
        assert figures == ["12\u00a0345,5", "1\u00a0250,50\u00a0€", "1,5 МБ"]


def test_a_size_is_told_in_its_largest_unit() -> None:
    sizes = (999, 1_000, 1_500_000, 2_000_000_000)
    assert [formats.size(each) for each in sizes] == ["999 bytes", "1.0 kB", "1.5 MB", "2.0 GB"]
    with texts.speaking(RUSSIAN):
        assert formats.size(2_000_000_000) == "2,0 ГБ"


def test_a_year_has_no_separator() -> None:
    assert formats.number(2026) == "2026"


def test_an_amount_keeps_every_digit_that_it_has() -> None:
    assert formats.money(1.23456, "EUR") == "€1.23456"
    assert formats.money(5, "JPY") == "¥5"


def test_times_are_told_by_the_persons_clock() -> None:
    noon = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert (formats.moment(noon), formats.clock(noon)) == ("Mar 14, 2026, 12:00", "12:00 UTC")
    with texts.speaking(RUSSIAN):
        assert formats.moment(noon) == "14 мар. 2026\u202fг., 15:00".replace("\u202f", formats.day(noon)[12])
        assert formats.clock(noon) == "15:00 Europe/Moscow"


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_day_is_read_as_it_is_written(language: str) -> None:
    with texts.speaking(texts.Voice(language)):
        for month in range(1, 13):
            for day in (1, 12, 28):
                assert formats.read_day(formats.day(date(2026, month, day))) == date(2026, month, day)


def test_a_day_in_figures_has_the_order_of_the_language() -> None:
    assert formats.read_day("3/4/2026") == date(2026, 3, 4)
    with texts.speaking(RUSSIAN):
        assert formats.read_day("3/4/2026") == date(2026, 4, 3)


def test_a_calendar_has_the_names_of_the_language() -> None:
    assert (formats.month(date(2026, 5, 1)), formats.weekdays()[0]) == ("May 2026", "Mo")
    with texts.speaking(RUSSIAN):
        assert (formats.month(date(2026, 5, 1)), formats.weekdays()[0]) == ("Май 2026", "пн")
