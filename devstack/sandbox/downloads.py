"""How files reach a bot: whole, slowly, cut off on the way, or by a path of a disk that it shares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

CHUNK_BYTES = 64 * 1024


@dataclass(slots=True)
class Downloads:
    """What happens to the next downloads."""

    local_dir: Path | None = None
    """Where files are put for bots that share the disk, as a Bot API server run with --local does."""
    bytes_per_s: float | None = None
    """The pace of each download; None: as fast as it goes."""
    cuts: list[float] = field(default_factory=list)
    """At which share of its bytes each of the next downloads breaks off."""


def response(downloads: Downloads, path: Path) -> Response:
    """The bytes of a file, as the next download is to go."""
    cut = downloads.cuts.pop(0) if downloads.cuts else None
    if cut is None and downloads.bytes_per_s is None:
        return FileResponse(path, media_type="application/octet-stream")
    return _Paced(path, downloads.bytes_per_s, cut)


class _Paced(Response):
    """A file at a pace, perhaps with an end before its end."""

    def __init__(self, path: Path, bytes_per_s: float | None, cut: float | None) -> None:
        super().__init__(media_type="application/octet-stream")
        self._path = path
        self._bytes_per_s = bytes_per_s
        self._cut = cut
        self.headers["content-length"] = str(path.stat().st_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is to be sent; a cut connection is closed under the server's feet."""
        size_bytes = self._path.stat().st_size
        most_bytes = size_bytes if self._cut is None else int(size_bytes * self._cut)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk in self._chunks(most_bytes):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if self._cut is not None:
            scope["state"]["hang_up"]()
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _chunks(self, most_bytes: int) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        began, sent = clock(), 0
        with self._path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, most_bytes - sent)):
                yield chunk
                sent += len(chunk)
                if self._bytes_per_s is not None:
                    await asyncio.sleep(max(0.0, began + sent / self._bytes_per_s - clock()))
