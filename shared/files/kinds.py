"""What a file is: by the extension of its name, and by its first bytes, which must agree.

A name is a claim and so is a MIME type; a file is taken when its extension is one that the author accepts and
its first bytes agree with that extension. Signatures come from puremagic; where it has none or mistakes them
(text, JSON, MP3, ISO media: measured with 1.30) small checks of our own decide.
"""

import codecs
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import puremagic

from shared.errors import StepgramError
from shared.files.names import sanitise_name
from shared.files.packings import UNREADABLE

HEAD_BYTES = 64 * 1024
"""How much of a file's beginning ``check_file`` wants to see; no signature lies further in than 36,870."""


@dataclass(frozen=True, slots=True)
class FileType:
    """The kind of a checked file: extension with its dot, in lower case, and MIME type."""

    extension: str
    mime: str


class FileRefused(StepgramError):
    """A person's file cannot be taken; they may send another.

    ``reason`` is one of wrong_extension, wrong_content, empty, too_large, two_in_one, too_complex,
    invalid_content, or those of ``archives.check``, ``images.strip`` and ``scanning.scan``. ``params`` holds
    what a sentence about it may name: ``name``, ``accept``, ``size_bytes``, ``max_bytes``, ``sentence``.
    """

    def __init__(self, reason: str, **params: Any) -> None:
        super().__init__(f"{reason}: {params}")
        self.reason = reason
        self.params = params


def check_declared(name: str, size_bytes: int, accept: Sequence[str], max_bytes: int | None) -> None:
    """Check what is known of a file before it is fetched.

    Args:
        accept: extensions such as ``.json``; empty accepts any.

    Raises:
        FileRefused: wrong_extension, archive_unreadable, empty or too_large.
    """
    extension = _extension(name, accept)
    if accept and extension is None:
        raise FileRefused("wrong_extension", name=name, accept=tuple(accept))
    if extension in UNREADABLE:
        raise FileRefused("archive_unreadable", name=name)
    if size_bytes <= 0:
        raise FileRefused("empty", name=name)
    if max_bytes is not None and size_bytes > max_bytes:
        raise FileRefused("too_large", name=name, size_bytes=size_bytes, max_bytes=max_bytes)


def check_file(
    head: bytes,
    name: str,
    declared_mime: str | None,
    size_bytes: int,
    accept: Sequence[str],
    max_bytes: int | None,
) -> FileType:
    """Check a file by its beginning (HEAD_BYTES of it, or all) and say what it is.

    The declared MIME type never lets a file pass; it only names a kind that nothing else knows.

    Raises:
        FileRefused: see ``FileRefused.reason``.
    """
    check_declared(name, size_bytes, accept, max_bytes)
    if not head:
        raise FileRefused("empty", name=name)
    extension = _extension(name, accept) or ""
    if not _content_agrees(head[:HEAD_BYTES], extension):
        raise FileRefused("wrong_content", name=name, accept=tuple(accept))
    return FileType(extension, _mime(head, extension, declared_mime))


def extension_of(name: str, accept: Sequence[str]) -> str:
    """As ``FileType.extension``, of a file that was checked before."""
    return _extension(name, accept) or ""


def _extension(name: str, accept: Sequence[str]) -> str | None:
    """The accepted extension that a name ends with; without a list the name's own; None if there is none."""
    lowered = sanitise_name(name).lower()
    accepted = ["." + entry.strip().lower().lstrip(".") for entry in accept]
    # a longer one first: of .gz and .tar.gz the latter says more
    for extension in sorted(accepted, key=len, reverse=True):
        if lowered.endswith(extension) and lowered != extension:
            return extension
    stem, dot, ending = lowered.rpartition(".")
    return f".{ending}" if not accept and stem and dot else None


def _content_agrees(head: bytes, extension: str) -> bool:
    if extension in _CHECKS:
        return _CHECKS[extension](head)
    sought = _ALIASES.get(extension, extension)
    if sought in _SIGNED:
        return sought in {match.extension for match in _signatures(head)}
    # Nobody knows its signature, so nothing can disagree, save what must never pass for anything else.
    return extension in _PROGRAMS or not _is_program(head)


def program_in_disguise(head: bytes, name: str) -> bool:
    """Whether a file in an archive is a program under the name of something else."""
    extension = _extension(name, ()) or ""
    means, _ = _MIMES.guess_type(f"x{extension}")
    is_document = extension in _CHECKS or means not in {None, "application/octet-stream"}
    return is_document and extension not in _PROGRAMS and _is_program(head)


def _is_program(head: bytes) -> bool:
    """A program of Windows, Linux or macOS; text that begins with MZ is none."""
    return head.startswith(_PROGRAM_STARTS) and b"\0" in head


def _signatures(head: bytes) -> list[puremagic.PureMagicWithConfidence]:
    try:
        found: list[puremagic.PureMagicWithConfidence] = puremagic.magic_string(head)
    except puremagic.PureError:
        return []
    return [match for match in found if match.offset >= 0]  # the head's end is not the file's end


def _mime(head: bytes, extension: str, declared: str | None) -> str:
    if extension in _TEXT_MIMES:
        return _TEXT_MIMES[extension]
    sought = {extension, _ALIASES.get(extension, extension)}
    found = [match.mime_type for match in _signatures(head) if match.extension in sought and match.mime_type]
    guessed, packing = _MIMES.guess_type(f"x{extension}")
    sane = declared if declared and re.fullmatch(r"[\w.+-]+/[\w.+-]+", declared, re.ASCII) else None
    known = [guessed] if guessed and not packing else found
    return next(iter(known), sane or "application/octet-stream")


def _text(head: bytes, *, legacy: bool = True) -> str | None:
    """The beginning of a text file, decoded; None if it is no text. A cut last character does not matter.

    ``legacy`` takes the 8-bit encodings too: a table saved by an old program is text.
    """
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), None)
    if encoding is None:
        zeros = (head[0:64:2].count(0), head[1:64:2].count(0))
        encoding = "utf-8" if zeros == (0, 0) else "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        if encoding != "utf-8" or not legacy:
            return None
        text = head.decode("latin-1")
    return None if re.search("[\x00-\x08\x0e-\x1a\x1c-\x1f]", text) else text.lstrip("\ufeff \t\r\n")


def _is_text(head: bytes) -> bool:
    return _text(head) is not None and not head.startswith((b"%PDF-", b"{\\rtf"))


def _is_json(head: bytes) -> bool:
    text = _text(head, legacy=False)
    return text is not None and _JSON_START.match(text) is not None


def _is_markup(head: bytes) -> bool:
    return (_text(head) or "").startswith("<")


def _is_iso_media(head: bytes) -> bool:
    return head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}


def _is_mp3(head: bytes) -> bool:
    return head.startswith(b"ID3") or (
        head[0] == 0xFF and len(head) > 1 and head[1] & 0xE6 in {0xE2, 0xE4, 0xE6}
    )


_JSON_START = re.compile(r'\{\s*("|\}|$)|\[\s*(["\[\]{\d-]|true|false|null|$)')
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MIMES = mimetypes.MimeTypes()  # not the module's functions: those read the machine's own tables
_SIGNED = frozenset(
    row.extension
    for rows in (puremagic.magic_header_array, *puremagic.multi_part_dict.values())
    for row in rows
    if row.offset >= 0
)
_PROGRAM_STARTS = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa")
_PROGRAMS = frozenset(
    f".{kind}"
    for kind in (
        *("exe", "dll", "sys", "scr", "com", "cpl", "ocx", "drv", "efi", "mui", "pyd", "fon", "acm", "ax"),
        *("so", "o", "ko", "elf", "bin", "axf", "prx", "puff", "mod", "dylib", "bundle", "node", "obj"),
    )
)
_ALIASES = {".tar.gz": ".gz", ".tgz": ".gz", ".sqlite": ".db", ".mpeg": ".mpg"}

_JSON = {
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
}
_MARKUP = {
    ".xml": "application/xml",
    ".bpmn": "application/xml",
    ".html": "text/html",
    ".htm": "text/html",
    ".svg": "image/svg+xml",
}
_PLAIN = {
    ".txt": "text/plain",
    ".log": "text/plain",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".ini": "text/plain",
    ".sql": "application/sql",
    ".ics": "text/calendar",
    ".vcf": "text/vcard",
}
_TEXT_MIMES = _JSON | _MARKUP | _PLAIN
_ISO_MEDIA = (".mp4", ".m4v", ".m4a", ".mov", ".3gp", ".heic", ".heif", ".avif")
_CHECKS: dict[str, Callable[[bytes], bool]] = {
    **dict.fromkeys(_JSON, _is_json),
    **dict.fromkeys(_MARKUP, _is_markup),
    **dict.fromkeys(_PLAIN, _is_text),
    **dict.fromkeys(_ISO_MEDIA, _is_iso_media),
    ".mp3": _is_mp3,
}
