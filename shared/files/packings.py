"""By which bytes archives are known, and the end of a zip."""

import re
import struct
from dataclasses import dataclass
from enum import Enum, auto

END_BYTES = 22 + 0xFFFF + 20 + 56
"""The most that the end of a zip takes: its last record with its longest comment, and those of zip64."""


class Packing(Enum):
    """How archives are packed that somebody may send."""

    ZIP = auto()
    TAR = auto()
    GZIP = auto()
    BZIP2 = auto()
    XZ = auto()
    OTHER = auto()
    """One that cannot be looked into."""


READABLE = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz")
"""Extensions of archives that can be looked into; Office files, ODF, EPUB and JAR are zips."""

UNREADABLE = frozenset(
    f".{kind}"
    for kind in (
        *(
            "7z",
            "rar",
            "zst",
            "tzst",
            "lz",
            "lz4",
            "lzma",
            "lzo",
            "z",
            "cab",
            "arj",
            "ace",
            "zipx",
            "lzh",
            "lha",
        ),
        *("iso", "img", "dmg", "wim", "cpio", "xar", "pkg", "rpm", "deb", "ar", "sit", "alz", "br", "zpaq"),
    )
)
"""Extensions of archives that cannot: no maintained library here unpacks them within bounds."""

_STARTS = {
    b"PK\x03\x04": Packing.ZIP,
    b"PK\x05\x06": Packing.ZIP,  # an empty one
    b"\x1f\x8b": Packing.GZIP,
    b"\xfd7zXZ\0": Packing.XZ,
    b"7z\xbc\xaf\x27\x1c": Packing.OTHER,
    b"Rar!\x1a\x07": Packing.OTHER,
    b"\x28\xb5\x2f\xfd": Packing.OTHER,  # zstd
    b"\x04\x22\x4d\x18": Packing.OTHER,  # lz4
    b"LZIP": Packing.OTHER,
    b"\x1f\x9d": Packing.OTHER,  # compress
    b"MSCF\0\0\0\0": Packing.OTHER,  # cab
    b"xar!\0": Packing.OTHER,
    b"!<arch>\n": Packing.OTHER,
    b"070707": Packing.OTHER,  # cpio
    b"070701": Packing.OTHER,
    b"070702": Packing.OTHER,
    b"PK00PK\x03\x04": Packing.OTHER,  # one volume of several
    b"PK\x07\x08": Packing.OTHER,
}
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")


def packing_of(head: bytes) -> Packing | None:
    """How a file is packed that begins like this (600 bytes, or all of it); None if it is no archive."""
    if head[257:262] == b"ustar":
        return Packing.TAR
    if _BZIP2.match(head):
        return Packing.BZIP2
    return next((packing for start, packing in _STARTS.items() if head.startswith(start)), None)


@dataclass(frozen=True)
class ZipEnd:
    """The last record of a zip: its directory's entries, its size, and where it begins in the tail."""

    entries: int
    size_bytes: int
    directory_at: int


_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_BYTES = 20


def find_end(tail: bytes, *, strict: bool) -> ZipEnd | None:
    """The end of a zip in the last END_BYTES of a file.

    ``strict``: its comment ends where the file does; unpackers that search for it do not insist.
    """
    at = len(tail)
    while (at := tail.rfind(b"PK\x05\x06", 0, at)) >= 0:
        if at + _END.size <= len(tail):
            *_, entries, size_bytes, _, comment_bytes = _END.unpack_from(tail, at)
            if not strict or at + _END.size + comment_bytes == len(tail):
                return _with_64(tail, at, ZipEnd(entries, size_bytes, at - size_bytes))
    return None


def _with_64(tail: bytes, at: int, end: ZipEnd) -> ZipEnd:
    """What the records of zip64 before it say, where there are any."""
    start = at - _LOCATOR_BYTES - _END_64.size
    if start < 0 or not tail.startswith(b"PK\x06\x06", start):
        return end
    *_, entries, size_bytes, _ = _END_64.unpack_from(tail, start)
    return ZipEnd(entries, size_bytes, start - size_bytes)
