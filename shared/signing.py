"""What people bring back to us, with a signature that only we can make: buttons, and links to the bot.

A button is ``u.<reply>.<item>.<option>.<mac>``, at most 64 ASCII bytes as Telegram demands. The first letter
says whether the signature also covers a person (u) or serves anyone (a); who presses is told by Telegram, so
the person need not be in the data. Replay is not this module's matter: a tap is single use by the state of
its row.

A page's token is ``<w or b>.<page>.<person>.<expiry>.<mac>``: it stands in an address of ours.

A link's token is likewise ``<u or a><s, p or u><expiry><subject><mac>``, without dots, for
Telegram takes none in a start parameter: the subject is the step (s), the process (p) or the upload page (u)
that it leads to.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

MAX_BYTES = 64
"""The longest callback data that Telegram takes."""

_MAC_CHARS = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{0,26}", re.ASCII)
_DATA = re.compile(
    rf"(?P<body>(?P<scope>[ua])\.(?P<reply>[0-9a-z]{{1,13}})\.(?P<item>{_TOKEN.pattern})\.(?P<option>{_TOKEN.pattern}))"
    rf"\.(?P<mac>[A-Za-z0-9_-]{{{_MAC_CHARS}}})",
    re.ASCII,
)
_LINK_MAC_CHARS = 24
"""Eighteen bytes: a link lives longer than a button, and anybody can write one down."""

_EXPIRY_CHARS = 7
_LINK = re.compile(
    rf"(?P<body>(?P<scope>[ua])(?P<kind>[spu])(?P<until>[0-9a-z]{{{_EXPIRY_CHARS}}})(?P<subject>[0-9a-z]{{1,16}}))"
    rf"(?P<mac>[A-Za-z0-9_-]{{{_LINK_MAC_CHARS}}})",
    re.ASCII,
)
LINKS = "start-link"
"""The purpose of the key that signs links (:func:`derive_key`)."""

PAGES = "upload-page"
"""The purpose of the key that signs the addresses of upload pages."""

_PAGE = re.compile(
    r"(?P<body>(?P<kind>[wb])\.(?P<page>[0-9a-z]{1,13})\.(?P<user>[0-9a-z]{1,13})\.(?P<until>[0-9a-z]{1,8}))"
    rf"\.(?P<mac>[A-Za-z0-9_-]{{{_LINK_MAC_CHARS}}})",
    re.ASCII,
)

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Tap:
    """What a genuine button stands for; item and option as they were given when it was made, in text."""

    pending_reply_id: int
    item: str
    option: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a genuine link leads: to the step of a pending reply's id, to a process by its short key, or to
    an upload page by its id.
    """

    kind: Literal["step", "process", "upload"]
    subject: str


PageKind = Literal["webapp", "browser"]
"""How an upload page is meant to be opened."""


@dataclass(frozen=True, slots=True)
class PageToken:
    """Which upload page an address is of, whose, until when, and how it is meant to be opened.

    A Web App's is of use to whom Telegram says its opener is; a browser's to whoever comes first.
    """

    kind: PageKind
    page_id: int
    user_id: int
    until: datetime


def derive_key(bot_token: str, label: str = "callback-data") -> bytes:
    """A key of 32 bytes for one purpose, from the bot's token (HKDF with SHA-256, RFC 5869, one block)."""
    extracted = hmac.digest(b"stepgram", bot_token.encode(), hashlib.sha256)
    return hmac.digest(extracted, label.encode() + b"\x01", hashlib.sha256)


def sign(pending_reply_id: int, item: str | int, option: str | int, user_id: int | None, key: bytes) -> str:
    """The callback data of a button. With a ``user_id`` it serves that person only.

    Item and option are short tokens of ASCII letters, digits, ``_`` and ``-``: an index rather than a name,
    together at most 26 characters for the largest row id.

    Raises:
        ValueError: a token or the whole is too long or malformed.
    """
    tokens = (str(item), str(option))
    if pending_reply_id < 0 or not all(_TOKEN.fullmatch(token) for token in tokens):
        raise ValueError(f"no callback data can be made of {pending_reply_id}, {item!r}, {option!r}")
    scope = "a" if user_id is None else "u"
    body = ".".join((scope, _base36(pending_reply_id), *tokens))
    data = f"{body}.{_mac(body, user_id, key)}"
    if len(data) > MAX_BYTES:
        raise ValueError(f"callback data {data!r} is longer than {MAX_BYTES} bytes")
    return data


def verify(data: object, user_id: int | None, key: bytes) -> Tap | None:
    """What ``user_id`` tapped, or None if this is no button that we made for them. Never raises.

    A button for anyone is genuine whoever taps it; without a ``user_id`` only such a one is.
    """
    match = _DATA.fullmatch(data) if isinstance(data, str) else None
    if match is None:
        return None
    expected = _mac(match["body"], user_id if match["scope"] == "u" else None, key)
    if not hmac.compare_digest(expected, match["mac"]):
        return None
    return Tap(int(match["reply"], 36), match["item"], match["option"])


def sign_link(link: Link, until: datetime, user_id: int | None, key: bytes) -> str:
    """The start parameter of a link that holds until a moment. With a ``user_id`` it serves that person only.

    Raises:
        ValueError: it has no room for the subject or the moment.
    """
    scope = "a" if user_id is None else "u"
    subject = link.subject if link.kind == "process" else _base36(int(link.subject))
    expiry = _base36(int(until.timestamp())).rjust(_EXPIRY_CHARS, "0")
    body = f"{scope}{link.kind[0]}{expiry}{subject}"
    token = body + _mac(body, user_id, key, chars=_LINK_MAC_CHARS)
    if _LINK.fullmatch(token) is None:
        raise ValueError(f"no link can be made to {link.kind} {link.subject!r}")
    return token


def verify_link(token: str, user_id: int, key: bytes, *, now: datetime | None = None) -> Link | None:
    """Where the link that ``user_id`` followed leads; None if it is not ours, not theirs, or has expired."""
    match = _LINK.fullmatch(token)
    if match is None:
        return None
    whose = user_id if match["scope"] == "u" else None
    if not hmac.compare_digest(_mac(match["body"], whose, key, chars=_LINK_MAC_CHARS), match["mac"]):
        return None
    if (now or datetime.now(UTC)).timestamp() >= int(match["until"], 36):
        return None
    if match["kind"] in {"s", "u"}:
        return Link("step" if match["kind"] == "s" else "upload", str(int(match["subject"], 36)))
    return Link("process", match["subject"])


def sign_page(token: PageToken, key: bytes) -> str:
    """A page's token in text, for a path."""
    expiry = _base36(int(token.until.timestamp()))
    body = ".".join((token.kind[0], _base36(token.page_id), _base36(token.user_id), expiry))
    return f"{body}.{_mac(body, None, key, chars=_LINK_MAC_CHARS)}"


def verify_page(text: str, key: bytes) -> PageToken | None:
    """The page that a genuine token is of; whether it has expired is its caller's to ask. Never raises."""
    match = _PAGE.fullmatch(text)
    if match is None:
        return None
    if not hmac.compare_digest(_mac(match["body"], None, key, chars=_LINK_MAC_CHARS), match["mac"]):
        return None
    try:
        until = datetime.fromtimestamp(int(match["until"], 36), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    kind: PageKind = "webapp" if match["kind"] == "w" else "browser"
    return PageToken(kind, int(match["page"], 36), int(match["user"], 36), until)


def short_key(key: str, tenant_id: str | None = None) -> str:
    """A process as callback data and links have room for it: its key, and whose it is."""
    whole = "\0".join(filter(None, (key, tenant_id)))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _mac(body: str, user_id: int | None, key: bytes, *, chars: int = _MAC_CHARS) -> str:
    whose = "" if user_id is None else str(user_id)
    digest = hmac.digest(key, f"{body}|{whose}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[: chars * 3 // 4]).decode()


def _base36(number: int) -> str:
    digits = ""
    while number >= 36:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return _DIGITS[number] + digits
