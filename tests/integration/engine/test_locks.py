import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.engine.client import EngineClient
from shared.engine.errors import EngineRejected, TaskGone
from shared.engine.task_records import LockOutcome, Refusal, TopicFetch, refusal
from tests.support.bpmn import user_task
from tests.support.engine_work import WORKER, Work

YEAR_S = 365 * 86_400


async def why_refused(engine: EngineClient, task_id: str, worker_id: str) -> Refusal:
    with pytest.raises(EngineRejected):
        await engine.complete(task_id, worker_id)
    return refusal(await engine.external_task(task_id), worker_id, datetime.now(UTC))


async def expired(engine: EngineClient, task_id: str) -> None:
    while True:
        task = await engine.external_task(task_id)
        assert task is not None
        assert task.lock_expires_at is not None
        if task.lock_expires_at < datetime.now(UTC):
            return
        await asyncio.sleep(0.01)


async def test_a_fetched_task_brings_what_a_worker_needs(work: Work) -> None:
    await work.deploy(
        work.step("ask", inputs={"text_q": "${'Sure?'}"}, properties={"title": "T"}, priority=7)
    )
    await work.engine.start_process(work.key, "business key", {"amount": {"value": 1, "type": "Integer"}})
    task = await work.fetch_one(local=True)
    assert (task.activity_id, task.topic, task.business_key) == ("ask", work.key, "business key")
    assert (task.priority, task.retries, task.process_definition_version) == (7, None, 1)
    assert task.extension_properties == {"title": "T"}
    assert {name: raw["value"] for name, raw in task.variables.items()} == {"text_q": "Sure?"}
    assert timedelta(seconds=30) < task.lock_expires_at - datetime.now(UTC) <= timedelta(seconds=61)
    assert task.execution_id != task.process_instance_id


async def test_a_fetch_brings_all_named_or_no_variables(work: Work) -> None:
    await work.deploy(work.step("ask", inputs={"q": "1"}))
    brought = {}
    for names in (None, ("amount",), ()):
        await work.start(amount=1)
        topic = TopicFetch(work.key, 60, variables=names)
        (task,) = await work.engine.fetch_and_lock(WORKER, [topic], 10)
        brought[names] = set(task.variables)
    assert brought == {None: {"q", "amount"}, ("amount",): {"amount"}, (): set()}


async def test_a_poll_waits_for_work_and_a_fetch_does_not(work: Work) -> None:
    await work.deploy(work.step("ask"))
    topics = [TopicFetch(work.key, 60)]
    assert await work.engine.fetch_and_lock(WORKER, topics, 10) == []
    poll = asyncio.create_task(work.engine.fetch_and_lock(WORKER, topics, 10, poll_s=20))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await work.start()
    assert len(await poll) == 1
    assert time.monotonic() - started < 5


async def test_a_locked_task_is_not_fetched_again_by_its_own_worker(work: Work) -> None:
    await work.deploy(work.step("ask"))
    await work.started()
    assert await work.fetch() == []


async def test_a_lock_is_renewed_by_its_holder_only_until_it_expires(work: Work) -> None:
    await work.deploy(work.step("ask"))
    task = await work.started()
    assert await work.engine.lock(task.id, WORKER, YEAR_S) is LockOutcome.HELD
    assert await work.engine.lock(task.id, "other", 60) is LockOutcome.FOREIGN
    assert await work.engine.lock(task.id, WORKER, 0.001) is LockOutcome.HELD
    await expired(work.engine, task.id)
    assert await work.engine.lock(task.id, WORKER, 0.001) is LockOutcome.HELD
    await expired(work.engine, task.id)
    assert await work.engine.lock(task.id, "other", 60) is LockOutcome.HELD
    assert await work.engine.lock(task.id, WORKER, 60) is LockOutcome.FOREIGN


async def test_a_completed_task_is_gone_for_every_call(work: Work) -> None:
    await work.deploy(work.step("ask"))
    task = await work.started()
    await work.engine.complete(task.id, WORKER)
    assert await work.engine.lock(task.id, WORKER, 60) is LockOutcome.GONE
    assert await work.engine.external_task(task.id) is None
    await work.engine.unlock(task.id)
    for call in (
        work.engine.complete(task.id, WORKER),
        work.engine.bpmn_error(task.id, WORKER, "X"),
        work.engine.failure(task.id, WORKER, "m"),
        work.engine.set_retries(task.id, 1),
    ):
        with pytest.raises(TaskGone):
            await call


async def test_the_holder_of_an_expired_lock_may_still_complete(work: Work) -> None:
    await work.deploy(work.step("ask"))
    task = await work.started()
    await work.engine.lock(task.id, WORKER, 0.001)
    await expired(work.engine, task.id)
    await work.engine.complete(task.id, WORKER)


async def test_a_refused_completion_is_explained_by_the_tasks_state(work: Work) -> None:
    await work.deploy(work.step("ask"), user_task("rest"))
    task = await work.started()
    assert await why_refused(work.engine, task.id, "other") is Refusal.FOREIGN
    await work.engine.unlock(task.id)
    assert await why_refused(work.engine, task.id, WORKER) is Refusal.UNLOCKED
    await work.engine.lock(task.id, WORKER, 60)
    await suspend(work.engine, task.process_instance_id, suspended=True)
    assert await why_refused(work.engine, task.id, WORKER) is Refusal.SUSPENDED
    assert await work.engine.lock(task.id, WORKER, 60) is LockOutcome.HELD
    await suspend(work.engine, task.process_instance_id, suspended=False)
    with pytest.raises(EngineRejected):
        await work.engine.complete(task.id, WORKER, {"n": {"value": "much", "type": "Integer"}})
    assert refusal(await work.engine.external_task(task.id), WORKER, datetime.now(UTC)) is Refusal.OTHER
    await work.engine.complete(task.id, WORKER)


async def suspend(engine: EngineClient, instance_id: str, *, suspended: bool) -> None:
    await engine._call("PUT", f"/process-instance/{instance_id}/suspended", json={"suspended": suspended})


async def test_the_tasks_of_a_worker_are_listed_page_by_page(work: Work) -> None:
    await work.deploy(work.step("ask"))
    worker_id = f"lister of {work.key}"
    for _ in range(5):
        await work.start()
    fetched = await work.engine.fetch_and_lock(worker_id, [TopicFetch(work.key, 60)], 10)
    await work.engine.lock(fetched[0].id, worker_id, 0.001)
    await expired(work.engine, fetched[0].id)
    pages = [await work.engine.external_tasks(worker_id, first=first, max_results=3) for first in (0, 3)]
    assert [len(page) for page in pages] == [3, 1]
    assert {task.id for page in pages for task in page} == {task.id for task in fetched[1:]}
    assert await work.engine.external_task_count(worker_id) == 4
    assert await work.engine.external_task_count(worker_id, locked=False) == 5
