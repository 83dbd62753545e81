"""The rate budget of the fleet: GCRA in Postgres, by the clock of the database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text
from telegram.error import RetryAfter

from shared.db import Database
from shared.outbox import BULK, PROMPT, REMINDER, REPLY
from shared.queues import Later
from shared.settings import Settings
from shared.telegram.governor import PAID, FleetLimiter, Governor
from tests.fakes.waiting import until

GROUP = -1001234567890
SLOW = 1e-6
"""A rate at which nothing flows in during a test."""


def governor(db: Database, **rates: Any) -> Governor:
    """A process's governor."""
    patient: dict[str, Any] = {"rate_answer_s": 20}
    settings = Settings(
        database_url="postgresql://x", bot_token=SecretStr("1000001:token"), **patient | rates
    )
    return Governor(db, settings)


async def taken(
    process: Governor, chat_id: int = 7, *, most: int = 100, cost: float = 1, lane: int = REPLY
) -> int:
    """How many messages may go at once."""
    for count in range(most):
        try:
            await process.take(chat_id, cost, lane=lane, patience_s=0)
        except Later:
            return count
    return most


async def pass_time(db: Database, seconds: float) -> None:
    """Let time pass for every bucket, instead of waiting."""
    async with db.begin() as tx:
        await tx.execute(
            text(
                "UPDATE rate_buckets SET arrival_at = arrival_at - make_interval(secs => :s),"
                " halted_until = halted_until - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


async def wait_of(process: Governor, chat_id: int = 7, cost: float = 1) -> float:
    """The seconds after which a denied message may ask again."""
    with pytest.raises(Later) as denied:
        await process.take(chat_id, cost, lane=REPLY, patience_s=0)
    assert denied.value.retry_after_s is not None
    return denied.value.retry_after_s


@pytest.fixture
async def fleet(db: Database, database_url: str) -> AsyncIterator[list[Database]]:
    """Four processes' pools."""
    pools = [Database(database_url, pool_size=4) for _ in range(4)]
    yield pools
    for pool in pools:
        await pool.aclose()


async def test_a_chat_gets_its_burst_and_then_its_rate(db: Database) -> None:
    process = governor(db, messages_per_s=1000, chat_messages_per_s=0.1, chat_burst=4)
    assert await taken(process) == 4
    assert 9 < await wait_of(process) <= 10
    await pass_time(db, 10)
    assert await taken(process) == 1
    await pass_time(db, 25)
    assert await taken(process) == 2
    await pass_time(db, 10_000)
    assert await taken(process) == 4, "what was not used does not pile up beyond the burst"


async def test_the_bot_has_its_own_burst_and_rate_over_all_chats(db: Database) -> None:
    process = governor(db, messages_per_s=0.1, messages_burst=5, chat_messages_per_s=1000, chat_burst=100)
    counts = [await taken(process, chat_id) for chat_id in (1, 2, 3)]
    assert counts == [5, 0, 0]
    assert 9 < await wait_of(process, 4) <= 10
    await pass_time(db, 20)
    assert await taken(process, 4) == 2


async def test_a_message_that_one_of_the_two_denies_costs_the_other_nothing(db: Database) -> None:
    process = governor(db, messages_per_s=SLOW, messages_burst=3, chat_messages_per_s=SLOW, chat_burst=1)
    await process.take(1, lane=REPLY)
    for _ in range(5):
        await wait_of(process, 1)
    assert await taken(process, 2) == 1, "the bot still has its burst of three"
    assert await taken(process, 3) == 1
    await wait_of(process, 4)  # the bot's is used up
    await pass_time(db, 3 / SLOW)
    assert await taken(process, 4) == 1, "the denied chat paid nothing"


async def test_the_fleet_together_gets_one_budget(fleet: list[Database]) -> None:
    rates = {"messages_per_s": 1000, "chat_messages_per_s": SLOW, "chat_burst": 10}
    counts = await asyncio.gather(*(taken(governor(pool, **rates)) for pool in fleet for _ in range(3)))
    assert sum(counts) == 10


async def test_two_bots_do_not_share_a_budget(db: Database) -> None:
    rates: dict[str, Any] = {"messages_per_s": 1000, "chat_messages_per_s": SLOW, "chat_burst": 2}
    other = Settings(database_url="postgresql://x", bot_token=SecretStr("1000002:token"), **rates)
    assert await taken(governor(db, **rates)) == 2
    assert await taken(Governor(db, other)) == 2


@pytest.mark.parametrize("burst", [1, 15, 20, 50])
async def test_a_group_gets_at_most_its_number_in_any_minute(db: Database, burst: int) -> None:
    process = governor(db, messages_per_s=1000, group_messages_per_min=20, chat_burst=burst)
    sent_at: list[int] = []
    for second in range(180):
        sent_at += [second] * await taken(process, GROUP)
        await pass_time(db, 1)
    for start in range(120):
        in_minute = sum(start <= moment < start + 60 for moment in sent_at)
        assert in_minute <= 20, f"{in_minute} in the minute after {start} s"
    assert len(sent_at) >= 20, "and it is not starved"


async def test_what_costs_more_than_the_burst_goes_when_everything_is_full(db: Database) -> None:
    process = governor(db, messages_per_s=10, chat_messages_per_s=1, chat_burst=2)
    await process.take(7, cost=5)
    assert 4 < await wait_of(process, cost=5) <= 5
    await pass_time(db, 60)
    await process.take(7, cost=5)


async def test_a_denied_message_may_go_when_it_was_told_to_come(db: Database) -> None:
    process = governor(db, messages_per_s=1000, chat_messages_per_s=2, chat_burst=3)
    await taken(process)
    wait_s = await wait_of(process)
    assert 0 < wait_s <= 0.5
    await pass_time(db, wait_s)
    await process.take(7)


async def test_a_halted_chat_gets_nothing_from_any_process_and_the_others_go_on(db: Database) -> None:
    process = governor(db, messages_per_s=1000, chat_burst=5)
    await governor(db).halt(7, 30)
    assert 29 < await wait_of(process, 7) <= 30
    assert await taken(process, 8) == 5
    await pass_time(db, 30)
    assert await taken(process, 7) == 5


async def test_a_shorter_halt_does_not_end_a_longer_one(db: Database) -> None:
    process = governor(db)
    await process.halt(7, 300)
    await process.halt(7, 5)
    assert await wait_of(process, 7) > 250


async def test_several_chats_that_are_halted_at_once_mean_the_bot(db: Database) -> None:
    process = governor(db, messages_per_s=1000, chat_burst=5)
    for chat_id in (1, 2):
        await process.halt(chat_id, 30)
    assert await taken(process, 8) == 5
    await process.halt(3, 30)
    assert 29 < await wait_of(process, 9) <= 30
    await pass_time(db, 30)
    assert await taken(process, 9) > 0


async def test_chats_that_are_halted_one_after_the_other_do_not_mean_the_bot(db: Database) -> None:
    process = governor(db, messages_per_s=1000, chat_burst=5)
    for chat_id in (1, 2, 3):
        await process.halt(chat_id, 30)
        async with db.begin() as tx:
            await tx.execute(text("UPDATE rate_buckets SET halted_at = halted_at - interval '6 s'"))
    assert await taken(process, 9) == 5


# lanes


async def test_a_lower_lane_leaves_a_reserve_of_the_bots_burst_to_the_higher_ones(db: Database) -> None:
    process = governor(db, messages_per_s=0.01, messages_burst=15, chat_burst=100)
    counts = [await taken(process, 7, lane=lane) for lane in (BULK, REMINDER, PROMPT, REPLY)]
    assert counts == [1, 0, 2, 12]
    await pass_time(db, 1)
    assert [await taken(process, 7, lane=lane) for lane in (REPLY, PROMPT, REMINDER, BULK)] == [0, 0, 0, 0]


async def test_a_reply_goes_at_once_however_much_bulk_stands_in_line(fleet: list[Database]) -> None:
    processes = [governor(pool, chat_burst=100) for pool in fleet[:3]]
    sent: list[int] = []

    async def send(process: Governor, number: int, lane: int) -> None:
        await process.take(number + 1, lane=lane, patience_s=60)
        sent.append(lane)

    bulk = [asyncio.create_task(send(processes[n % 3], n, BULK if n % 2 else PROMPT)) for n in range(90)]
    await until(lambda: len(sent) > 9, "the bot is busy")
    before = len(sent)
    await send(processes[0], 1000, REPLY)
    assert len(sent) - before <= 6, "it passed all who stand in line"
    for task in bulk:
        task.cancel()
    ended = await asyncio.gather(*bulk, return_exceptions=True)
    assert not [each for each in ended if isinstance(each, Exception)]
    for process in processes:
        await process.aclose()


async def test_a_busy_fleet_loses_nothing_of_its_rate_and_asks_once_a_message(fleet: list[Database]) -> None:
    processes = [governor(pool) for pool in fleet[:3]]
    asked: Counter[str] = Counter()
    for pool in fleet[:3]:
        event.listen(
            pool.at_once_engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_: asked.update([statement.split("(")[0]]),
        )
    went: list[float] = []

    async def hand(process: Governor, first: int) -> None:
        for number in range(first, 120, 24):
            await process.take(number + 1, lane=PROMPT, patience_s=60)
            went.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(hand(processes[n % 3], n) for n in range(24)))
    assert len(went) / (went[-1] - went[0]) > 0.97 * 30
    # Whatever the moment from which one counts, it is a bucket of 30 that flows in at 30 a second.
    for at, begin_s in enumerate(went):
        assert all(later - at <= 30 + (went[later] - begin_s) * 30 for later in range(at, len(went)))
    assert asked.total() <= 1.2 * 120


# without the database


async def test_a_slow_database_leaves_the_process_its_own_share_until_it_is_quick_again(
    fleet: list[Database], db: Database
) -> None:
    await governor(db).take(7)
    async with aclosing(governor(fleet[0], messages_per_s=3, chat_burst=20, rate_answer_s=0.5)) as process:
        async with db.begin() as tx:
            await tx.execute(text("SELECT * FROM rate_buckets FOR UPDATE"))
            begun_s = asyncio.get_running_loop().time()
            counts = [await taken(process, chat_id) for chat_id in (7, 8)]
            assert asyncio.get_running_loop().time() - begun_s < 2, "one question is enough"
            assert sum(counts) == 1, "a tenth of the burst, and not none"
            assert 1 < await wait_of(process, 9) <= 10 / 3, "a tenth of the rate"

        async def is_shared() -> bool:
            return await taken(process, 8, most=5) > 3

        await until(is_shared, "it returns to the budget of the fleet")


async def test_without_the_database_a_halt_holds_for_its_process() -> None:
    away = Database("postgresql://nobody:x@127.0.0.1:1/nothing")
    async with aclosing(governor(away, messages_burst=15)) as process:
        await process.halt(7, 30)
        assert 29 < await wait_of(process, 7) <= 30
        assert await taken(process, 8) == 1
    await away.aclose()


async def test_transactions_that_hold_every_connection_do_not_hold_the_budget(
    db: Database, database_url: str
) -> None:
    async with aclosing(Database(database_url, pool_size=1)) as pool, pool.begin() as tx:
        await tx.execute(text("SELECT 1"))
        await governor(pool).take(7)


# calls outside of the outbox


class Call:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, *args: Any, **kwargs: Any) -> str:
        self.count += 1
        return "done"


async def request(
    limiter: FleetLimiter, endpoint: str, data: dict[str, Any], args: dict[str, str] | None = None
) -> tuple[Any, int]:
    """What comes of a call, and how often it was made."""
    call = Call()
    try:
        return await limiter.process_request(call, (), {}, endpoint, data, args), call.count
    except Later:
        return None, call.count


async def test_a_call_that_sends_takes_the_budget_unless_it_is_paid_for(db: Database) -> None:
    limiter = FleetLimiter(governor(db, messages_per_s=1000, chat_messages_per_s=SLOW, chat_burst=1))
    await limiter.initialize()
    to_ann = {"chat_id": 7}
    assert await request(limiter, "sendMessage", to_ann) == ("done", 1)
    assert await request(limiter, "sendMessage", to_ann) == (None, 0)
    assert await request(limiter, "editMessageText", to_ann) == (None, 0)
    assert await request(limiter, "deleteMessage", to_ann) == (None, 0)
    assert await request(limiter, "sendMessage", to_ann, PAID) == ("done", 1)
    await limiter.shutdown()


@pytest.mark.parametrize(
    ("endpoint", "more", "cost"),
    [
        ("sendMediaGroup", {"media": [1, 2, 3, 4]}, 4),
        ("forwardMessages", {"message_ids": [1, 2]}, 2),
        ("sendPhoto", {}, 1),
        ("editMessageCaption", {}, 1),
        ("deleteMessages", {"message_ids": [1, 2, 3]}, 1),
    ],
)
async def test_a_call_costs_the_messages_that_it_makes(
    db: Database, endpoint: str, more: dict[str, Any], cost: int
) -> None:
    process = governor(db, messages_per_s=1000, chat_messages_per_s=SLOW, chat_burst=10)
    assert await request(FleetLimiter(process), endpoint, {"chat_id": 7, **more}) == ("done", 1)
    assert await taken(process, 7) == 10 - cost


@pytest.mark.parametrize("chat_id", ["@audits", "-1001234567890", "7"])
async def test_a_chat_that_is_named_by_a_text_is_governed_too(db: Database, chat_id: str) -> None:
    limiter = FleetLimiter(governor(db, messages_per_s=1000, chat_messages_per_s=SLOW, chat_burst=1))
    assert await request(limiter, "sendMessage", {"chat_id": chat_id}) == ("done", 1)
    assert await request(limiter, "sendMessage", {"chat_id": chat_id}) == (None, 0)


async def test_a_numeric_text_and_its_number_are_one_chat(db: Database) -> None:
    limiter = FleetLimiter(governor(db, messages_per_s=1000, chat_messages_per_s=SLOW, chat_burst=1))
    assert await request(limiter, "sendMessage", {"chat_id": "7"}) == ("done", 1)
    assert await request(limiter, "sendMessage", {"chat_id": 7}) == (None, 0)


@pytest.mark.parametrize("args", [None, PAID])
async def test_a_429_of_any_call_halts_its_chat_for_every_process_and_is_told(
    db: Database, args: dict[str, str] | None
) -> None:
    async def refuse() -> None:
        raise RetryAfter(timedelta(seconds=30))

    limiter = FleetLimiter(governor(db))
    with pytest.raises(RetryAfter):
        await limiter.process_request(refuse, (), {}, "sendMessage", {"chat_id": 7}, args)
    assert 29 < await wait_of(governor(db), 7) <= 30


@pytest.mark.parametrize(
    ("endpoint", "paid"),
    [("sendMessage", True), ("copyMessage", True), ("editMessageText", False), ("sendChatAction", False)],
)
async def test_a_paid_broadcast_says_so_in_each_call_that_makes_a_message(
    db: Database, endpoint: str, paid: bool
) -> None:
    for allowed in (True, False):
        limiter = FleetLimiter(governor(db, messages_per_s=1000, allow_paid_broadcast=allowed))
        data: dict[str, Any] = {"chat_id": 7}
        await request(limiter, endpoint, data, PAID)
        assert data.get("allow_paid_broadcast", False) is (paid and allowed)


@pytest.mark.parametrize(
    ("endpoint", "data"),
    [
        ("sendChatAction", {"chat_id": 7}),
        ("answerCallbackQuery", {}),
        ("getChatAdministrators", {"chat_id": 7}),
        ("setMyCommands", {}),
        ("sendMessage", {}),
    ],
)
async def test_a_call_that_costs_nothing_takes_nothing(
    db: Database, endpoint: str, data: dict[str, Any]
) -> None:
    limiter = FleetLimiter(
        governor(db, messages_per_s=SLOW, messages_burst=1, chat_messages_per_s=SLOW, chat_burst=1)
    )
    for _ in range(20):
        assert await request(limiter, endpoint, data) == ("done", 1)
