"""Everything that needs the whole of a file, once it lies in the bucket and before anybody knows of it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import BinaryIO, cast

from shared import texts
from shared.files import polyglots, process, scanning
from shared.files.archives import Limits
from shared.files.kinds import HEAD_BYTES, FileRefused, FileType
from shared.files.packings import UNREADABLE, packing_of
from shared.files.polyglots import Ends
from shared.settings import Settings
from shared.steps.model import Ask
from shared.storage import Storage, StoredObject
from shared.storage.errors import call

CHILDREN_AT_ONCE = 2
"""In one process; each may take as much memory as ``process.MEMORY_BYTES``."""

STRIPPABLE = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff")
"""The pictures that ``images`` can write anew; it is imported in the child only."""

_CHUNK_BYTES = 256 * 1024


class Examiner:
    """Looks at stored objects; one for a process."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._storage = storage
        self._clamd_address = settings.clamd_address
        self._limits = Limits(
            entries=settings.archive_max_entries,
            ratio=settings.archive_max_ratio,
            depth=settings.archive_max_depth,
            unpacked_bytes=settings.archive_max_bytes,
        )
        self._children = asyncio.Semaphore(CHILDREN_AT_ONCE)

    async def examine(
        self, key: str, *, kind: FileType, size_bytes: int, ask: Ask, ends: Ends | None = None
    ) -> None:
        """See whether an object may become an answer to ``ask``; called again, it gives the same verdict.

        Its ``ends`` are read from the bucket where nobody has kept them.
        The cheap look comes first, and no content is parsed by anything of the author's before it is scanned.

        Raises:
            FileRefused: it may not.
            Infected: ClamAV found something.
            WorldError: the bucket or ClamAV does not answer; the file waits.
        """
        file = cast("BinaryIO", self._storage.seekable(key, size_bytes))
        if ends is None:
            ends = await call(f"looking at {key}", lambda: _ends(file, size_bytes))
        polyglots.check(ends, kind)
        if kind.extension in UNREADABLE:
            raise FileRefused("archive_unreadable")
        if packing_of(ends.head) is not None:
            async with self._children:
                await process.look_into(
                    file,
                    job="archive",
                    size_bytes=size_bytes,
                    extension=kind.extension,
                    limits=asdict(self._limits),
                )
        if self._clamd_address is not None:
            async with self._storage.open(key) as stored:
                await scanning.scan(self._clamd_address, aiter(stored))
        if ask.validator is not None:
            async with self._children:
                await process.look_into(
                    file,
                    job="validate",
                    size_bytes=size_bytes,
                    validator=ask.validator,
                    argument=ask.validator_argument,
                    language=texts.voice().language,
                )

    async def strip(self, key: str, *, kind: FileType, size_bytes: int) -> StoredObject | None:
        """Replace a picture by one without its metadata; None for a file that is no picture, and stays.

        Raises:
            FileRefused: image_kind, image_too_large, image_broken or too_complex.
            WorldError: the bucket does not answer.
        """
        if not kind.mime.startswith("image/"):
            return None
        if kind.extension not in STRIPPABLE:
            raise FileRefused("image_kind")
        with tempfile.TemporaryFile() as result:
            async with self._children:
                await process.look_into(
                    cast("BinaryIO", self._storage.seekable(key, size_bytes)),
                    result=result,
                    job="strip",
                    size_bytes=size_bytes,
                    extension=kind.extension,
                )
            result.seek(0)
            return await self._storage.put(key, _chunks(result), content_type=kind.mime)


def quarantine_key(key: str) -> str:
    """Where an infected object goes, that no process and no retention ever looks at."""
    return f"quarantine/{key}"


def _ends(file: BinaryIO, size_bytes: int) -> Ends:
    file.seek(0)
    ends = Ends()
    if size_bytes <= HEAD_BYTES + polyglots.TAIL_BYTES:
        ends.add(file.read(size_bytes))
        return ends
    ends.add(file.read(HEAD_BYTES))
    file.seek(size_bytes - polyglots.TAIL_BYTES)
    ends.add(file.read(polyglots.TAIL_BYTES))
    return ends


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
        yield chunk
