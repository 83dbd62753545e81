"""Takes away what is over and what nobody can still need, in batches of one short transaction each.

A closed step goes with its prompts and deadlines; rows of its files stay as long as their objects. Three
things stay longer: what was set aside, because somebody may look at it; an answer that its process could not
take, for it is told again when the retries are raised; a step of which a button may still be shown, until
that button is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from shared import endings, uploads
from shared.db import Database, Tx
from shared.models import PendingReply, ProcessStart, Prompt, Queued, RateBucket, SentFile, Update, Upload
from shared.settings import Settings

BATCH = 500
"""Rows of one transaction: some milliseconds of locks."""

IDLE_BUCKET_S = 3600.0
"""A bucket that nobody took from for so long is full, and a full one is as good as none."""

_CHANGING = Prompt.state.in_(("queued", "editing", "retiring", "deleting"))
_KEYBOARD = Prompt.content["reply_markup"]
_SHOWS_BUTTONS = and_(
    Prompt.state == "sent", or_(_KEYBOARD.has_key("inline_keyboard"), _KEYBOARD.has_key("force_reply"))
)


@dataclass(frozen=True)
class Ages:
    """How old what is over has to be, in seconds."""

    closed_s: float
    updates_s: float
    set_aside_s: float

    @classmethod
    def from_settings(cls, settings: Settings) -> "Ages":
        """As the operator wants them."""
        return cls(settings.keep_closed_s, settings.keep_updates_s, settings.keep_set_aside_s)


async def prune(db: Database, ages: Ages) -> dict[str, int]:
    """Take away one batch of every kind; the number of rows that went.

    A number of ``BATCH`` says that there may be more.
    """
    gone: dict[str, int] = {}
    async with db.begin() as tx:
        gone["pending_replies"] = await _replies(tx, ages)
    async with db.begin() as tx:
        await _retire_left_overs(tx, ages)
    async with db.begin() as tx:
        gone["prompts"] = await _delete(tx, Prompt, _over_prompts(ages), Prompt.created_at)
    async with db.begin() as tx:
        gone["updates"] = await _delete(
            tx, Update, _over_updates("handled", ages.updates_s), Update.created_at
        )
    async with db.begin() as tx:
        gone["poison"] = await _delete(
            tx, Update, _over_updates("poison", ages.set_aside_s), Update.created_at
        )
    async with db.begin() as tx:
        gone["process_starts"] = await _delete(tx, ProcessStart, _over_starts(ages), ProcessStart.due_at)
    async with db.begin() as tx:
        gone["expired_files"] = await uploads.remove_expired(tx, BATCH)
    async with db.begin() as tx:
        gone["uploads"] = await _delete(tx, Upload, _over_uploads(ages), Upload.created_at)
    async with db.begin() as tx:
        gone["rate_buckets"] = await _buckets(tx)
    async with db.begin() as tx:
        gone["sent_files"] = await _sent_files(tx, ages)
    return gone


def is_more(gone: dict[str, int]) -> bool:
    """Whether a batch was full, so that another one is worth its while."""
    return any(count >= BATCH for count in gone.values())


def _before(age_s: float) -> Any:
    return func.now() - timedelta(seconds=age_s)


def _over_replies(ages: Ages) -> ColumnElement[bool]:
    """Closed long enough, and no answer is lost with it that an operator could still send on its way."""
    return and_(
        PendingReply.closed_at < _before(ages.closed_s),
        or_(
            PendingReply.state != "failed",
            PendingReply.outcome.is_(None),
            PendingReply.outcome["kind"].astext == "incident",
            PendingReply.closed_at < _before(ages.set_aside_s),
        ),
    )


async def _replies(tx: Tx, ages: Ages) -> int:
    """Closed steps with what hangs on them, unless a message of theirs shows a button or is being changed."""
    alive = exists().where(Prompt.pending_reply_id == PendingReply.id, or_(_CHANGING, _SHOWS_BUTTONS))
    ids = await _chosen(tx, PendingReply, and_(_over_replies(ages), ~alive), PendingReply.closed_at)
    # The files of a completed one are its process's now; of any other nobody will ever ask for them.
    told_nobody = select(PendingReply.id).where(PendingReply.id.in_(ids), PendingReply.state != "completed")
    await uploads.remove(tx, Upload.pending_reply_id.in_(told_nobody))
    return await _gone(tx, PendingReply, ids)


async def _retire_left_overs(tx: Tx, ages: Ages) -> None:
    """Take the buttons off messages of steps that are to go: they must not outlive what they belong to."""
    shown = exists().where(Prompt.pending_reply_id == PendingReply.id, _SHOWS_BUTTONS)
    for reply_id in await _chosen(tx, PendingReply, and_(_over_replies(ages), shown), PendingReply.closed_at):
        await endings.retire_all(tx, reply_id)


def _over_prompts(ages: Ages) -> ColumnElement[bool]:
    """Messages of no step. A menu's buttons work without its row, so those need not go first."""
    return and_(
        Prompt.pending_reply_id.is_(None),
        Prompt.created_at < _before(ages.closed_s),
        or_(
            Prompt.state.in_(("sent", "retired", "undeliverable")),
            and_(Prompt.state == "failed", Prompt.created_at < _before(ages.set_aside_s)),
        ),
    )


def _over_updates(state: str, age_s: float) -> ColumnElement[bool]:
    return and_(Update.state == state, Update.created_at < _before(age_s))


def _over_starts(ages: Ages) -> ColumnElement[bool]:
    return or_(
        and_(ProcessStart.state == "ended", ProcessStart.due_at < _before(ages.closed_s)),
        and_(ProcessStart.state == "failed", ProcessStart.due_at < _before(ages.set_aside_s)),
    )


def _over_uploads(ages: Ages) -> ColumnElement[bool]:
    """Files that did not come to stay; the row of an object goes after its object and never before."""
    return or_(
        and_(
            Upload.state.in_(("removed", "refused", "abandoned")), Upload.created_at < _before(ages.closed_s)
        ),
        and_(
            Upload.state == "failed",
            Upload.object_key.is_(None),
            Upload.created_at < _before(ages.set_aside_s),
        ),
    )


async def _buckets(tx: Tx) -> int:
    """Rate buckets that are full again: whoever takes from one next makes it anew."""
    long_ago = _before(IDLE_BUCKET_S)
    idle = and_(
        RateBucket.arrival_at < long_ago,
        or_(RateBucket.halted_until.is_(None), RateBucket.halted_until < long_ago),
    )
    chosen = select(RateBucket.key).where(idle).limit(BATCH).with_for_update(skip_locked=True)
    gone = await tx.scalars(
        delete(RateBucket).where(RateBucket.key.in_(chosen.scalar_subquery())).returning(RateBucket.key)
    )
    return len(gone.all())


async def _sent_files(tx: Tx, ages: Ages) -> int:
    """What nobody was sent for long; if it is sent once more, it is uploaded once more."""
    table = SentFile.__table__.c
    names = table.bot_id, table.kind, table.object_key
    idle = SentFile.used_at < _before(ages.closed_s)
    chosen = select(*names).where(idle).limit(BATCH).with_for_update(skip_locked=True)
    gone = await tx.scalars(delete(SentFile).where(tuple_(*names).in_(chosen)).returning(SentFile.bot_id))
    return len(gone.all())


async def _chosen(
    tx: Tx, model: type[Queued], over: ColumnElement[bool], age: InstrumentedAttribute[Any]
) -> Sequence[int]:
    """The oldest of the rows that are over, locked; whoever has one in hand keeps it."""
    chosen = (
        select(model.id).where(over).order_by(age).limit(BATCH).with_for_update(of=model, skip_locked=True)
    )
    return (await tx.scalars(chosen)).all()


async def _delete(
    tx: Tx, model: type[Queued], over: ColumnElement[bool], age: InstrumentedAttribute[Any]
) -> int:
    return await _gone(tx, model, await _chosen(tx, model, over, age))


async def _gone(tx: Tx, model: type[Queued], ids: Sequence[int]) -> int:
    if ids:
        await tx.execute(delete(model).where(model.id.in_(ids)).execution_options(synchronize_session=False))
    return len(ids)
