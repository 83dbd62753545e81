"""Deploying, starting and looking from the shell, against a real engine and database."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstack.stack import Stack
from shared.db import Database
from tests.fakes.rows import a_reply
from tests.fakes.steps import ANN
from tests.support import shell
from tests.support.bpmn import external_task, process

Run = Callable[..., Any]
ASKED = {"telegram_user_id": "${telegram_user_id}", "text_q": "Shall we?", "action_yes": "Yes"}


@pytest.fixture
def stepgram(
    monkeypatch: pytest.MonkeyPatch,
    stack: Stack,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
) -> Run:
    """Runs a command against the stack; what it printed, and how it ended."""
    for name, value in {**stack.env, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[str, str | None]:
        return shell.stepgram(monkeypatch, capsys, *arguments)

    async def outside_of_the_loop(*arguments: str) -> tuple[str, str | None]:
        return await asyncio.to_thread(run, *arguments)

    return outside_of_the_loop


@pytest.fixture
def key() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


def written(folder: Path, key: str, **steps: dict[str, str]) -> str:
    """A file of a process with these steps."""
    path = folder / f"{key}.bpmn"
    path.write_bytes(process(key, [external_task(id_, "render_task", inputs=steps[id_]) for id_ in steps]))
    return str(path)


async def test_a_diagram_with_findings_is_refused_unless_that_is_wanted(
    stepgram: Run, tmp_path: Path, key: str
) -> None:
    file = written(tmp_path, key, ask={**ASKED, "action_yes.lable": "Yes!"})
    _, why = await stepgram("deploy", file)
    assert "unknown-key" in why
    assert why.startswith("stepgram deploy: mend this, or deploy with --no-lint")
    out, why = await stepgram("deploy", "--no-lint", file)
    assert why is None
    assert f"{key}.bpmn: {key} version 1" in out


async def test_a_deployment_tells_what_changed_for_people(stepgram: Run, tmp_path: Path, key: str) -> None:
    out, _ = await stepgram("deploy", written(tmp_path, key, first=ASKED, second=ASKED))
    assert len(out.splitlines()) == 1
    out, _ = await stepgram("deploy", written(tmp_path, key, first=ASKED, second=ASKED))
    assert out.rstrip().endswith("unchanged")
    await stepgram("start", key, "--var", "telegram_user_id=1")

    changed = {**ASKED, "action_no": "No"}
    out, why = await stepgram("deploy", written(tmp_path, key, first=changed, third=ASKED))
    assert why is None
    first, *rest = out.splitlines()
    assert f"{key} version 2" in first
    assert rest == [
        "  second: removed",
        "  first: changed; instances that wait at it, and keep their version: 1",
        "    action_no added: 'No'",
        "  third: added",
    ]


async def test_an_instance_is_started_listed_and_shown(stepgram: Run, tmp_path: Path, key: str) -> None:
    await stepgram("deploy", written(tmp_path, key, ask=ASKED))
    given = ("--var", "telegram_user_id=7", "--var", 'tags=["a"]', "--var", "name=Ann", "--var", "empty=")
    out, why = await stepgram("start", key, *given, "--business-key", "order 1")
    assert why is None
    instance = out.strip()

    out, _ = await stepgram("ps", "--key", key)
    head, row = out.splitlines()
    assert head.split()[0] == "INSTANCE"
    assert row.split() == [instance, key, "1", "order", "1", "ask"]

    out, why = await stepgram("show", instance)
    assert why is None
    assert out.splitlines() == [
        f"{key} version 1, business key order 1, running",
        "waits at: ask",
        "variable empty = ",
        "variable name = Ann",
        'variable tags = ["a"]',
        "variable telegram_user_id = 7",
    ]


async def test_an_instance_shows_who_is_asked(stepgram: Run, tmp_path: Path, key: str, db: Database) -> None:
    await stepgram("deploy", written(tmp_path, key, ask=ASKED))
    out, _ = await stepgram("start", key, "--var", f"telegram_user_id={ANN}")
    instance = out.strip()
    reply_id = await a_reply(db, state="posted", process_instance_id=instance)
    out, _ = await stepgram("show", instance)
    assert f"pending reply {reply_id}: ask is posted, chat {ANN}" in out.splitlines()


async def test_a_database_that_does_not_answer_hides_no_instance(
    stepgram: Run, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stepgram("deploy", written(tmp_path, key, ask=ASKED))
    out, _ = await stepgram("start", key, "--var", "telegram_user_id=7")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/nothing")
    out, why = await stepgram("show", out.strip())
    assert why is None
    assert "waits at: ask" in out
    assert "pending replies: the database does not answer" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "nothing"), "stepgram show: the engine knows no instance 'nothing'"),
        (("start", "no_such_process"), "stepgram start: "),
        (("start", "p", "--var", "amount"), "NAME=VALUE is expected"),
    ],
)
async def test_what_is_not_there_is_one_line(stepgram: Run, arguments: tuple[str, ...], told: str) -> None:
    _, why = await stepgram(*arguments)
    assert told in why
    assert "\n" not in why
