"""Pruning: what is over goes after its time, what somebody may still need stays."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from shared import pruning, texts
from shared.chores import CHORES
from shared.db import Database
from shared.models import (
    Chore,
    Deadline,
    PendingReply,
    ProcessStart,
    Prompt,
    RateBucket,
    SentFile,
    Update,
    Upload,
)
from shared.pruning import BATCH, Ages, prune
from shared.queues import claim
from tests.fakes.conversation import Conversation
from tests.fakes.rows import a_prompt, a_reply, all_of, an_update, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram
from workers.housekeeping import PRUNING, Housekeeping

DAY = 86_400
AGES = Ages(closed_s=30 * DAY, updates_s=3 * DAY, set_aside_s=180 * DAY)
COMPLETE = {"kind": "complete", "variables": {}}
INCIDENT = {"kind": "incident", "message": "x"}
BUTTONS = {"text": "Sure?", "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "1"}]]}}


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def an_upload(db: Database, reply_id: int) -> None:
    async with db.begin() as tx:
        tx.add(
            Upload(
                pending_reply_id=reply_id,
                state="stored",
                variable="s3_file",
                chat_id=1,
                message_id=reply_id,
                user_id=1,
                user_name="Ann",
                file_id="f",
                object_key=f"tasks/1/{reply_id}/x.json",
                name="x.json",
            )
        )


@pytest.mark.parametrize("state", ["completed", "cancelled", "withdrawn", "expired"])
async def test_a_step_that_is_over_goes_with_what_hangs_on_it(db: Database, state: str) -> None:
    old = await a_reply(db, state=state, closed_at=ago(31))
    await a_prompt(db, 1, state="retired", pending_reply_id=old)
    await a_prompt(db, 1, state="sent", pending_reply_id=old)
    await an_upload(db, old)
    async with db.begin() as tx:
        tx.add(Deadline(pending_reply_id=old, state="waiting", kind="remind", every_s=9))
    young = await a_reply(db, state=state, closed_at=ago(29))
    kept = await a_prompt(db, 1, state="retired", pending_reply_id=young)
    assert (await prune(db, AGES))["pending_replies"] == 1
    assert [row.id for row in await all_of(db, PendingReply)] == [young]
    assert [row.id for row in await all_of(db, Prompt)] == [kept]
    (file,) = await all_of(db, Upload)
    assert file.pending_reply_id is None, "its row is the ledger's, and stays as long as its object"
    assert file.state == ("stored" if state == "completed" else "removing")
    assert await all_of(db, Deadline) == []


@pytest.mark.parametrize("state", ["parked", "posted", "undeliverable", "answered"])
async def test_a_step_that_waits_stays_however_old(db: Database, state: str) -> None:
    await a_reply(db, state=state, created_at=ago(4000), due_at=ago(3000))
    await prune(db, AGES)
    assert len(await all_of(db, PendingReply)) == 1


async def test_an_answer_that_the_process_could_not_take_outlives_its_incident(db: Database) -> None:
    """Raising the retries tells it again; without an answer the step is simply asked anew."""
    kept = await a_reply(db, state="failed", outcome=COMPLETE, closed_at=ago(179))
    await a_reply(db, state="failed", outcome=COMPLETE, closed_at=ago(181))
    await a_reply(db, state="failed", outcome=INCIDENT, closed_at=ago(31))
    await a_reply(db, state="failed", closed_at=ago(31))
    await prune(db, AGES)
    assert [row.id for row in await all_of(db, PendingReply)] == [kept]


async def test_a_step_whose_button_is_still_shown_loses_it_first(db: Database) -> None:
    reply_id = await a_reply(db, state="withdrawn", closed_at=ago(31))
    shown = await a_prompt(db, 1, state="sent", pending_reply_id=reply_id, content=BUTTONS, message_id=7)
    for state in ("retiring", "retiring"):  # nothing happens to it until a sender has been there
        assert (await prune(db, AGES))["pending_replies"] == 0
        assert (await get(db, Prompt, shown)).state == state
    await change(db, Prompt, shown, state="retired")
    assert (await prune(db, AGES))["pending_replies"] == 1


@pytest.mark.parametrize("state", ["queued", "editing", "retiring", "deleting"])
async def test_a_step_stays_while_a_message_of_it_is_on_its_way(db: Database, state: str) -> None:
    reply_id = await a_reply(db, state="completed", closed_at=ago(31))
    await a_prompt(db, 1, state=state, pending_reply_id=reply_id)
    await prune(db, AGES)
    assert len(await all_of(db, PendingReply)) == 1


async def test_updates_go_before_telegram_may_use_their_ids_again_and_poison_stays(db: Database) -> None:
    await an_update(db, state="handled", created_at=ago(3.1))
    await an_update(db, state="poison", created_at=ago(181))
    stay = [
        await an_update(db, state="handled", created_at=ago(2.9)),
        await an_update(db, state="poison", created_at=ago(179)),
        await an_update(db, state="queued", created_at=ago(4000)),
    ]
    await prune(db, AGES)
    assert [row.id for row in await all_of(db, Update)] == stay


async def test_messages_of_no_step_go(db: Database) -> None:
    for state in ("sent", "retired", "undeliverable"):
        await a_prompt(db, 1, state=state, created_at=ago(31))
    await a_prompt(db, 1, state="failed", created_at=ago(181))
    stay = [
        await a_prompt(db, 1, state="sent", created_at=ago(29)),
        await a_prompt(db, 1, state="failed", created_at=ago(179)),
        await a_prompt(db, 1, state="queued", created_at=ago(4000)),
        await a_prompt(db, 1, state="sent", created_at=ago(31), pending_reply_id=await a_reply(db)),
    ]
    await prune(db, AGES)
    assert [row.id for row in await all_of(db, Prompt)] == stay


async def test_starts_go_when_their_instance_has_ended(db: Database) -> None:
    states = [
        ("ended", 31),
        ("failed", 181),
        ("ended", 29),
        ("failed", 179),
        ("started", 999),
        ("queued", 999),
    ]
    async with db.begin() as tx:
        for number, (state, days) in enumerate(states):
            tx.add(
                ProcessStart(
                    state=state,
                    due_at=ago(days),
                    definition_key="audit",
                    business_key=str(number),
                    variables={},
                    requested_by=1,
                )
            )
    await prune(db, AGES)
    assert [row.business_key for row in await all_of(db, ProcessStart)] == ["2", "3", "4", "5"]


async def test_a_bucket_that_is_full_again_goes(db: Database) -> None:
    buckets = {
        "idle": (ago(1), None),
        "was halted": (ago(1), ago(1)),
        "used": (ago(0), None),
        "halted": (ago(1), ago(-1)),
    }
    async with db.begin() as tx:
        tx.add_all(RateBucket(key=key, arrival_at=at, halted_until=to) for key, (at, to) in buckets.items())
    await prune(db, AGES)
    async with db.begin() as tx:
        assert set(await tx.scalars(text("SELECT key FROM rate_buckets"))) == {"used", "halted"}


async def updates_of_old(db: Database, count: int) -> None:
    insert = text(
        "INSERT INTO updates (bot_id, update_id, order_key, payload, state, created_at)"
        " SELECT 1, n, 'chat:1', '{}', 'handled', now() - interval '9 days' FROM generate_series(1, :n) AS n"
    )
    async with db.begin() as tx:
        await tx.execute(insert, {"n": count})


async def test_a_batch_is_bounded_and_says_whether_there_is_more(db: Database) -> None:
    await updates_of_old(db, BATCH + 1)
    first = await prune(db, AGES)
    assert (first["updates"], pruning.is_more(first)) == (BATCH, True)
    second = await prune(db, AGES)
    assert (second["updates"], pruning.is_more(second)) == (1, False)


async def test_a_row_that_somebody_holds_is_left_to_them(db: Database) -> None:
    reply_id = await a_reply(db, state="withdrawn", closed_at=ago(31))
    async with db.begin() as tx:
        await tx.execute(update(PendingReply).where(PendingReply.id == reply_id).values(state="parked"))
        assert (await prune(db, AGES))["pending_replies"] == 0
        await tx.execute(update(PendingReply).where(PendingReply.id == reply_id).values(closed_at=None))
    await prune(db, AGES)
    assert len(await all_of(db, PendingReply)) == 1


# the chore


async def chore_done(fakes: Fakes) -> Chore:
    """Do the chore once; its row afterwards."""
    housekeeping = Housekeeping(fakes.services)
    await housekeeping.loop()
    await lapse(fakes.db, Chore)
    async with fakes.db.begin() as tx:
        taken = await claim(tx, CHORES, 10, 60)
    (chore,) = [each for each in taken if each.name == PRUNING]
    await housekeeping.work(chore)
    return await get(fakes.db, Chore, chore.id)


async def test_the_chore_goes_on_at_once_while_there_is_more(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.housekeeping.BATCHES", 1)
    fakes = Fakes(db)
    await updates_of_old(db, BATCH + 1)
    assert (await chore_done(fakes)).due_at < datetime.now(UTC) + timedelta(seconds=5)
    assert (await chore_done(fakes)).due_at > datetime.now(UTC) + timedelta(seconds=500)
    assert await all_of(db, Update) == []


# people


async def test_a_button_of_a_step_that_was_pruned_gets_a_polite_answer_and_goes(
    fakes: Fakes, telegram: Telegram
) -> None:
    talk = Conversation(fakes, telegram)
    ann = await telegram.ann()
    reply_id = await talk.ask(ann, {"text_a": "Sure?", "action_yes": "Yes"})
    # The answer of its sending was lost, so no row knows the message and nothing took its button.
    async with fakes.db.begin() as tx:
        await tx.execute(update(Prompt).values(message_id=None, state="failed"))
        gone = {"state": "withdrawn", "closed_at": ago(31)}
        await tx.execute(update(PendingReply).where(PendingReply.id == reply_id).values(**gone))
    await prune(fakes.db, AGES)
    assert await all_of(fakes.db, PendingReply) == []
    assert await talk.tap(ann, "Yes") == texts.say("outdated")
    assert await talk.buttons(ann) == []


async def test_a_file_id_that_nobody_needed_for_long_is_forgotten(db: Database) -> None:
    async with db.begin() as tx:
        for key, age in (("old", 40), ("young", 1)):
            tx.add(
                SentFile(bot_id=1, kind="document", object_key=key, etag="e", file_id="f", used_at=ago(age))
            )
    assert (await prune(db, AGES))["sent_files"] == 1
    async with db.begin() as tx:
        assert (await tx.scalars(select(SentFile.object_key))).all() == ["young"]
