"""Looking up pending replies: who waits for what, and what was answered. Nothing here changes a row."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select

from shared.db import Tx
from shared.models import Deadline, PendingReply
from shared.transitions import OPEN


async def open_in_chat(tx: Tx, chat_id: int) -> Sequence[PendingReply]:
    """The open steps of a chat, oldest first, at most fifty."""
    here = PendingReply.chat_id == chat_id, PendingReply.state.in_(OPEN)
    found = await tx.scalars(select(PendingReply).where(*here).order_by(PendingReply.id).limit(50))
    return found.all()


async def waiting_for(tx: Tx, user_id: int, first: int, limit: int) -> tuple[Sequence[PendingReply], int]:
    """A page of the open steps of a person, oldest first, and how many there are.

    Theirs are those of their private chat, and those of groups that they have taken.
    """
    theirs = or_(PendingReply.chat_id == user_id, PendingReply.claimed_by == user_id)
    where = theirs, PendingReply.state.in_(OPEN)
    count = await tx.scalar(select(func.count()).select_from(PendingReply).where(*where)) or 0
    page = select(PendingReply).where(*where).order_by(PendingReply.id).offset(first).limit(limit)
    return (await tx.scalars(page)).all(), count


async def answered_by(tx: Tx, user_id: int, limit: int) -> Sequence[PendingReply]:
    """What a person answered, newest first."""
    where = PendingReply.answered_by == user_id, PendingReply.answered_at.is_not(None)
    newest = select(PendingReply).where(*where).order_by(PendingReply.answered_at.desc()).limit(limit)
    return (await tx.scalars(newest)).all()


async def instances_of(tx: Tx, user_id: int, limit: int) -> Sequence[PendingReply]:
    """The newest step of each process instance in which a person had steps or answered, newest first."""
    theirs = or_(
        PendingReply.chat_id == user_id,
        PendingReply.claimed_by == user_id,
        PendingReply.answered_by == user_id,
    )
    newest = (
        select(func.max(PendingReply.id))
        .where(theirs, PendingReply.process_instance_id != "")
        .group_by(PendingReply.process_instance_id)
        .order_by(func.max(PendingReply.id).desc())
        .limit(limit)
    )
    found = select(PendingReply).where(PendingReply.id.in_(newest)).order_by(PendingReply.id.desc())
    return (await tx.scalars(found)).all()


async def handed_over_at(tx: Tx, reply_ids: Sequence[int]) -> dict[int, datetime]:
    """When those of some steps that are to be handed over, unanswered, will be."""
    coming = Deadline.kind == "escalate", Deadline.state == "waiting"
    found = await tx.execute(
        select(Deadline.pending_reply_id, Deadline.due_at).where(
            Deadline.pending_reply_id.in_(reply_ids), *coming
        )
    )
    return {row.pending_reply_id: row.due_at for row in found}


async def by_id(tx: Tx, reply_id: int) -> PendingReply | None:
    """One row."""
    return await tx.get(PendingReply, reply_id)


async def by_task(tx: Tx, external_task_id: str) -> PendingReply | None:
    """The row of an external task."""
    statement = select(PendingReply).where(PendingReply.external_task_id == external_task_id)
    return (await tx.execute(statement)).scalar_one_or_none()


async def by_instance(tx: Tx, process_instance_id: str) -> Sequence[PendingReply]:
    """The rows of a process instance, oldest first."""
    found = await tx.scalars(
        select(PendingReply)
        .where(PendingReply.process_instance_id == process_instance_id)
        .order_by(PendingReply.id)
    )
    return found.all()


async def newest_form(tx: Tx, chat_id: int, name: str) -> PendingReply | None:
    """The start form of that name that was shown last in a chat; they are told apart behind a colon."""
    named = PendingReply.external_task_id.startswith(f"{name}:", autoescape=True)
    newest = (
        select(PendingReply).where(PendingReply.chat_id == chat_id, named).order_by(PendingReply.id.desc())
    )
    return (await tx.scalars(newest.limit(1))).first()


async def open_or_answered(tx: Tx, after_id: int, limit: int) -> Sequence[PendingReply]:
    """A page of the rows whose task the engine should still have, by id."""
    has_task = PendingReply.process_instance_id != ""  # a start form has none
    found = await tx.scalars(
        select(PendingReply)
        .where(PendingReply.id > after_id, PendingReply.state.in_((*OPEN, "answered")), has_task)
        .order_by(PendingReply.id)
        .limit(limit)
    )
    return found.all()


async def of_activities(tx: Tx, instance_ids: Sequence[str]) -> Sequence[PendingReply]:
    """The open rows of activity instances: candidates of a withdrawal. Of the others the completer knows."""
    found = await tx.scalars(
        select(PendingReply).where(
            PendingReply.activity_instance_id.in_(instance_ids), PendingReply.state.in_(OPEN)
        )
    )
    return found.all()


async def dialog_of_chat(tx: Tx, chat_id: int) -> int | None:
    """The one open dialog of a private chat."""
    return await tx.scalar(
        select(PendingReply.id)
        .where(PendingReply.chat_id == chat_id, PendingReply.dialog_open, PendingReply.state.in_(OPEN))
        .limit(1)
    )
