"""Wake-ups between processes, and the database connection under them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.db import (
    Database,
    DatabaseUnavailable,
    direct_connection,
    driver_url,
    libpq_url,
    notify,
)
from shared.errors import ConfigurationError
from shared.wakeups import Wakeups
from tests.fakes.waiting import running, until

LISTENERS = (
    "FROM pg_stat_activity WHERE datname = current_database()"
    " AND (query LIKE 'LISTEN%' OR query LIKE '%EXISTS%' OR query = 'SELECT NULL')"
    " AND pid <> pg_backend_pid() AND state = 'idle'"
)


@pytest_asyncio.fixture(loop_scope="session")
async def listening(db: Database, database_url: str) -> AsyncIterator[tuple[Wakeups, asyncio.Event]]:
    """Wake-ups that listen, and a subscription to `updates`."""
    wakeups = Wakeups(database_url)
    event = wakeups.subscribe("updates")
    async with running(wakeups.run):
        await asyncio.wait_for(event.wait(), 5)  # whatever was notified before is taken to have been
        event.clear()
        yield wakeups, event


async def tell(db: Database, name: str) -> None:
    """Notify in a transaction of its own."""
    async with db.begin() as tx:
        await notify(tx, name)


async def test_a_notification_wakes_every_subscriber_of_its_name(
    db: Database, listening: tuple[Wakeups, asyncio.Event]
) -> None:
    wakeups, event = listening
    second, other = wakeups.subscribe("updates"), wakeups.subscribe("prompts")
    await tell(db, "updates")
    await asyncio.wait_for(asyncio.gather(event.wait(), second.wait()), 5)
    assert not other.is_set()
    await tell(db, "nobody waits for this")


async def test_a_transaction_that_is_rolled_back_wakes_nobody(
    db: Database, listening: tuple[Wakeups, asyncio.Event]
) -> None:
    wakeups, event = listening
    after = wakeups.subscribe("after")
    async with db.begin() as tx:
        await notify(tx, "updates")
        await tx.rollback()
    await tell(db, "after")
    await asyncio.wait_for(after.wait(), 5)
    assert not event.is_set()


async def test_a_lost_connection_is_made_again_and_everybody_looks(
    db: Database, listening: tuple[Wakeups, asyncio.Event]
) -> None:
    _, event = listening
    async with db.begin() as tx:
        killed = await tx.scalars(text(f"SELECT pg_terminate_backend(pid) {LISTENERS}"))
        assert list(killed)
    await asyncio.wait_for(event.wait(), 5)  # something may have been notified meanwhile
    event.clear()
    await tell(db, "updates")
    await asyncio.wait_for(event.wait(), 5)


async def test_what_falls_due_is_found_though_nobody_tells(
    db: Database, listening: tuple[Wakeups, asyncio.Event]
) -> None:
    wakeups, event = listening
    due, never = (
        wakeups.subscribe("due", "SELECT 1 WHERE now() > '2026-01-01'"),
        wakeups.subscribe("never", "SELECT 1 WHERE false"),
    )
    await asyncio.wait_for(due.wait(), 5)
    assert wakeups.is_watching
    assert not never.is_set()
    assert not event.is_set()


async def test_whoever_is_watched_looks_for_themselves_while_the_connection_is_lost(
    db: Database, listening: tuple[Wakeups, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    wakeups, event = listening
    await until(lambda: wakeups.is_watching, "it watches")
    monkeypatch.setattr(wakeups, "_url", "postgresql://nobody:x@127.0.0.1:1/nothing")
    async with db.begin() as tx:
        assert list(await tx.scalars(text(f"SELECT pg_terminate_backend(pid) {LISTENERS}")))
    await asyncio.wait_for(event.wait(), 5)
    assert not wakeups.is_watching


async def test_listening_waits_for_a_database_that_is_away_and_can_be_stopped() -> None:
    wakeups = Wakeups("postgresql://nobody:x@127.0.0.1:1/nothing")
    async with running(wakeups.run):
        await asyncio.sleep(0.1)


def test_a_wake_up_within_the_process_needs_no_database() -> None:
    wakeups = Wakeups("postgresql://nowhere")
    event = wakeups.subscribe("fetch")
    wakeups.wake("fetch")
    wakeups.wake("unknown")
    assert event.is_set()


# the database


@pytest.mark.parametrize(
    "url", ["postgresql://u:p@h:1/d", "postgres://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"]
)
def test_an_address_is_read_in_every_spelling(url: str) -> None:
    assert driver_url(url) == "postgresql+psycopg://u:p@h:1/d"
    assert libpq_url(url) == "postgresql://u:p@h:1/d"


@pytest.mark.parametrize("url", ["", "mysql://h/d", "h:5432/d", "postgresql"])
def test_an_address_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL must look like"):
        driver_url(url)


async def test_a_database_that_is_away_is_of_the_world() -> None:
    away = Database("postgresql://nobody:x@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        await tell(away, "x")
    await away.aclose()


async def test_a_connection_that_dies_within_a_transaction_is_of_the_world(
    db: Database, database_url: str
) -> None:
    other = Database(database_url, pool_size=1)

    async def die() -> None:
        async with other.begin() as tx:
            pid = await tx.scalar(text("SELECT pg_backend_pid()"))
            async with db.begin() as killer:
                await killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await tx.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        await die()
    await tell(other, "the next transaction has a new connection")
    await other.aclose()


async def test_a_pool_that_is_used_up_is_of_the_world(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Database(database_url, pool_size=1)
    monkeypatch.setattr(small.engine.pool, "_timeout", 0.05)

    async def both() -> None:
        async with small.begin() as tx:
            await tx.execute(text("SELECT 1"))
            await tell(small, "x")

    with pytest.raises(DatabaseUnavailable, match="in use"):
        await both()
    await small.aclose()


async def test_an_error_of_the_caller_passes_and_rolls_back(db: Database) -> None:
    async def fail() -> None:
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO chores (name, state) VALUES ('x', 'waiting')"))
            raise LookupError("x")

    with pytest.raises(LookupError):
        await fail()
    async with db.begin() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM chores")) == 0


async def test_times_are_utc_in_both_kinds_of_connection(db: Database, database_url: str) -> None:
    async with db.begin() as tx:
        assert await tx.scalar(text("SHOW timezone")) == "UTC"
    async with await direct_connection(database_url) as connection:
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
