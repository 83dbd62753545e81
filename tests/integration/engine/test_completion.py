import asyncio

import pytest

from shared.engine.client import EngineClient
from shared.engine.errors import EngineFault, NotFound, OptimisticLocking, TaskGone
from shared.engine.records import ActivityEnd
from shared.engine.task_records import FetchedTask, LockOutcome
from shared.engine.values import to_engine
from tests.support.bpmn import (
    Each,
    end_all,
    event_subprocess,
    exclusive,
    on_error,
    on_timer,
    parallel,
    subprocess,
    user_task,
    wait,
)
from tests.support.engine_work import WORKER, Work


async def ran(engine: EngineClient, instance_id: str) -> list[str]:
    return [activity.activity_id for activity in await engine.history_activities(instance_id)]


async def test_results_reach_the_process_once_the_inputs_of_their_names_are_deleted(work: Work) -> None:
    await work.deploy(work.step("ask", inputs={"amount": "${1}", "comment": "none"}), user_task("rest"))
    task = await work.started()
    instance = task.process_instance_id
    await work.engine.delete_local_variables(task.execution_id, ["amount", "comment", "unknown"])
    await work.engine.delete_local_variables(task.execution_id, ["amount", "comment"])
    await work.complete(task, amount=5)
    assert await work.engine.process_instance_variable(instance, "amount") == 5
    with pytest.raises(NotFound):
        await work.engine.process_instance_variable(instance, "comment")
    await work.engine.delete_local_variables(task.execution_id, ["amount"])


async def test_an_input_of_the_same_name_swallows_a_result(work: Work) -> None:
    await work.deploy(work.step("ask", inputs={"amount": "${1}"}), user_task("rest"))
    task = await work.started()
    await work.complete(task, amount=5)
    with pytest.raises(NotFound):
        await work.engine.process_instance_variable(task.process_instance_id, "amount")


async def test_only_the_outputs_of_an_activity_that_declares_them_leave_it(work: Work) -> None:
    await work.deploy(work.step("ask", outputs={"total": "${amount}"}), user_task("rest"))
    task = await work.started()
    await work.engine.complete(task.id, WORKER, local_variables={"amount": to_engine(5)})
    assert await work.engine.process_instance_variable(task.process_instance_id, "total") == 5
    with pytest.raises(NotFound):
        await work.engine.process_instance_variable(task.process_instance_id, "amount")


async def test_each_instance_of_a_subprocess_keeps_the_results_it_declares(work: Work) -> None:
    await work.deploy(
        subprocess(
            "each",
            [
                work.step("ask"),
                exclusive("gw", {"${action == 'yes'}": [user_task("yes")]}, [user_task("no")]),
            ],
            inputs={"action": None},
            each=Each("${people.elements()}", "person"),
        )
    )
    instance = await work.start(people=["a", "b"])
    first, second = await work.fetch()
    await work.complete(first, action="yes")
    await work.complete(second, action="no")
    assert {"yes", "no"} <= set(await ran(work.engine, instance))
    with pytest.raises(NotFound):
        await work.engine.process_instance_variable(instance, "action")


@pytest.mark.parametrize("flaw", ["no flow matches", "unknown variable", "next input fails"])
async def test_a_flaw_behind_a_step_rolls_its_completion_back(work: Work, flaw: str) -> None:
    branches = {"${x == 1}": [user_task("one")], "${x == 2}": [user_task("two")]}
    behind = {
        "no flow matches": exclusive("gw", branches),
        "unknown variable": exclusive("gw", {"${y}": [user_task("one")]}, []),
        "next input fails": work.step("next", inputs={"text_q": "${missing}"}),
    }
    await work.deploy(work.step("ask"), behind[flaw])
    task = await work.started()
    with pytest.raises(EngineFault):
        await work.complete(task, x=3)
    assert await work.engine.lock(task.id, WORKER, 60) is LockOutcome.HELD
    with pytest.raises(NotFound):
        await work.engine.process_instance_variable(task.process_instance_id, "x")


async def test_a_failure_without_retries_is_an_incident_until_somebody_raises_them(work: Work) -> None:
    await work.deploy(work.step("ask"))
    task = await work.started()
    await work.engine.failure(task.id, WORKER, "ask: no recipient\0" + "…" * 700, "details " * 1000)
    (message,) = await work.engine.incidents(task.process_instance_id)
    assert message.startswith("ask: no recipient…")
    assert len(message) == 666
    await work.engine.unlock(task.id)
    assert await work.fetch() == []
    await work.engine.set_retries(task.id, 1)
    assert await work.engine.incidents(task.process_instance_id) == []
    again = await work.fetch_one()
    assert (again.id, again.retries) == (task.id, 1)


async def test_a_step_with_an_incident_can_still_be_completed(work: Work) -> None:
    await work.deploy(work.step("ask"))
    task = await work.started()
    await work.engine.failure(task.id, WORKER, "no")
    await work.complete(task)
    assert await work.engine.process_instance(task.process_instance_id) is None


async def test_a_failure_with_retries_comes_again_after_its_time_out(work: Work) -> None:
    await work.deploy(work.step("ask"))
    task = await work.started()
    await work.engine.failure(task.id, WORKER, "no", retries=2, retry_timeout_s=0.2)
    again: list[FetchedTask] = []
    while not again:  # a poll that is under way does not see it, so the polls are short
        again = await work.fetch(poll_s=0.1)
    assert [(one.id, one.retries) for one in again] == [(task.id, 2)]


async def test_a_bpmn_error_goes_where_it_is_caught_and_brings_its_variables(work: Work) -> None:
    await work.deploy(work.step("ask", inputs={"q": "1"}, on=[on_error("BAD", [user_task("caught")])]))
    task = await work.started()
    await work.engine.bpmn_error(task.id, WORKER, "BAD", "why", {"reason": to_engine("empty")})
    assert "caught" in await ran(work.engine, task.process_instance_id)
    assert await work.engine.process_instance_variable(task.process_instance_id, "reason") == "empty"
    assert await work.engine.activity_end(task.activity_instance_id) is ActivityEnd.CANCELED


async def test_a_bpmn_error_that_nothing_catches_ends_the_instance_as_if_all_were_well(work: Work) -> None:
    await work.deploy(work.step("ask", on=[on_error("OTHER")]), user_task("rest"))
    task = await work.started()
    await work.engine.bpmn_error(task.id, WORKER, "BAD")
    instance = await work.engine.history_instance(task.process_instance_id)
    assert instance is not None
    assert (instance.state, instance.delete_reason) == ("COMPLETED", None)
    assert "rest" not in await ran(work.engine, task.process_instance_id)


async def test_a_completion_that_was_lost_is_told_from_a_withdrawal(work: Work) -> None:
    await work.deploy(work.step("ask"), user_task("rest"))
    task = await work.started()
    assert await work.engine.activity_end(task.activity_instance_id) is ActivityEnd.RUNNING
    await work.complete(task)
    with pytest.raises(TaskGone):
        await work.complete(task)
    assert await work.engine.activity_end(task.activity_instance_id) is ActivityEnd.COMPLETED
    assert await work.engine.activity_end("ask:nothing") is ActivityEnd.UNKNOWN


@pytest.mark.parametrize("by", ["boundary timer", "event subprocess", "terminate", "deletion", "outer timer"])
async def test_a_step_that_the_engine_takes_back_is_gone_and_its_activity_canceled(
    work: Work, by: str
) -> None:
    nodes = {
        "boundary timer": [work.step("ask", on=[on_timer("PT1S")])],
        "event subprocess": [work.step("ask"), event_subprocess("es", on_timer("PT1S"))],
        "terminate": [parallel("p", [work.step("ask")], [wait("soon", "PT1S"), end_all("over")])],
        "deletion": [work.step("ask")],
        "outer timer": [subprocess("s", [work.step("ask")], on=[on_timer("PT1S")])],
    }
    await work.deploy(*nodes[by])
    task = await work.started()
    if by == "deletion":
        await work.engine.delete_process_instance(task.process_instance_id, "no longer needed")
    await work.ended(task.process_instance_id)
    assert await work.engine.lock(task.id, WORKER, 60) is LockOutcome.GONE
    assert await work.engine.activity_end(task.activity_instance_id) is ActivityEnd.CANCELED


async def test_of_two_completions_at_once_exactly_one_counts(work: Work) -> None:
    await work.deploy(work.step("ask"), user_task("rest"))
    for _ in range(5):
        task = await work.started()
        results = await asyncio.gather(*(work.complete(task) for _ in range(4)), return_exceptions=True)
        assert results.count(None) == 1
        assert all(result is None or isinstance(result, TaskGone | OptimisticLocking) for result in results)


async def test_branches_that_join_at_the_same_time_all_arrive_when_tried_again(work: Work) -> None:
    await work.deploy(parallel("p", [work.step("a")], [work.step("b")], [work.step("c")]), user_task("rest"))
    instance = await work.start()
    waiting = await work.fetch()
    while waiting:
        results = await asyncio.gather(*(work.complete(task) for task in waiting), return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), OptimisticLocking}
        waiting = [task for task, result in zip(waiting, results, strict=True) if result is not None]
    assert "rest" in await ran(work.engine, instance)
