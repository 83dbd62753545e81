"""`stepgram lint`, as a shell runs it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workers import cli

ROOT = Path(__file__).parents[2]
CLEAN = str(ROOT / "bpmn/hello_approval.bpmn")
BROKEN = str(ROOT / "tests/broken/unknown-topic.bpmn")
NO_XML = str(ROOT / "tests/broken/unreadable.no_xml.bpmn")

Run = Callable[..., int]


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command without any setting but those given; its exit code."""

    def run(*arguments: str, **environment: str) -> int:
        for name in ("DATABASE_URL", "ENGINE_URL", "BOT_TOKEN", "TOPIC_MODULES"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["stepgram", "lint", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert isinstance(end.value.code, int)
        return end.value.code

    return run


@pytest.mark.parametrize(
    ("files", "code"), [([CLEAN], 0), ([CLEAN, BROKEN], 1), ([BROKEN, NO_XML], 2), (["/no/such"], 2)]
)
def test_the_exit_code_tells_clean_found_and_unreadable_apart(lint: Run, files: list[str], code: int) -> None:
    assert lint(*files) == code


def test_json_is_a_list_of_findings_and_nothing_else(lint: Run, capsys: pytest.CaptureFixture[str]) -> None:
    lint("--format", "json", CLEAN)
    assert json.loads(capsys.readouterr().out) == []
    lint("--format", "json", BROKEN)
    (found,) = json.loads(capsys.readouterr().out)
    assert list(found) == ["file", "element", "rule", "message", "fix"]
    assert found["message"].startswith("The topic is 'render_tsk', did you mean 'render_task'.")


def test_a_topic_may_be_named(lint: Run) -> None:
    assert lint("--topic", "render_tsk", BROKEN) == 0


def test_settings_that_are_wrong_hinder_no_check(lint: Run) -> None:
    assert lint(CLEAN, POLL_S="never", DATABASE_URL="mysql://h/d") == 0


def test_a_module_of_topics_that_cannot_be_imported_is_one_line(
    lint: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(CLEAN, TOPIC_MODULES="no_such_module") == 2
    assert capsys.readouterr().err.startswith("stepgram lint: TOPIC_MODULES: cannot import 'no_such_module'")
