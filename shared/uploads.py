"""The rows of files: on their way from a person to the bucket, and as the ledger of what lies there."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx, notify
from shared.models import Upload
from shared.queues import LostClaim, Queue

UPLOADS = Queue("uploads", Upload, ("queued", "arrived", "removing"), poison="failed", longest_pause_s=30.0)
"""Files to fetch, to examine, and to take away."""

UNDER_WAY = ("sending", "queued", "arrived")
"""The states of a file that may still become part of an answer."""

IN_HAND = ("queued", "arrived")
"""Those of them that are with us as a whole, so that something becomes of them soon."""

ALBUM_QUIET_S = 2.0
"""An album is whole when nothing more of it has come for so long; measured by its rows, so on any replica."""

A_DAY = timedelta(days=1)

TABLE = cast("Table", Upload.__table__)


class Sent(NamedTuple):
    """How much somebody has sent within a day."""

    files: int
    size_bytes: int

    def with_one_of(self, size_bytes: int) -> "Sent":
        """The same and one more file."""
        return Sent(self.files + 1, self.size_bytes + size_bytes)

    def is_beyond(self, most: "Sent") -> bool:
        """Whether this is more than somebody may send."""
        return self.files > most.files or self.size_bytes > most.size_bytes


async def accept(tx: Tx, **values: Any) -> bool:
    """Keep a file that a person sent; False if this very message is kept already.

    The files of an album wait until it has been quiet: Telegram does not say which is its last.
    """
    album, quiet = values.get("media_group_id"), func.now() + timedelta(seconds=ALBUM_QUIET_S)
    due = {"due_at": quiet} if album else {}
    made = await tx.scalar(
        insert(Upload).values(state="queued", **values, **due).on_conflict_do_nothing().returning(Upload.id)
    )
    if made is not None and album:
        await tx.execute(
            update(Upload)
            .where(*_of_album(values["chat_id"], album), Upload.state == "queued", Upload.claim.is_(None))
            .values(due_at=quiet)
            .execution_options(synchronize_session=False)
        )
    if made is not None:
        await notify(tx, UPLOADS.name)
    return made is not None


def _of_album(chat_id: int, album: str) -> tuple[ColumnElement[bool], ...]:
    return Upload.chat_id == chat_id, Upload.media_group_id == album


async def refuse_album(tx: Tx, chat_id: int, album: str, reason: str) -> bool:
    """Refuse what has come of an album, where it is too much as a whole; False if that was done before."""
    refused = await tx.scalars(
        update(Upload)
        .where(*_of_album(chat_id, album), Upload.state == "queued", Upload.claim.is_(None))
        .values(state="refused", last_error=reason)
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    )
    return bool(refused.all())


async def was_refused(tx: Tx, chat_id: int, album: str) -> bool:
    """Whether an album was refused as a whole already."""
    found = select(Upload.id).where(*_of_album(chat_id, album), Upload.state == "refused").limit(1)
    return await tx.scalar(found) is not None


async def of_variable(
    tx: Tx, pending_reply_id: int, variable: str, states: Collection[str] = (*UNDER_WAY, "stored")
) -> Sequence[Upload]:
    """The files of one question of a step, oldest first."""
    found = await tx.scalars(
        select(Upload)
        .where(
            Upload.pending_reply_id == pending_reply_id,
            Upload.variable == variable,
            Upload.state.in_(states),
        )
        .order_by(Upload.id)
        .execution_options(populate_existing=True)
    )
    return found.all()


async def sent_lately(tx: Tx, *, user_id: int | None = None, chat_id: int | None = None) -> Sent:
    """What a person, or everybody in a chat, has sent within the last day, whatever became of it."""
    whose = Upload.user_id == user_id if chat_id is None else Upload.chat_id == chat_id
    lately = whose, Upload.created_at > func.now() - A_DAY
    found = await tx.execute(
        select(func.count(), func.coalesce(func.sum(Upload.size_bytes), 0)).where(*lately)
    )
    files, size_bytes = found.one()
    return Sent(files or 0, int(size_bytes or 0))


async def note(tx: Tx, upload: Upload, **values: Any) -> None:
    """Write down something of an upload in hand; the claim stays.

    Where it goes is written down before it goes there, so that a crash leaves no unknown object.

    Raises:
        LostClaim: the claim lapsed and another holder has the row.
    """
    mine = TABLE.c.id == upload.id, TABLE.c.claim == upload.claim
    noted = await tx.scalar(update(TABLE).where(*mine).values(**values).returning(TABLE.c.id))
    if noted is None:
        raise LostClaim(f"upload {upload.id} was taken by another holder")
    for name, value in values.items():
        setattr(upload, name, value)


async def remove_one(tx: Tx, number: int) -> None:
    """Take away a file that is no part of any answer yet."""
    await remove(tx, Upload.id == number)


async def remove(tx: Tx, *which: ColumnElement[bool]) -> int:
    """Let objects that no answer needs any more be taken out of the bucket; how many there are."""
    gone = await tx.scalars(
        update(Upload)
        .where(Upload.state == "stored", *which)
        .values(state="removing", due_at=func.now(), claim=None, attempts=0)
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    )
    count = len(gone.all())
    if count:
        await notify(tx, UPLOADS.name)
    return count


async def remove_expired(tx: Tx, limit: int) -> int:
    """Let the objects go whose retention is over, the oldest first; how many there are."""
    over = (
        select(Upload.id)
        .where(Upload.state == "stored", Upload.delete_at <= func.now())
        .order_by(Upload.delete_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await remove(tx, Upload.id.in_(over.scalar_subquery()))


async def remove_unused(tx: Tx, pending_reply_id: int, answers: dict[str, Any]) -> int:
    """Take away the files of a step that are in none of its answers: replaced, skipped, or not done."""
    used = [number for answer in answers.values() if "value" in answer for number in answer.get("files", ())]
    return await remove(tx, Upload.pending_reply_id == pending_reply_id, Upload.id.not_in(used))
