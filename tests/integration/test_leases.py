"""Leases of parked steps, and the two ways in which we learn that the engine took a step back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import replies, transitions
from shared.db import Database
from shared.engine.errors import EngineUnavailable
from shared.engine.records import ActivityEnd
from shared.errors import WorldError
from shared.models import Chore, PendingReply, Prompt
from shared.queues import Later, LostClaim, claim
from shared.transitions import LEASES
from tests.fakes.rows import all_of, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.steps import ANN
from tests.fakes.waiting import running, until
from workers import registry
from workers.housekeeping import Housekeeping
from workers.leases import Leases
from workers.parker import Parker
from workers.withdrawal import ALARM_LEAST, FEED, Withdrawal

SURE = {"telegram_user_id": ANN, "text_a": "Sure?", "action_yes": "Yes"}


@pytest.fixture
def fakes(db: Database) -> Fakes:
    return Fakes(db)


async def parked(fakes: Fakes) -> tuple[str, int]:
    """A parked step: the ids of its task and of its row."""
    task = fakes.engine.give(SURE)
    await fakes.engine.lock(task.id, fakes.settings.worker_id, 30)
    await Parker(fakes.services, registry.human_topics()).park(task)
    async with fakes.db.begin() as tx:
        reply = await replies.by_task(tx, task.id)
    assert reply is not None
    return task.id, reply.id


async def due(fakes: Fakes) -> PendingReply:
    """A row whose lease is due, claimed."""
    await lapse(fakes.db, PendingReply)
    async with fakes.db.begin() as tx:
        (row,) = await claim(tx, LEASES, 10, 60)
    return row


async def state(fakes: Fakes, reply_id: int) -> str:
    """The state of a row."""
    return (await get(fakes.db, PendingReply, reply_id)).state


# leases


async def test_a_due_lease_is_renewed_and_due_again_long_before_it_ends(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    fakes.engine.held[task_id].locked_until = datetime.now(UTC) + timedelta(seconds=5)
    await Leases(fakes.services).renew(await due(fakes))
    lease_s = fakes.settings.lease_s
    assert fakes.engine.held[task_id].locked_until > datetime.now(UTC) + timedelta(seconds=lease_s - 60)
    row = await get(fakes.db, PendingReply, reply_id)
    assert row.due_at < datetime.now(UTC) + timedelta(seconds=0.7 * lease_s)
    assert (row.state, row.claim) == ("parked", None)


async def test_a_lease_that_expired_is_taken_again(fakes: Fakes) -> None:
    task_id, _ = await parked(fakes)
    fakes.engine.held[task_id].locked_until = datetime.now(UTC) - timedelta(hours=1)
    await Leases(fakes.services).renew(await due(fakes))
    assert fakes.engine.held[task_id].is_locked


async def test_a_step_whose_task_is_gone_is_withdrawn(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    fakes.engine.cancel(task_id)
    await Leases(fakes.services).renew(await due(fakes))
    assert await state(fakes, reply_id) == "withdrawn"


async def test_leases_that_meet_an_empty_engine_withdraw_nothing(fakes: Fakes) -> None:
    """Only the sweep compares all steps; a lease sees one, and an engine that never had it denies it too."""
    task_id, reply_id = await parked(fakes)
    held = fakes.engine.held.pop(task_id)
    with pytest.raises(Later) as waiting:
        await Leases(fakes.services).renew(await due(fakes))
    assert waiting.value.retry_after_s == fakes.settings.sweep_interval_s
    assert await state(fakes, reply_id) == "parked"
    fakes.engine.held[task_id] = held
    await Leases(fakes.services).renew(await due(fakes))
    assert await state(fakes, reply_id) == "parked"
    assert held.is_locked


async def test_a_step_that_was_completed_meanwhile_is_not_withdrawn(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    row = await due(fakes)
    async with fakes.db.begin() as tx:
        await transitions.answer(tx, reply_id, {"kind": "complete", "variables": {}}, ANN, "Ann")
    fakes.engine.held[task_id].finish(ActivityEnd.COMPLETED)
    await Leases(fakes.services).renew(row)
    assert await state(fakes, reply_id) == "answered"


async def test_an_answer_during_the_renewal_keeps_its_place_in_the_queue(fakes: Fakes) -> None:
    _, reply_id = await parked(fakes)
    row = await due(fakes)
    async with fakes.db.begin() as tx:
        await transitions.answer(tx, reply_id, {"kind": "complete", "variables": {}}, ANN, "Ann")
    with pytest.raises(LostClaim):
        await Leases(fakes.services).renew(row)
    assert (await get(fakes.db, PendingReply, reply_id)).due_at <= datetime.now(UTC)


async def test_a_lease_that_somebody_else_holds_is_asked_for_later(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    fakes.engine.held[task_id].worker_id = "somebody"
    with pytest.raises(Later):
        await Leases(fakes.services).renew(await due(fakes))
    assert await state(fakes, reply_id) == "parked"


async def test_an_engine_that_is_away_is_asked_again(fakes: Fakes) -> None:
    await parked(fakes)
    fakes.engine.fail("lock", EngineUnavailable("away"))
    with pytest.raises(WorldError):
        await Leases(fakes.services).renew(await due(fakes))


async def test_a_person_who_cannot_be_reached_for_too_long_makes_an_incident(fakes: Fakes) -> None:
    _, reply_id = await parked(fakes)
    long_ago = datetime.now(UTC) - timedelta(seconds=fakes.settings.undeliverable_after_s + 1)
    await change(fakes.db, PendingReply, reply_id, state="undeliverable", undeliverable_since=long_ago)
    await Leases(fakes.services).renew(await due(fakes))
    row = await get(fakes.db, PendingReply, reply_id)
    assert row.state == "answered"
    assert row.outcome is not None
    assert row.outcome["kind"] == "incident"
    assert f"activity 'ask': the person behind chat {ANN} cannot be reached" in row.outcome["message"]


async def test_a_person_who_cannot_be_reached_yet_keeps_the_lease_and_is_looked_at_in_time(
    db: Database,
) -> None:
    fakes = Fakes(db)
    object.__setattr__(fakes.settings, "undeliverable_after_s", 600.0)
    _, reply_id = await parked(fakes)
    await change(
        fakes.db, PendingReply, reply_id, state="undeliverable", undeliverable_since=datetime.now(UTC)
    )
    await Leases(fakes.services).renew(await due(fakes))
    row = await get(fakes.db, PendingReply, reply_id)
    assert row.state == "undeliverable"
    assert row.due_at <= datetime.now(UTC) + timedelta(seconds=601)


async def test_the_loop_renews_what_is_due(fakes: Fakes) -> None:
    task_id, _ = await parked(fakes)
    fakes.engine.held[task_id].locked_until = datetime.now(UTC)
    await lapse(fakes.db, PendingReply)
    async with running(Leases(fakes.services).loop().run):
        await until(lambda: fakes.engine.held[task_id].is_locked, "the lease is renewed")


# withdrawal: the feed


async def work(fakes: Fakes, name: str = FEED) -> Chore:
    """Do one chore; its row afterwards."""
    housekeeping = Housekeeping(fakes.services)
    await housekeeping.loop()
    await lapse(fakes.db, Chore)
    async with fakes.db.begin() as tx:
        chores = await claim(tx, withdrawal_queue(), 10, 60)
    (chore,) = [each for each in chores if each.name == name]
    await housekeeping.work(chore)
    return await get(fakes.db, Chore, chore.id)


def withdrawal_queue() -> Any:
    """The chores' queue."""
    from shared.chores import CHORES

    return CHORES


async def test_a_cancelled_step_is_withdrawn_and_its_prompts_say_so(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    _, other = await parked(fakes)
    (first, _) = await all_of(fakes.db, Prompt)
    await change(fakes.db, first, state="sent", message_id=77)
    fakes.engine.cancel(task_id)
    await work(fakes)
    assert await state(fakes, reply_id) == "withdrawn"
    assert await state(fakes, other) == "parked"
    prompt = await get(fakes.db, Prompt, first.id)
    assert prompt.state == "retiring"
    assert "taken back" in prompt.content["text"]


async def test_the_feed_goes_on_where_it_was_but_looks_back_a_little(fakes: Fakes) -> None:
    task_id, _ = await parked(fakes)
    fakes.engine.cancel(task_id)
    ended_at = fakes.engine.held[task_id].ended_at
    assert ended_at is not None
    chore = await work(fakes)
    assert chore.cursor == ended_at.isoformat()
    fakes.engine.calls.clear()
    assert (await work(fakes)).cursor == chore.cursor, "no news, no progress"
    since = next(what for name, what in fakes.engine.calls if name == "canceled_activities")
    assert since < ended_at - timedelta(seconds=30)


async def test_an_ended_activity_whose_task_is_there_again_is_not_withdrawn(fakes: Fakes) -> None:
    """The history says ended; only the lock proves it."""
    task_id, reply_id = await parked(fakes)
    fakes.engine.cancel(task_id)
    activities = await fakes.engine.canceled_activities("serviceTask", datetime(2000, 1, 1, tzinfo=UTC))
    held = fakes.engine.held[task_id]
    held.end = ActivityEnd.RUNNING
    rows = await all_of(fakes.db, PendingReply)
    assert [each.id for each in activities] == [rows[0].activity_instance_id]
    await Withdrawal(fakes.services)._confirm(rows[0])
    assert await state(fakes, reply_id) == "parked"
    assert held.is_locked


async def test_an_answer_that_is_on_its_way_is_left_to_its_completer(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    async with fakes.db.begin() as tx:
        await transitions.answer(tx, reply_id, {"kind": "complete", "variables": {}}, ANN, "Ann")
    fakes.engine.cancel(task_id)
    await work(fakes)
    await work(fakes, "sweep")
    assert await state(fakes, reply_id) == "answered"


# withdrawal: the sweep


async def test_the_sweep_withdraws_what_the_feed_has_missed(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    _, other = await parked(fakes)
    fakes.engine.held[task_id].finish(ActivityEnd.COMPLETED)  # by somebody else: no cancellation is told
    await work(fakes, "sweep")
    assert (await state(fakes, reply_id), await state(fakes, other)) == ("withdrawn", "parked")


async def test_the_sweep_takes_absence_from_the_list_for_no_proof(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    fakes.engine.held[task_id].locked_until = datetime.now(UTC)  # not listed as locked
    await work(fakes, "sweep")
    assert await state(fakes, reply_id) == "parked"
    assert fakes.engine.held[task_id].is_locked, "and the lease is mended"


async def test_the_sweep_withdraws_nothing_when_too_much_seems_to_be_gone(fakes: Fakes) -> None:
    steps = [await parked(fakes) for _ in range(ALARM_LEAST + 2)]
    for task_id, _ in steps:
        fakes.engine.cancel(task_id)
    await work(fakes, "sweep")
    assert [await state(fakes, reply_id) for _, reply_id in steps] == ["parked"] * len(steps)

    object.__setattr__(fakes.settings, "sweep_alarm_share", 1.0)
    await work(fakes, "sweep")
    assert {await state(fakes, reply_id) for _, reply_id in steps} == {"withdrawn"}, "an operator says so"


async def test_the_sweep_hands_a_leased_task_without_a_row_out_again(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    await fakes.engine.lock(task.id, fakes.settings.worker_id, fakes.settings.lease_s)
    await work(fakes, "sweep")
    assert not fakes.engine.held[task.id].is_locked


async def test_the_sweep_leaves_a_task_that_was_only_just_fetched(fakes: Fakes) -> None:
    task = fakes.engine.give(SURE)
    await fakes.engine.lock(task.id, fakes.settings.worker_id, fakes.settings.fetch_lock_s)
    await work(fakes, "sweep")
    assert fakes.engine.held[task.id].is_locked


async def test_the_sweep_completes_a_closed_step_again_whose_task_is_still_there(fakes: Fakes) -> None:
    _, reply_id = await parked(fakes)
    outcome = {"kind": "complete", "variables": {}}
    await change(fakes.db, PendingReply, reply_id, state="completed", outcome=outcome)
    await work(fakes, "sweep")
    assert await state(fakes, reply_id) == "answered"


async def test_the_sweep_hands_out_again_what_was_withdrawn_by_mistake(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    await change(fakes.db, PendingReply, reply_id, state="withdrawn")
    await work(fakes, "sweep")
    assert not fakes.engine.held[task_id].is_locked, "it will be fetched, meet its row and reopen it"


async def test_the_sweep_leaves_an_incident_to_its_operator(fakes: Fakes) -> None:
    task_id, reply_id = await parked(fakes)
    incident = {"kind": "incident", "message": "x"}
    await fakes.engine.failure(task_id, fakes.settings.worker_id, "x", retries=0)
    await change(fakes.db, PendingReply, reply_id, state="failed", outcome=incident)  # its lock ended with it
    await work(fakes, "sweep")
    assert await state(fakes, reply_id) == "failed"


async def test_the_chores_are_done_again_and_again(fakes: Fakes) -> None:
    loop = await Housekeeping(fakes.services).loop()
    async with running(loop.run):
        await until(lambda: fakes.engine.count("canceled_activities") >= 3, "the feed looks")
        await until(lambda: fakes.engine.count("external_tasks") >= 1, "the sweep looks")
