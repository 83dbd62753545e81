"""The topics that workers serve."""

import sys
import types
from collections.abc import Iterable
from typing import cast

import pytest
from camunda.external_task.external_task import ExternalTask, TaskResult

from shared.errors import ConfigurationError
from workers import registry
from workers.registry import topic
from workers.tools import Tools


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_automated", dict(registry._automated))


async def handler(task: ExternalTask) -> TaskResult:
    return task.complete()


async def another(task: ExternalTask) -> TaskResult:
    return task.complete()


def names(chosen: Iterable[str] = ()) -> set[str]:
    """The automated topics."""
    return {known.name for known in registry.automated_topics(chosen)}


def test_a_topic_is_registered_by_its_decorator() -> None:
    assert topic("sum", lock_s=7)(handler) is handler
    (known,) = [each for each in registry.automated_topics() if each.name == "sum"]
    assert (known.handler, known.lock_s) == (handler, 7)


def test_a_module_that_is_imported_twice_registers_once() -> None:
    topic("sum")(handler)
    topic("sum")(handler)
    assert len([each for each in registry.automated_topics() if each.name == "sum"]) == 1


def test_a_topic_has_one_handler() -> None:
    topic("sum")(handler)
    with pytest.raises(ConfigurationError, match="topic 'sum' has a handler already"):
        topic("sum")(another)


@pytest.mark.parametrize("name", ["render_task", "await_upload", "send_message"])
def test_a_human_topic_takes_no_function(name: str) -> None:
    with pytest.raises(ConfigurationError, match="has a handler already"):
        topic(name)(handler)


def test_a_handler_is_an_async_function() -> None:
    def blocking(task: ExternalTask) -> TaskResult:
        return task.complete()

    with pytest.raises(ConfigurationError, match="must be an async function"):
        topic("sum")(blocking)


def test_the_built_in_topics_are_there() -> None:
    registry.load()
    assert "analyse_export" in names()
    human = {known.name: known for known in registry.human_topics()}
    assert set(human) == {"render_task", "await_upload", "send_message"}
    assert (human["await_upload"].needs_file, human["send_message"].may_ask) == (True, False)


def test_modules_of_a_platform_team_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "our_topics", types.ModuleType("our_topics"))
    registry.load(["our_topics"])
    with pytest.raises(ConfigurationError, match="TOPIC_MODULES: cannot import 'no_such_module'"):
        registry.load(["no_such_module"])


def test_topics_can_be_chosen() -> None:
    topic("sum")(handler)
    assert names(("sum", "render_task")) == {"sum"}
    assert [known.name for known in registry.human_topics(("sum", "render_task"))] == ["render_task"]
    registry.check_chosen(("sum", "render_task"))
    with pytest.raises(
        ConfigurationError, match=r"TOPICS names sun, which no module registers; known: .*sum"
    ):
        registry.check_chosen(("sun",))


async def test_a_handler_gets_the_tools_if_it_has_room_for_them() -> None:
    async def with_tools(task: ExternalTask, tools: object) -> TaskResult:
        assert tools == "tools"
        return task.complete()

    task = ExternalTask({})
    for function in (handler, with_tools):
        known = registry.Automated("x", function, 1)
        assert (await known.run(task, cast("Tools", "tools"))).is_success()
