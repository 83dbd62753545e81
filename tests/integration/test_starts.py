"""Starts of processes: the row comes first, so two taps make one instance."""

import asyncio

import pytest

from shared import starts
from shared.db import Database
from shared.models import ProcessStart
from shared.queues import claim, settle
from tests.fakes.rows import all_of, change
from tests.fakes.steps import ANN

VARIABLES = {"group_id": {"value": -5, "type": "Long"}}


async def request(db: Database, key: str = "import_1", tenant: str | None = None) -> bool:
    """Ask for an audit."""
    async with db.begin() as tx:
        return await starts.request(tx, starts.Wish("audit", key, VARIABLES, ANN, tenant_id=tenant))


async def running(db: Database, key: str = "import_1") -> ProcessStart | None:
    """The start that runs."""
    async with db.begin() as tx:
        return await starts.running(tx, "audit", key)


async def test_of_many_wishes_at_once_one_is_a_start(db: Database) -> None:
    assert sum(await asyncio.gather(*(request(db) for _ in range(10)))) == 1
    (row,) = await all_of(db, ProcessStart)
    assert (row.state, row.variables, row.requested_by) == ("queued", VARIABLES, ANN)


async def test_another_business_key_is_another_start(db: Database) -> None:
    assert await request(db, "import_1")
    assert await request(db, "import_2")
    async with db.begin() as tx:
        assert len(await claim(tx, starts.STARTS, 10, 60)) == 2


async def test_a_business_key_is_one_tenants(db: Database) -> None:
    assert [await request(db, tenant=tenant) for tenant in (None, "acme", "other", "acme")] == [
        True,
        True,
        True,
        False,
    ]
    async with db.begin() as tx:
        found = [await starts.running(tx, "audit", "import_1", tenant) for tenant in (None, "acme", "none")]
    assert [each and each.tenant_id for each in found] == ["", "acme", None]


@pytest.mark.parametrize(
    ("state", "free"), [("queued", False), ("started", False), ("ended", True), ("failed", True)]
)
async def test_a_business_key_is_free_again_when_its_start_is_over(
    db: Database, state: str, free: bool
) -> None:
    await request(db)
    (row,) = await all_of(db, ProcessStart)
    await change(db, row, state=state)
    assert (await running(db) is None) == free
    assert await request(db) == free


async def test_a_start_that_runs_can_be_said_to_be_over(db: Database) -> None:
    await request(db)
    async with db.begin() as tx:
        (row,) = await claim(tx, starts.STARTS, 1, 60)
        await starts.ended(tx, row.id)
        assert await starts.running(tx, "audit", "import_1") is not None, "it has not begun"
        await settle(tx, row, state="started", process_instance_id="i")
        await starts.ended(tx, row.id)
    assert await running(db) is None
