"""What happens by itself while a step waits: its person is reminded, it is handed over, its time is up.

A deadline is a row that is made with its step. One of a step that is over means nothing any more: it is taken
away when it comes due, or with its step.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import BigInteger, Table, Text, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from shared import endings, outbox, people, places, texts, transitions
from shared.db import Tx, given
from shared.markup import render_html
from shared.models import Deadline, Json, PendingReply, Prompt
from shared.queues import Queue, remove, settle
from shared.quiet import quiet_until, read_hours
from shared.settings import Settings
from shared.signing import derive_key
from shared.steps import conversation, keyboards
from shared.steps.model import Step

log = structlog.get_logger(__name__)

DEADLINES = Queue("deadlines", Deadline, ("waiting",), poison="failed")
"""The deadlines of steps; each is due when something is to happen."""

MAX_REMINDERS = 5

MARKS_S = (86_400, 3 * 3600, 3600, 900)
"""How long before a step expires its prompt is edited to say so, within the last quarter of its time."""

TABLE = cast("Table", Deadline.__table__)


async def begin(tx: Tx, steps: Sequence[tuple[int, Step]]) -> None:
    """Make the deadlines of steps that begin to wait in this transaction; none, no statement."""
    await _make(tx, [(reply_id, *each) for reply_id, step in steps for each in _times(step)])


async def _make(tx: Tx, wanted: Sequence[tuple[int, str, int]]) -> None:
    """Make deadlines (reply id, kind, seconds), or begin them anew: whoever holds one has lost it then."""
    if not wanted:
        return
    rows = [dict(zip(("reply_id", "kind", "after_s"), each, strict=True)) for each in wanted]
    new = given(rows, reply_id=BigInteger(), kind=Text(), after_s=BigInteger()).c
    values: dict[str, Any] = {
        "pending_reply_id": new.reply_id,
        "kind": new.kind,
        "every_s": new.after_s,
        "state": literal("waiting"),
        "due_at": func.now() + new.after_s * timedelta(seconds=1),
    }
    statement = insert(TABLE).from_select(list(values), select(*values.values()))
    anew = {"state": "waiting", "due_at": statement.excluded.due_at, "done": 0, "claim": None, "attempts": 0}
    await tx.execute(statement.on_conflict_do_update(index_elements=["pending_reply_id", "kind"], set_=anew))


def _times(step: Step) -> list[tuple[str, int]]:
    # There is nobody to hand it over to where both are the same.
    escalate_after_s = None if step.escalate_to == step.chat_id else step.escalate_after_s
    times = (
        ("remind", step.reminder_after_s),
        ("escalate", escalate_after_s),
        ("expire", step.expires_after_s),
        ("count", _first_count_s(step.expires_after_s)),
    )
    return [(kind, after_s) for kind, after_s in times if after_s]


def _first_count_s(expires_after_s: int | None) -> int | None:
    marks = [mark for mark in MARKS_S if 4 * mark < (expires_after_s or 0)]
    return (expires_after_s or 0) - marks[0] if marks else None


async def forget(tx: Tx, reply_id: int) -> None:
    """Take away the deadlines of a step that begins anew."""
    await tx.execute(delete(Deadline).where(Deadline.pending_reply_id == reply_id))


async def come(tx: Tx, settings: Settings, deadline: Deadline) -> None:
    """Do what a deadline that has come is for, unless its step is over.

    Raises:
        LostClaim: somebody else has it in hand.
    """
    # Everybody locks a step before what hangs on it.
    reply = await transitions.lock_reply(tx, deadline.pending_reply_id)
    if reply is None or reply.state not in transitions.OPEN:
        await remove(tx, deadline)
        return
    async with people.speaking_to(tx, reply.chat_id):
        if deadline.kind == "remind":
            await _remind(tx, settings, deadline, reply)
            return
        if deadline.kind == "count":
            await _count_down(tx, deadline, reply)
            return
        await remove(tx, deadline)
        if deadline.kind == "escalate":
            await _hand_over(tx, settings, reply)
        else:
            await _expire(tx, reply)


async def _expire(tx: Tx, reply: PendingReply) -> None:
    step = Step.of(reply.step)
    reason = f"nobody answered within {timedelta(seconds=step.expires_after_s or 0)}"
    if step.on_expire and await transitions.expire(tx, reply.id, step.on_expire, reason):
        await _close(tx, reply, step, texts.say("time-is-up-note"))


async def _close(tx: Tx, reply: PendingReply, step: Step, note: str) -> None:
    """Take a step away from a chat, which is told why: under its buttons, or else by a message."""
    prompts = await outbox.of_reply(tx, reply.id)
    await endings.retire(tx, prompts, render_html(note))
    shown = [each for each in prompts if each.message_id is not None and not _reminds(each)]
    if shown and not any("inline_keyboard" in each.content.get("reply_markup", {}) for each in shown):
        told = conversation.Draft(
            "notice",
            render_html(texts.ended(step.title, note)),
            reply_to=shown[-1].message_id,
            thread_id=step.thread_id,
        )
        # Not one of the step's own: in this chat it has none any more.
        await outbox.post(tx, reply.chat_id, [told])


def _reminds(prompt: Prompt) -> bool:
    return prompt.kind == conversation.REMINDER


async def _count_down(tx: Tx, deadline: Deadline, reply: PendingReply) -> None:
    """Say in a step's prompt how long it still waits; nobody hears an edit, so no hours are too quiet."""
    of_expiry = (Deadline.pending_reply_id == reply.id) & (Deadline.kind == "expire")
    end = await tx.scalar(select(Deadline.due_at).where(of_expiry))
    now = (await tx.execute(select(func.now()))).scalar_one()
    left_s = 0.0 if end is None else (end - now).total_seconds()
    marks = [mark for mark in MARKS_S if mark < left_s]
    if end is None or not marks:
        await remove(tx, deadline)
    else:
        await settle(tx, deadline, due_at=end - timedelta(seconds=marks[0]))
    for prompt in await outbox.of_reply(tx, reply.id) if left_s > 0 else ():
        if prompt.message_id and (content := conversation.counted_down(prompt.content, left_s)):
            await outbox.reword(tx, prompt, content)


async def _remind(tx: Tx, settings: Settings, deadline: Deadline, reply: PendingReply) -> None:
    gap = timedelta(seconds=deadline.every_s * 2**deadline.done)
    now = (await tx.execute(select(func.now()))).scalar_one()
    later = _too_early(now, gap, reply) or await _quiet_until(tx, settings, now, reply.chat_id)
    if later is not None:
        await settle(tx, deadline, due_at=later)
        return
    await _post_reminder(tx, settings, reply)
    log.info("reminded", reply=reply.id, times=deadline.done + 1)
    if deadline.done + 1 == MAX_REMINDERS:
        await remove(tx, deadline)
    else:
        await settle(tx, deadline, done=deadline.done + 1, due_at=now + 2 * gap)


async def _quiet_until(tx: Tx, settings: Settings, now: datetime, chat_id: int) -> datetime | None:
    """When the quiet hours of a chat are over: a person's own, by their clock, else everybody's."""
    chosen = await people.quiet_hours(tx, chat_id)
    if chosen is None:
        return quiet_until(now, settings.quiet, settings.zone)
    return quiet_until(now, read_hours(chosen) if chosen else None, texts.voice().zone)


def _too_early(now: datetime, gap: timedelta, reply: PendingReply) -> datetime | None:
    """Until when nobody is reminded of a step: who has not seen it yet, or who has just had it shown anew."""
    if reply.state != "posted" or reply.shown_at is None:
        return now + gap
    return reply.shown_at + gap if reply.shown_at + gap > now else None


async def _post_reminder(tx: Tx, settings: Settings, reply: PendingReply) -> None:
    """The reminder before this one goes."""
    prompts = await outbox.of_reply(tx, reply.id)
    await endings.retire(tx, [each for each in prompts if _reminds(each)])
    shown = [each.message_id for each in prompts if each.message_id is not None and not _reminds(each)]
    draft = conversation.reminder(
        step := Step.of(reply.step),
        reply.answers,
        keyboards.signer(reply.id, step.recipient_id, _key(settings)),
        dialog_open=reply.dialog_open,
        reply_to=shown[-1] if shown else None,
    )
    await outbox.post(tx, reply.chat_id, [draft], pending_reply_id=reply.id, priority=outbox.REMINDER)


async def _hand_over(tx: Tx, settings: Settings, reply: PendingReply) -> None:
    """Another one is asked, from the question on at which the step stands."""
    old = Step.model_validate(reply.step)
    if old.escalate_to is None:
        return
    chat_id = old.escalate_to
    recipient_id = chat_id if chat_id > 0 else None
    changed = {
        "chat_id": chat_id,
        "recipient_id": recipient_id,
        "thread_id": None,
        # In a private chat there is nobody to take it from, and nobody to outvote.
        "claim": old.claim and chat_id < 0,
        "votes": old.votes if chat_id < 0 else None,
        "escalated_from": reply.chat_id,
    }
    step = old.model_copy(update=changed)
    # A message that somebody corrects is known by its number, which is another message's in another chat.
    answers = {name: _without_message(kept) for name, kept in reply.answers.items()}
    as_json = step.model_dump(mode="json", exclude_defaults=True)
    if not await transitions.hand_to(tx, reply.id, as_json, chat_id, recipient_id, answers):
        return
    log.info("handed over", reply=reply.id)
    # Everybody locks a chat before its prompts.
    placed = await places.take(tx, [(reply.id, chat_id)], settings.chat_prompts_at_once)
    asks_now = bool(placed and step.asks) and not step.claim
    has_dialog = asks_now and await transitions.open_dialog(tx, reply.id, chat_id)
    await _close(tx, reply, old.spoken(), texts.say("handed-over-note"))
    await transitions.free_place(tx, reply.chat_id)
    sign = keyboards.signer(reply.id, recipient_id, _key(settings))
    async with people.speaking_to(tx, chat_id):
        drafts = conversation.shown_anew(step.spoken(), answers, sign, dialog_open=has_dialog)
    await outbox.post_all(tx, [outbox.Post(chat_id, drafts, reply.id, held=not placed)])
    if not placed:
        await places.tell_rest(tx, chat_id)
    if step.reminder_after_s:
        await _make(tx, [(reply.id, "remind", step.reminder_after_s)])


def _without_message(kept: Json) -> Json:
    return {name: value for name, value in kept.items() if name != "message"}


def _key(settings: Settings) -> bytes:
    return derive_key(settings.bot_token.get_secret_value())
