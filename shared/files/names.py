"""The name that a person gave a file, made safe."""

import re
import unicodedata

NAME_BYTES = 255
"""Longest sanitised name, in UTF-8: what file systems take. A key has its own, shorter bound."""

_EXTENSION_BYTES = 20
_FALLBACK_NAME = "file"
_EDGES = " .\u2024\u2025\u2026\ufe19\ufe30\ufe52\uff0e"
"""Dots of every kind, and blanks: a name must neither begin nor end with one."""

# Invisible or reordering characters: a name must read as what it is. U+FE0F stays, it makes signs emoji.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def sanitise_name(name: str, max_bytes: int = NAME_BYTES) -> str:
    """A file name that is safe in a key, on any disk and in a header, as close to ``name`` as that allows.

    It is NFC, has no folders, control or hidden characters, nothing that a stricter normalisation (NFKC)
    would turn into a separator, no leading dots and no Windows device name, at most ``max_bytes`` of UTF-8
    with the extension kept, and is never empty. Twice changes nothing more.
    """
    visible = unicodedata.normalize("NFC", _HIDDEN.sub("", name.encode("utf-8", "ignore").decode()))
    visible = "".join(" " if unicodedata.category(char) == "Cc" else _plain(char) for char in visible)
    last = re.split(r"[/\\]", visible.rstrip("/\\ "))[-1]
    tidy = _FORBIDDEN.sub("_", " ".join(last.split())).strip(_EDGES)
    return _shortened(f"_{tidy}" if _RESERVED.match(tidy) else tidy or _FALLBACK_NAME, max_bytes)


def _plain(char: str) -> str:
    """The character, or ``_`` where it only looks like one that a name may not have."""
    if char.isascii():
        return char
    folded = unicodedata.normalize("NFKC", char)
    looks_like = set(folded) & set('/\\<>:"|?*\0') or char in "\u2215\u2044\u29f5\u29f8\u29f9\ua789"
    return "_" if looks_like else char


def _shortened(name: str, max_bytes: int) -> str:
    if len(name.encode()) <= max_bytes:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _EXTENSION_BYTES:
        stem, dot, extension = name, "", ""
    room = max_bytes - len((dot + extension).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(_EDGES) + dot + extension
