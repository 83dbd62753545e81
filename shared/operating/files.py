"""`stepgram files`: does the bucket hold what the rows of files say, and nothing else?

An orphan is an object, and parts are those of an upload that was begun, that no row owns; missing is an
object that a row says is there; late is what has been on its way for long. Only what lies under ``tasks/``
and ``quarantine/`` has rows: what topics store is theirs to judge, and keys of the time before there were
such rows are left alone.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Literal, cast

from sqlalchemy import ColumnElement, collate, select

from shared.db import Database
from shared.models import Upload
from shared.settings import Settings
from shared.storage import Storage
from shared.storage.listing import Listed, objects, unfinished
from shared.uploads import UNDER_WAY

QUARANTINE = "quarantine/"
PREFIXES = ("tasks/", QUARANTINE)
BATCH = 1000
YOUNG = timedelta(hours=1)
"""What is on its way may be so for a while: its object is there before, or after, its row says so."""

_OLD_KEY = re.compile(r"tasks/[^/]+/[^/]+/[^/]+/\d{8}T\d{6}\.\d{6}Z_(?![0-9a-f]{32}_)")
"""Without a random part: their rows went with their steps."""

WITH_OBJECT = ("stored", "infected")
"""The states of a row whose object is there."""

MAY_KEEP = ("stored", "infected", "failed")
"""Those of a row that is done and whose object stays; of a failed one until somebody has looked at it."""

ON_ITS_WAY = (*UNDER_WAY, "removing")
"""Those whose object may be there just now."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the bucket that no row owns, or is late, or a row without its object."""

    kind: Literal["orphan", "parts", "late", "missing"]
    key: str
    state: str | None = None
    """Of the row, where there is one."""
    upload_id: str | None = None
    """S3's name of an upload that was begun, where it is no object yet."""

    def line(self) -> str:
        """The difference as one line for people."""
        what = f"an upload ({self.upload_id}) of {self.key}" if self.upload_id else self.key
        row = f"its row is {self.state}" if self.state else "it has no row"
        match self.kind:
            case "missing":
                return f"missing: {self.key} is not in the bucket, and {row}"
            case "late":
                return f"late: {what} is in the bucket for long, and {row}"
            case _:
                return f"{self.kind}: {what} is in the bucket, and {row}"


async def told(settings: Settings, as_json: bool) -> AsyncIterator[str]:
    """Every difference as a line, as it is found."""
    storage = Storage.from_settings(settings)
    db = Database(settings.database_url, behind_pooler=settings.database_direct_url is not None)
    try:
        async with aclosing(compare(storage, db)) as found:
            async for each in found:
                yield json.dumps(asdict(each), ensure_ascii=False) if as_json else each.line()
    finally:
        await db.aclose()
        await storage.aclose()


async def compare(
    storage: Storage, db: Database, *, young: timedelta = YOUNG
) -> AsyncGenerator[Difference, None]:
    """What bucket and rows disagree about, in constant memory: a page of each at a time.

    What is on its way and younger than ``young`` is no difference. Both change meanwhile, so each difference
    is looked at a second time before it is told.

    Raises:
        StorageError, DatabaseUnavailable: see there.
    """
    for prefix in PREFIXES:
        last = prefix
        async for page in objects(storage, prefix):
            async for each in _unowned(db, page, young):
                if await storage.size_bytes(each.key) is not None:
                    yield each
            present = {each.key for each in page}
            first, last = last, max(last, *present) if present else last
            async for each in _missing(storage, db, prefix, first, last, present):
                yield each
        async for each in _missing(storage, db, prefix, last, None, set()):
            yield each
    async for page in unfinished(storage, PREFIXES):
        async for each in _unowned(db, page, young):
            yield each


async def _states(db: Database, keys: Iterable[str]) -> dict[str, str]:
    async with db.begin() as tx:
        found = await tx.execute(
            select(Upload.object_key, Upload.state).where(Upload.object_key.in_(list(keys)))
        )
        return {str(key): state for key, state in found}


async def _unowned(db: Database, page: Sequence[Listed], young: timedelta) -> AsyncIterator[Difference]:
    """Of a page of objects, or of uploads, what no row owns, and what is late."""
    names = {each.key: _names(each.key) for each in page}
    states = await _states(db, chain.from_iterable(names.values()))
    for each in page:
        state = next((states[name] for name in names[each.key] if name in states), None)
        if state in ON_ITS_WAY:
            if datetime.now(UTC) - each.since >= young:
                yield Difference("late", each.key, state, each.upload_id)
        elif state is None and _OLD_KEY.match(each.key) and not each.upload_id:
            continue
        elif each.upload_id:
            yield Difference("parts", each.key, state, each.upload_id)
        elif state not in MAY_KEEP:
            yield Difference("orphan", each.key, state)


def _names(key: str) -> tuple[str, ...]:
    """How a row may call an object: one that is put into quarantine has its old name for a moment still."""
    rest = key.removeprefix(QUARANTINE)
    return (key,) if rest == key else (key, rest)


async def _missing(
    storage: Storage, db: Database, prefix: str, after: str, upto: str | None, present: Collection[str]
) -> AsyncIterator[Difference]:
    """The rows between two keys whose objects are not among those of a page, and nowhere else either.

    A store lists keys by their bytes. One that did not would cost more looks here, and hide nothing.
    """
    key: ColumnElement[str] = collate(cast("ColumnElement[str]", Upload.object_key), "C")
    while True:
        within = [key > after, key.startswith(prefix, autoescape=True)]
        within += [] if upto is None else [key <= upto]
        async with db.begin() as tx:
            found = await tx.execute(
                select(Upload.object_key, Upload.state)
                .where(Upload.state.in_(WITH_OBJECT), *within)
                .order_by(key)
                .limit(BATCH)
            )
            rows = [(str(name), str(state)) for name, state in found]
        for name, state in rows:
            if name in present or await storage.size_bytes(name) is not None:
                continue
            if (await _states(db, [name])).get(name) in WITH_OBJECT:
                yield Difference("missing", name, state)
        if len(rows) < BATCH:
            return
        after = rows[-1][0]
