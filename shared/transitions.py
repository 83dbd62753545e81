"""Every change of a pending reply's state: one function, one UPDATE that names the states it starts from.

    parked > posted > answered > completed | cancelled | expired | failed
    parked, posted <> undeliverable;  open or answered > withdrawn;  any closed > reopened
    open > parked, when it is handed over

Losing a race is a normal result here, never an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import structlog
from sqlalchemy import CursorResult, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared import endings, metrics, outbox, people, texts, upload_pages, uploads
from shared.db import Tx, notify
from shared.markup import render_html
from shared.models import Json, PendingReply
from shared.queues import Queue, claimed_at_birth, hand_over, room_for, settle

OPEN = ("parked", "posted", "undeliverable")
"""The states in which an answer is accepted: a tap can come before the sender has recorded its message."""

COMPLETIONS = Queue("completions", PendingReply, ("answered",))
"""Answers that the engine has yet to be told."""

LEASES = Queue("leases", PendingReply, OPEN)
"""Open steps, due when their lease is to be renewed."""

TABLE = cast("Table", PendingReply.__table__)
"""Past the mapping of rows to objects, which costs as much as the statement."""

_NAMES = ("id", "external_task_id", "process_definition_key", "activity_id", "topic", "chat_id")
"""What a transition needs to be counted and logged, and whose place it frees."""

FETCH_SIGNAL = "fetch"
"""Notified after a completion: the next step may be there, also where another engine node made it."""


@dataclass(frozen=True)
class NewReply:
    """What the parker knows of a step when it makes its row."""

    external_task_id: str
    topic: str
    activity_id: str
    activity_instance_id: str
    process_instance_id: str
    execution_id: str
    process_definition_id: str
    process_definition_key: str
    business_key: str | None
    tenant_id: str | None
    step: Json
    chat_id: int
    recipient_id: int | None


async def park(tx: Tx, new: NewReply, *, lease_due_s: float) -> tuple[PendingReply, bool]:
    """Make the row of a step, or find the one that is there; True if this call made it."""
    statement = (
        insert(PendingReply)
        .values(**vars(new), state="parked", due_at=func.now() + timedelta(seconds=lease_due_s))
        .on_conflict_do_nothing(index_elements=["external_task_id"])
        .returning(PendingReply)
    )
    made = await tx.scalar(statement)
    if made is not None:
        metrics.step_event(tx, "created", made)
        return made, True
    # READ COMMITTED: a row that another process has just committed is visible to this second statement.
    found = await tx.scalars(
        select(PendingReply).where(PendingReply.external_task_id == new.external_task_id)
    )
    return found.one(), False


async def park_many(tx: Tx, new: Sequence[NewReply], *, lease_due_s: float) -> dict[str, int]:
    """Make the rows of steps; the ids of those that this call made, by external task.

    None of them has a place in its chat yet.
    """
    statement = (
        insert(TABLE)
        .values(state="parked", due_at=func.now() + timedelta(seconds=lease_due_s), shown_at=None)
        .on_conflict_do_nothing(index_elements=["external_task_id"])
        .returning(*(TABLE.c[name] for name in _NAMES))
    )
    # In one order everywhere, so that two processes with the same tasks do not wait for each other.
    rows = sorted((vars(each) for each in new), key=lambda row: str(row["external_task_id"]))
    made: Sequence[Any] = (await tx.execute(statement, rows)).all()
    for row in made:
        metrics.step_event(tx, "created", row)
    return {row.external_task_id: row.id for row in made}


async def leases_due(tx: Tx, reply_ids: Sequence[int], earliest_s: float, latest_s: float) -> int:
    """Renew the leases of open steps at some time between the two, each at another; how many were open."""
    due_s = earliest_s + (latest_s - earliest_s) * func.random()
    changed = await tx.execute(
        update(PendingReply)
        .where(PendingReply.id.in_(reply_ids), PendingReply.state.in_(OPEN))
        .values(due_at=func.now() + due_s * timedelta(seconds=1))
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", changed).rowcount


async def alone_in_chat(tx: Tx, chat_id: int) -> None:
    """Wait until no other transaction counts what a chat shows; take_place() takes the same lock."""
    await tx.execute(select(func.pg_advisory_xact_lock(chat_id)))


async def open_dialog(tx: Tx, reply_id: int, chat_id: int) -> bool:
    """Give a step the one open dialog of its private chat; False if another has it. Groups have no limit."""
    if chat_id > 0:
        # Two steps that are parked at once must not both find the place free.
        await alone_in_chat(tx, chat_id)
        taken = await tx.scalar(
            select(PendingReply.id).where(
                PendingReply.chat_id == chat_id,
                PendingReply.dialog_open,
                PendingReply.state.in_(OPEN),
                PendingReply.id != reply_id,
            )
        )
        if taken is not None:
            return False
    return await _set(tx, reply_id, OPEN, dialog_open=True)


async def place(tx: Tx, reply_id: int, *, shown: bool) -> bool:
    """Note from when on an open step has a place in its chat, or that it is held back."""
    return await _set(tx, reply_id, OPEN, shown_at=func.now() if shown else None)


async def close_dialog(tx: Tx, reply_id: int) -> bool:
    """Give the open dialog of its chat free again; the step stays open."""
    return await _set(tx, reply_id, OPEN, dialog_open=False)


async def lock_reply(tx: Tx, reply_id: int) -> PendingReply | None:
    """Read a row for this transaction alone; what its handler logs from here on carries its task."""
    statement = select(PendingReply).where(PendingReply.id == reply_id).with_for_update()
    found = (await tx.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is not None:
        structlog.contextvars.bind_contextvars(task=found.external_task_id)
    return found


async def _set(tx: Tx, reply_id: int, states: Sequence[str], **more: Any) -> bool:
    """Make a transition; whether the row was in one of ``states``."""
    return await _changed(tx, reply_id, states, **more) is not None


async def _changed(
    tx: Tx,
    reply_id: int,
    states: Sequence[str],
    *,
    event: str | None = None,
    in_chat: int | None = None,
    **values: Any,
) -> Any:
    """The one UPDATE of every transition; the row's names, None if it was in none of ``states``.

    With ``in_chat``, only if the step is that chat's still.
    """
    here = [] if in_chat is None else [TABLE.c.chat_id == in_chat]
    changed: Any = (
        await tx.execute(
            update(TABLE)
            .where(TABLE.c.id == reply_id, TABLE.c.state.in_(states), *here)
            .values(**values)
            .returning(*(TABLE.c[name] for name in _NAMES))
        )
    ).first()
    if changed is not None and event is not None:
        metrics.step_event(tx, event, changed)
    return changed


async def keep_answers(tx: Tx, reply_id: int, answers: Json) -> bool:
    """Store the answers so far of an open step."""
    return await _set(tx, reply_id, OPEN, answers=answers)


async def claim_step(tx: Tx, reply_id: int, by: int, by_name: str) -> bool:
    """Let somebody take an open step of a group; who had taken it has it no more."""
    return await _set(tx, reply_id, OPEN, claimed_by=by, claimed_by_name=by_name)


async def release_step(tx: Tx, reply_id: int) -> bool:
    """Give an open step of a group back; the answers so far are kept."""
    return await _set(tx, reply_id, OPEN, claimed_by=None, claimed_by_name=None, dialog_open=False)


async def keep_votes(tx: Tx, reply_id: int, votes: Json) -> bool:
    """Store what the people of a group have chosen so far."""
    return await _set(tx, reply_id, OPEN, votes=votes)


async def posted(tx: Tx, reply_id: int, *, in_chat: int | None = None) -> bool:
    """A prompt of the step is shown, in its chat of now. Never moves an answered step back."""
    before = ("parked", "undeliverable")
    return await _set(
        tx, reply_id, before, event="posted", in_chat=in_chat, state="posted", undeliverable_since=None
    )


async def undeliverable(
    tx: Tx, reply_id: int, *, in_chat: int | None = None, give_up_after_s: float = 7 * 86_400
) -> bool:
    """The person has blocked the bot or never started it; the step stays parked and waits for them.

    Its lease is due when they have had ``give_up_after_s``, and then it is given up.
    """
    since = func.coalesce(PendingReply.undeliverable_since, func.now())
    return await _set(
        tx,
        reply_id,
        ("parked", "posted"),
        in_chat=in_chat,
        state="undeliverable",
        undeliverable_since=since,
        due_at=func.least(PendingReply.due_at, since + timedelta(seconds=give_up_after_s)),
    )


async def answer(tx: Tx, reply_id: int, outcome: Json, by: int | None, by_name: str | None) -> bool:
    """Accept the outcome of a step; False if somebody or something was faster."""
    is_kept = room_for(tx, COMPLETIONS) > 0
    claimed = claimed_at_birth(tx, COMPLETIONS) if is_kept else {}
    accepted = await tx.scalar(
        update(PendingReply)
        .where(PendingReply.id == reply_id, PendingReply.state.in_(OPEN))
        .values(
            {
                "state": "answered",
                "outcome": outcome,
                "answered_by": by,
                "answered_by_name": by_name,
                "answered_at": func.now(),
                "due_at": func.now(),
                "claim": None,
                "attempts": 0,
                "dialog_open": False,
                **claimed,
            }
        )
        .returning(PendingReply)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if accepted is None:
        return False
    metrics.step_event(tx, "answered", accepted)
    if is_kept:
        hand_over(tx, COMPLETIONS, accepted, accepted.external_task_id)
    else:
        await notify(tx, COMPLETIONS.name)
    await outbox.wake_held(tx, accepted.chat_id)
    return True


async def give_up(tx: Tx, reply_id: int, reason: str) -> bool:
    """The step cannot be asked: its prompts go, and the engine is told to make an incident of it."""
    accepted = await answer(tx, reply_id, {"kind": "incident", "message": reason}, None, None)
    if accepted:
        await _retire(tx, reply_id, "given-up-note")
    return accepted


async def _retire(tx: Tx, reply_id: int, why: str) -> None:
    """A step's messages lose their buttons and say why, in the language of their chat."""
    prompts = await outbox.of_reply(tx, reply_id)
    for chat_id in {prompt.chat_id for prompt in prompts}:
        async with people.speaking_to(tx, chat_id):
            note = render_html(texts.say(why))
        await endings.retire(tx, [each for each in prompts if each.chat_id == chat_id], note)


async def expire(tx: Tx, reply_id: int, code: str, reason: str) -> bool:
    """The time of a step is up: the engine is told to throw a BPMN error."""
    outcome = {"kind": "bpmn_error", "code": code, "message": reason, "expired": True}
    return await answer(tx, reply_id, outcome, None, None)


def has_expired(reply: PendingReply) -> bool:
    """Whether a step ended because its time was up."""
    return bool((reply.outcome or {}).get("expired"))


async def expired_lately(tx: Tx, chat_id: int, within_s: float) -> bool:
    """Whether the time of a step of a chat was up within the last seconds."""
    lately = (
        select(PendingReply.id)
        .where(
            PendingReply.chat_id == chat_id,
            PendingReply.state.in_(("answered", "expired")),
            PendingReply.outcome["expired"].as_boolean(),
            PendingReply.answered_at > func.now() - timedelta(seconds=within_s),
        )
        .limit(1)
    )
    return await tx.scalar(lately) is not None


async def hand_to(
    tx: Tx, reply_id: int, step: Json, chat_id: int, recipient_id: int | None, answers: Json
) -> bool:
    """An open step goes to another chat, where it is not shown and has no place yet."""
    return await _set(
        tx,
        reply_id,
        OPEN,
        state="parked",
        step=step,
        chat_id=chat_id,
        recipient_id=recipient_id,
        answers=answers,
        dialog_open=False,
        claimed_by=None,
        claimed_by_name=None,
        votes={},
        shown_at=None,
        undeliverable_since=None,
    )


async def free_place(tx: Tx, chat_id: int) -> None:
    """A step has left its chat: what was held back may come, and if there is nothing, nothing says so."""
    if not await outbox.wake_held(tx, chat_id):
        await outbox.end_shown(tx, outbox.rest_key(chat_id))


async def completed(tx: Tx, reply: PendingReply, state: str = "completed") -> None:
    """The engine was told the outcome; ``state`` is completed, cancelled, expired or failed.

    Raises:
        LostClaim: another completer has the row.
    """
    await settle(tx, reply, state=state, closed_at=func.now())
    # A failed one keeps its files as it keeps its answer: both may be told again.
    if state != "failed" and any(ask["type"] == "file" for ask in reply.step.get("asks", ())):
        await upload_pages.end(tx, reply.id)
        await uploads.remove_unused(tx, reply.id, reply.answers if state == "completed" else {})
    metrics.step_event(tx, "completed", reply, outcome=state)
    await notify(tx, FETCH_SIGNAL)


async def withdrawn(tx: Tx, reply_id: int, *, answered: bool = False) -> bool:
    """The engine took the step back: its prompts lose their buttons and say so.

    An ``answered`` step is withdrawn only by whoever tells the engine its answer: to anybody else a task that
    is gone may as well have been completed a moment ago.
    """
    changed = await _changed(
        tx,
        reply_id,
        (*OPEN, "answered") if answered else OPEN,
        event="withdrawn",
        state="withdrawn",
        closed_at=func.now(),
        claim=None,
        dialog_open=False,
    )
    if changed is None:
        return False
    await upload_pages.end(tx, reply_id)
    if not answered:  # the answer of an answered one is kept, with its files
        await uploads.remove_unused(tx, reply_id, {})
    await _retire(tx, reply_id, "expired-note")
    await free_place(tx, changed.chat_id)
    return True


async def note_outcome(tx: Tx, reply: PendingReply, outcome: Json) -> None:
    """Keep what happened while the engine was told, as long as the row is the caller's."""
    mine = PendingReply.id == reply.id, PendingReply.claim == reply.claim
    await tx.execute(update(PendingReply).where(*mine).values(outcome=outcome))


async def complete_again(tx: Tx, reply_id: int) -> bool:
    """The engine handed out a task whose answer is kept here: it is told once more, nobody is asked."""
    changed = await _set(
        tx,
        reply_id,
        ("completed", "cancelled", "expired", "failed", "withdrawn"),
        state="answered",
        outcome=PendingReply.outcome.op("-")("faults").op("-")("refused"),
        due_at=func.now(),
        attempts=0,
        claim=None,
        closed_at=None,
    )
    if changed:
        await notify(tx, COMPLETIONS.name)
    return changed


async def reopen(tx: Tx, reply_id: int, new: NewReply, *, lease_due_s: float) -> bool:
    """The engine handed out a task again that was withdrawn or failed unanswered: as if it were new."""
    return await _set(
        tx,
        reply_id,
        ("withdrawn", "failed", "expired"),
        event="created",
        **vars(new),
        state="parked",
        due_at=func.now() + timedelta(seconds=lease_due_s),
        shown_at=func.now(),
        answers={},
        claimed_by=None,
        claimed_by_name=None,
        votes={},
        outcome=None,
        answered_by=None,
        answered_by_name=None,
        answered_at=None,
        claim=None,
        attempts=0,
        last_error=None,
        closed_at=None,
        undeliverable_since=None,
    )


async def leased(tx: Tx, reply: PendingReply, *, due_s: float) -> None:
    """The lease was renewed; the next renewal is due in ``due_s``.

    Raises:
        LostClaim: the row moved on meanwhile.
    """
    await settle(tx, reply, due_at=func.now() + timedelta(seconds=due_s))


async def move_chat(tx: Tx, old_id: int, new_id: int) -> None:
    """A group has a new id: what waits for it goes there, what was sent stays under the old one."""
    moved = PendingReply.chat_id == old_id, PendingReply.state.in_(OPEN)
    await tx.execute(update(PendingReply).where(*moved).values(chat_id=new_id))
    await outbox.move_chat(tx, old_id, new_id)
