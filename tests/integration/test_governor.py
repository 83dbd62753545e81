"""The rate budget of the fleet: GCRA in Postgres, by the clock of the database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from shared.db import Database
from shared.queues import Later
from shared.settings import Settings
from shared.telegram.governor import BOT_BURST, PAID, FleetLimiter, Governor

GROUP = -1001234567890
SLOW = 1e-6
"""A rate at which nothing flows in during a test."""


def governor(db: Database, **rates: Any) -> Governor:
    """A process's governor."""
    settings = Settings(database_url="postgresql://x", bot_token=SecretStr("1000001:token"), **rates)
    return Governor(db, settings)


async def taken(process: Governor, chat_id: int = 7, *, most: int = 100, cost: float = 1) -> int:
    """How many messages may go at once."""
    for count in range(most):
        try:
            await process.take(chat_id, cost)
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
        await process.take(chat_id, cost)
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
    process = governor(db, messages_per_s=0.1, chat_messages_per_s=1000, chat_burst=100)
    counts = [await taken(process, chat_id) for chat_id in (1, 2, 3)]
    assert counts == [BOT_BURST, 0, 0]
    assert 9 < await wait_of(process, 4) <= 10
    await pass_time(db, 20)
    assert await taken(process, 4) == 2


async def test_a_message_that_one_of_the_two_denies_costs_the_other_nothing(db: Database) -> None:
    process = governor(db, messages_per_s=SLOW, chat_messages_per_s=SLOW, chat_burst=1)
    await process.take(1)
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


async def test_a_halted_chat_gets_nothing_and_the_others_go_on(db: Database) -> None:
    process = governor(db, messages_per_s=1000, chat_burst=5)
    await process.halt(7, 30)
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
    limiter = FleetLimiter(governor(db, messages_per_s=SLOW, chat_messages_per_s=SLOW, chat_burst=1))
    for _ in range(BOT_BURST + 2):
        assert await request(limiter, endpoint, data) == ("done", 1)
