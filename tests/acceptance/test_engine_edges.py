"""What operators and other clients do to a real engine while its steps wait for people.

All tests share one worker and one bot; each has a person and instances of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from devstack.people import Person, Shown, captions, describe
from shared.engine.errors import OptimisticLocking
from shared.engine.task_records import LockOutcome
from tests.acceptance.test_bad_input import DECISION, greeted
from tests.support.bpmn import external_task, parallel, process, subprocess
from tests.support.bpmn_xml import Node
from tests.support.engine_backup import Backup
from tests.support.gateway import Gateway, a_gateway
from tests.support.world import World, until

CLERK, PASSWORD = "edgeclerk", "not-a-secret"
TENANT = "edge"
MANY, AT_ONCE = 30, 10
PATIENCE_S = 60.0
LEASES_DUE = "UPDATE pending_replies SET due_at = now() WHERE chat_id = %s"
STATES = "SELECT state FROM pending_replies WHERE chat_id = %s ORDER BY id"
TASKS = "SELECT external_task_id FROM pending_replies WHERE chat_id = %s ORDER BY id"


@dataclass
class Edge:
    """The shared world, and the proxy between its bot and the engine."""

    world: World
    proxy: Gateway

    async def person(self, name: str) -> Person:
        """Somebody new who has met the bot."""
        return await greeted(self.world, name)

    async def asked(self, person: Person, key: str, **variables: Any) -> tuple[str, Shown]:
        """An instance that asks the person something, and its prompt."""
        instance = await self.world.start_process(key, telegram_user_id=person.user_id, **variables)
        return instance, await person.sees(buttons=["Yes", "No"])

    async def states(self, person: Person) -> list[str]:
        """The states of a person's steps."""
        return [row[0] for row in await self.world.rows(STATES, person.chat_id)]

    async def until_states(self, person: Person, *states: str) -> None:
        """Wait until a person's steps are in these states."""

        async def so() -> bool:
            return await self.states(person) == list(states)

        try:
            await until(so, f"steps {states}", PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; they are {await self.states(person)}") from error

    async def tasks(self, person: Person) -> list[str]:
        """The external tasks of a person's steps."""
        return [row[0] for row in await self.world.rows(TASKS, person.chat_id)]

    async def make_due(self, person: Person) -> None:
        """Let what was put off be done now: renewals of leases, and answers to be told again."""
        await self.world.rows(LEASES_DUE + " RETURNING id", person.chat_id)

    async def ended(self, instance: str, action: str = "yes") -> None:
        """Wait until an instance has ended as its person decided."""
        assert await self.world.until_ended(instance, PATIENCE_S) == "COMPLETED"
        assert (await self.world.variables(instance))["action"] == action

    async def asked_times(self, person: Person) -> int:
        """How often the person was asked."""
        return sum("Shall we" in describe(each) for each in await person.chat())


def step(id_: str = "decide", question: str = "Shall we?", **more: object) -> Node:
    inputs = DECISION | {"text_what": question}
    return external_task(id_, "render_task", inputs=inputs, **more)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edge(shared_world: World) -> AsyncIterator[Edge]:
    """A worker and a bot whose engine user is a member of a tenant, the bot behind a proxy."""
    world = shared_world
    await world.rest("POST", "/user/create", {
        "profile": {"id": CLERK, "firstName": "C", "lastName": "C"}, "credentials": {"password": PASSWORD}
    })  # fmt: skip
    await world.rest("POST", "/tenant/create", {"id": TENANT, "name": "Edge"})
    await world.rest("PUT", f"/tenant/{TENANT}/user-members/{CLERK}")
    await world.deploy(process("edge", [step()]))
    user = {"ENGINE_USERNAME": CLERK, "ENGINE_PASSWORD": PASSWORD, "SWEEP_INTERVAL_S": "0.5"}
    async with a_gateway(world.product.env["ENGINE_URL"]) as proxy:
        await world.start("worker1", settings=user)
        await world.start("bot1", settings=user | {"ENGINE_URL": proxy.url})
        yield Edge(world, proxy)
        await world.stop("bot1")
    await world.rest("DELETE", f"/user/{CLERK}")
    await world.rest("DELETE", f"/tenant/{TENANT}")


async def test_an_answer_to_a_suspended_step_is_kept_and_completes_on_activation(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    (definition,) = await world.deploy(process("edge_suspended", [step()]))
    by_instance, first = await edge.asked(ada, "edge_suspended")
    by_definition, second = await edge.asked(ada, "edge_suspended")
    async with world.holding("pending_replies"):
        # A third is suspended between its fetch and its row.
        parked_late = await world.start_process("edge_suspended", telegram_user_id=ada.user_id)
        await world.until_blocked("INSERT INTO pending_replies")
        await world.rest("PUT", f"/process-instance/{by_instance}/suspended", {"suspended": True})
        whole = {"suspended": True, "includeProcessInstances": True}
        await world.rest("PUT", f"/process-definition/{definition}/suspended", whole)
    third = await ada.sees(buttons=["Yes", "No"])
    for prompt in (first, second, third):
        await ada.tap("Yes", message=prompt)
    await edge.until_states(ada, "answered", "answered", "answered")
    await asyncio.sleep(0.5)  # a sweep and a feed go by
    assert await edge.states(ada) == ["answered"] * 3

    await world.rest("PUT", f"/process-definition/{definition}/suspended", {**whole, "suspended": False})
    await edge.make_due(ada)
    for instance in (by_instance, by_definition, parked_late):
        await edge.ended(instance)
    assert await edge.asked_times(ada) == 3


async def test_an_answer_lands_in_a_migrated_instance_and_new_instances_follow_the_new_version(
    edge: Edge,
) -> None:
    world, ada = edge.world, await edge.person("Ada")
    (old,) = await world.deploy(process("edge_moved", [step()]))
    moved, moved_prompt = await edge.asked(ada, "edge_moved")
    left, left_prompt = await edge.asked(ada, "edge_moved")
    nested = subprocess("inside", [step(question="Shall we now?")])
    (new,) = await world.deploy(process("edge_moved", [nested, step("after")]))
    ids = await edge.tasks(ada)
    before = await world.engine.external_task(ids[0])
    await world.rest("POST", "/migration/execute", {
        "migrationPlan": {
            "sourceProcessDefinitionId": old,
            "targetProcessDefinitionId": new,
            "instructions": [{"sourceActivityIds": ["decide"], "targetActivityIds": ["decide"]}],
        },
        "processInstanceIds": [moved],
    })  # fmt: skip
    after = await world.engine.external_task(ids[0])
    assert before is not None
    assert after is not None, "the task keeps its id"
    assert (after.execution_id, after.activity_instance_id) == (
        before.execution_id,
        before.activity_instance_id,
    )
    await edge.make_due(ada)
    await ada.tap("Yes", message=moved_prompt)
    await ada.tap("No", message=left_prompt)
    await edge.ended(left, "no")
    await ada.sees(buttons=["Yes", "No"])
    assert (await world.variables(moved))["action"] == "yes"
    await ada.tap("No")
    await edge.ended(moved, "no")
    assert await edge.asked_times(ada) == 3


async def test_a_modified_instance_retires_the_old_prompt_and_asks_anew(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    instance, old = await edge.asked(ada, "edge")
    task = await world.engine.external_task((await edge.tasks(ada))[0])
    assert task is not None
    await world.rest("POST", f"/process-instance/{instance}/modification", {
        "instructions": [
            {"type": "startBeforeActivity", "activityId": "decide"},
            {"type": "cancel", "activityInstanceId": task.activity_instance_id},
        ]
    })  # fmt: skip
    await ada.sees(buttons=["Yes", "No"])
    assert await ada.sees_change(old, lambda message: not captions(message)) is not None
    await ada.tap("Yes")
    await edge.ended(instance)
    await edge.until_states(ada, "withdrawn", "completed")


async def test_branches_that_are_answered_at_once_all_reach_their_join(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    branches = [[step(f"s{number}", f"Shall we {number}?")] for number in range(6)]
    await world.deploy(process("edge_join", [parallel("all", *branches)]))
    instance = await world.start_process("edge_join", telegram_user_id=ada.user_id)
    prompts = [await ada.sees(f"Shall we {number}?", buttons=["Yes"], old=True) for number in range(6)]
    async with world.holding("pending_replies"):
        await asyncio.gather(*(ada.tap("Yes", message=prompt) for prompt in prompts))
    await edge.ended(instance)
    await edge.until_states(ada, *["completed"] * 6)


async def test_a_lock_that_is_lost_or_foreign_delays_an_answer_and_loses_nothing(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    unlocked, first = await edge.asked(ada, "edge")
    foreign, second = await edge.asked(ada, "edge")
    tasks = await edge.tasks(ada)
    await world.engine.unlock(tasks[0])

    async def taken() -> bool:
        with contextlib.suppress(OptimisticLocking):  # our worker locks it anew
            await world.engine.unlock(tasks[1])
            return await world.engine.lock(tasks[1], "somebody", 4) is LockOutcome.HELD
        return False

    await until(taken, "somebody else holds the second")
    await edge.make_due(ada)
    await ada.tap("Yes", message=first)
    await edge.ended(unlocked)
    await ada.tap("Yes", message=second)
    await edge.ended(foreign)
    await edge.until_states(ada, "completed", "completed")
    assert await edge.asked_times(ada) == 2


async def test_a_completion_whose_answer_was_lost_is_not_taken_for_too_late(edge: Edge) -> None:
    ada = await edge.person("Ada")
    instance, _ = await edge.asked(ada, "edge")
    swallowed = edge.proxy.swallowed
    edge.proxy.swallow["/complete"] = 1
    await ada.tap("Yes")
    await edge.ended(instance)
    await edge.until_states(ada, "completed")
    assert edge.proxy.swallowed == swallowed + 1
    assert not any("too late" in describe(each) for each in await ada.chat())


async def test_a_code_that_nobody_catches_is_refused_before_anybody_is_asked(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    codes = {"cancellable": "true", "on_cancel": "NOBODY"}
    await world.deploy(process("edge_uncaught", [step(properties=codes)]))
    instance = await world.start_process("edge_uncaught", telegram_user_id=ada.user_id)
    (message,) = await until(lambda: world.engine.incidents(instance), "an incident")
    assert "on_cancel: nothing catches the BPMN error 'NOBODY'" in message
    assert await edge.asked_times(ada) == 0


async def test_a_tenants_step_outlives_the_revocation_of_our_membership(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    await world.deploy(process("edge_tenant", [step()]), tenant_id=TENANT)
    first, prompt = await edge.asked(ada, "edge_tenant", tenant_id=TENANT)
    second, other = await edge.asked(ada, "edge_tenant", tenant_id=TENANT)
    membership = f"/tenant/{TENANT}/user-members/{CLERK}"
    await world.rest("DELETE", membership)

    seen = len(world.log("worker1"))
    await edge.make_due(ada)

    async def told() -> bool:
        return world.log("worker1")[seen:].count("lacks a permission or a tenant") >= 3

    await until(told, "lease renewals and a sweep were refused")
    await ada.tap("Yes", message=prompt)
    await ada.sees("Your answer is saved")
    assert await edge.states(ada) == ["answered", "posted"]
    assert captions(await ada.sees(buttons=["Yes", "No"], old=True)) == ["Yes", "No"]

    await world.rest("PUT", membership)
    await edge.make_due(ada)
    await world.rows("UPDATE chores SET due_at = now() RETURNING id")  # a refusal pauses them for a minute
    await edge.ended(first)
    await ada.tap("No", message=other)
    await edge.ended(second, "no")
    assert await edge.asked_times(ada) == 2


async def test_an_engine_restored_from_a_backup_asks_nobody_twice_and_gets_kept_answers_again(
    edge: Edge,
) -> None:
    world, ada = edge.world, await edge.person("Ada")
    await world.deploy(process("edge_restored", [step(), step("after", "Then?")]))
    answered_later, first = await edge.asked(ada, "edge_restored")
    untouched, second = await edge.asked(ada, "edge_restored")
    backup = Backup(world.stack.postgres.database_url("engine"), "edge_restored")
    await backup.take()
    await ada.tap("Yes", message=first)
    forgotten = await ada.sees("Then?", buttons=["Yes"])
    started_later, third = await edge.asked(ada, "edge_restored")

    await backup.play_back()

    asked_anew = await ada.sees("Then?", buttons=["Yes"])
    for gone in (forgotten, third):
        assert await ada.sees_change(gone, lambda message: not captions(message)) is not None
    await edge.until_states(ada, "completed", "posted", "withdrawn", "withdrawn", "posted")
    assert await edge.asked_times(ada) == 3
    assert await world.engine.history_instance(started_later) is None

    await ada.tap("Yes", message=asked_anew)
    await edge.ended(answered_later)
    await ada.tap("No", message=second)
    await ada.tap("Yes", message=await ada.sees("Then?", buttons=["Yes"]))
    await edge.ended(untouched)


async def test_a_flood_of_steps_for_one_person_comes_as_they_are_answered(edge: Edge) -> None:
    world, ada = edge.world, await edge.person("Ada")
    for _ in range(MANY):
        await world.start_process("edge", telegram_user_id=ada.user_id)

    async def all_parked() -> bool:
        return len(await edge.states(ada)) == MANY

    await until(all_parked, "all are parked", 60)
    await ada.sees("more. They come as you answer these")
    assert await edge.asked_times(ada) == AT_ONCE

    await ada.say("/help")
    await ada.sees("I bring you the steps")
    await ada.tap("Yes")

    async def next_came() -> bool:
        return await edge.asked_times(ada) == AT_ONCE + 1

    await until(next_came, "the next one is shown")
