"""Compares the bucket with the rows of files: what lies there that no row owns, and what is missing there."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Column, MetaData, Table, Text, exists, func, insert, select

from shared.db import Database
from shared.models import Upload
from shared.settings import Settings
from shared.storage import ObjectMissing, Storage

PREFIXES = ("tasks/", "quarantine/")
"""Where people's files lie; whatever topics store elsewhere is theirs."""

OWNERS = ("sending", "queued", "arrived", "stored", "removing", "infected", "failed")
"""States in which a row may have an object; in the others it was deleted."""

HAVE = ("arrived", "stored", "infected")
"""States in which it has one for certain."""


@dataclass(frozen=True)
class Difference:
    """An object or the parts of one that no row owns (``orphan``, ``parts``), or a row without its object."""

    kind: Literal["orphan", "parts", "missing"]
    key: str

    def line(self) -> str:
        """As people read it."""
        return {
            "orphan": f"orphan   {self.key}: no row of a file owns this object",
            "parts": f"parts    {self.key}: an unfinished upload that no row owns",
            "missing": f"missing  {self.key}: its row says that it is stored, and it is not there",
        }[self.kind]


async def report(settings: Settings) -> list[dict[str, str]]:
    """All differences as plain values, with the line of each.

    Raises:
        StorageUnavailable, StorageRefused: see there.
        DatabaseUnavailable: see there.
    """
    storage = Storage.from_settings(settings)
    db = Database(settings.database_url, pool_size=2, behind_pooler=settings.database_direct_url is not None)
    try:
        return [asdict(each) | {"line": each.line()} async for each in compare(storage, db)]
    finally:
        await db.aclose()
        await storage.aclose()


async def compare(storage: Storage, db: Database) -> AsyncIterator[Difference]:
    """What the bucket and the rows do not agree on; nothing is changed.

    The keys go through a temporary table, so a million objects take no more memory than one page of them.
    What is under way meanwhile is looked at again before it counts.
    """
    listed = Table(
        "listed_objects", MetaData(), Column("key", Text, primary_key=True), prefixes=["TEMPORARY"]
    )
    async with db.begin() as tx:
        began = await tx.scalar(select(func.now()))
        await tx.run_sync(lambda session: listed.create(session.connection()))
        for prefix in PREFIXES:
            async for keys in storage.keys(prefix):
                await tx.execute(insert(listed), [{"key": key} for key in keys])
        owned = exists().where(Upload.object_key == listed.c.key, Upload.state.in_(OWNERS))
        orphans = (await tx.scalars(select(listed.c.key).where(~owned))).all()
        there = exists().where(listed.c.key == Upload.object_key)
        gone = (
            await tx.scalars(
                select(Upload.object_key).where(Upload.state.in_(HAVE), ~there, Upload.created_at < began)
            )
        ).all()
        await tx.run_sync(lambda session: listed.drop(session.connection()))
    for key in orphans:
        if await _is_there(storage, key) and not await _is_owned(db, key):
            yield Difference("orphan", key)
    for key in gone:
        if key is not None and not await _is_there(storage, key) and await _is_owned(db, key, HAVE):
            yield Difference("missing", key)
    for prefix in PREFIXES:
        for key in await storage.unfinished(prefix):
            if not await _is_owned(db, key):
                yield Difference("parts", key)


async def _is_there(storage: Storage, key: str) -> bool:
    try:
        await storage.look(key)
    except ObjectMissing:
        return False
    return True


async def _is_owned(db: Database, key: str, states: tuple[str, ...] = OWNERS) -> bool:
    async with db.begin() as tx:
        which = Upload.object_key == key, Upload.state.in_(states)
        return await tx.scalar(select(Upload.id).where(*which)) is not None
