"""The rows of upload pages, and of the files that a browser sends on them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, cast

from sqlalchemy import Table, func, select, update

from shared.db import Tx, notify
from shared.models import Upload, UploadPage
from shared.queues import Queue
from shared.uploads import UPLOADS

PAGES = Queue("upload_pages", UploadPage, ("open", "taken"))
"""Pages, each due when it is to be closed."""

RESUMABLE = timedelta(days=1)
"""So long may whoever has taken a page come back to it."""

TABLE = cast("Table", UploadPage.__table__)


async def add(tx: Tx, *, link_s: int, **values: Any) -> UploadPage:
    """A new page, which a browser may take within ``link_s`` seconds."""
    until = datetime.now(UTC) + timedelta(seconds=link_s)
    page = UploadPage(state="open", until=until, due_at=until, **values)
    tx.add(page)
    await tx.flush()
    return page


async def by_id(tx: Tx, page_id: int, *, lock: bool = False) -> UploadPage | None:
    """One page; locked, after its step, for whoever is going to change something of it."""
    statement = select(UploadPage).where(UploadPage.id == page_id).execution_options(populate_existing=True)
    found = await tx.scalars(statement.with_for_update() if lock else statement)
    return found.one_or_none()


async def take(tx: Tx, page: UploadPage, session: str) -> None:
    """From now on a locked page is that browser's."""
    page.state, page.session_hash = "taken", _hash(session)
    page.due_at = datetime.now(UTC) + RESUMABLE
    await tx.flush()


def is_of(page: UploadPage, session: str) -> bool:
    """Whether this browser has taken the page."""
    return page.session_hash is not None and compare_digest(page.session_hash, _hash(session))


async def end(tx: Tx, pending_reply_id: int) -> None:
    """A step is over: its pages are closed at once, with what was still being sent."""
    found = await tx.scalar(
        update(TABLE)
        .where(TABLE.c.pending_reply_id == pending_reply_id, TABLE.c.state.in_(PAGES.waiting))
        .values(due_at=func.now(), claim=None)
        .returning(TABLE.c.id)
    )
    if found is not None:
        await notify(tx, PAGES.name)


async def files(tx: Tx, page_id: int, *, state: str | None = None) -> Sequence[Upload]:
    """The files of a page, oldest first; locked where only those of a ``state`` are asked for."""
    statement = select(Upload).where(Upload.page_id == page_id).order_by(Upload.id)
    if state is not None:
        statement = statement.where(Upload.state == state).with_for_update()
    return (await tx.scalars(statement.execution_options(populate_existing=True))).all()


async def elsewhere(tx: Tx, page: UploadPage) -> Sequence[Upload]:
    """What the same person still sends for the same question on other pages, locked."""
    same = (
        Upload.pending_reply_id == page.pending_reply_id,
        Upload.variable == page.variable,
        Upload.user_id == page.user_id,
        Upload.page_id != page.id,
        Upload.state == "sending",
    )
    return (await tx.scalars(select(Upload).where(*same).order_by(Upload.id).with_for_update())).all()


async def add_file(tx: Tx, page: UploadPage, **values: Any) -> Upload:
    """A file whose parts a browser is going to send."""
    upload = Upload(
        state="sending",
        source="page",
        page_id=page.id,
        pending_reply_id=page.pending_reply_id,
        variable=page.variable,
        chat_id=page.chat_id,
        user_id=page.user_id,
        user_name=page.user_name,
        created_at=datetime.now(UTC),
        **values,
    )
    tx.add(upload)
    await tx.flush()
    return upload


async def hand_over(tx: Tx, upload: Upload) -> None:
    """A locked file is sent as a whole: it is put together, examined and taken."""
    upload.state, upload.due_at = "queued", datetime.now(UTC)
    await tx.flush()
    await notify(tx, UPLOADS.name)


def _hash(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
