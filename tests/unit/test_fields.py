"""The types of fields: what a person may answer, what the engine gets, what is shown again."""

import json
import math
import random
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.engine.values import STRING_MAX_UNITS
from shared.errors import ConfigurationError
from shared.steps import fields
from shared.steps.fields import InvalidAnswer, options_of, read_answer, skipped
from shared.steps.model import Ask, Option
from tests.fakes.steps import field

RED_OR_BLUE = (Option(value="r", caption="Red"), Option(value="b", caption="Blue"))


def refused(ask: Ask, answer: str) -> str:
    """The sentence that a person reads."""
    with pytest.raises(InvalidAnswer) as caught:
        read_answer(ask, answer)
    return str(caught.value)


@pytest.mark.parametrize(
    ("type_name", "answer", "value", "engine_type"),
    [
        ("string", "Hello", "Hello", "String"),
        ("text", "two\nlines", "two\nlines", "String"),
        ("string", "nul\0led", "nulled", "String"),
        ("integer", "42", 42, "Integer"),
        ("integer", " -7 ", -7, "Integer"),
        ("integer", "1 000\u00a0000", 1_000_000, "Integer"),
        ("integer", str(2**31 - 1), 2**31 - 1, "Integer"),
        ("integer", str(2**31), 2**31, "Long"),
        ("integer", str(-(2**31) - 1), -(2**31) - 1, "Long"),
        ("integer", str(2**63 - 1), 2**63 - 1, "Long"),
        ("decimal", "12.5", 12.5, "Double"),
        ("decimal", "12,5", 12.5, "Double"),
        ("decimal", "1 000,25", 1000.25, "Double"),
        ("decimal", "-1e3", -1000.0, "Double"),
        ("boolean", "Yes", True, "Boolean"),
        ("boolean", " n ", False, "Boolean"),
        ("boolean", "true", True, "Boolean"),
        ("boolean", "0", False, "Boolean"),
        ("date", "2026-03-14", "2026-03-14T00:00:00.000+0000", "Date"),
        ("date", " 14.3.2026 ", "2026-03-14T00:00:00.000+0000", "Date"),
        ("date", "2024-02-29", "2024-02-29T00:00:00.000+0000", "Date"),
        ("email", " name@example.org ", "name@example.org", "String"),
    ],
)
def test_an_answer_becomes_a_typed_variable(
    type_name: str, answer: str, value: Any, engine_type: str
) -> None:
    kept = read_answer(field(type_name), answer)
    assert (kept["value"], kept["type"]) == (value, engine_type)
    assert type(kept["value"]) is type(value)


@pytest.mark.parametrize(
    ("type_name", "answers", "sentence"),
    [
        ("integer", ["", "many", "1.5", "1e3", "--1", str(2**63), "9" * 5000], "a whole number, like 42"),
        ("decimal", ["", "many", "nan", "Infinity", "1e400", "1.2.3", "9" * 400], "a number, like 12.5"),
        ("boolean", ["", "maybe", "2", "yesno"], "answer yes or no"),
        ("date", ["", "soon", "2026-02-30", "14/13/2026", "2026-03-14T00:00", "0000-01-01"], "a date, like"),
        (
            "email",
            ["", "me", "me@", "@example.org", "me@example", "a b@c.de", "a@b@c.de"],
            "an e-mail address",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_an_example(
    type_name: str, answers: list[str], sentence: str
) -> None:
    for answer in answers:
        assert sentence in refused(field(type_name), answer), answer


@pytest.mark.parametrize("type_name", ["string", "text", "email"])
def test_text_longer_than_the_engine_keeps_in_a_string_travels_as_json(type_name: str) -> None:
    long = "a" * (STRING_MAX_UNITS - 20) + "@example.org"
    assert read_answer(field(type_name), long)["type"] == "String"
    longer = "a" * STRING_MAX_UNITS + '"ä"@example.org'
    kept = read_answer(field(type_name), longer)
    assert (kept["type"], json.loads(kept["value"])) == ("Json", longer)


def test_a_string_is_counted_as_the_engine_counts_it() -> None:
    assert read_answer(field("text"), "😀" * 2001)["type"] == "Json"
    assert read_answer(field("text"), "😀" * 2000)["type"] == "String"


@pytest.mark.parametrize(
    ("low", "high", "answer", "sentence"),
    [
        (2, None, "a", "one character; at least 2 are expected"),
        (None, 2, "abc", "3 characters; at most 2 are expected"),
        (2, 3, "abcd", "4 characters; 2 to 3 are expected"),
    ],
)
def test_the_length_of_a_text_has_bounds(
    low: float | None, high: float | None, answer: str, sentence: str
) -> None:
    assert sentence in refused(field("string", min=low, max=high), answer)
    assert read_answer(field("string", min=2, max=3), "ab")
    assert read_answer(field("string", min=2, max=3), "abc")


@pytest.mark.parametrize("type_name", ["integer", "decimal"])
@pytest.mark.parametrize(
    ("low", "high", "answer", "sentence"),
    [
        (2, None, "1", "at least 2"),
        (None, 2, "3", "at most 2"),
        (-1.5, 2, "-2", "-1.5 to 2"),
        (0, 0, "1", "0 to 0"),
    ],
)
def test_a_number_has_bounds_which_belong_to_it(
    type_name: str, low: float | None, high: float | None, answer: str, sentence: str
) -> None:
    assert f"{sentence} is expected" in refused(field(type_name, min=low, max=high), answer)
    assert read_answer(field(type_name, min=2, max=2), "2")["value"] == 2


def test_a_text_must_match_its_pattern_as_a_whole() -> None:
    ask = field("string", pattern="[A-Z]{2}[0-9]+", help="Like DE42.")
    assert read_answer(ask, "DE42")["value"] == "DE42"
    for wrong in ("DE42 ", "xDE42", "DE42\n", "de42"):
        assert refused(ask, wrong) == "That does not look right. Like DE42."
    assert "check it" in refused(field("string", pattern="x"), "y")


@pytest.mark.parametrize("answer", ["r", "Red", " RED ", "R"])
def test_a_choice_is_made_by_value_or_caption_in_any_case(answer: str) -> None:
    kept = read_answer(field("choice", options=RED_OR_BLUE), answer)
    assert (kept["value"], kept["type"]) == ("r", "String")


@pytest.mark.parametrize("answer", ["", "green", "Red or blue"])
def test_what_is_no_choice_is_refused(answer: str) -> None:
    assert "one of the buttons" in refused(field("choice", options=RED_OR_BLUE), answer)


def test_the_exact_value_of_an_option_means_that_option() -> None:
    crossed = (Option(value="1", caption="2"), Option(value="2", caption="1"))
    assert read_answer(field("choice", options=crossed), "2")["value"] == "2"
    cased = (Option(value="a", caption="a"), Option(value="A", caption="A"))
    assert read_answer(field("choice", options=cased), "A")["value"] == "A"


def test_what_was_chosen_is_shown_by_its_caption() -> None:
    assert read_answer(field("choice", options=RED_OR_BLUE), "r")["shown"] == "Red"
    assert read_answer(field("boolean"), "yes")["shown"] == "Yes"
    assert read_answer(field("integer"), "1 000")["shown"] == "1000"


def test_the_choices_under_a_question_are_the_authors_else_those_of_the_type() -> None:
    assert options_of(field("boolean", options=RED_OR_BLUE)) == RED_OR_BLUE
    assert [option.caption for option in options_of(field("boolean"))] == ["Yes", "No"]
    assert options_of(field("string")) == ()
    assert options_of(Ask(name="s3_x", type="file", label="x", required=True)) == ()


def test_a_skipped_field_is_its_default_or_nothing() -> None:
    assert skipped(field("integer", default="5")) == {"value": 5, "type": "Integer", "shown": "5"}
    assert skipped(field("integer")) == {"value": None, "type": "Null", "shown": "—"}


NASTY = (
    "", " ", "\0", "\ud800", "0", "-0", "1e999", "-1e999", "NaN", "inf", "0x1F", "1_000", "١٢٣", "½", "٫",
    "1,2,3", "9" * 4300, "9" * 4400, "a" * 4096, "😀" * 3000, "</b>", "\u202e", "🏳️‍🌈", "true", "YES",
    "2026-02-29", "1.1.1", "9999-12-31", "31.12.9999", "@", "a@b.c", "\n", "\t1",
    "1\u2009000", "{}", "[]", "null", '"',
)  # fmt: skip


@pytest.mark.parametrize("type_name", sorted(fields.TYPES))
@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_answered_is_a_value_that_json_can_carry_or_a_sentence(type_name: str, seed: int) -> None:
    chance = random.Random(seed)
    for text in [*NASTY, *("".join(chance.choices("".join(NASTY[:20]), k=9)) for _ in range(200))]:
        ask = field(
            type_name,
            options=RED_OR_BLUE if type_name == "choice" else (),
            min=chance.choice([None, None, -5.0, 3.0]),
            max=chance.choice([None, None, 5.0, 1e6]),
        )
        kept = read_or_sentence(ask, text)
        assert kept
        if isinstance(kept, dict):
            assert set(kept) == {"value", "type", "shown"}
            json.dumps(kept, allow_nan=False)
            assert not (isinstance(kept["value"], float) and math.isinf(kept["value"]))


def read_or_sentence(ask: Ask, text: str) -> dict[str, Any] | str:
    """The answer that is kept, or what the person reads instead."""
    try:
        return read_answer(ask, text)
    except InvalidAnswer as error:
        return str(error)


def test_a_pattern_that_backtracks_for_ever_refuses_within_its_limit() -> None:
    ask = Ask(name="form_x", type="string", label="x", required=True, pattern="(x+x+)+y")
    started = time.monotonic()
    with pytest.raises(InvalidAnswer):
        read_answer(ask, "x" * 5000)
    assert time.monotonic() - started < 5


# types of a platform team


def offered(monkeypatch: pytest.MonkeyPatch, *kinds: object) -> None:
    """Let an installed package offer these types."""
    points = [SimpleNamespace(name="ours", value="ours:KIND", load=lambda kind=kind: kind) for kind in kinds]
    monkeypatch.setattr(fields, "entry_points", lambda group: points if group == fields.ENTRY_POINTS else [])
    monkeypatch.setattr(fields, "TYPES", dict(fields.TYPES))


def test_a_type_of_an_installed_package_is_read_shown_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_even(ask: Ask, answer: str) -> dict[str, Any]:
        if int(answer) % 2:
            raise InvalidAnswer("That should be even, like 4.")
        return {"value": int(answer), "type": "Integer"}

    offered(
        monkeypatch,
        fields.FieldType("even", read_even, lambda ask, typed: f"#{typed['value']}", "4", "Integer"),
    )
    fields.load()
    assert read_answer(field("even"), "4") == {"value": 4, "type": "Integer", "shown": "#4"}
    assert refused(field("even"), "5") == "That should be even, like 4."
    fields.load()  # a process may look twice


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("no type", "is no FieldType: 'no type'"),
        (replace(fields.TYPES["url"]), "two field types are called 'url'"),
    ],
)
def test_a_type_that_is_none_or_takes_a_name_is_told(
    monkeypatch: pytest.MonkeyPatch, kind: object, reason: str
) -> None:
    offered(monkeypatch, kind)
    with pytest.raises(ConfigurationError, match=reason):
        fields.load()


# every type: laws


ANY_TEXT = st.text(max_size=60) | st.from_regex(r"[-+0-9., :/T]{1,20}", fullmatch=True)
OPTIONS = (
    Option(value="a", caption="Alpha"),
    Option(value="b", caption="Alpha, Beta"),
    Option(value="c", caption="Gamma; x"),
    Option(value="Alpha", caption="δ"),
)


@pytest.mark.parametrize("name", sorted(fields.TYPES))
@given(answer=ANY_TEXT)
@example(answer="+49 30 (123) 456-7")
@example(answer="2026-03-14 15:30")
@example(answer="-12.5, 7")
@example(answer='{"a": [1, null, "\\u0000"]}')
@example(answer="Alpha, Beta, Gamma; x")
@example(answer="x" * 4100)
def test_any_answer_is_taken_or_refused_and_what_is_shown_of_it_reads_the_same(
    name: str, answer: str
) -> None:
    asked = field(name, options=OPTIONS if "choice" in name else ())
    try:
        kept = read_answer(asked, answer)
    except InvalidAnswer:
        return
    again = read_answer(asked, kept["shown"])
    assert (again["value"], again["type"]) == (kept["value"], kept["type"])


@given(values=st.lists(st.sampled_from([option.value for option in OPTIONS]), unique=True))
def test_whatever_is_ticked_reads_the_same_when_it_is_written(values: list[str]) -> None:
    asked = field("multichoice", options=OPTIONS)
    kept = fields.ticked(asked, values)
    assert read_answer(asked, kept["shown"])["value"] == kept["value"]
