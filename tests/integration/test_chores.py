"""Chores: done again and again, by one process at a time."""

from datetime import UTC, datetime

import pytest

from shared import chores
from shared.chores import CHORES
from shared.db import Database
from shared.models import Chore
from shared.queues import LostClaim, claim
from tests.fakes.rows import all_of, lapse


async def test_a_chore_exists_once_and_keeps_its_cursor(db: Database) -> None:
    async with db.begin() as tx:
        await chores.ensure(tx, "feed", "sweep")
        (feed,) = await claim(tx, CHORES, 1, 60)
        await chores.rest(tx, feed, 30, "2026-03-14T00:00:00")
        await chores.ensure(tx, "feed", "sweep")
    rows = {row.name: row for row in await all_of(db, Chore)}
    assert set(rows) == {"feed", "sweep"}
    assert rows["feed"].cursor == "2026-03-14T00:00:00"
    assert 25 < (rows["feed"].due_at - datetime.now(UTC)).total_seconds() <= 30


async def test_a_chore_is_in_one_hand(db: Database) -> None:
    async with db.begin() as tx:
        await chores.ensure(tx, "feed")
        (slow,) = await claim(tx, CHORES, 10, 60)
        assert not await claim(tx, CHORES, 10, 60)
    await lapse(db, Chore)
    async with db.begin() as tx:
        await claim(tx, CHORES, 10, 60)
    with pytest.raises(LostClaim):
        async with db.begin() as tx:
            await chores.rest(tx, slow, 30, None)
