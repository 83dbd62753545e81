"""Places: a chat shows a few unanswered steps at once, and the rest as they are answered."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from shared import replies, transitions
from shared.db import Database
from shared.models import PendingReply, Prompt
from shared.outbox import HELD
from shared.places import LOOK_AGAIN_S, PLACE_S, Places
from shared.queues import Later, Loop, claim
from tests.fakes.rows import all_of, change
from tests.fakes.services import Fakes, settings_with
from tests.fakes.steps import ANN
from tests.fakes.waiting import running, until
from workers import registry
from workers.parker import Parker

SURE = {"telegram_user_id": ANN, "text_a": "Sure?", "action_yes": "Yes"}
FORM = {"telegram_user_id": ANN, "form_a": "Why?"}
GROUP = -100_001
AT_ONCE = 3
DONE = {"kind": "complete", "variables": {}}


@pytest.fixture
def fakes(db: Database) -> Fakes:
    return Fakes(db, settings=settings_with(chat_prompts_at_once=AT_ONCE))


async def park(fakes: Fakes, count: int, inputs: dict[str, Any] = SURE) -> None:
    """Park steps for a chat, all at once."""
    parker = Parker(fakes.services, registry.human_topics())
    tasks = [fakes.engine.give(inputs) for _ in range(count)]
    for task in tasks:
        await fakes.engine.lock(task.id, fakes.settings.worker_id, 30)
    await asyncio.gather(*(parker.park(task) for task in tasks))


async def states(db: Database) -> dict[str, int]:
    """How many messages of steps are in each state."""
    async with db.begin() as tx:
        found = await tx.execute(
            select(Prompt.state, func.count().label("number"))
            .where(Prompt.pending_reply_id.is_not(None))
            .group_by(Prompt.state)
        )
        return {row.state: row.number for row in found}


async def line(db: Database) -> str | None:
    """What the chat is told of the rest."""
    found = await all_of(db, Prompt, Prompt.dedupe_key.is_not(None))
    return str(found[0].content["text"]) if found else None


def asking(fakes: Fakes) -> Loop[Prompt]:
    """The loop of the held messages, as every process runs it."""
    return fakes.services.loop(HELD, Places(fakes.db, AT_ONCE).ask, concurrency=1, poll_s=0.05)


async def until_states(fakes: Fakes, **wanted: int) -> None:
    """Wait until the messages of steps are in these states."""

    async def so() -> bool:
        return await states(fakes.db) == wanted

    await until(so, f"{wanted}")


async def oldest_shown(db: Database) -> PendingReply:
    """The step that the person answers next."""
    return (
        await all_of(
            db, PendingReply, PendingReply.shown_at.is_not(None), PendingReply.state.in_(transitions.OPEN)
        )
    )[0]


async def answer_one(db: Database) -> None:
    """The person answers the oldest step that is shown."""
    reply = await oldest_shown(db)
    async with db.begin() as tx:
        assert await transitions.answer(tx, reply.id, DONE, ANN, "Ann")


async def test_steps_that_come_together_fill_the_places_of_their_chat(fakes: Fakes) -> None:
    tasks = [fakes.engine.give(SURE) for _ in range(2 * AT_ONCE + 1)]
    for task in tasks:
        await fakes.engine.lock(task.id, fakes.settings.worker_id, 30)
    parker = Parker(fakes.services, registry.human_topics())
    await parker.park_many(tasks[:1])
    await parker.park_many(tasks[1:])
    held = await all_of(fakes.db, Prompt, Prompt.state == "held")
    shown = await all_of(fakes.db, PendingReply, PendingReply.shown_at.is_not(None))
    assert len(shown) == AT_ONCE
    assert len({prompt.pending_reply_id for prompt in held}) == AT_ONCE + 1
    assert f"{AT_ONCE + 1} more" in str(await line(fakes.db))


async def test_a_chat_shows_a_few_steps_at_once_and_says_how_many_follow(fakes: Fakes) -> None:
    await park(fakes, 12)
    assert await states(fakes.db) == {"queued": AT_ONCE, "held": 9}
    assert "… and 9 more." in (await line(fakes.db) or "")


async def test_each_answer_brings_the_next_step_in_order(fakes: Fakes) -> None:
    await park(fakes, 5)
    order = [row.id for row in await all_of(fakes.db, Prompt, Prompt.pending_reply_id.is_not(None))]
    async with running(asking(fakes).run):
        await answer_one(fakes.db)
        await until_states(fakes, queued=4, held=1)
        await answer_one(fakes.db)
        await until_states(fakes, queued=5)
    queued = await all_of(fakes.db, Prompt, Prompt.pending_reply_id.is_not(None))
    assert [row.id for row in queued] == order
    rest = await all_of(fakes.db, Prompt, Prompt.pending_reply_id.is_(None))
    assert [row.state for row in rest] == ["retired"], "the line goes when nothing is held back"


async def test_a_new_step_goes_behind_those_that_are_held_back(fakes: Fakes) -> None:
    await park(fakes, 5)
    await answer_one(fakes.db)
    await park(fakes, 1)
    assert (await states(fakes.db))["held"] == 3


async def test_a_step_that_is_taken_back_leaves_its_place_too(fakes: Fakes) -> None:
    await park(fakes, 5)
    async with fakes.db.begin() as tx:
        assert await transitions.withdrawn(tx, (await oldest_shown(fakes.db)).id)
    async with running(asking(fakes).run):
        await until_states(fakes, queued=3, retired=1, held=1)


async def test_a_step_that_is_taken_back_while_it_is_held_back_is_never_shown(fakes: Fakes) -> None:
    await park(fakes, 4)
    (held,) = await all_of(fakes.db, PendingReply, PendingReply.shown_at.is_(None))
    async with fakes.db.begin() as tx:
        assert await transitions.withdrawn(tx, held.id)
    assert await states(fakes.db) == {"queued": 3, "retired": 1}
    assert await line(fakes.db) is None


async def test_other_chats_are_not_concerned(fakes: Fakes) -> None:
    await park(fakes, 5)
    await park(fakes, 2, {**SURE, "telegram_user_id": ANN + 1})
    assert (await states(fakes.db))["queued"] == AT_ONCE + 2


async def test_a_form_that_is_held_back_does_not_take_the_persons_texts(fakes: Fakes) -> None:
    await park(fakes, AT_ONCE)
    await park(fakes, 1, FORM)
    async with fakes.db.begin() as tx:
        assert await replies.dialog_of_chat(tx, ANN) is None


async def test_steps_that_nobody_answers_do_not_hide_others_for_ever(fakes: Fakes) -> None:
    await park(fakes, 5)
    long_ago = datetime.now(UTC) - timedelta(seconds=PLACE_S + 1)
    async with fakes.db.begin() as tx:
        await tx.execute(
            update(PendingReply).where(PendingReply.shown_at.is_not(None)).values(shown_at=long_ago)
        )
        await tx.execute(text("UPDATE prompts SET due_at = now() WHERE due_at < now() + interval '2 min'"))
    async with running(asking(fakes).run):
        await until_states(fakes, queued=5)


async def test_a_person_who_cannot_be_reached_gets_the_rest_when_they_are_back(fakes: Fakes) -> None:
    await park(fakes, 5)
    (first, *_) = await all_of(fakes.db, PendingReply)
    async with fakes.db.begin() as tx:
        await transitions.undeliverable(tx, first.id)
        await transitions.answer(tx, (await all_of(fakes.db, PendingReply))[1].id, DONE, ANN, "Ann")
    async with fakes.db.begin() as tx:
        (prompt,) = await claim(tx, HELD, 10, 60)
    with pytest.raises(Later) as later:
        await Places(fakes.db, AT_ONCE).ask(prompt)
    assert later.value.retry_after_s == LOOK_AGAIN_S


async def test_of_all_that_is_held_back_only_the_oldest_of_each_chat_asks(fakes: Fakes) -> None:
    """So a claim finds what it wants at the head of its index, however much is held back."""
    await park(fakes, 9)
    await change(fakes.db, await oldest_shown(fakes.db), state="completed", outcome=DONE)
    soon = datetime.now(UTC) + timedelta(days=1)
    assert len(await all_of(fakes.db, Prompt, Prompt.state == "held", Prompt.due_at < soon)) == 1
