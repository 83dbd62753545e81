"""Parking: from a fetched task to a row, its prompts and its lease, however often the task comes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import transitions
from shared.db import Database
from shared.engine.errors import EngineUnavailable
from shared.engine.records import ActivityEnd
from shared.engine.task_records import FetchedTask
from shared.errors import WorldError
from shared.models import PendingReply, Prompt
from shared.queues import claim
from shared.steps.model import Step
from shared.transitions import COMPLETIONS
from tests.fakes.rows import all_of, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.steps import ANN
from workers import registry
from workers.parker import UNSURE_LEASE_S, Parker, renewal_s

SURE = {"telegram_user_id": ANN, "text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}
FORM = {"telegram_user_id": ANN, "form_name": None, "form_age": None}


@pytest.fixture
def fakes(db: Database) -> Fakes:
    return Fakes(db)


async def park(fakes: Fakes, task: FetchedTask) -> None:
    """Fetch the task with the short lock, and park it."""
    await fakes.engine.lock(task.id, fakes.settings.worker_id, fakes.settings.fetch_lock_s)
    await Parker(fakes.services, registry.human_topics()).park(task)


async def only_reply(fakes: Fakes) -> PendingReply:
    """The one row there is."""
    (row,) = await all_of(fakes.db, PendingReply)
    return row


def lease_s(fakes: Fakes, task: FetchedTask) -> float:
    """How long the engine's lock still holds."""
    return (fakes.engine.held[task.id].locked_until - datetime.now(UTC)).total_seconds()


async def texts_of(fakes: Fakes) -> list[str]:
    """What waits to be sent."""
    return [prompt.content["text"] for prompt in await all_of(fakes.db, Prompt)]


# the first time


async def test_a_step_becomes_a_row_its_prompts_and_a_long_lease(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE, {"title": "Approval"}, business_key="import_1")
    await park(fakes, task)
    row = await only_reply(fakes)
    assert (row.external_task_id, row.state, row.chat_id, row.recipient_id) == (task.id, "parked", ANN, ANN)
    assert (row.business_key, row.topic, row.execution_id) == ("import_1", "render_task", task.execution_id)
    assert Step.model_validate(row.step).title == "Approval"
    (prompt,) = await all_of(fakes.db, Prompt)
    assert (prompt.pending_reply_id, prompt.chat_id, prompt.state) == (row.id, ANN, "queued")
    assert prompt.content["text"] == "Approval\n\nSure?"
    assert lease_s(fakes, task) > fakes.settings.lease_s - 60
    due_s = (row.due_at - datetime.now(UTC)).total_seconds()
    assert 0.3 * fakes.settings.lease_s < due_s < 0.7 * fakes.settings.lease_s


async def test_a_step_without_a_title_has_the_activitys_name(fakes: Fakes) -> None:
    await park(fakes, fakes.engine.give(SURE, name="Approve the audit"))
    await park(
        fakes,
        fakes.engine.give({"telegram_user_id": ANN, "text_a": "News"}, name="Tell", topic="send_message"),
    )
    assert await texts_of(fakes) == ["Approve the audit\n\nSure?", "News"], "a notice needs none"


async def test_the_inputs_come_in_the_order_of_the_diagram(fakes: Fakes) -> None:
    inputs = {"telegram_user_id": ANN, "text_z": "1", "Line": "2", "text_a": "3", "action_go": "Go"}
    task = fakes.engine.give(inputs)
    shuffled = FetchedTask(**{**vars(task), "variables": dict(sorted(task.variables.items()))})
    await park(fakes, shuffled)
    assert await texts_of(fakes) == ["1\n\nLine: 2\n\n3"]


async def test_the_recipient_is_the_steps_else_the_processs(fakes: Fakes) -> None:
    inputs = {name: value for name, value in SURE.items() if name != "telegram_user_id"}
    task = fakes.engine.give(inputs)
    fakes.engine.process_variables[task.process_instance_id]["telegram_user_id"] = ANN + 1
    await park(fakes, task)
    assert (await only_reply(fakes)).chat_id == ANN + 1


async def test_renewals_are_spread_out() -> None:
    moments = [renewal_s(1000) for _ in range(200)]
    assert min(moments) >= 400
    assert max(moments) <= 600
    assert max(moments) - min(moments) > 100


async def test_a_notice_is_shown_and_completed(fakes: Fakes) -> None:
    task = fakes.engine.give({"telegram_user_id": ANN, "text_a": "News"}, topic="send_message")
    await park(fakes, task)
    row = await only_reply(fakes)
    assert (row.state, row.outcome) == ("answered", {"kind": "complete", "variables": {}})
    assert await texts_of(fakes) == ["News"]
    assert lease_s(fakes, task) < 60, "the completer has it at once, a long lease is not needed"


async def test_the_results_of_an_activity_with_outputs_are_local(fakes: Fakes) -> None:
    await park(fakes, fakes.engine.give(SURE, outputs=["decision"]))
    step = Step.model_validate((await only_reply(fakes)).step)
    assert step.local_results
    assert step.shadows == ("action_yes", "action_no")


async def test_the_first_form_of_a_chat_is_open_and_the_second_waits_behind_a_button(fakes: Fakes) -> None:
    tasks = [fakes.engine.give(FORM) for _ in range(4)]
    await asyncio.gather(*(park(fakes, task) for task in tasks))
    rows = await all_of(fakes.db, PendingReply)
    assert sum(row.dialog_open for row in rows) == 1
    shown = sorted(await texts_of(fakes))
    assert sum("1 of 2" in text for text in shown) == 1


# mistakes of the author


async def test_a_step_whose_instance_ended_before_it_was_read_is_nobodys_mistake(fakes: Fakes) -> None:
    task = fakes.engine.give({"text_a": "x"})
    fakes.engine.held[task.id].finish(ActivityEnd.CANCELED)
    await Parker(fakes.services, registry.human_topics()).park(task)
    assert not await all_of(fakes.db, PendingReply)


@pytest.mark.parametrize(
    ("inputs", "properties", "told"),
    [
        ({"text_a": "x"}, {}, "recipient: nobody is named"),
        ({**SURE, "telegram_user_id": "Ann"}, {}, "recipient: found 'Ann'"),
        (SURE, {"titel": "x"}, "titel: unknown property, did you mean 'title'?"),
        (SURE, {"on_cancel": "STOP"}, "on_cancel: nothing catches the BPMN error 'STOP'"),
    ],
)
async def test_a_mistake_is_an_incident_at_once(
    fakes: Fakes, inputs: Any, properties: Any, told: str
) -> None:
    task = fakes.engine.give(inputs, properties)
    await park(fakes, task)
    held = fakes.engine.held[task.id]
    assert held.retries == 0
    assert (held.incident or "").startswith("activity 'ask': ")
    assert told in (held.incident or "")
    assert not await all_of(fakes.db, PendingReply)
    assert not await all_of(fakes.db, Prompt)


async def test_a_public_file_needs_a_public_address(fakes: Fakes) -> None:
    object.__setattr__(fakes.settings, "r2_public_url", None)
    inputs = {"telegram_user_id": ANN, "s3_f": "File"}
    task = fakes.engine.give(inputs, {"s3_f.public": "true"})
    await park(fakes, task)
    assert "public=true needs R2_PUBLIC_URL" in (fakes.engine.held[task.id].incident or "")


@pytest.mark.parametrize("catches", [["STOP"], [None]])
async def test_a_code_that_the_deployed_diagram_catches_is_no_mistake(fakes: Fakes, catches: Any) -> None:
    await park(fakes, fakes.engine.give(SURE, {"on_cancel": "STOP"}, catches=catches))
    assert Step.model_validate((await only_reply(fakes)).step).on_cancel == "STOP"


async def test_a_value_that_does_not_fit_its_type_is_a_mistake(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    broken = FetchedTask(
        **{**vars(task), "variables": {**task.variables, "text_a": {"type": "Json", "value": "{"}}}
    )
    await park(fakes, broken)
    assert fakes.engine.held[task.id].incident


async def test_a_topic_says_what_its_steps_must_ask(fakes: Fakes) -> None:
    upload = fakes.engine.give(SURE, topic="await_upload")
    notice = fakes.engine.give(SURE, topic="send_message")
    await park(fakes, upload)
    await park(fakes, notice)
    assert "waits for a file" in (fakes.engine.held[upload.id].incident or "")
    assert "a notice asks nothing" in (fakes.engine.held[notice.id].incident or "")


async def test_a_text_that_no_database_takes_is_parked_all_the_same(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    nasty = FetchedTask(
        **{**vars(task), "variables": {**task.variables, "text_a": {"type": "String", "value": "a\0b\ud800"}}}
    )
    await park(fakes, nasty)
    assert (await texts_of(fakes))[0].startswith("a")


# coming again


@pytest.mark.parametrize("state", ["parked", "posted", "undeliverable"])
async def test_an_open_step_that_comes_again_is_leased_again_and_says_nothing(
    fakes: Fakes, state: str
) -> None:
    task = fakes.engine.give(SURE)
    await park(fakes, task)
    row = await only_reply(fakes)
    await change(fakes.db, row, state=state, answers={"form_x": {"value": 1}})
    fakes.engine.held[task.id].worker_id = None
    await park(fakes, task)
    again = await only_reply(fakes)
    assert (again.id, again.state, again.answers) == (row.id, state, {"form_x": {"value": 1}})
    assert len(await all_of(fakes.db, Prompt)) == 1
    assert lease_s(fakes, task) > fakes.settings.lease_s - 60


async def test_a_step_that_is_parked_twice_at_once_is_one_row_with_one_set_of_prompts(fakes: Fakes) -> None:
    task = fakes.engine.give({**FORM, **SURE, "photo_p": "p.png"})
    await asyncio.gather(*(park(fakes, task) for _ in range(8)))
    assert len(await all_of(fakes.db, PendingReply)) == 1
    assert len(await all_of(fakes.db, Prompt)) == 3


@pytest.mark.parametrize("state", ["completed", "cancelled", "withdrawn", "failed"])
async def test_a_step_that_has_its_answer_is_completed_with_it_again(fakes: Fakes, state: str) -> None:
    """The engine's database was restored, or an operator raised the retries of its incident."""
    task = fakes.engine.give(SURE)
    await park(fakes, task)
    row = await only_reply(fakes)
    outcome = {"kind": "complete", "variables": {"action": {"value": "yes", "type": "String"}}}
    await change(fakes.db, row, state=state, outcome=outcome, closed_at=datetime.now(UTC))
    await park(fakes, task)
    again = await only_reply(fakes)
    assert (again.state, again.outcome, again.closed_at) == ("answered", outcome, None)
    assert len(await all_of(fakes.db, Prompt)) == 1, "nobody is asked again"


async def test_an_answered_step_that_comes_again_stays_answered(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    await park(fakes, task)
    row = await only_reply(fakes)
    async with fakes.db.begin() as tx:
        await transitions.answer(tx, row.id, {"kind": "complete", "variables": {}}, ANN, "Ann")
        (in_hand,) = await claim(tx, COMPLETIONS, 1, 60)
    await park(fakes, task)
    now = await only_reply(fakes)
    assert (now.state, now.claim) == ("answered", in_hand.claim)


async def test_an_answered_step_is_never_read_anew(fakes: Fakes) -> None:
    """Its inputs of the same names as its results are deleted before it is completed."""
    task = fakes.engine.give({"telegram_user_id": ANN, "action_yes": "Yes"})
    await park(fakes, task)
    row = await only_reply(fakes)
    outcome = {"kind": "complete", "variables": {}}
    await change(fakes.db, row, state="answered", outcome=outcome)
    bare = FetchedTask(**{**vars(task), "variables": {}})
    await park(fakes, bare)
    assert (await only_reply(fakes)).state == "answered"
    assert fakes.engine.held[task.id].incident is None
    assert fakes.engine.held[task.id].retries is None


@pytest.mark.parametrize("state", ["withdrawn", "failed", "expired"])
async def test_an_unanswered_step_that_was_over_is_opened_as_if_it_were_new(fakes: Fakes, state: str) -> None:
    task = fakes.engine.give(FORM)
    await park(fakes, task)
    row = await only_reply(fakes)
    outcome = {"kind": "incident", "message": "x"} if state == "failed" else None
    await change(fakes.db, row, state=state, outcome=outcome, dialog_open=False, closed_at=datetime.now(UTC))
    await park(fakes, task)
    again = await only_reply(fakes)
    assert (again.id, again.state, again.outcome, again.dialog_open) == (row.id, "parked", None, True)
    assert len(await all_of(fakes.db, Prompt)) == 2
    assert lease_s(fakes, task) > fakes.settings.lease_s - 60


async def test_a_step_whose_incident_was_mended_is_checked_again(fakes: Fakes) -> None:
    task = fakes.engine.give({"text_a": "x", "action_go": "Go"})
    await park(fakes, task)
    fakes.engine.process_variables[task.process_instance_id]["telegram_user_id"] = ANN
    await park(fakes, task)
    assert (await only_reply(fakes)).state == "parked"


# the lease


async def test_a_crash_before_the_lease_costs_a_few_seconds(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    await fakes.engine.lock(task.id, fakes.settings.worker_id, 30)
    fakes.engine.fail("lock", EngineUnavailable("away"))
    with pytest.raises(WorldError):
        await Parker(fakes.services, registry.human_topics()).park(task)
    row = await only_reply(fakes)
    assert row.state == "parked"
    assert row.due_at - datetime.now(UTC) <= timedelta(seconds=UNSURE_LEASE_S)
    assert len(await all_of(fakes.db, Prompt)) == 1


async def test_a_step_that_the_engine_took_back_meanwhile_is_withdrawn(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    await fakes.engine.lock(task.id, fakes.settings.worker_id, 30)
    fakes.engine.cancel(task.id)
    await Parker(fakes.services, registry.human_topics()).park(task)
    assert (await only_reply(fakes)).state == "withdrawn"
    assert [prompt.state for prompt in await all_of(fakes.db, Prompt)] == ["retired"]


async def test_a_step_that_is_completed_before_its_lease_is_not_withdrawn(fakes: Fakes) -> None:
    """Its row is seen, answered and told to the engine while the parker is on its way to the lease."""
    task = fakes.engine.give(SURE)
    await park(fakes, task)
    row = await only_reply(fakes)
    async with fakes.db.begin() as tx:
        await transitions.answer(tx, row.id, {"kind": "complete", "variables": {}}, ANN, "Ann")
    fakes.engine.held[task.id].finish(ActivityEnd.COMPLETED)
    await Parker(fakes.services, registry.human_topics())._lease({task.id: row.id})
    assert (await only_reply(fakes)).state == "answered"


async def test_a_lease_that_somebody_else_holds_is_asked_for_again_soon(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    await fakes.engine.lock(task.id, "somebody", 600)
    await Parker(fakes.services, registry.human_topics()).park(task)
    row = await only_reply(fakes)
    assert row.state == "parked"
    assert row.due_at - datetime.now(UTC) <= timedelta(seconds=UNSURE_LEASE_S)
    await lapse(fakes.db, PendingReply)
    assert (await get(fakes.db, PendingReply, row.id)).state == "parked"


# many at once


async def park_many(fakes: Fakes, *tasks: FetchedTask) -> None:
    """Fetch the tasks with the short lock, and park them together."""
    for task in tasks:
        await fakes.engine.lock(task.id, fakes.settings.worker_id, fakes.settings.fetch_lock_s)
    await Parker(fakes.services, registry.human_topics()).park_many(tasks)


async def test_tasks_that_come_together_are_parked_like_each_alone(fakes: Fakes) -> None:
    tasks = [
        fakes.engine.give(inputs) for inputs in (SURE, FORM, SURE, {"telegram_user_id": ANN + 1, **SURE})
    ]
    await park_many(fakes, *tasks)
    rows = {row.external_task_id: row for row in await all_of(fakes.db, PendingReply)}
    assert set(rows) == {task.id for task in tasks}
    assert {row.state for row in rows.values()} == {"parked"}
    assert [row.dialog_open for row in rows.values()].count(True) == 1
    assert len({row.due_at for row in rows.values()}) == len(tasks)
    for task in tasks:
        assert lease_s(fakes, task) > 80_000
        due_s = (rows[task.id].due_at - datetime.now(UTC)).total_seconds()
        assert 0.39 < due_s / fakes.settings.lease_s < 0.61
    assert {prompt.pending_reply_id for prompt in await all_of(fakes.db, Prompt)} == {
        row.id for row in rows.values()
    }


async def test_one_bad_step_among_many_is_its_authors_alone(fakes: Fakes) -> None:
    good, bad = (
        fakes.engine.give(SURE),
        fakes.engine.give({"telegram_user_id": ANN, "form_a": None}, {"a.b": "c"}),
    )
    await park_many(fakes, good, bad)
    assert (await only_reply(fakes)).external_task_id == good.id
    assert fakes.engine.held[bad.id].retries == 0


async def test_one_value_that_no_column_takes_among_many_is_one_steps_alone(fakes: Fakes) -> None:
    """An engine on another database may have what Postgres has not, such as a NUL."""
    good, odd = fakes.engine.give(SURE), fakes.engine.give(SURE)
    await park_many(fakes, good, replace(odd, business_key="a\0b"))
    assert (await only_reply(fakes)).external_task_id == good.id
    assert fakes.engine.held[odd.id].retries == 0


async def test_a_task_that_came_before_meets_its_row_among_many(fakes: Fakes) -> None:
    known, new = fakes.engine.give(SURE), fakes.engine.give(SURE)
    await park(fakes, known)
    before = len(await all_of(fakes.db, Prompt))
    await park_many(fakes, known, new)
    assert len(await all_of(fakes.db, PendingReply)) == 2
    assert len(await all_of(fakes.db, Prompt)) == 2 * before


async def test_two_processes_with_the_same_tasks_make_each_row_once(fakes: Fakes) -> None:
    tasks = [fakes.engine.give({**SURE, "telegram_user_id": ANN + number % 3}) for number in range(12)]
    await asyncio.gather(park_many(fakes, *tasks), park_many(fakes, *reversed(tasks)))
    assert len(await all_of(fakes.db, PendingReply)) == len(tasks)
    assert len(await all_of(fakes.db, Prompt)) == len(tasks)


async def test_an_engine_that_is_away_at_one_lease_leaves_it_due_soon(fakes: Fakes) -> None:
    tasks = [fakes.engine.give(SURE), fakes.engine.give(SURE)]
    for task in tasks:
        await fakes.engine.lock(task.id, fakes.settings.worker_id, 30)
    fakes.engine.fail("lock", EngineUnavailable("away"))
    with pytest.raises(WorldError):
        await Parker(fakes.services, registry.human_topics()).park_many(tasks)
    due_s = sorted(
        (row.due_at - datetime.now(UTC)).total_seconds() for row in await all_of(fakes.db, PendingReply)
    )
    assert due_s[0] <= UNSURE_LEASE_S
    assert due_s[1] > 1000, "the other one has its lease"
