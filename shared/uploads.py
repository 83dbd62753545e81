"""The rows of files on their way from Telegram to the bucket."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx, notify
from shared.models import Upload
from shared.queues import Queue

UPLOADS = Queue("uploads", Upload, ("queued",), poison="failed", longest_pause_s=30.0)
"""Files to fetch, check and store."""


async def accept(tx: Tx, **values: Any) -> bool:
    """Keep a file that a person sent; False if this very message is kept already."""
    made = await tx.scalar(
        insert(Upload).values(state="queued", **values).on_conflict_do_nothing().returning(Upload.id)
    )
    if made is not None:
        await notify(tx, UPLOADS.name)
    return made is not None


async def waiting_for(tx: Tx, pending_reply_id: int, variable: str) -> bool:
    """Whether a file for this variable is on its way already."""
    found = await tx.scalar(
        select(Upload.id).where(
            Upload.pending_reply_id == pending_reply_id, Upload.variable == variable, Upload.state == "queued"
        )
    )
    return found is not None


async def note_key(tx: Tx, upload: Upload, object_key: str) -> None:
    """Write down where an upload goes before it goes there, so that a crash leaves no unknown object."""
    await tx.execute(
        update(Upload)
        .where(Upload.id == upload.id, Upload.claim == upload.claim)
        .values(object_key=object_key)
        .execution_options(synchronize_session=False)
    )
    upload.object_key = object_key
