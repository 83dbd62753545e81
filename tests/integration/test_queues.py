"""The one mechanism of all queues: claims, order, retries, poison, stopping."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared import inbox, queues
from shared.db import Database, Tx, notify
from shared.errors import AuthorError, ConfigurationError, StepgramError, WorldError
from shared.models import Chore, Json, Update
from shared.queues import MAX_LAPSES, Later, Loop, LostClaim, Queue, claim, extend, pause_s, settle
from shared.wakeups import Wakeups
from tests.fakes.rows import BOT_ID, all_of, an_update, get, lapse
from tests.fakes.waiting import running, until

PLAIN = Queue("plain", Update, ("queued",), poison="poison", max_attempts=3)
ORDERED = Queue("ordered", Update, ("queued",), order_key="order_key", poison="poison")


@pytest.fixture
def wakeups() -> Wakeups:
    """Wake-ups of which nobody tells: what is found is found by polling or by waking by hand."""
    return Wakeups("postgresql://nowhere")


async def fill(db: Database, keys: Sequence[str]) -> None:
    """Store one update for each order key, in order."""
    async with db.begin() as tx:
        tx.add_all(
            Update(bot_id=BOT_ID, update_id=number, order_key=key, payload={}, state="queued")
            for number, key in enumerate(keys)
        )


async def take(db: Database, queue: Queue[Update], limit: int = 100, claim_s: float = 60) -> Sequence[Update]:
    """Claim in a transaction of its own."""
    async with db.begin() as tx:
        return await claim(tx, queue, limit, claim_s)


async def finish(db: Database, row: Update) -> None:
    """Settle a row as handled."""
    async with db.begin() as tx:
        await settle(tx, row, state="handled")


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[list[Database]]:
    """Eight processes' pools."""
    pools = [Database(database_url, pool_size=2) for _ in range(8)]
    yield pools
    for pool in pools:
        await pool.aclose()


# claims


async def test_a_row_is_claimed_once_however_many_claim_at_once(
    db: Database, connections: list[Database]
) -> None:
    await fill(db, [f"key:{n}" for n in range(400)])

    async def worker(pool: Database, most: int) -> list[int]:
        mine: list[int] = []
        while rows := await take(pool, PLAIN, most):
            mine += [row.id for row in rows]
        return mine

    taken = await asyncio.gather(*(worker(pool, most) for pool in connections for most in (3, 7)))
    counts = Counter(row_id for mine in taken for row_id in mine)
    assert len(counts) == 400
    assert set(counts.values()) == {1}
    assert sum(bool(mine) for mine in taken) > 1, "only one of them worked"


async def test_one_row_of_a_key_is_in_hand_at_a_time_and_in_order(
    db: Database, connections: list[Database]
) -> None:
    chance = random.Random(1)
    await fill(db, [f"key:{chance.randrange(12)}" for _ in range(300)])
    seen: dict[str, list[int]] = defaultdict(list)
    in_hand: set[str] = set()

    async def worker(pool: Database) -> None:
        while True:
            rows = await take(pool, ORDERED, 4)
            if not rows and not await all_of(pool, Update, Update.state == "queued"):
                return
            for row in rows:
                assert row.order_key not in in_hand, "two rows of one key at once"
                in_hand.add(row.order_key)
            await asyncio.sleep(0)
            for row in rows:
                seen[row.order_key].append(row.id)
                in_hand.remove(row.order_key)
                await finish(pool, row)

    await asyncio.gather(*(worker(pool) for pool in connections))
    assert sum(map(len, seen.values())) == 300
    assert all(ids == sorted(ids) for ids in seen.values())


async def test_a_key_whose_first_row_is_not_due_waits_as_a_whole(db: Database) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=60)
    await an_update(db, "chat:1", due_at=soon)
    await an_update(db, "chat:1")
    other = await an_update(db, "chat:2")
    assert [row.id for row in await take(db, ORDERED)] == [other]


async def test_poison_does_not_hold_up_its_key(db: Database) -> None:
    first = await an_update(db, "chat:1", state="poison")
    second = await an_update(db, "chat:1")
    assert [row.id for row in await take(db, ORDERED)] == [second]
    assert (await get(db, Update, first)).state == "poison"


async def test_the_oldest_due_rows_are_taken_first(db: Database) -> None:
    now = datetime.now(UTC)
    ages = {age: await an_update(db, f"k:{age}", due_at=now - timedelta(seconds=age)) for age in (1, 9, 5)}
    assert [row.id for row in await take(db, PLAIN, 1)] == [ages[9]]
    assert [row.id for row in await take(db, PLAIN, 1)] == [ages[5]]


async def test_rows_are_handed_over_in_the_order_of_their_ids(db: Database) -> None:
    await fill(db, ["k"] * 50)
    ids = [row.id for row in await take(db, PLAIN)]
    assert ids == sorted(ids)
    assert len(ids) == 50


async def test_a_claim_is_a_moment_ahead_a_token_and_an_attempt(db: Database) -> None:
    await an_update(db)
    (row,) = await take(db, PLAIN)
    assert row.claim is not None
    assert row.attempts == 1
    assert timedelta(seconds=55) < row.due_at - datetime.now(UTC) <= timedelta(seconds=60)
    assert (await get(db, Update, row.id)).claim == row.claim


async def test_a_claim_that_was_rolled_back_never_was(db: Database) -> None:
    await an_update(db)
    async with db.begin() as tx:
        assert len(await claim(tx, PLAIN, 1, 60)) == 1
        await tx.rollback()
    assert len(await take(db, PLAIN)) == 1


async def test_a_lapsed_claim_is_taken_again_and_the_late_holder_changes_nothing(db: Database) -> None:
    await an_update(db, payload={"n": 1})
    (late,) = await take(db, PLAIN)
    await lapse(db, Update)
    (holder,) = await take(db, PLAIN)
    assert (holder.id, holder.attempts) == (late.id, 2)

    async def too_late() -> None:
        async with db.begin() as tx:
            tx.add(Update(bot_id=1, update_id=1, order_key="x", payload={}, state="queued"))
            await settle(tx, late, state="handled")

    with pytest.raises(LostClaim, match="was taken by another holder"):
        await too_late()
    assert [row.state for row in await all_of(db, Update)] == ["queued"], "its transaction is rolled back"
    await finish(db, holder)
    assert (await get(db, Update, holder.id)).state == "handled"


async def test_a_holder_whose_claim_lapsed_may_still_finish_while_nobody_has_taken_it(db: Database) -> None:
    await an_update(db)
    (row,) = await take(db, PLAIN)
    await lapse(db, Update)
    await finish(db, row)
    assert (await get(db, Update, row.id)).state == "handled"


async def test_a_row_cannot_be_settled_twice(db: Database) -> None:
    await an_update(db)
    (row,) = await take(db, PLAIN)
    await finish(db, row)
    with pytest.raises(LostClaim):
        await finish(db, row)


async def test_settling_gives_the_claim_back_and_forgets_the_failures(db: Database) -> None:
    await an_update(db, attempts=4, last_error="once")
    (row,) = await take(db, PLAIN)
    await finish(db, row)
    done = await get(db, Update, row.id)
    assert (done.claim, done.attempts, done.last_error) == (None, 0, None)


async def test_a_claim_that_is_extended_does_not_lapse(db: Database) -> None:
    lost, held = await an_update(db), await an_update(db)
    rows = {row.id: row for row in await take(db, PLAIN)}
    await lapse(db, Update)
    (other,) = await take(db, PLAIN, 1)
    assert other.id == lost
    async with db.begin() as tx:
        await extend(tx, PLAIN, list(rows.values()), 120)
    assert (await get(db, Update, lost)).due_at == other.due_at, "a claim that is lost is not extended"
    assert 110 < due_in(await get(db, Update, held)) <= 120
    await finish(db, rows[held])


async def test_a_handler_may_take_longer_than_its_claim(db: Database, wakeups: Wakeups) -> None:
    await an_update(db)
    handled: list[int] = []

    async def slow(row: Update) -> None:
        await asyncio.sleep(0.7)
        await finish(db, row)
        handled.append(row.id)

    loops = [Loop(PLAIN, slow, db, wakeups, poll_s=0.02, claim_s=0.3) for _ in range(2)]
    async with running(*(loop.run for loop in loops)):
        await until(lambda: handled, "the row is handled")
    assert len(handled) == 1
    assert [row.attempts for row in await all_of(db, Update)] == [0]


# pauses


@pytest.mark.parametrize("attempts", [0, 1, 2, 5, 50, 10_000])
def test_a_pause_doubles_with_jitter_and_is_bounded(attempts: int) -> None:
    pauses = [pause_s(attempts, 60) for _ in range(50)]
    middle = min(60, 0.25 * 2**attempts) if attempts < 20 else 60
    assert all(0.75 * middle <= pause <= 1.25 * middle for pause in pauses)
    assert len(set(pauses)) > 1


# the loop


class Handler:
    """Notes what it was given and does to it what the test says."""

    def __init__(self, db: Database, *failures: Exception) -> None:
        self.db = db
        self.failures = list(failures)
        self.seen: list[Update] = []
        self.poisoned: list[tuple[int, str]] = []

    async def __call__(self, row: Update) -> None:
        self.seen.append(row)
        if self.failures:
            raise self.failures.pop(0)
        await finish(self.db, row)

    async def on_poison(self, tx: Tx, row: Update, reason: str) -> None:
        self.poisoned.append((row.id, reason))


async def fail_once(
    db: Database, wakeups: Wakeups, error: Exception, queue: Queue[Update] = PLAIN, **row: Any
) -> tuple[Update, Handler]:
    """Let a loop meet one failing row; the row afterwards."""
    row_id = await an_update(db, **row)
    handler = Handler(db, error)
    loop = Loop(queue, handler, db, wakeups, on_poison=handler.on_poison)
    async with running(loop.run):
        await until(lambda: handler.seen, "the row is taken")

        async def given_back() -> Update | None:
            now = await get(db, Update, row_id)
            return now if now.claim is None else None

        found = await until(given_back, "the row is given back")
    assert found is not None
    return found, handler


def due_in(row: Update) -> float:
    """Seconds until a row is due."""
    return (row.due_at - datetime.now(UTC)).total_seconds()


async def test_an_unexpected_error_is_tried_again_after_a_pause(db: Database, wakeups: Wakeups) -> None:
    row, _ = await fail_once(db, wakeups, RuntimeError("broken"))
    assert (row.state, row.attempts, row.last_error) == ("queued", 1, "RuntimeError: broken")
    assert 0 < due_in(row) < 1


async def test_a_row_that_fails_too_often_is_set_aside_with_its_reason(
    db: Database, wakeups: Wakeups
) -> None:
    row, handler = await fail_once(db, wakeups, RuntimeError("broken"), attempts=2)
    assert (row.state, row.last_error) == ("poison", "RuntimeError: broken")
    assert handler.poisoned == [(row.id, "broken")]


async def test_a_row_whose_holders_never_come_back_is_set_aside_unhandled(
    db: Database, wakeups: Wakeups
) -> None:
    row_id = await an_update(db)
    for _ in range(MAX_LAPSES):
        assert len(await take(db, PLAIN)) == 1
        await lapse(db, Update)
    handler = Handler(db)
    async with running(Loop(PLAIN, handler, db, wakeups, on_poison=handler.on_poison).run):

        async def set_aside() -> bool:
            return (await get(db, Update, row_id)).state == "poison"

        await until(set_aside, "the row is set aside")
    assert handler.seen == []
    assert "died or stood still" in handler.poisoned[0][1]


async def test_an_authors_error_is_poison_at_once(db: Database, wakeups: Wakeups) -> None:
    row, handler = await fail_once(db, wakeups, AuthorError("no such thing"))
    assert (row.state, row.last_error) == ("poison", "AuthorError: no such thing")
    assert handler.poisoned == [(row.id, "no such thing")]


@pytest.mark.parametrize("attempts", [0, 2, 500])
async def test_the_worlds_errors_never_make_poison(db: Database, wakeups: Wakeups, attempts: int) -> None:
    row, handler = await fail_once(db, wakeups, WorldError("away"), attempts=attempts)
    assert (row.state, row.attempts, handler.poisoned) == ("queued", attempts + 1, [])
    assert due_in(row) <= 1.25 * PLAIN.longest_pause_s


async def test_a_wrong_setting_never_makes_poison(db: Database, wakeups: Wakeups) -> None:
    row, handler = await fail_once(db, wakeups, ConfigurationError("R2_BUCKET_NAME"), attempts=500)
    assert (row.state, handler.poisoned) == ("queued", [])


async def test_the_world_may_name_its_own_pause(db: Database, wakeups: Wakeups) -> None:
    row, _ = await fail_once(db, wakeups, WorldError("slow down", retry_after_s=1234))
    assert 1230 < due_in(row) <= 1234


async def test_later_is_no_failed_attempt(db: Database, wakeups: Wakeups) -> None:
    row, _ = await fail_once(db, wakeups, Later("not now", retry_after_s=40), attempts=2)
    assert (row.state, row.attempts) == ("queued", 2)
    assert 35 < due_in(row) <= 40


async def test_a_queue_without_poison_tries_for_ever(db: Database, wakeups: Wakeups) -> None:
    queue = Queue("endless", Update, ("queued",))
    for error in (AuthorError("wrong"), RuntimeError("broken")):
        row, handler = await fail_once(db, wakeups, error, queue, attempts=99)
        assert (row.state, handler.poisoned) == ("queued", [])


async def test_a_reason_of_any_length_and_any_characters_is_kept(db: Database, wakeups: Wakeups) -> None:
    row, _ = await fail_once(db, wakeups, RuntimeError("nul \0 half \ud800 " + "x" * 10_000))
    assert row.state == "queued"
    assert (row.last_error or "").startswith("RuntimeError: nul")
    assert 1990 < len(row.last_error or "") <= 2000


async def test_poison_whose_consequence_fails_is_not_set_aside(db: Database, wakeups: Wakeups) -> None:
    """Whatever follows from poison is in one transaction with it."""
    row_id = await an_update(db)
    tried = asyncio.Event()

    async def handle(row: Update) -> None:
        raise AuthorError("wrong")

    async def broken(tx: Tx, row: Update, reason: str) -> None:
        tried.set()
        raise WorldError("the consequence failed")

    async with running(Loop(PLAIN, handle, db, wakeups, on_poison=broken).run):
        await asyncio.wait_for(tried.wait(), 5)
    assert (await get(db, Update, row_id)).state == "queued"


async def test_a_holder_that_lost_its_claim_leaves_the_row_alone(db: Database, wakeups: Wakeups) -> None:
    row_id = await an_update(db)
    done = asyncio.Event()

    async def slow(row: Update) -> None:
        await lapse(db, Update)
        (other,) = await take(db, PLAIN)
        try:
            await finish(db, row)
        finally:
            await finish(db, other)
            done.set()

    async with running(Loop(PLAIN, slow, db, wakeups).run):
        await asyncio.wait_for(done.wait(), 5)
    row = await get(db, Update, row_id)
    assert (row.state, row.attempts, row.last_error) == ("handled", 0, None)


async def test_a_failure_after_the_claim_was_lost_leaves_the_row_alone(
    db: Database, wakeups: Wakeups
) -> None:
    row_id = await an_update(db)
    done = asyncio.Event()

    async def slow(row: Update) -> None:
        await lapse(db, Update)
        (other,) = await take(db, PLAIN)
        await finish(db, other)
        done.set()
        raise AuthorError("too late to matter")

    async with running(Loop(PLAIN, slow, db, wakeups).run):
        await asyncio.wait_for(done.wait(), 5)
    assert (await get(db, Update, row_id)).state == "handled"


async def test_what_follows_from_poison_is_taken_back_with_a_lost_claim(
    db: Database, wakeups: Wakeups
) -> None:
    await an_update(db)
    followed = asyncio.Event()

    async def slow(row: Update) -> None:
        await lapse(db, Update)
        (other,) = await take(db, PLAIN)
        await finish(db, other)
        raise AuthorError("too late to matter")

    async def follow(tx: Tx, row: Update, reason: str) -> None:
        tx.add(Chore(name="what follows", state="waiting"))
        followed.set()

    async with running(Loop(PLAIN, slow, db, wakeups, on_poison=follow).run):
        await asyncio.wait_for(followed.wait(), 5)
    assert [row.state for row in await all_of(db, Update)] == ["handled"]
    assert await all_of(db, Chore) == []


async def test_one_failing_row_does_not_hold_up_the_others(db: Database, wakeups: Wakeups) -> None:
    await fill(db, [f"k:{n}" for n in range(30)])
    handler = Handler(db, *[RuntimeError("broken")] * 5)
    async with running(Loop(PLAIN, handler, db, wakeups, concurrency=3, poll_s=0.05).run):

        async def all_handled() -> bool:
            return all(row.state == "handled" for row in await all_of(db, Update))

        await until(all_handled, "all are handled")
    assert len(handler.seen) == 35


async def test_no_more_rows_are_in_hand_than_there_is_room_for(db: Database, wakeups: Wakeups) -> None:
    await fill(db, [f"k:{n}" for n in range(40)])
    in_hand = most = 0

    async def handle(row: Update) -> None:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0)
        await finish(db, row)
        in_hand -= 1

    async with running(Loop(PLAIN, handle, db, wakeups, concurrency=4, poll_s=30).run):

        async def all_handled() -> bool:
            return all(row.state == "handled" for row in await all_of(db, Update))

        await until(all_handled, "all are handled without a poll")
    assert most == 4


async def test_the_next_row_of_a_key_follows_at_once(db: Database, wakeups: Wakeups) -> None:
    await fill(db, ["chat:1"] * 30)
    handler = Handler(db)
    async with running(Loop(ORDERED, handler, db, wakeups, poll_s=30).run):
        await until(lambda: len(handler.seen) == 30, "all are handled without a poll", patience_s=5)


async def test_a_wake_up_finds_a_new_row_and_a_poll_is_the_net(db: Database, wakeups: Wakeups) -> None:
    woken, polled = Handler(db), Handler(db)
    async with running(Loop(PLAIN, woken, db, wakeups, poll_s=30).run):
        await asyncio.sleep(0.05)  # it has looked and rests
        await an_update(db)
        wakeups.wake(PLAIN.name)
        await until(lambda: woken.seen, "the woken loop takes the row", patience_s=5)
    async with running(Loop(PLAIN, polled, db, wakeups, poll_s=0.05).run):
        await asyncio.sleep(0.1)
        await an_update(db)
        await until(lambda: polled.seen, "the polling loop takes the row", patience_s=5)


async def test_a_row_that_is_due_before_the_next_poll_is_not_late(db: Database, wakeups: Wakeups) -> None:
    await an_update(db)
    handler = Handler(db, Later("in a moment", retry_after_s=0.05))
    async with running(Loop(PLAIN, handler, db, wakeups, poll_s=30).run):
        await until(lambda: len(handler.seen) == 2, "the row is taken again", patience_s=5)


async def test_a_notification_reaches_the_loop_of_another_process(db: Database, database_url: str) -> None:
    listening = Wakeups(database_url)
    handler = Handler(db)
    async with running(listening.run, Loop(PLAIN, handler, db, listening, poll_s=30).run):
        await asyncio.sleep(0.1)
        await an_update(db)
        async with db.begin() as tx:
            await notify(tx, PLAIN.name)
        await until(lambda: handler.seen, "the notified loop takes the row", patience_s=5)


async def test_a_row_that_falls_due_is_found_by_one_look_for_all(db: Database, database_url: str) -> None:
    watching = Wakeups(database_url)
    handler = Handler(db)
    loops = [Loop(queue, handler, db, watching, poll_s=30) for queue in (PLAIN, ORDERED)]
    async with running(watching.run, *(loop.run for loop in loops)):
        await until(lambda: watching.is_watching, "it watches")
        await an_update(db, due_at=datetime.now(UTC) + timedelta(seconds=0.5))
        await until(lambda: handler.seen, "the row is taken when it is due", patience_s=5)


async def test_loops_that_are_watched_do_not_look_for_nothing(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Counter[str] = Counter()
    watching, take, look = Wakeups(database_url), Loop._take, Wakeups._look

    async def counted_take(self: Loop[Update], room: int) -> int:
        done["takes"] += 1
        return await take(self, room)

    async def counted_look(self: Wakeups, connection: Any) -> None:
        done["looks"] += 1
        await look(self, connection)

    monkeypatch.setattr(Loop, "_take", counted_take)
    monkeypatch.setattr(Wakeups, "_look", counted_look)
    loops = [Loop(queue, Handler(db), db, watching, poll_s=0.01) for queue in (PLAIN, ORDERED)]
    async with running(watching.run, *(loop.run for loop in loops)):
        await until(lambda: done["looks"] == 3, "it looks three times")
        assert done["takes"] == 0
        await an_update(db)
        await until(lambda: done["takes"] > 0, "they look when something is due")


async def test_loops_look_for_themselves_when_nobody_can_watch(db: Database) -> None:
    away = Wakeups("postgresql://nobody:x@127.0.0.1:1/nothing")
    handler = Handler(db)
    async with running(away.run, Loop(PLAIN, handler, db, away, poll_s=0.05).run):
        await until(lambda: not away.is_watching, "it has lost the database")
        await an_update(db)
        await until(lambda: handler.seen, "the loop takes the row by itself", patience_s=5)


async def test_a_stop_finishes_what_is_in_hand_and_takes_no_more(db: Database, wakeups: Wakeups) -> None:
    await fill(db, [f"k:{n}" for n in range(10)])
    go_on = asyncio.Event()
    begun = asyncio.Event()

    async def handle(row: Update) -> None:
        begun.set()
        await go_on.wait()
        await finish(db, row)

    stopping = asyncio.Event()
    run = asyncio.create_task(Loop(PLAIN, handle, db, wakeups, concurrency=3).run(stopping))
    await asyncio.wait_for(begun.wait(), 5)
    stopping.set()
    await asyncio.sleep(0.05)
    assert not run.done(), "it waits for what is in hand"
    go_on.set()
    await asyncio.wait_for(run, 5)
    states = Counter(row.state for row in await all_of(db, Update))
    assert states == {"handled": 3, "queued": 7}


async def test_a_loop_outlives_a_database_that_is_away(db: Database, wakeups: Wakeups) -> None:
    handler = Handler(db)
    await an_update(db, due_at=text("now() + interval '1 hour'"))
    async with running(Loop(PLAIN, handler, db, wakeups, poll_s=0.05).run):
        await asyncio.sleep(0.05)
        async with db.begin() as tx:  # the only connection that lives on
            await tx.execute(text("UPDATE updates SET due_at = now()"))
            await tx.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await until(lambda: handler.seen, "the row is taken by a new connection")


async def test_a_row_that_kills_whoever_takes_it_is_set_aside(db: Database, wakeups: Wakeups) -> None:
    row_id = await an_update(db)
    for _ in range(MAX_LAPSES + 1):  # so many processes died with it in hand
        assert len(await take(db, PLAIN)) == 1
        await lapse(db, Update)
    handler = Handler(db)

    async def set_aside() -> bool:
        return (await get(db, Update, row_id)).state == "poison"

    async with running(Loop(PLAIN, handler, db, wakeups).run):
        await until(set_aside, "it is set aside")
    assert handler.seen == []
    assert "processes died" in ((await get(db, Update, row_id)).last_error or "")


async def test_a_row_that_was_given_back_between_has_not_killed_anybody(db: Database) -> None:
    await an_update(db)
    for _ in range(3):
        (row,) = await take(db, PLAIN)
        await lapse(db, Update)
    assert row.lapses == 2
    async with db.begin() as tx:
        await settle(tx, row)
    await lapse(db, Update)
    assert [row.lapses for row in await take(db, PLAIN)] == [0]


async def test_a_loop_outlives_a_world_that_fails_its_own_work(
    db: Database, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {"claim_with_tasks": 2, "extend": 1}

    def flaky(name: str) -> Any:
        real = getattr(queues, name)

        async def call(*args: Any) -> Any:
            if failing[name] > 0:
                failing[name] -= 1
                raise WorldError("the database is away")
            return await real(*args)

        return call

    for name in failing:
        monkeypatch.setattr(queues, name, flaky(name))
    await an_update(db)
    done: list[int] = []

    async def slow(row: Update) -> None:
        await asyncio.sleep(0.4)
        await finish(db, row)
        done.append(row.id)

    monkeypatch.setattr(queues, "pause_s", lambda *_: 0.01)
    async with running(Loop(PLAIN, slow, db, wakeups, claim_s=0.6).run):
        await until(lambda: done, "the row is handled")
    assert failing == {"claim_with_tasks": 0, "extend": 0}


async def test_an_error_of_ours_that_is_nobodys_fault_counts_as_unexpected(
    db: Database, wakeups: Wakeups
) -> None:
    row, _ = await fail_once(db, wakeups, StepgramError("hm"), attempts=2)
    assert row.state == "poison"


async def test_processes_that_die_at_any_moment_leave_every_row_handled_once(
    db: Database, database_url: str, wakeups: Wakeups
) -> None:
    """Death is the cancellation of everything that a process does, at a moment of chance's choosing."""
    chance = random.Random(7)
    await fill(db, [f"key:{n % 10}" for n in range(60)])

    class Process:
        def __init__(self) -> None:
            self.pool = Database(database_url, pool_size=6)
            self.loop = Loop(
                ORDERED, self.handle, self.pool, wakeups, concurrency=4, poll_s=0.05, claim_s=0.3
            )
            self.run = asyncio.create_task(self.loop.run(asyncio.Event()))

        async def handle(self, row: Update) -> None:
            async with self.pool.begin() as tx:
                # A second time would break the chores' unique name.
                tx.add(Chore(name=f"row {row.id}", state="waiting"))
                await tx.flush()
                await asyncio.sleep(chance.random() / 50)
                await settle(tx, row, state="handled")

        async def die(self) -> None:
            tasks = [self.run, *self.loop._running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.pool.aclose()

    processes = [Process(), Process()]

    async def all_handled() -> bool:
        return all(row.state == "handled" for row in await all_of(db, Update))

    while not await all_handled():
        await asyncio.sleep(chance.random() / 4)
        victim = processes.pop(0)
        await victim.die()
        processes.append(Process())
    for process in processes:
        await process.die()
    assert len(await all_of(db, Chore)) == 60


# rows that are handed over at their birth


def said(number: int, chat: int = 1) -> Json:
    """An update of a chat."""
    return {"update_id": number, "message": {"chat": {"id": chat}}}


def handing(db: Database, wakeups: Wakeups, handled: list[int], concurrency: int = 8) -> Loop[Update]:
    """A loop of the inbox that looks into the queue once a minute."""

    async def handle(row: Update) -> None:
        handled.append(row.update_id)
        await finish(db, row)

    return Loop(inbox.UPDATES, handle, db, wakeups, poll_s=60, concurrency=concurrency)


async def test_a_row_is_handled_by_the_process_that_makes_it(db: Database, wakeups: Wakeups) -> None:
    handled: list[int] = []
    heard: list[str] = []
    async with running(handing(db, wakeups, handled).run):
        await until(lambda: inbox.UPDATES.name in db.keepers, "the loop runs")
        db.on_notified, before = heard.append, db.on_notified
        async with db.begin() as tx:
            assert await inbox.store(tx, BOT_ID, [said(1, 1), said(2, 2)]) == 2
            assert not handled, "nothing is handled before it is committed"
        await until(lambda: len(handled) == 2, "both are handled")
        db.on_notified = before
    assert heard == [], "nobody else needs to look"
    assert {row.state for row in await all_of(db, Update)} == {"handled"}


async def test_a_row_behind_another_of_its_chat_is_not_handed_over(db: Database, wakeups: Wakeups) -> None:
    await fill(db, ["chat:1"])
    handled: list[int] = []
    loop = handing(db, wakeups, handled)
    db.keepers[inbox.UPDATES.name] = loop
    loop._is_open = True
    async with db.begin() as tx:
        await inbox.store(tx, BOT_ID, [said(7, 1), said(8, 2), said(9, 2)])
    del db.keepers[inbox.UPDATES.name]
    await until(lambda: handled, "the first of the other chat is handled")
    waiting = [
        row.update_id for row in await all_of(db, Update) if row.claim is None and row.state == "queued"
    ]
    assert (handled, waiting) == ([8], [0, 7, 9])


async def store_and_fail(db: Database) -> None:
    async with db.begin() as tx:
        await inbox.store(tx, BOT_ID, [said(1)])
        raise ZeroDivisionError


async def test_a_row_that_was_rolled_back_is_handed_to_nobody(db: Database, wakeups: Wakeups) -> None:
    handled: list[int] = []
    async with running(handing(db, wakeups, handled).run):
        await until(lambda: inbox.UPDATES.name in db.keepers, "the loop runs")
        with pytest.raises(ZeroDivisionError):
            await store_and_fail(db)
    assert handled == []
    assert await all_of(db, Update) == []


async def test_what_a_process_has_no_room_for_waits_for_any(db: Database, wakeups: Wakeups) -> None:
    loop = handing(db, wakeups, [], concurrency=2)
    db.keepers[inbox.UPDATES.name] = loop
    loop._is_open = True
    heard: list[str] = []
    db.on_notified, before = heard.append, db.on_notified
    async with db.begin() as tx:
        await inbox.store(tx, BOT_ID, [said(number, number) for number in range(5)])
    del db.keepers[inbox.UPDATES.name]
    db.on_notified = before
    assert heard == [inbox.UPDATES.name]
    assert sorted(row.update_id for row in await take(db, inbox.UPDATES)) == [2, 3, 4]


async def test_a_row_whose_maker_died_is_taken_when_its_claim_lapses(
    db: Database, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = handing(db, wakeups, [])
    loop._is_open = True
    monkeypatch.setattr(loop, "hand", lambda row, task: None)
    db.keepers[inbox.UPDATES.name] = loop
    async with db.begin() as tx:
        await inbox.store(tx, BOT_ID, [said(1)])
    del db.keepers[inbox.UPDATES.name]
    assert await take(db, inbox.UPDATES) == []
    await lapse(db, Update)
    (row,) = await take(db, inbox.UPDATES)
    assert (row.update_id, row.lapses) == (1, 1)


async def test_a_loop_that_stops_keeps_nothing(db: Database, wakeups: Wakeups) -> None:
    loop = handing(db, wakeups, [])
    async with running(loop.run):
        await until(lambda: loop.room == 8, "the loop runs")
    assert loop.room == 0
    assert inbox.UPDATES.name not in db.keepers
