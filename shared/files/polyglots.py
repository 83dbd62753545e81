"""Content that is two things at once: what one program shows as a picture and another unpacks or runs.

Only the beginning and the end of a file are looked at. Honest files hold others: a PDF its attachments, a
picture its thumbnail or a short film, a tar a zip; refused is what another program takes the whole file for.
"""

import re
from dataclasses import dataclass

from shared.files.kinds import HEAD_BYTES, FileRefused, FileType
from shared.files.packings import END_BYTES, find_end, packing_of

TAIL_BYTES = END_BYTES
"""How much of a file's end ``check`` wants to see."""

_PDF_BYTES = 1024
"""Acrobat takes a file for a PDF whose mark stands within so much."""

_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|iframe|object|embed|svg)[\s>]", re.IGNORECASE)
_DATA = (
    *("text/plain", "text/csv", "text/tab-separated-values", "text/markdown"),
    *("application/yaml", "application/sql"),
)
_PICTURES = ("image/", "audio/", "video/")
_FIRST_IN_ZIP = 30
_FIRST_IN_TAR = 512


@dataclass(slots=True)
class Ends:
    """The first HEAD_BYTES and the last TAIL_BYTES of a stream, kept while it passes."""

    head: bytes = b""
    tail: bytes = b""

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self.tail = chunk[-TAIL_BYTES:] if len(chunk) >= TAIL_BYTES else (self.tail + chunk)[-TAIL_BYTES:]


def check(ends: Ends, kind: FileType) -> None:
    """Check a file by its ends.

    Raises:
        FileRefused: two_in_one.
    """
    head, tail = ends.head, ends.tail
    if _is_also_zip(head, tail, kind) or _is_also_pdf(head, tail, kind) or _is_also_page(head, kind):
        raise FileRefused("two_in_one")


def _is_also_zip(head: bytes, tail: bytes, kind: FileType) -> bool:
    """A zip is found from its end, whatever stands before it.

    Unpackers differ in what they bear behind it. Documents and archives may end with a zip that they hold, so
    there its comment must reach to the very end; behind a picture no zip has a place.
    """
    if packing_of(head) is not None:
        return False  # it is looked into as the archive that it is
    end = find_end(tail, strict=not kind.mime.startswith(_PICTURES))
    if end is None or end.entries == 0:
        return False
    # A directory too large to be seen here has many entries: that it is one is believed.
    return end.directory_at < 0 or tail.startswith(b"PK\x01\x02", end.directory_at)


def _is_also_pdf(head: bytes, tail: bytes, kind: FileType) -> bool:
    at = head.find(b"%PDF-", 0, _PDF_BYTES + 5)
    if at < 0 or kind.mime == "application/pdf":
        return False
    if kind.mime.startswith("text/") or kind.extension in {".json", ".xml", ".yaml", ".yml", ".sql"}:
        # A text may speak of it; only a PDF has a table of its objects at the end, too.
        return b"startxref" in tail[-_PDF_BYTES:]
    return not _is_first_entry(head, at)


def _is_first_entry(head: bytes, at: int) -> bool:
    """Whether a PDF that begins there is simply the first file of an archive."""
    if head.startswith(b"PK\x03\x04") and len(head) >= _FIRST_IN_ZIP:
        name_bytes, more_bytes = (int.from_bytes(head[start : start + 2], "little") for start in (26, 28))
        return at == _FIRST_IN_ZIP + name_bytes + more_bytes
    return head[257:262] == b"ustar" and at % _FIRST_IN_TAR == 0


def _is_also_page(head: bytes, kind: FileType) -> bool:
    """Plain data that a browser, left to guess, would run as a page."""
    beginning = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\f")
    beginning = re.sub(rb"\A(?:<!--.*?-->\s*)+", b"", beginning, flags=re.DOTALL)
    return kind.mime in _DATA and _PAGE.match(beginning) is not None
