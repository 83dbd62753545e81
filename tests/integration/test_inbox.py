"""The inbox: an update is a row before it is acknowledged, and it is one row however often it comes."""

import asyncio
import json
from typing import Any

import pytest

from shared import inbox
from shared.db import Database
from shared.models import Json, Update
from shared.queues import claim
from tests.fakes.rows import BOT_ID, all_of


def message(number: int, chat_id: int = 7, **more: Any) -> Json:
    """An update with a message."""
    return {"update_id": number, "message": {"chat": {"id": chat_id}, **more}}


async def store(db: Database, *updates: Any, bot_id: int = BOT_ID) -> int:
    """Store in a transaction of its own."""
    async with db.begin() as tx:
        return await inbox.store(tx, bot_id, updates)


async def test_an_update_is_kept_as_it_came(db: Database) -> None:
    update = message(5, text="Grüße 😀", nested={"a": [1, 2.5, None, True]})
    assert await store(db, update) == 1
    (row,) = await all_of(db, Update)
    assert (row.bot_id, row.update_id, row.order_key, row.state) == (BOT_ID, 5, "chat:7", "queued")
    assert row.payload == update


async def test_an_update_that_comes_twice_is_stored_once(db: Database) -> None:
    assert await store(db, message(5), message(6)) == 2
    assert await store(db, message(5, text="another"), message(6), message(7)) == 1
    assert await store(db, message(8), message(8)) == 1
    rows = await all_of(db, Update)
    assert [row.update_id for row in rows] == [5, 6, 7, 8]
    assert rows[0].payload == message(5), "the first delivery counts"


async def test_an_update_that_comes_to_many_at_once_is_stored_once(db: Database) -> None:
    batch = [message(n) for n in range(50)]
    stored = await asyncio.gather(*(store(db, *batch[start:], *batch[:start]) for start in range(0, 50, 10)))
    assert sum(stored) == 50
    assert len(await all_of(db, Update)) == 50


async def test_two_bots_may_have_updates_of_the_same_number(db: Database) -> None:
    assert await store(db, message(5)) == await store(db, message(5), bot_id=BOT_ID + 1) == 1


async def test_one_malformed_update_does_not_spoil_its_batch(db: Database) -> None:
    junk: list[Any] = [None, "x", {}, {"update_id": "5"}, {"update_id": 2**70}]
    assert await store(db, message(1), *junk, {"update_id": 2}, message(3)) == 3
    assert await store(db, *junk) == 0
    assert await store(db) == 0


async def test_characters_that_no_database_takes_do_not_stop_the_receiver(db: Database) -> None:
    """Telegram would deliver the batch again and again."""
    raw = '{"update_id": 1, "message": {"chat": {"id": 7}, "text": "nul \\u0000 half \\ud800 back\\\\u0000"}}'
    assert await store(db, json.loads(raw), message(2)) == 2
    (first, _) = await all_of(db, Update)
    assert first.payload["message"]["text"] == "nul  half \ufffd back\\u0000"


@pytest.mark.parametrize("number", [10**400, -(10**400), 1.5])
async def test_a_number_of_any_size_is_kept(db: Database, number: float) -> None:
    await store(db, message(1, n=number))
    (row,) = await all_of(db, Update)
    assert row.payload["message"]["n"] == number


async def test_a_number_that_is_none_is_kept_as_nothing(db: Database) -> None:
    """Python's parser takes what JSON and Postgres do not know."""
    raw = '{"update_id": 1, "message": {"a": NaN, "b": [1e999, -Infinity], "c": "NaN"}}'
    await store(db, json.loads(raw))
    (row,) = await all_of(db, Update)
    assert row.payload["message"] == {"a": None, "b": [None, None], "c": "NaN"}


async def test_an_id_that_no_index_takes_does_not_spoil_its_batch(db: Database) -> None:
    strange = [{"update_id": 1, "message": {"chat": {"id": each}}} for each in ("x" * 5000, "\0", "\ud800")]
    for number, update in enumerate(strange):
        assert await store(db, update | {"update_id": 10 + number}, message(20 + number)) == 2


async def test_updates_are_handled_in_the_order_in_which_they_were_stored(db: Database) -> None:
    """Not by number: that begins anew at random after a quiet week."""
    await store(db, message(900))
    await store(db, message(5))
    await store(db, message(6, chat_id=8))
    seen = []
    async with db.begin() as tx:
        seen += [row.update_id for row in await claim(tx, inbox.UPDATES, 10, 60)]
    assert seen == [900, 6]


async def test_the_taps_of_a_person_do_not_wait_for_their_messages(db: Database) -> None:
    tap = {"update_id": 2, "callback_query": {"from": {"id": 7}}}
    await store(db, message(1), tap, {**tap, "update_id": 3})
    async with db.begin() as tx:
        assert [row.update_id for row in await claim(tx, inbox.UPDATES, 10, 60)] == [1, 2]
