"""The people who have met the bot, and the groups that it knows."""

import asyncio

from shared import people
from shared.db import Database
from shared.models import Chat, Person
from shared.people import ENGINE_USERS
from shared.queues import claim
from tests.fakes.rows import all_of, change
from tests.fakes.steps import ANN

GROUP = -1001234567890


async def meet(db: Database, name: str = "Ann", *, wants_engine_user: bool = False, **more: str) -> Person:
    """Meet Ann; her row afterwards."""
    async with db.begin() as tx:
        await people.meet(tx, ANN, name, wants_engine_user=wants_engine_user, **more)
    (row,) = await all_of(db, Person)
    return row


async def remember(
    db: Database, chat_id: int = GROUP, title: str = "Club", *, is_member: bool = True
) -> None:
    """Remember a group."""
    async with db.begin() as tx:
        await people.remember_group(tx, chat_id, "supergroup", title, is_member=is_member)


async def test_a_person_is_remembered_as_telegram_names_them_now(db: Database) -> None:
    await meet(db, last_name="Smith", username="ann", language_code="en")
    row = await meet(db, "Anna", username="anna")
    assert (row.first_name, row.last_name, row.username, row.language_code) == ("Anna", None, "anna", None)
    async with db.begin() as tx:
        assert await people.by_username(tx, "ANNA") == (ANN, "Anna")
        assert await people.by_username(tx, "ann") is None


async def test_an_engine_user_is_queued_by_the_first_wish_for_one(db: Database) -> None:
    assert (await meet(db)).state == "none"
    assert (await meet(db, wants_engine_user=True)).state == "queued"
    assert (await meet(db)).state == "queued"


async def test_an_engine_user_is_made_once(db: Database) -> None:
    person = await meet(db, wants_engine_user=True)
    await change(db, person, state="made")
    assert (await meet(db, wants_engine_user=True)).state == "made"
    async with db.begin() as tx:
        assert not await claim(tx, ENGINE_USERS, 10, 60)


async def test_a_refused_engine_user_is_tried_again_with_the_next_start(db: Database) -> None:
    person = await meet(db, wants_engine_user=True)
    await change(db, person, state="refused")
    assert (await meet(db)).state == "refused"
    assert (await meet(db, wants_engine_user=True)).state == "queued"


async def test_a_person_who_is_met_by_many_at_once_is_one_person(db: Database) -> None:
    await asyncio.gather(*(meet(db, wants_engine_user=bool(n % 2)) for n in range(10)))
    (row,) = await all_of(db, Person)
    assert row.state == "queued"


async def test_the_groups_of_the_bot_are_those_where_it_is_a_member_by_title(db: Database) -> None:
    await remember(db, -3, "Zoo")
    await remember(db, -2, "Club")
    await remember(db, -1, "Left", is_member=False)
    async with db.begin() as tx:
        assert [group.title for group in await people.groups(tx)] == ["Club", "Zoo"]
        assert len(await people.groups(tx, limit=1)) == 1


async def test_a_group_is_remembered_as_it_is_now(db: Database) -> None:
    await remember(db)
    await remember(db, title="New name", is_member=False)
    async with db.begin() as tx:
        group = await people.group(tx, GROUP)
        assert group is not None
        assert (group.title, group.is_member) == ("New name", False)
        assert await people.group(tx, -1) is None


async def test_no_news_of_a_group_writes_nothing(db: Database) -> None:
    await remember(db)
    async with db.begin() as tx:
        before = await tx.get(Chat, GROUP)
    await remember(db)
    async with db.begin() as tx:
        after = await tx.get(Chat, GROUP)
    assert before is not None
    assert after is not None
    assert after.updated_at == before.updated_at
