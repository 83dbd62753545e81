"""The topic analyse_export: its variables, what it stores, what it says meanwhile."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from camunda.external_task.external_task import ExternalTask, TaskResult

from devstack.exports import ExportPlan, export_bytes
from devstack.exports.broken import broken_export
from shared.errors import AuthorError, WorldError
from shared.markup import render_html
from shared.storage import ObjectMissing
from workers.handlers import analyse_export as module
from workers.handlers.export.process import analyse
from workers.tools import Tools

EXPORT_KEY = "tasks/7/1/s3_chatHistory/result.json"
EXPORT = export_bytes(ExportPlan(size_bytes=150_000, people=20, days=10, name="Chess"))
VARIABLES = {"export_key": EXPORT_KEY, "telegram_user_id": "7", "group_name": "Chess"}


class Opened:
    """What a bucket gives for a key."""

    def __init__(self, content: bytes) -> None:
        self.size_bytes = len(content)
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 65_536):
            yield self._content[start : start + 65_536]


@dataclass
class FakeTools:
    """A bucket in memory, and the words that were shown in chats."""

    objects: dict[str, bytes] = field(default_factory=lambda: {EXPORT_KEY: EXPORT})
    content_types: dict[str, str] = field(default_factory=dict)
    shown: list[tuple[int, str]] = field(default_factory=list)
    deaf: bool = False

    @property
    def storage(self) -> "FakeTools":
        return self

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[Opened]:
        if key not in self.objects:
            raise ObjectMissing(key)
        yield Opened(self.objects[key])

    async def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        self.objects[key] = data
        self.content_types[key] = content_type

    async def progress(self, chat_id: int, text: str) -> None:
        if self.deaf:
            raise WorldError("no database")
        self.shown.append((chat_id, text))


@pytest.fixture
def tools() -> FakeTools:
    return FakeTools()


async def run(tools: FakeTools, **variables: Any) -> TaskResult:
    handler = cast(Callable[[ExternalTask, Tools], Awaitable[TaskResult]], module.analyse_export)
    values = {name: {"value": value} for name, value in {**VARIABLES, **variables}.items()}
    task = ExternalTask({"activityId": "analyse", "processInstanceId": "instance-1", "variables": values})
    return await handler(task, cast(Tools, tools))


async def test_a_good_export_completes_the_task_with_summary_and_keys(tools: FakeTools) -> None:
    result = await run(tools)
    assert result.is_success()
    variables = result.global_variables
    stored = json.loads(tools.objects["analyses/instance-1/analysis.json"])
    assert variables["analysis_key"] == "analyses/instance-1/analysis.json"
    assert variables["chart_key"] == "analyses/instance-1/chart.png"
    assert (variables["audit_members"], variables["audit_messages"]) == (
        stored["members"],
        stored["messages"],
    )
    assert stored["messages"] > 250
    assert variables["export_problem"] == ""
    assert render_html(variables["summary"]).text.startswith("Chess\n")
    assert tools.objects["analyses/instance-1/chart.png"].startswith(b"\x89PNG")
    assert set(tools.content_types.values()) == {"application/json", "image/png"}


async def test_a_run_that_is_repeated_overwrites_its_own_results(tools: FakeTools) -> None:
    first = await run(tools)
    kept = dict(tools.objects)
    assert (await run(tools)).global_variables == first.global_variables
    assert tools.objects == kept


@pytest.mark.parametrize("kind", ["truncated", "html", "all_chats", "no_messages"])
async def test_a_bad_export_is_a_bpmn_error_with_the_reason(tools: FakeTools, kind: str) -> None:
    tools.objects[EXPORT_KEY] = broken_export(kind)
    result = await run(tools)
    assert result.is_bpmn_error()
    assert result.bpmn_error_code == "BAD_EXPORT"
    assert result.global_variables == {"export_problem": result.error_message}
    assert result.error_message.endswith(".")
    assert set(tools.objects) == {EXPORT_KEY}
    assert tools.shown[-1][1].startswith("✗")


async def test_an_export_that_is_gone_is_asked_for_again(tools: FakeTools) -> None:
    tools.objects.clear()
    result = await run(tools)
    assert result.is_bpmn_error()
    assert "send it again" in result.error_message


async def test_the_person_sees_a_beginning_and_an_end_in_their_own_chat(tools: FakeTools) -> None:
    await run(tools, telegram_user_id=7)
    assert {chat for chat, _ in tools.shown} == {7}
    assert tools.shown[0][1] == "⏳ Reading the history of <b>Chess</b>…"
    assert tools.shown[-1][1].startswith("✓ Read the history of <b>Chess</b>: ")


async def test_progress_is_shown_no_more_often_than_its_interval(
    tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talkative(export: Any, chart: Any, on_progress: Any) -> Any:
        for percent in range(100):
            await on_progress(percent, percent * len(EXPORT) // 100)
        return await analyse(export, chart, on_progress)

    monkeypatch.setattr(module, "analyse", talkative)
    await run(tools)
    assert len(tools.shown) == 2  # beginning and end
    monkeypatch.setattr(module, "PROGRESS_INTERVAL_S", 0.0)
    await run(tools)
    assert "⏳ Reading the history of <b>Chess</b>: 50%, 50 messages" in [text for _, text in tools.shown]


async def test_progress_that_cannot_be_shown_stops_nothing() -> None:
    assert (await run(FakeTools(deaf=True))).is_success()


async def test_a_hostile_group_name_is_harmless_in_the_progress(tools: FakeTools) -> None:
    await run(tools, group_name="<a href='https://x.example'> /start @all</a>")
    shown = render_html(tools.shown[0][1])
    assert [entity["type"] for entity in shown.entities] == ["bold"]
    assert "<a href=" in shown.text
    assert "/start" not in shown.text
    assert "@all" not in shown.text


@pytest.mark.parametrize(
    ("name", "found"),
    [("export_key", None), ("export_key", ""), ("telegram_user_id", None), ("telegram_user_id", "Anna")],
)
async def test_a_missing_variable_is_the_authors_error_and_named(
    tools: FakeTools, name: str, found: str | None
) -> None:
    with pytest.raises(AuthorError, match=rf"'analyse': {name} is {found!r}; it must be"):
        await run(tools, **{name: found})


async def test_a_bucket_that_does_not_answer_is_an_error_of_the_world(
    tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(key: str, data: bytes, content_type: str) -> None:
        raise WorldError("the bucket went away")

    monkeypatch.setattr(tools, "put_bytes", away)
    with pytest.raises(WorldError, match="went away"):
        await run(tools)
