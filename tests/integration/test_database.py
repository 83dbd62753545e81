"""The pool: connections that rested are tried before they are used."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared import db as database_module
from shared.db import Database, DatabaseUnavailable, notify


async def _end_all_connections(db: Database) -> None:
    """As a restart of the server does, to the pool's connections that rest."""
    async with db.begin() as tx:
        own = "pid <> pg_backend_pid() AND datname = current_database()"
        await tx.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {own}"))


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _leave_no_dead_connections(db: Database) -> AsyncIterator[None]:
    """The pool is that of all tests, and the next one may use it before a connection is pinged again."""
    yield
    await db.engine.dispose()


async def _use(db: Database) -> None:
    async with db.begin() as tx:
        await tx.execute(text("SELECT 1"))


async def test_a_connection_that_did_not_outlive_its_rest_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PING_AFTER_S", 0.0)
    rested, other = Database(database_url), Database(database_url)
    await _use(rested)
    await _end_all_connections(other)
    await _use(rested)
    await rested.aclose()
    await other.aclose()


async def test_a_connection_lost_in_use_is_the_worlds_error_and_costs_one_try(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PING_AFTER_S", 1000.0)
    used, other = Database(database_url), Database(database_url)
    await _use(used)
    await _end_all_connections(other)
    with pytest.raises(DatabaseUnavailable):
        await _use(used)
    await _use(used)
    await used.aclose()
    await other.aclose()


async def test_the_own_process_hears_at_once_what_a_transaction_notified(database_url: str) -> None:
    db = Database(database_url)
    heard: list[str] = []
    db.on_notified = heard.append
    async with db.begin() as tx:
        await notify(tx, "prompts")
        await notify(tx, "prompts")
        assert heard == [], "nothing is there before the commit"
    assert heard == ["prompts"]

    async def fail() -> None:
        async with db.begin() as tx:
            await notify(tx, "updates")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert heard == ["prompts"], "nor after a rollback"
    await db.aclose()
