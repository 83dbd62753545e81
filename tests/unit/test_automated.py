"""Automated topics: a function's result, its mistakes, its heartbeat, and how it ends with its process."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from camunda.external_task.external_task import ExternalTask, TaskResult

from shared.db import Database
from shared.engine.errors import EngineFault, EngineUnavailable, OptimisticLocking
from shared.engine.records import ActivityEnd
from shared.engine.task_records import FetchedTask
from shared.errors import AuthorError, WorldError
from tests.fakes.engine import FakeEngine
from tests.fakes.services import Fakes
from tests.fakes.waiting import running, until
from workers import automated
from workers.automated import RETRIES, AutomatedWorker
from workers.registry import Automated
from workers.tools import Tools

Function = Callable[[ExternalTask], Awaitable[TaskResult]]


def fakes_without_database() -> Fakes:
    """What an automated topic needs that shows nothing in a chat."""
    return Fakes(cast("Database", None))


def worker(fakes: Fakes, function: Any, *, lock_s: int = 60) -> AutomatedWorker:
    """A process that serves the topic `sum` by a function."""
    return AutomatedWorker(fakes.services, [Automated("sum", function, lock_s)])


def give(engine: FakeEngine, **options: Any) -> FetchedTask:
    """Let an instance arrive at the topic."""
    return engine.give({"a": 1, "b": [2, 3]}, topic="sum", **options)


async def run_one(function: Any, **options: Any) -> Any:
    """What the engine knows of a task after the function has run once."""
    fakes = fakes_without_database()
    task = give(fakes.engine, **options)
    held = fakes.engine.held[task.id]
    async with running(worker(fakes, function).run):
        await until(
            lambda: held.end is not ActivityEnd.RUNNING or fakes.engine.count("failure"),
            "the task is reported",
        )
    return held


async def test_a_result_completes_the_task() -> None:
    async def add(task: ExternalTask) -> TaskResult:
        return task.complete({"total": task.get_variable("a") + sum(task.get_variable("b"))})

    held = await run_one(add)
    assert held.end is ActivityEnd.COMPLETED
    assert held.variables == {"total": {"value": 6, "type": "Integer"}}


async def test_a_function_may_take_the_tools() -> None:
    async def use(task: ExternalTask, tools: Tools) -> TaskResult:
        return task.complete({"task": tools.task_id})

    held = await run_one(use)
    assert held.variables["task"]["value"] == held.task.id


async def test_a_bpmn_error_is_thrown() -> None:
    async def refuse(task: ExternalTask) -> TaskResult:
        return task.bpmn_error("BAD", "it is bad", {"why": "x"})

    held = await run_one(refuse)
    assert (held.error_code, held.variables) == ("BAD", {"why": {"value": "x", "type": "String"}})


@pytest.mark.parametrize(
    ("error", "retries", "left"),
    [
        (AuthorError("no such variable"), None, 0),
        (WorldError("the bucket is away"), None, RETRIES),
        (WorldError("the bucket is away"), 1, 1),
        (RuntimeError("broken"), None, RETRIES),
        (RuntimeError("broken"), 3, 2),
        (RuntimeError("broken"), 1, 0),
    ],
)
async def test_a_failure_leaves_as_many_retries_as_its_kind_deserves(
    error: Exception, retries: int | None, left: int
) -> None:
    async def fail(task: ExternalTask) -> TaskResult:
        raise error

    held = await run_one(fail, retries=retries)
    assert held.retries == left
    assert held.incident == (None if left else f"sum: {error}")


async def test_a_function_that_returns_something_else_is_an_incident() -> None:
    async def forget(task: ExternalTask) -> Any:
        return {"total": 6}

    held = await run_one(forget)
    assert held.retries == 0
    assert "the handler of topic 'sum' returned dict, not a TaskResult" in (held.incident or "")


@pytest.mark.parametrize(
    "error", [EngineUnavailable("away"), OptimisticLocking("met"), EngineFault("500", type_="X")]
)
async def test_a_result_that_the_engine_does_not_take_is_told_again_and_the_work_is_not_done_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automated, "pause_s", lambda *_: 0.01)
    runs = 0

    async def work(task: ExternalTask) -> TaskResult:
        nonlocal runs
        runs += 1
        return task.complete()

    fakes = fakes_without_database()
    task = give(fakes.engine)
    fakes.engine.fail("complete", error, error)
    async with running(worker(fakes, work).run):
        await until(lambda: fakes.engine.held[task.id].end is ActivityEnd.COMPLETED, "it is completed")
    assert (runs, fakes.engine.count("failure")) == (1, 0)


async def test_a_lost_answer_to_a_result_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automated, "pause_s", lambda *_: 0.01)

    async def work(task: ExternalTask) -> TaskResult:
        return task.complete()

    fakes = fakes_without_database()
    give(fakes.engine)
    fakes.engine.fail("complete", EngineUnavailable("no answer"), after=True)
    async with running(worker(fakes, work).run):
        await until(lambda: fakes.engine.count("complete") == 2, "it is told again")
    assert fakes.engine.count("failure") == 0


async def test_a_process_that_cannot_go_on_after_the_work_is_an_incident(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(automated, "pause_s", lambda *_: 0.01)

    async def work(task: ExternalTask) -> TaskResult:
        return task.complete()

    fakes = fakes_without_database()
    task = give(fakes.engine)
    fakes.engine.fail("complete", *[EngineFault("no flow matches", type_="X")] * 10)
    async with running(worker(fakes, work).run):
        await until(lambda: fakes.engine.count("failure"), "it gives up")
    held = fakes.engine.held[task.id]
    assert held.retries == 0
    assert "done, but the process cannot go on: no flow matches" in (held.incident or "")


async def test_the_lock_is_extended_while_the_function_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = fakes_without_database()
    task = give(fakes.engine)
    go_on = asyncio.Event()

    async def slow(task: ExternalTask) -> TaskResult:
        await go_on.wait()
        return task.complete()

    process = worker(fakes, slow, lock_s=cast("int", 0.3))
    async with running(process.run):
        await until(lambda: fakes.engine.count("lock") >= 4, "it is extended again and again")
        held = fakes.engine.held[task.id]
        assert held.is_locked
        assert held.worker_id == process.worker_id
        go_on.set()
        await until(lambda: held.end is ActivityEnd.COMPLETED, "the task is completed")
    beats = fakes.engine.count("lock")
    await asyncio.sleep(0.15)
    assert fakes.engine.count("lock") == beats, "and then no more"


@pytest.mark.parametrize("taken", ["by somebody else", "back by the engine"])
async def test_a_function_whose_lock_is_lost_is_interrupted(taken: str) -> None:
    fakes = fakes_without_database()
    task = give(fakes.engine)
    ended = asyncio.Event()
    began = asyncio.Event()

    async def slow(task: ExternalTask) -> TaskResult:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return task.complete()

    async with running(worker(fakes, slow, lock_s=cast("int", 0.15)).run):
        await asyncio.wait_for(began.wait(), 5)
        if taken == "by somebody else":
            fakes.engine.held[task.id].worker_id = "somebody"
            fakes.engine.held[task.id].locked_until = datetime.now(UTC) + timedelta(seconds=60)
        else:
            fakes.engine.cancel(task.id)
        await asyncio.wait_for(ended.wait(), 5)
    held = fakes.engine.held[task.id]
    assert (held.end is not ActivityEnd.COMPLETED, fakes.engine.count("failure")) == (True, 0)
    assert fakes.engine.count("unlock") == 0, "it is not ours any more"


async def test_an_engine_that_is_away_for_a_beat_interrupts_nothing() -> None:
    fakes = fakes_without_database()
    task = give(fakes.engine)
    go_on = asyncio.Event()

    async def slow(task: ExternalTask) -> TaskResult:
        await go_on.wait()
        return task.complete()

    fakes.engine.fail("lock", EngineUnavailable("away"))
    async with running(worker(fakes, slow, lock_s=cast("int", 0.3)).run):
        await until(lambda: fakes.engine.count("lock") >= 3, "it beats on")
        go_on.set()
        await until(lambda: fakes.engine.held[task.id].end is ActivityEnd.COMPLETED, "it is completed")


async def test_no_more_functions_run_at_once_than_are_allowed() -> None:
    fakes = fakes_without_database()
    object.__setattr__(fakes.settings, "automated_concurrency", 2)
    for _ in range(6):
        give(fakes.engine)
    now = most = 0

    async def count(task: ExternalTask) -> TaskResult:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return task.complete()

    async with running(worker(fakes, count).run):
        await until(lambda: fakes.engine.count("complete") == 6, "all are done")
    assert most == 2


async def test_a_stop_lets_a_quick_function_finish() -> None:
    fakes = fakes_without_database()
    task = give(fakes.engine)
    began = asyncio.Event()

    async def quick(task: ExternalTask) -> TaskResult:
        began.set()
        await asyncio.sleep(0.1)
        return task.complete()

    async with running(worker(fakes, quick).run):
        await asyncio.wait_for(began.wait(), 5)
    assert fakes.engine.held[task.id].end is ActivityEnd.COMPLETED


async def test_a_stop_gives_back_what_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automated, "STOP_AFTER_S", 0.05)
    fakes = fakes_without_database()
    task = give(fakes.engine)
    began = asyncio.Event()

    async def slow(task: ExternalTask) -> TaskResult:
        began.set()
        await asyncio.sleep(60)
        return task.complete()

    async with running(worker(fakes, slow).run):
        await asyncio.wait_for(began.wait(), 5)
    held = fakes.engine.held[task.id]
    assert (held.end, held.is_locked, held.retries) == (ActivityEnd.RUNNING, False, None)


async def test_a_stop_gives_back_what_the_last_poll_still_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automated, "STOP_AFTER_S", 0.05)
    fakes = fakes_without_database()
    object.__setattr__(fakes.settings, "poll_s", 0.5)
    process = worker(fakes, _never)
    async with running(process.run) as stopping:
        await until(lambda: fakes.engine.calls, "the poll waits")
        stopping.set()
        await asyncio.sleep(0.1)
        task = give(fakes.engine)
    held = fakes.engine.held[task.id]
    assert fakes.engine.count("fetch_and_lock") == 1
    assert (held.end, held.is_locked) == (ActivityEnd.RUNNING, False)


async def _never(task: ExternalTask) -> TaskResult:
    await asyncio.sleep(60)
    return task.complete()


async def test_two_processes_have_names_of_their_own() -> None:
    fakes = fakes_without_database()
    assert worker(fakes, _never).worker_id != worker(fakes, _never).worker_id != fakes.settings.worker_id


async def test_no_more_run_at_once_than_set_however_many_are_fetched_ahead() -> None:
    fakes = fakes_without_database()
    running_now, most = 0, 0

    async def quick(task: ExternalTask) -> TaskResult:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0)
        running_now -= 1
        return task.complete()

    tasks = [give(fakes.engine) for _ in range(60)]
    async with running(worker(fakes, quick).run):
        await until(
            lambda: all(fakes.engine.held[task.id].end is ActivityEnd.COMPLETED for task in tasks),
            "all are done",
        )
    assert most <= fakes.settings.automated_concurrency
    assert fakes.engine.count("fetch_and_lock") < 40


async def test_a_task_is_fetched_with_the_short_lock_and_held_with_its_own() -> None:
    fakes = fakes_without_database()
    fakes.settings = fakes.settings.model_copy(update={"fetch_lock_s": 1})
    go_on = asyncio.Event()

    async def long(task: ExternalTask) -> TaskResult:
        await go_on.wait()
        return task.complete()

    held = fakes.engine.held[give(fakes.engine).id]
    async with running(worker(fakes, long, lock_s=60).run):
        await until(lambda: held.is_locked, "it is fetched")
        assert held.locked_until - datetime.now(UTC) <= timedelta(seconds=1)
        await until(lambda: held.locked_until - datetime.now(UTC) > timedelta(seconds=50), "a heartbeat")
        go_on.set()
        await until(lambda: held.end is ActivityEnd.COMPLETED, "it is completed")
