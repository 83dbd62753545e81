"""The life of a pending reply: every transition from every state, and every race that it can lose."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import replies, transitions
from shared.db import Database, Tx
from shared.models import PendingReply, Prompt
from shared.queues import LostClaim, Queue, claim
from shared.transitions import COMPLETIONS, LEASES, OPEN
from tests.fakes.rows import a_prompt, a_reply, all_of, change, get, lapse, new_reply
from tests.fakes.steps import ANN, read

STATES = (*OPEN, "answered", "completed", "cancelled", "withdrawn", "expired", "failed")
OUTCOME = {"kind": "complete", "variables": {}}
GROUP = -1001234567890

Transition = Callable[[Tx, int], Awaitable[bool]]

TRANSITIONS: dict[str, tuple[Transition, dict[str, str]]] = {
    "posted": (transitions.posted, {"parked": "posted", "undeliverable": "posted"}),
    "undeliverable": (
        transitions.undeliverable,
        {"parked": "undeliverable", "posted": "undeliverable"},
    ),
    "answer": (
        lambda tx, reply_id: transitions.answer(tx, reply_id, OUTCOME, ANN, "Ann"),
        dict.fromkeys(OPEN, "answered"),
    ),
    "withdrawn": (transitions.withdrawn, dict.fromkeys(OPEN, "withdrawn")),
    "complete again": (
        transitions.complete_again,
        dict.fromkeys(("completed", "cancelled", "expired", "failed", "withdrawn"), "answered"),
    ),
    "expire": (
        lambda tx, reply_id: transitions.expire(tx, reply_id, "LATE", "x"),
        dict.fromkeys(OPEN, "answered"),
    ),
    "hand to": (
        lambda tx, reply_id: transitions.hand_to(tx, reply_id, {}, ANN, ANN, {}),
        dict.fromkeys(OPEN, "parked"),
    ),
    "reopen": (
        lambda tx, reply_id: transitions.reopen(tx, reply_id, new_reply(), lease_due_s=5),
        dict.fromkeys(("withdrawn", "failed", "expired"), "parked"),
    ),
    "keep answers": (
        lambda tx, reply_id: transitions.keep_answers(tx, reply_id, {"form_x": {"value": 1}}),
        {state: state for state in OPEN},
    ),
    "open dialog": (
        lambda tx, reply_id: transitions.open_dialog(tx, reply_id, ANN),
        {state: state for state in OPEN},
    ),
    "close dialog": (transitions.close_dialog, {state: state for state in OPEN}),
    "lease due": (
        lambda tx, reply_id: _lease_due(tx, reply_id),
        {state: state for state in OPEN},
    ),
}


async def _lease_due(tx: Tx, reply_id: int) -> bool:
    return await transitions.leases_due(tx, [reply_id], 77, 77) == 1


def columns(row: PendingReply) -> dict[str, Any]:
    """Everything that a row says."""
    return {column.name: getattr(row, column.name) for column in PendingReply.__table__.columns}


async def do(db: Database, transition: Transition, reply_id: int) -> bool:
    """One transition in a transaction of its own."""
    async with db.begin() as tx:
        return await transition(tx, reply_id)


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[list[Database]]:
    """Four processes' pools."""
    pools = [Database(database_url, pool_size=5) for _ in range(4)]
    yield pools
    for pool in pools:
        await pool.aclose()


@pytest.mark.parametrize("name", TRANSITIONS)
@pytest.mark.parametrize("state", STATES)
async def test_a_transition_starts_from_its_states_alone(db: Database, name: str, state: str) -> None:
    transition, allowed = TRANSITIONS[name]
    closed: dict[str, Any] = {"outcome": OUTCOME, "closed_at": datetime.now(UTC)} if state not in OPEN else {}
    reply_id = await a_reply(db, state=state, **closed)
    before = await get(db, PendingReply, reply_id)
    changed = await do(db, transition, reply_id)
    after = await get(db, PendingReply, reply_id)
    assert (changed, after.state) == (state in allowed, allowed.get(state, state))
    if not changed:
        assert columns(after) == columns(before)


@pytest.mark.parametrize("name", TRANSITIONS)
async def test_a_row_that_is_not_there_is_a_lost_race(db: Database, name: str) -> None:
    assert not await do(db, TRANSITIONS[name][0], 4711)


# parking


async def test_a_step_is_parked_with_what_is_known_of_it(db: Database) -> None:
    new = new_reply(business_key="import_1", tenant_id="t")
    async with db.begin() as tx:
        reply, made = await transitions.park(tx, new, lease_due_s=5)
    assert made
    kept = columns(await get(db, PendingReply, reply.id))
    assert {name: kept[name] for name in vars(new)} == vars(new)
    assert (kept["state"], kept["answers"], kept["dialog_open"]) == ("parked", {}, False)
    assert timedelta(seconds=3) < kept["due_at"] - datetime.now(UTC) <= timedelta(seconds=5)


async def test_a_task_that_comes_again_meets_its_row(db: Database) -> None:
    new = new_reply()
    async with db.begin() as tx:
        first, _ = await transitions.park(tx, new, lease_due_s=5)
    await change(db, PendingReply, first.id, state="posted")
    async with db.begin() as tx:
        second, made = await transitions.park(tx, new, lease_due_s=5)
    assert (second.id, second.state, made) == (first.id, "posted", False)


async def test_a_task_that_is_parked_by_many_at_once_has_one_row(
    db: Database, processes: list[Database]
) -> None:
    new = new_reply()

    async def park(pool: Database) -> bool:
        async with pool.begin() as tx:
            _, made = await transitions.park(tx, new, lease_due_s=5)
            await asyncio.sleep(0)
        return made

    made = await asyncio.gather(*(park(pool) for pool in processes for _ in range(5)))
    assert Counter(made) == {True: 1, False: 19}
    assert len(await all_of(db, PendingReply)) == 1


# answering


async def test_an_answer_is_kept_with_who_gave_it_and_ends_the_dialog(db: Database) -> None:
    reply_id = await a_reply(db, dialog_open=True, attempts=7, claim="0" * 32)
    await do(db, TRANSITIONS["answer"][0], reply_id)
    row = await get(db, PendingReply, reply_id)
    assert (row.outcome, row.answered_by, row.answered_by_name) == (OUTCOME, ANN, "Ann")
    assert row.answered_at is not None
    assert (row.dialog_open, row.attempts, row.claim) == (False, 0, None)
    assert row.due_at <= datetime.now(UTC)


async def test_of_many_answers_one_is_accepted(db: Database, processes: list[Database]) -> None:
    reply_id = await a_reply(db)

    async def answer(pool: Database, number: int) -> bool:
        async with pool.begin() as tx:
            return await transitions.answer(tx, reply_id, {**OUTCOME, "by": number}, number, f"P{number}")

    accepted = await asyncio.gather(
        *(answer(pool, 10 * each + n) for each, pool in enumerate(processes) for n in range(5))
    )
    assert Counter(accepted) == {True: 1, False: 19}
    row = await get(db, PendingReply, reply_id)
    assert row.outcome is not None
    assert row.outcome["by"] == row.answered_by


async def test_an_answer_takes_the_row_from_whoever_renews_its_lease(db: Database) -> None:
    reply_id = await a_reply(db)
    await lapse(db, PendingReply)
    async with db.begin() as tx:
        (renewing,) = await claim(tx, LEASES, 10, 60)
    assert await do(db, TRANSITIONS["answer"][0], reply_id)
    with pytest.raises(LostClaim):
        async with db.begin() as tx:
            await transitions.leased(tx, renewing, due_s=3600)
    async with db.begin() as tx:
        assert [row.id for row in await claim(tx, COMPLETIONS, 10, 60)] == [reply_id], "at once"


async def test_posting_after_an_answer_changes_nothing(db: Database) -> None:
    reply_id = await a_reply(db)
    await do(db, TRANSITIONS["answer"][0], reply_id)
    assert not await do(db, transitions.posted, reply_id)
    assert not await do(db, transitions.undeliverable, reply_id)
    assert (await get(db, PendingReply, reply_id)).state == "answered"


# completing


@pytest.mark.parametrize("state", ["completed", "cancelled", "failed"])
async def test_a_completion_closes_the_row_of_whoever_claimed_it(db: Database, state: str) -> None:
    reply_id = await a_reply(db, state="answered")
    await lapse(db, PendingReply)
    async with db.begin() as tx:
        (row,) = await claim(tx, COMPLETIONS, 1, 60)
    async with db.begin() as tx:
        await transitions.completed(tx, row, state)
    closed = await get(db, PendingReply, reply_id)
    assert (closed.state, closed.claim, closed.attempts) == (state, None, 0)
    assert closed.closed_at is not None
    with pytest.raises(LostClaim):
        async with db.begin() as tx:
            await transitions.completed(tx, row, state)


@pytest.mark.parametrize(
    ("queue", "states"), [(LEASES, set(OPEN)), (COMPLETIONS, {"answered"})], ids=["leases", "completions"]
)
async def test_a_row_waits_in_the_queue_of_its_state(
    db: Database, queue: Queue[PendingReply], states: set[str]
) -> None:
    for state in STATES:
        await a_reply(db, state=state)
    await lapse(db, PendingReply)
    async with db.begin() as tx:
        assert {row.state for row in await claim(tx, queue, 100, 60)} == states


# coming again


async def test_a_completion_that_is_told_again_keeps_its_answer(db: Database) -> None:
    reply_id = await a_reply(db, state="completed", outcome=OUTCOME, closed_at=datetime.now(UTC), attempts=9)
    assert await do(db, transitions.complete_again, reply_id)
    row = await get(db, PendingReply, reply_id)
    assert (row.state, row.outcome, row.closed_at, row.attempts) == ("answered", OUTCOME, None, 0)
    assert row.due_at <= datetime.now(UTC)


async def test_a_step_is_reopened_as_if_it_were_new(db: Database) -> None:
    incident = {"kind": "incident", "message": "x"}
    values: dict[str, Any] = {
        "outcome": incident,
        "answers": {"form_x": {"value": 1}},
        "answered_by": ANN,
        "answered_by_name": "Ann",
        "answered_at": datetime.now(UTC),
        "closed_at": datetime.now(UTC),
        "undeliverable_since": datetime.now(UTC),
        "last_error": "x",
        "attempts": 3,
    }
    reply_id = await a_reply(db, state="failed", **values)
    new = new_reply(read({"text_a": "Now otherwise", "action_go": "Go"}), business_key="other")
    async with db.begin() as tx:
        assert await transitions.reopen(tx, reply_id, new, lease_due_s=5)
        fresh, _ = await transitions.park(tx, new_reply(), lease_due_s=5)
    now, expected = columns(await get(db, PendingReply, reply_id)), columns(fresh)
    unlike = set(vars(new)) | {"id", "due_at", "created_at"}
    assert {name: now[name] for name in now if name not in unlike} == {
        name: expected[name] for name in expected if name not in unlike
    }
    assert {name: now[name] for name in vars(new)} == vars(new)


# withdrawing


async def test_a_withdrawn_step_loses_its_buttons_and_says_so(db: Database) -> None:
    reply_id = await a_reply(db, dialog_open=True)
    buttons = {"inline_keyboard": [[{"text": "Yes", "callback_data": "x"}]]}
    content = {"text": "Sure?", "reply_markup": buttons}
    sent = await a_prompt(db, ANN, state="sent", pending_reply_id=reply_id, content=content, message_id=5)
    waiting = await a_prompt(db, ANN, pending_reply_id=reply_id, content=content)
    assert await do(db, transitions.withdrawn, reply_id)
    row = await get(db, PendingReply, reply_id)
    assert (row.dialog_open, row.claim) == (False, None)
    assert row.closed_at is not None
    shown = await get(db, Prompt, sent)
    assert (shown.state, "reply_markup" in shown.content) == ("retiring", False)
    assert "taken back" in shown.content["text"]
    assert (await get(db, Prompt, waiting)).state == "retired"


async def test_an_answered_step_is_withdrawn_only_by_whoever_tells_the_engine(db: Database) -> None:
    """That its task is gone may mean that its completion has just arrived."""
    reply_id = await a_reply(db, state="answered")
    assert not await do(db, transitions.withdrawn, reply_id)
    assert await do(db, lambda tx, row_id: transitions.withdrawn(tx, row_id, answered=True), reply_id)
    assert (await get(db, PendingReply, reply_id)).state == "withdrawn"


# dialogs


async def test_of_two_steps_of_a_private_chat_one_has_the_dialog(db: Database) -> None:
    first, second = await a_reply(db), await a_reply(db)
    async with db.begin() as tx:
        assert await transitions.open_dialog(tx, first, ANN)
        assert await transitions.open_dialog(tx, first, ANN), "asking again changes nothing"
        assert not await transitions.open_dialog(tx, second, ANN)
        assert await replies.dialog_of_chat(tx, ANN) == first
    async with db.begin() as tx:
        await transitions.close_dialog(tx, first)
        assert await replies.dialog_of_chat(tx, ANN) is None
        assert await transitions.open_dialog(tx, second, ANN)


@pytest.mark.parametrize("ending", ["answer", "withdrawn"])
async def test_a_step_that_is_over_has_no_dialog(db: Database, ending: str) -> None:
    first, second = await a_reply(db), await a_reply(db)
    await do(db, lambda tx, reply_id: transitions.open_dialog(tx, reply_id, ANN), first)
    await do(db, TRANSITIONS[ending][0], first)
    async with db.begin() as tx:
        assert await replies.dialog_of_chat(tx, ANN) is None
        assert await transitions.open_dialog(tx, second, ANN)


async def test_of_many_steps_that_are_parked_at_once_one_has_the_dialog(
    db: Database, processes: list[Database]
) -> None:
    async def park(pool: Database) -> bool:
        async with pool.begin() as tx:
            reply, _ = await transitions.park(tx, new_reply(), lease_due_s=5)
            return await transitions.open_dialog(tx, reply.id, ANN)

    opened = await asyncio.gather(*(park(pool) for pool in processes for _ in range(4)))
    assert Counter(opened) == {True: 1, False: 15}
    assert len(await all_of(db, PendingReply, PendingReply.dialog_open)) == 1


async def test_dialogs_that_change_hands_at_once_never_lock_each_other_out(
    db: Database, processes: list[Database]
) -> None:
    ids = [await a_reply(db) for _ in range(4)]

    async def work(pool: Database, mine: int) -> None:
        for _ in range(10):
            async with pool.begin() as tx:
                assert await transitions.lock_reply(tx, mine) is not None
                if await transitions.open_dialog(tx, mine, ANN):
                    await transitions.close_dialog(tx, mine)

    await asyncio.gather(*(work(pool, mine) for pool, mine in zip(processes, ids, strict=True)))


async def test_a_group_has_as_many_open_dialogs_as_it_has_steps(db: Database) -> None:
    step = read({"form_x": None}, recipient=GROUP)
    first, second = await a_reply(db, step), await a_reply(db, step)
    async with db.begin() as tx:
        assert await transitions.open_dialog(tx, first, GROUP)
        assert await transitions.open_dialog(tx, second, GROUP)


# undeliverable


async def test_a_step_remembers_since_when_it_cannot_be_delivered(db: Database) -> None:
    reply_id = await a_reply(db)
    await do(db, transitions.undeliverable, reply_id)
    since = (await get(db, PendingReply, reply_id)).undeliverable_since
    assert since is not None
    await change(db, PendingReply, reply_id, state="parked")
    await do(db, transitions.undeliverable, reply_id)
    assert (await get(db, PendingReply, reply_id)).undeliverable_since == since
    await do(db, transitions.posted, reply_id)
    assert (await get(db, PendingReply, reply_id)).undeliverable_since is None


# leases


async def test_a_renewed_lease_is_due_later(db: Database) -> None:
    reply_id = await a_reply(db)
    await lapse(db, PendingReply)
    async with db.begin() as tx:
        (row,) = await claim(tx, LEASES, 1, 60)
        await transitions.leased(tx, row, due_s=1000)
    kept = await get(db, PendingReply, reply_id)
    assert timedelta(seconds=990) < kept.due_at - datetime.now(UTC) <= timedelta(seconds=1000)
    assert (kept.state, kept.claim) == ("parked", None)


# finding


async def test_what_waits_for_a_person_is_what_is_open_in_their_chat(db: Database) -> None:
    mine = await a_reply(db)
    await a_reply(db, read({"action_a": "A"}, recipient=GROUP))
    await a_reply(db, state="answered")
    await a_reply(db, read({"action_a": "A"}, recipient=ANN + 1))
    async with db.begin() as tx:
        assert [row.id for row in await replies.open_in_chat(tx, ANN)] == [mine]


async def test_rows_are_found_by_task_and_by_activity_instance(db: Database) -> None:
    ids = {state: await a_reply(db, state=state) for state in STATES}
    rows = {row.id: row for row in await all_of(db, PendingReply)}
    async with db.begin() as tx:
        task = rows[ids["posted"]].external_task_id
        found = await replies.by_task(tx, task)
        assert found is not None
        assert found.id == ids["posted"]
        assert await replies.by_task(tx, "nothing") is None
        instances = [row.activity_instance_id for row in rows.values()]
        assert {row.state for row in await replies.of_activities(tx, instances)} == set(OPEN)
        assert not await replies.of_activities(tx, [])


async def test_the_rows_whose_task_should_be_there_are_read_in_pages(db: Database) -> None:
    for state in STATES:
        await a_reply(db, state=state)
    pages, after = [], 0
    async with db.begin() as tx:
        while page := await replies.open_or_answered(tx, after, 3):
            pages.append([row.state for row in page])
            after = page[-1].id
    assert pages == [list(OPEN), ["answered"]]
