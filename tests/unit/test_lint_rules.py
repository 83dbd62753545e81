"""Every rule finds what breaks it, and nothing beside it."""

from pathlib import Path

import pytest

from shared.authoring.lint import RULES, check_files
from workers.cli import served

SERVED = served()
BROKEN = Path(__file__).parents[1] / "broken"
FILES = sorted(BROKEN.glob("*.bpmn"))

ELEMENTS = {
    "bad-step.buttons": "ask",
    "bad-step.no_file": "ask",
    "bad-step.notice": "ask",
    "bad-value.bound": "ask",
    "bad-value.caption": "ask",
    "bad-value.duration": "ask",
    "bad-value.flag": "ask",
    "bad-value.options": "ask",
    "bad-value.pattern": "ask",
    "bad-value.recipient": "ask",
    "bad-value.type": "ask",
    "expression-in-property": "ask",
    "missing-default-flow": "decide",
    "missing-history-ttl": "broken",
    "missing-recipient": "ask",
    "multi-instance-output": "ask",
    "multi-instance-scope": "ask",
    "name-too-long": "ask",
    "parallel-results.gateway": "bob",
    "parallel-results.reminder": "bob",
    "placeholder.input": "ask",
    "placeholder.listener": "broken_start",
    "placeholder.property": "ask",
    "too-long.caption": "ask",
    "too-long.question": "ask",
    "too-long.text": "ask",
    "uncaught-error": "ask",
    "uncaught-error.on_expire": "ask",
    "unknown-action": "flow_3",
    "unknown-key.item": "ask",
    "unknown-key.label": "ask",
    "unknown-key.step": "ask",
    "unknown-topic": "ask",
    "unreadable.entities": "",
    "unreadable.no_bpmn": "",
    "unreadable.no_xml": "",
    "unset-variable.left_behind": "flow_5",
    "unset-variable.misspelled": "flow_3",
    "unset-variable.other_branch": "flow_5",
    "unset-variable.too_early": "flow_2",
}
"""The element at fault in each file of tests/broken; a file is named after the rule that it breaks."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_diagram_gives_its_one_finding(path: Path) -> None:
    found = [(each.element, each.rule) for each in check_files([path], SERVED)]
    assert found == [(ELEMENTS[path.stem], path.name.partition(".")[0])]


def test_every_rule_has_a_broken_diagram() -> None:
    assert {path.name.partition(".")[0] for path in FILES} == set(RULES)
    assert {path.stem for path in FILES} == set(ELEMENTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_finding_says_why_it_matters_and_how_to_mend_it(path: Path) -> None:
    (found,) = check_files([path], SERVED)
    assert found.file == str(path)
    assert found.message.endswith(RULES[found.rule])
    assert found.message != RULES[found.rule]
    assert found.fix.endswith((".", "?"))
