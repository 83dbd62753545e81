"""What is in an archive, before anybody unpacks it: bounded in entries, size, ratio and depth, and honest.

Everything is unpacked as a stream and thrown away: what a directory declares is a claim. Zip (with it Office
files, ODF, EPUB, JAR), tar, gzip, bzip2 and xz are looked into, also within each other; what cannot be is
refused. It runs in the child process, whose memory and time are limited besides.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from shared.files.kinds import FileRefused, program_in_disguise
from shared.files.packings import END_BYTES, Packing, find_end, packing_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

FREE_BYTES = 16 * 1024 * 1024
"""So much may come out of the smallest archive: the ratio counts beyond it, for Office's XML packs well."""

INNER_BYTES = 256 * 1024 * 1024
"""The largest archive within an archive; it is kept on disk while it is looked into."""

_CHUNK_BYTES = 64 * 1024
_HEAD_BYTES = 1024
_DIRECTORY_ENTRY_BYTES = 2048
"""What an entry of a directory may take on average: its name, and what systems note beside it."""

_LOCAL_HEADER_BYTES = 30
_TARS = (".tar", ".tgz", ".tbz2", ".txz")
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, OverflowError, IndexError),
)


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: entries of all its depths, unpacked bytes, the ratio of these to its own.

    ``depth`` is how deep archives may lie within it; at 0 it may hold none.
    """

    entries: int
    ratio: int
    depth: int
    unpacked_bytes: int


def check(file: BinaryIO, size_bytes: int, extension: str, limits: Limits) -> None:
    """Look into an archive of ``size_bytes``; a file that is none passes.

    Raises:
        FileRefused: archive_unreadable, archive_encrypted, archive_broken, archive_too_large,
            archive_too_deep, archive_unsafe or wrong_content.
    """
    packing = packing_of(file.read(_HEAD_BYTES))
    if packing is None:
        return
    look = _Look(limits, size_bytes)
    try:
        look.into(file, packing, 0)
    except NotImplementedError as error:  # a method or a version that the library does not know
        raise FileRefused("archive_unreadable") from error
    except _BROKEN as error:
        raise FileRefused("archive_broken") from error
    if extension.startswith(_TARS) and not look.is_tar:
        raise FileRefused("wrong_content")


class _Look:
    """One look into one archive and all that is in it."""

    def __init__(self, limits: Limits, packed_bytes: int) -> None:
        self._limits = limits
        self._entries_left = limits.entries
        self._bytes_left = min(limits.unpacked_bytes, max(FREE_BYTES, limits.ratio * packed_bytes))
        self.is_tar = False

    def into(self, file: BinaryIO, packing: Packing, level: int) -> None:
        file.seek(0)
        if packing is Packing.ZIP:
            self._zip(file, level)
        elif packing is Packing.TAR:
            self._tar(file, level)
        elif packing in _OPENERS:
            self._compressed(_OPENERS[packing](file), level)
        else:
            raise FileRefused("archive_unreadable")

    # zip

    def _zip(self, file: BinaryIO, level: int) -> None:
        self._check_directory(file)
        with zipfile.ZipFile(file) as archive:
            entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
            _check_places(entries, archive.start_dir)
            for entry in entries:
                self._note(entry.orig_filename)
                _check_zip_entry(entry)
                if not entry.is_dir() or entry.file_size:
                    self._zip_entry(archive, entry, level)

    def _check_directory(self, file: BinaryIO) -> None:
        """Before the directory is read into memory: is it there, and not too large."""
        size_bytes = file.seek(0, 2)
        file.seek(max(0, size_bytes - END_BYTES))
        end = find_end(file.read(), strict=True)
        if end is None:
            raise FileRefused("archive_broken")
        if end.entries > self._entries_left or end.size_bytes > self._entries_left * _DIRECTORY_ENTRY_BYTES:
            raise FileRefused("archive_too_large")
        file.seek(0)

    def _zip_entry(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, level: int) -> None:
        declared = entry.file_size
        if declared > self._bytes_left:
            raise FileRefused("archive_too_large")
        # The library stops at the declared size; an unpacker that does not would meet all the rest.
        entry.file_size = sys.maxsize
        with archive.open(entry) as stream:
            found = self._entry(stream, entry.filename, level)
        if found != declared:
            raise FileRefused("archive_broken")

    # tar, and what is packed as one stream

    def _tar(self, file: IO[bytes], level: int, *, counted: bool = False) -> None:
        self.is_tar = self.is_tar or level == 0
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for entry in archive:
                self._note(entry.name)
                if entry.isdir():
                    continue
                if not entry.isfile() or entry.issparse():
                    raise FileRefused("archive_unsafe")
                stream = archive.extractfile(entry)
                if stream is not None:
                    with stream:
                        self._entry(stream, entry.name, level, counted=counted)
                archive.members = []  # type: ignore[attr-defined]  # the library keeps them all

    def _compressed(self, stream: IO[bytes], level: int) -> None:
        with _Counted(stream, self) as counted:
            if packing_of(counted.peek(_HEAD_BYTES)) is Packing.TAR:
                self._tar(counted, level, counted=True)
            else:
                self._note("")
                self._entry(counted, "", level, counted=True)
            while counted.read(_CHUNK_BYTES):  # what stands behind the end of a tar
                pass

    # entries

    def _note(self, name: str) -> None:
        self._entries_left -= 1
        if self._entries_left < 0:
            raise FileRefused("archive_too_large")
        if _leads_out(name):
            raise FileRefused("archive_unsafe")

    def _entry(self, stream: IO[bytes], name: str, level: int, *, counted: bool = False) -> int:
        """Read an entry to its end, and look into it where it is itself an archive; returns its size."""
        head = b""
        while len(head) < _HEAD_BYTES and (chunk := stream.read(_HEAD_BYTES - len(head))):
            head += chunk
        if program_in_disguise(head, name):
            raise FileRefused("archive_unsafe")
        packing = packing_of(head)
        if packing is None:
            return self._drain(stream, head, counted=counted)
        if level >= self._limits.depth:
            raise FileRefused("archive_too_deep")
        with tempfile.SpooledTemporaryFile(max_size=8 * 1024 * 1024) as inner:
            size_bytes = self._drain(stream, head, inner, counted=counted)
            self.into(cast("BinaryIO", inner), packing, level + 1)
        return size_bytes

    def _drain(self, stream: IO[bytes], head: bytes, kept: IO[bytes] | None = None, *, counted: bool) -> int:
        size_bytes, chunk = 0, head
        while chunk:
            size_bytes += len(chunk)
            self.spend(0 if counted else len(chunk))
            if kept is not None:
                if size_bytes > INNER_BYTES:
                    raise FileRefused("archive_too_large")
                kept.write(chunk)
            chunk = stream.read(_CHUNK_BYTES)
        return size_bytes

    def spend(self, size_bytes: int) -> None:
        """Count what was unpacked."""
        self._bytes_left -= size_bytes
        if self._bytes_left < 0:
            raise FileRefused("archive_too_large")


class _Counted(io.BufferedReader):
    """What comes out of a compressed stream, counted before it is used."""

    def __init__(self, stream: IO[bytes], look: _Look) -> None:
        super().__init__(_Counter(stream, look), _CHUNK_BYTES)


class _Counter(io.RawIOBase):
    def __init__(self, stream: IO[bytes], look: _Look) -> None:
        super().__init__()
        self._stream = stream
        self._look = look

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        target = memoryview(buffer).cast("B")
        data = self._stream.read(len(target))
        self._look.spend(len(data))
        target[: len(data)] = data
        return len(data)


_OPENERS: dict[Packing, Callable[[BinaryIO], Any]] = {
    Packing.GZIP: lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    Packing.BZIP2: bz2.BZ2File,
    Packing.XZ: lzma.LZMAFile,
}


def _check_places(entries: Iterable[zipfile.ZipInfo], directory_at: int) -> None:
    """Entries lie one behind the other from the beginning of the file, and share no byte.

    A byte that many entries share is how a few kilobytes become terabytes (David Fifield, "A better zip
    bomb"); and what lies before the first entry is another file.
    """
    ends = 0
    for number, entry in enumerate(entries):
        if entry.header_offset < ends or (number == 0 and entry.header_offset > 0):
            raise FileRefused("archive_unsafe")
        ends = entry.header_offset + _LOCAL_HEADER_BYTES + len(entry.orig_filename) + entry.compress_size
    if ends > directory_at:
        raise FileRefused("archive_unsafe")


def _check_zip_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x2041:  # encrypted, strongly so, or its directory is
        raise FileRefused("archive_encrypted")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.create_system == 3 and kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise FileRefused("archive_unsafe")


def _leads_out(name: str) -> bool:
    """Whether an entry of this name could land outside the folder in which its archive is unpacked."""
    return (
        name.startswith(("/", "\\"))
        or ".." in re.split(r"[/\\]", name)
        or re.match(r"[A-Za-z]:", name) is not None
        or re.search("[\x00-\x1f]", name) is not None
    )
