"""Every key and every type of the author's contract does something, and a test says what."""

from dataclasses import replace
from typing import Any

import pytest

from shared import texts
from shared.errors import AuthorError
from shared.steps import conversation
from shared.steps.fields import TYPES, InvalidAnswer, read_answer
from shared.steps.keys import START_KEYS, Key
from shared.steps.model import Step
from tests.fakes.steps import read, sign
from tests.support.contract_cases import BUTTON, CASES
from tests.support.contract_proof import ITEMS, Case, Kept, Named, captions, exists, faults, table, uncovered

PLAIN = "string"
SAME_AS_PLAIN = "text"

TYPE_CASES: dict[str, tuple[str, Any, str, str | None]] = {
    # type: an answer, the process's value and the engine's type, what it refuses and a plain text takes
    "string": ("Hello", "Hello", "String", None),
    "text": ("two\nlines", "two\nlines", "String", None),
    "email": ("a@example.org", "a@example.org", "String", "nobody"),
    "phone": ("0049 30 123456", "+4930123456", "String", "a number"),
    "url": ("https://example.org/a", "https://example.org/a", "String", "example"),
    "json": ('{"a": [1]}', '{"a": [1]}', "Json", "{"),
    "integer": ("1 000", 1000, "Integer", "1.5"),
    "decimal": ("12,5", 12.5, "Double", "much"),
    "boolean": ("Yes", True, "Boolean", "perhaps"),
    "choice": ("Alpha", "a", "String", "Gamma"),
    "multichoice": ("Beta, Alpha", '["a", "b"]', "Json", "Gamma"),
    "date": ("14.3.2026", "2026-03-14T00:00:00.000+0000", "Date", "soon"),
    "datetime": ("2026-03-14 15:30", "2026-03-14T15:30:00.000+0000", "Date", "2026-03-14"),
    "user": ("tg_user_7", 7, "Long", "Ada"),
    "location": ("52.5, 13.4", '{"latitude": 52.5, "longitude": 13.4}', "Json", "here"),
}


@pytest.mark.parametrize("named", CASES, ids=".".join)
def test_a_key_changes_what_it_says(named: Named) -> None:
    assert faults(named, CASES[named]) == []


def test_every_key_has_a_case_and_every_case_a_key() -> None:
    assert uncovered(table(), CASES) == set()


def asked(type_name: str) -> Step:
    keys = {"form_x.type": type_name}
    if "choice" in type_name:
        keys["form_x.options"] = "a=Alpha|b=Beta"
    return read({"form_x": None}, keys)


def ways(step: Step) -> tuple[list[str], bool]:
    """The buttons of a question, and whether it has a keyboard of its own."""
    return captions(step), conversation.question(step, 0, sign).keyboard is not None


@pytest.mark.parametrize("name", TYPE_CASES)
def test_a_type_reads_an_answer_and_what_it_shows_of_it_reads_the_same(name: str) -> None:
    answer, value, engine_type, _ = TYPE_CASES[name]
    ask = asked(name).asks[0]
    kept = read_answer(ask, answer)
    assert (kept["value"], kept["type"]) == (value, engine_type)
    again = read_answer(ask, kept["shown"])
    assert (again["value"], again["type"]) == (value, engine_type)


@pytest.mark.parametrize("name", [name for name in TYPE_CASES if name not in {PLAIN, SAME_AS_PLAIN}])
def test_a_type_takes_less_than_a_plain_text(name: str) -> None:
    refused = str(TYPE_CASES[name][3])
    assert read_answer(asked(PLAIN).asks[0], refused)["value"] == refused
    with pytest.raises(InvalidAnswer):
        read_answer(asked(name).asks[0], refused)


def test_one_type_is_another_name_of_the_plain_text_and_says_so() -> None:
    assert TYPES[SAME_AS_PLAIN].gives == f"as `{PLAIN}`"
    assert TYPES[SAME_AS_PLAIN].read is TYPES[PLAIN].read
    assert ways(asked(SAME_AS_PLAIN)) == ways(asked(PLAIN))


def test_every_type_has_a_case_and_every_case_a_type() -> None:
    assert set(TYPE_CASES) == set(TYPES)


STARTED = "integration/test_starting.py"
OF_STARTS = {
    "business_key": f"{STARTED}::test_while_an_instance_of_a_business_key_runs_no_other_is_started",
    "version": f"{STARTED}::test_the_latest_version_says_which_one_is_offered_and_started",
}
"""What only a start event has does something in a chat with an engine behind it, and is shown there."""


def test_every_key_of_a_start_event_has_its_test() -> None:
    assert set(OF_STARTS) == set(START_KEYS)
    assert all(exists(node) for node in OF_STARTS.values())


TRANSLATED = [named for named, key in table().items() if key.translated and named[1] != "options"]


@pytest.mark.parametrize("named", TRANSLATED, ids=".".join)
def test_a_text_is_said_in_the_language_of_whoever_reads_it(named: Named) -> None:
    """As it is without a language; in Russian as the key with ``.ru`` says."""
    case = CASES[named]
    name = ".".join(filter(None, (ITEMS.get(named[0]), named[1], "ru")))
    step = read(case.inputs, {**case.properties, name: case.value})
    assert case.see(step.spoken()) == case.without
    with texts.speaking(texts.Voice("ru")):
        assert case.see(step.spoken()) == case.having


@pytest.mark.parametrize(
    "name", ["title.de", "form_x.label.de", "form_x.label.ru.ru", "form_x.min.ru", "text_a.de"]
)
def test_a_language_that_we_do_not_speak_or_a_key_that_is_no_text_is_an_unknown_key(name: str) -> None:
    with pytest.raises(AuthorError, match="unknown key"):
        read({"form_x": None, "text_a": "Hello"}, {name: "1"})


@pytest.mark.parametrize("options", ["a=А", "a=А|c=В", "a=А|b=Б|c=В"])
def test_options_in_another_language_have_the_same_values(options: str) -> None:
    keys = {"form_x.type": "choice", "form_x.options": "a=A|b=B", "form_x.options.ru": options}
    with pytest.raises(AuthorError, match=r"form_x\.options\.ru: found the values"):
        read({"form_x": None}, keys)


# these tests themselves


def test_a_key_that_is_added_is_missed_until_it_has_a_case() -> None:
    new = ("field", "colour")
    keys = {**table(), new: Key("colour", "text", "its colour", "none", "red")}
    assert uncovered(keys, CASES) == {new}
    assert uncovered(keys, [*CASES, new]) == set()


def test_a_case_of_a_key_that_is_gone_is_missed_too() -> None:
    assert uncovered([each for each in table() if each != ("step", "title")], CASES) == {("step", "title")}


TITLE = CASES["step", "title"]
ALLOW = CASES["step", "allow"]


@pytest.mark.parametrize(
    ("named", "case", "told"),
    [
        (("step", "colour"), replace(TITLE, value="red"), "with it"),
        (("step", "title"), replace(TITLE, having=TITLE.without), "it changes nothing"),
        (("step", "title"), replace(TITLE, having="Something else"), "seen is"),
        (
            ("step", "cancellable"),
            Case("false", Kept("cancellable"), False, False, BUTTON),
            "changes nothing",
        ),
        (("step", "allow"), replace(ALLOW, happens_in=""), "seen by no test"),
        (("step", "allow"), replace(ALLOW, happens_in="unit/test_fields.py::test_nothing"), "there is no"),
        (("step", "allow"), replace(ALLOW, happens_in="unit/test_nothing.py::test_x"), "there is no"),
    ],
)
def test_a_case_that_proves_nothing_is_told(named: Named, case: Case, told: str) -> None:
    assert any(told in fault for fault in faults(named, case))
