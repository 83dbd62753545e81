"""Automated topics: a platform team's own functions, their errors, their end, and their memory."""

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil

from devstack.exports import ExportPlan, export_chunks
from shared.storage import Storage
from tests.acceptance.test_bad_input import greeted
from tests.support.bpmn import external_task, process
from tests.support.world import World, until

OWN_TOPICS = """
import asyncio, pathlib
from camunda.external_task.external_task import ExternalTask, TaskResult
from shared.errors import AuthorError, WorldError
from workers.registry import topic
from workers.tools import Tools

@topic("double")
async def double(task: ExternalTask) -> TaskResult:
    return task.complete({"doubled": 2 * task.get_variable("number")})

@topic("refuse")
async def refuse(task: ExternalTask) -> TaskResult:
    raise AuthorError("the number is missing")

@topic("stumble")
async def stumble(task: ExternalTask, tools: Tools) -> TaskResult:
    mark = pathlib.Path(task.get_variable("mark"))
    if not mark.exists():
        mark.touch()
        raise WorldError("not just now", retry_after_s=0.1)
    return task.complete({})

@topic("slow", lock_s=2)
async def slow(task: ExternalTask) -> TaskResult:
    pathlib.Path(task.get_variable("mark")).open("a").write("begun\\n")
    await asyncio.sleep(float(task.get_variable("seconds")))
    return task.complete({})
"""


def own_topics(folder: Path) -> dict[str, str]:
    """The settings with which a worker serves the topics above."""
    (folder / "own_topics.py").write_text(OWN_TOPICS)
    return {"TOPIC_MODULES": "own_topics", "PYTHONPATH": f"{folder}:{Path.cwd()}"}


async def run(world: World, topic: str, **variables: Any) -> str:
    """Deploy a process of one step of that topic and start it."""
    await world.deploy(process("own", [external_task("step", topic, inputs={"x": "1"})]))
    return await world.start_process("own", **variables)


async def test_an_own_topic_takes_the_task_and_gives_its_result(world: World, tmp_path: Path) -> None:
    await world.start("worker1", settings=own_topics(tmp_path))
    instance = await run(world, "double", number=21)
    assert await world.until_ended(instance) == "COMPLETED"
    assert (await world.variables(instance))["doubled"] == 42


async def test_an_authors_error_in_a_topic_is_an_incident_at_once(world: World, tmp_path: Path) -> None:
    await world.start("worker1", settings=own_topics(tmp_path))
    instance = await run(world, "refuse")

    async def raised() -> list[str]:
        return await world.engine.incidents(instance)

    assert "the number is missing" in (await until(raised, "an incident"))[0]


async def test_the_worlds_error_in_a_topic_is_tried_again(world: World, tmp_path: Path) -> None:
    await world.start("worker1", settings=own_topics(tmp_path))
    instance = await run(world, "stumble", mark=str(tmp_path / "mark"))
    assert await world.until_ended(instance, patience_s=30) == "COMPLETED"
    assert await world.engine.incidents(instance) == []


async def test_a_topic_that_outlasts_its_lock_runs_once(world: World, tmp_path: Path) -> None:
    await world.start("worker1", "worker2", settings=own_topics(tmp_path))
    mark = tmp_path / "mark"
    instance = await run(world, "slow", mark=str(mark), seconds="5")
    assert await world.until_ended(instance) == "COMPLETED"
    assert mark.read_text() == "begun\n"


async def test_a_stopped_worker_gives_its_task_back_at_once(world: World, tmp_path: Path) -> None:
    settings = own_topics(tmp_path)
    await world.start("worker1", settings=settings)
    mark = tmp_path / "mark"
    instance = await run(world, "slow", mark=str(mark), seconds="60")

    async def begun() -> bool:
        return mark.exists()

    await until(begun, "the worker has begun")
    await world.stop("worker1")
    assert "given back" in world.log("worker1")
    await world.start("worker2", settings=settings)

    async def begun_again() -> bool:
        return mark.read_text() == "begun\nbegun\n"

    await until(begun_again, "the other worker has begun")
    await world.engine.delete_process_instance(instance, "enough")


async def test_a_topic_whose_next_step_is_broken_runs_once_and_becomes_an_incident(
    world: World, tmp_path: Path
) -> None:
    await world.start("worker1", settings=own_topics(tmp_path))
    mark = tmp_path / "mark"
    steps = [
        external_task("step", "slow", inputs={"x": "1"}),
        external_task("next", "nobody_serves_this", inputs={"needed": "${missing}"}),
    ]
    await world.deploy(process("own", steps))
    instance = await world.start_process("own", mark=str(mark), seconds="0")

    async def raised() -> list[str]:
        return await world.engine.incidents(instance)

    assert "cannot go on" in (await until(raised, "an incident", 30))[0]
    assert mark.read_text() == "begun\n"


async def test_a_worker_serves_automated_topics_alone(world: World, tmp_path: Path) -> None:
    await world.start("worker1", settings=own_topics(tmp_path) | {"TOPICS": "double"})
    instance = await run(world, "double", number=4)
    assert await world.until_ended(instance) == "COMPLETED"


def as_in_production(folder: Path) -> dict[str, str]:
    """The settings with which a process lacks rich, which tests install: structlog takes it, with 4 MB."""
    (folder / "rich.py").write_text("raise ImportError\n")
    return {"PYTHONPATH": f"{folder}:{Path.cwd()}"}


async def test_analysing_a_large_export_keeps_the_worker_small(plain_world: World, tmp_path: Path) -> None:
    world, limit_bytes = plain_world, 150_000_000
    await world.start("worker1", "bot1", settings=as_in_production(tmp_path))
    ada = await greeted(world)
    storage = Storage.from_settings(world.settings())
    plan = ExportPlan(size_bytes=int(os.environ.get("EXPORT_BYTES", "60_000_000")))

    async def chunks() -> Any:
        for chunk in export_chunks(plan):
            yield chunk
            await asyncio.sleep(0)

    await storage.put("exports/large.json", chunks(), content_type="application/json")
    await storage.aclose()
    worker = psutil.Process(world.product.pid("worker1"))
    inputs = {
        "export_key": "exports/large.json",
        "telegram_user_id": "${telegram_user_id}",
        "group_name": "Large",
    }
    await world.deploy(process("own", [external_task("step", "analyse_export", inputs=inputs)]))
    instance = await world.start_process("own", telegram_user_id=ada.user_id)

    peak_bytes = 0

    async def ended() -> bool:
        nonlocal peak_bytes
        for each in [worker, *worker.children(recursive=True)]:
            peak_bytes = max(peak_bytes, _resident_bytes(each))
        found = await world.engine.history_instance(instance)
        return bool(found and found.ended_at)

    await until(ended, "the analysis has ended", 120)
    assert (await world.variables(instance))["audit_messages"] > 100_000
    print(f"peak of the worker or its child: {peak_bytes / 1e6:.0f} MB")
    assert peak_bytes < limit_bytes


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
