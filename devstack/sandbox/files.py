"""Files on disk: what people and bots have sent, with Telegram's ids, photo sizes and download paths."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from devstack.sandbox.clock import Clock
from devstack.sandbox.errors import ApiError, bad_request
from devstack.sandbox.limits import FILE_PATH_S, PHOTO_BYTES, UPLOAD_BYTES
from devstack.sandbox.model import StoredFile

PHOTO_BOXES = (90, 320, 800, 1280, 2560)
PHOTO_SIDES_SUM = 10_000
PHOTO_RATIO = 20
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}$")


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes that came with a call, spooled to a file of the store."""

    name: str
    mime_type: str
    size_bytes: int
    path: Path


class FileStore:
    """Keeps files in one directory and finds them by file_id or by file_path."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self._clock = clock
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[tuple[int, str], StoredFile] = {}
        self._number = 0

    def new_path(self) -> Path:
        """A free place for bytes that arrive."""
        return self.root / secrets.token_hex(12)

    async def keep(self, name: str, content: bytes, mime_type: str = "") -> Upload:
        """Store bytes as if they had been uploaded."""
        path = self.new_path()
        await asyncio.to_thread(path.write_bytes, content)
        return Upload(name, mime_type or guess_type(name), len(content), path)

    async def keep_file(self, name: str, source: Path, mime_type: str = "") -> Upload:
        """Store a local file as if it had been uploaded, without reading it into memory."""
        path = self.new_path()
        await asyncio.to_thread(link_or_copy, source, path)
        return Upload(name, mime_type or guess_type(name), path.stat().st_size, path)

    def document(self, upload: Upload) -> StoredFile:
        """Make a document of it, as it is."""
        return self._add("document", upload.name, upload.mime_type or guess_type(upload.name), upload.path)

    async def photo(self, upload: Upload) -> list[StoredFile]:
        """Make a photo of it: JPEG in growing sizes, as Telegram does; raises ApiError."""
        if upload.size_bytes > PHOTO_BYTES:
            raise bad_request("PHOTO_SAVE_FILE_INVALID")
        sizes = await asyncio.to_thread(_photo_sizes, upload.path)
        files = []
        for path, width, height in sizes:
            file = self._add("photo", f"{path.name}.jpg", "image/jpeg", path)
            file.width, file.height = width, height
            files.append(file)
        return files

    def find(self, file_id: str) -> StoredFile | None:
        """By file_id, whoever may see it."""
        return self._by_id.get(file_id)

    def path_of(self, file: StoredFile, bot_id: int) -> str:
        """getFile's file_path; it works for an hour from now."""
        suffix = SUFFIX.search(file.name)
        file_path = f"{file.kind}s/file_{file.number}{suffix[0] if suffix else ''}"
        file.path_valid_until = self._clock.now() + FILE_PATH_S
        self._by_path[bot_id, file_path] = file
        return file_path

    def by_path(self, bot_id: int, file_path: str) -> StoredFile | None:
        """By file_path, None for an unknown or an expired one."""
        file = self._by_path.get((bot_id, file_path))
        return file if file and file.path_valid_until > self._clock.now() else None

    def clear(self) -> None:
        """Forget all files and delete their bytes."""
        for file in self._by_id.values():
            file.path.unlink(missing_ok=True)
        self._by_id.clear()
        self._by_path.clear()

    def _add(self, kind: str, name: str, mime_type: str, path: Path) -> StoredFile:
        self._number += 1
        prefix = "AgACAgI" if kind == "photo" else "BQACAgI"
        file = StoredFile(
            id=prefix + secrets.token_urlsafe(45),
            unique_id="AgAD" + secrets.token_urlsafe(8),
            kind=kind,
            name=name,
            mime_type=mime_type,
            size_bytes=path.stat().st_size,
            path=path,
            number=self._number,
        )
        self._by_id[file.id] = file
        return file


def link_or_copy(source: Path, target: Path) -> None:
    """A second name of a file where the disk allows that, else a copy; to delete one leaves the other."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def check_upload(upload: Upload) -> None:
    """Refuse what no bot can send; raises ApiError for an empty file and above 50 MB."""
    if upload.size_bytes == 0:
        raise bad_request("file must be non-empty")
    if upload.size_bytes > UPLOAD_BYTES:
        raise ApiError(413, "Request Entity Too Large")


def guess_type(name: str) -> str:
    """The MIME type by the name's end."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _photo_sizes(source: Path) -> list[tuple[Path, int, int]]:
    try:
        with Image.open(source) as opened:
            width, height = opened.size
            if width + height > PHOTO_SIDES_SUM or max(width, height) > PHOTO_RATIO * min(width, height):
                raise bad_request("PHOTO_INVALID_DIMENSIONS")
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    longest = max(width, height)
    boxes = [box for box in PHOTO_BOXES if box < longest]
    boxes.append(min(longest, PHOTO_BOXES[-1]))
    sizes = []
    for box in dict.fromkeys(boxes):
        scaled = picture.copy()
        scaled.thumbnail((box, box))
        path = source.with_name(f"{source.name}_{box}")
        scaled.save(path, "JPEG", quality=87)
        sizes.append((path, scaled.width, scaled.height))
    return sizes
