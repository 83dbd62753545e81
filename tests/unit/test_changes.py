"""What changed for people between two versions of a process."""

from collections.abc import Mapping

from shared.authoring.lint.diagram import read
from shared.operating.changes import Change, changes
from tests.support.bpmn import external_task, process
from tests.support.bpmn_xml import Content, Node

ASKED: Mapping[str, Content] = {"text_q": "Shall we?", "action_yes": "Yes"}


def told(before: list[Node], after: list[Node]) -> list[Change]:
    (old,), (new,) = read(process("p", before)), read(process("p", after))
    return changes(old, new, {"render_task"})


def step(id_: str, inputs: Mapping[str, Content] = ASKED, **properties: str) -> Node:
    return external_task(id_, "render_task", inputs=inputs, properties=properties)


def test_steps_that_came_and_went_are_told() -> None:
    assert told([step("a"), step("b")], [step("b"), step("c")]) == [
        Change("a", "removed"),
        Change("c", "added"),
    ]


def test_a_step_that_says_the_same_has_not_changed() -> None:
    assert told([step("a", title="Hi")], [step("a", title="Hi")]) == []


def test_every_item_and_key_that_differs_is_told() -> None:
    options: Mapping[str, Content] = {**ASKED, "form_x.options": ["a", "b"]}
    more: Mapping[str, Content] = {"text_q": "Shall we now?", "form_x.options": ["a", "c"]}
    (change,) = told([step("a", options)], [step("a", more, title="Hi")])
    assert change == Change(
        "a",
        "changed",
        (
            "text_q: 'Shall we?' is now 'Shall we now?'",
            "action_yes removed",
            "form_x.options: 'a b' is now 'a c'",
            "title added: 'Hi'",
        ),
    )


def test_automated_tasks_are_nobodys_steps() -> None:
    assert told([], [external_task("sum", "sum")]) == []
