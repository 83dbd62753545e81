"""Archives for tests: honest ones, and the tricks that are played with them."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

MIB = 1024 * 1024


def told(value: object) -> str | None:
    """How a case with an archive is called: the time is in its bytes, so they differ from run to run."""
    return "bytes" if isinstance(value, bytes) else None


def zipped(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def tarred(entries: Mapping[str, bytes], packing: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{packing}") as file:  # type: ignore[call-overload]
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def tarred_as(kind: bytes, name: str = "entry", target: str = "/etc/passwd") -> bytes:
    """A tar of one entry that is no plain file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        file.addfile(entry)
    return buffer.getvalue()


def linked_zip() -> bytes:
    """A zip with a symbolic link out of it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        entry = zipfile.ZipInfo("link")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def encrypted_zip() -> bytes:
    """A zip whose entry says that it is encrypted, in both of its headers."""
    whole = bytearray(zipped({"a.txt": b"x" * 20}))
    directory = whole.find(b"PK\x01\x02")
    whole[6] |= 1
    whole[directory + 8] |= 1
    return bytes(whole)


def lying_zip(size_bytes: int = 10) -> bytes:
    """A zip that declares less in all of its headers than comes out of it."""
    content = b"0" * 100_000
    whole = bytearray(zipped({"a.txt": content}))
    directory = whole.find(b"PK\x01\x02")
    crc = struct.pack("<L", zlib.crc32(content[:size_bytes]))
    for at in (14, directory + 16):
        whole[at : at + 4] = crc
    for at in (22, directory + 24):
        whole[at : at + 4] = struct.pack("<L", size_bytes)
    return bytes(whole)


def overlapping_zip(entries: int = 50) -> bytes:
    """A zip whose directory names one entry's bytes many times."""
    whole = zipped({"a.txt": b"0" * MIB})
    start, end = whole.find(b"PK\x01\x02"), whole.find(b"PK\x05\x06")
    directory = whole[start:end] * entries
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, len(directory), start, 0)
    return whole[:start] + directory + record


def nested(levels: int, pack: Callable[[Mapping[str, bytes]], bytes] = zipped) -> bytes:
    """An archive in so many others."""
    content = pack({"a.txt": b"inside"})
    for _ in range(levels):
        content = pack({"inner.bin": content})
    return content


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
