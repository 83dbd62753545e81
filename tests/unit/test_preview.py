"""What authors see of their steps before anybody is asked."""

from pathlib import Path

import pytest

from shared import texts
from shared.authoring.lint import Topics
from shared.authoring.preview import as_html, as_terminal, previews
from shared.steps.fields import TYPES
from tests.support.bpmn import external_task, process
from workers.cli import served

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "bpmn").glob("*.bpmn"))


@pytest.fixture(scope="module")
def topics() -> Topics:
    return served(())


def shown(
    topics: Topics, inputs: dict[str, str], properties: dict[str, str] | None = None, **values: object
) -> str:
    step = external_task("ask", "render_task", name="Ask", inputs=inputs, properties=properties or {})
    return as_terminal(previews(process("own", [step]), topics, values))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_is_shown_without_a_problem(path: Path, topics: Topics) -> None:
    found = previews(path.read_bytes(), topics, {})
    assert found
    assert not any(each.problems for each in found)
    assert all(each.title in as_terminal(found) for each in found)
    assert as_html(found).count("<section>") == len(found)


def test_computed_values_are_those_given_or_marked(topics: Topics) -> None:
    inputs = {"text_a": "${greeting} there", "Amount": "${amount}", "Due": "${due}", "action_ok": "OK"}
    text = shown(topics, inputs, greeting="Hello", amount=1234.0)
    for line in ("Hello there", "Amount: 1234", "Due: ‹due›", "[ OK ]"):
        assert line in text


def test_a_form_is_shown_to_its_end_whatever_it_asks(topics: Topics) -> None:
    names = [name for name in TYPES if "choice" not in name]
    properties = {f"form_{name}.type": name for name in names}
    properties |= {"form_c.type": "multichoice", "form_c.options": "a=Alpha|b=Beta", "review": "true"}
    text = shown(topics, {}, properties)
    assert f"{len(names) + 1} of {len(names) + 1}: c" in text
    assert "c: Alpha" in text
    assert "[ Submit ]" in text


def test_a_mistake_is_shown_with_the_step(topics: Topics) -> None:
    assert "!! titel: unknown property" in shown(topics, {"text_a": "Hi"}, {"titel": "x"})


def test_values_cannot_break_the_page(topics: Topics) -> None:
    step = external_task("ask", "render_task", name="<b>", inputs={"Name": "${name}", "action_ok": "<i>"})
    page = as_html(previews(process("own", [step]), topics, {"name": "<script>alert(1)</script> 😀"}))
    assert "<script" not in page
    assert "😀" in page


def test_a_step_is_shown_in_the_language_that_is_asked_for(topics: Topics) -> None:
    inputs = {"telegram_user_id": "${who}", "text_a": "Sure?", "text_a.ru": "Точно?"}
    with texts.speaking(texts.Voice("ru")):
        told = shown(topics, inputs, {"form_x.type": "boolean"})
    assert "Точно?" in told
    assert "[ Да ]" in told
    assert "Sure?" in shown(topics, inputs, {"form_x.type": "boolean"})
