"""Callback data of buttons: what was tapped, and a signature that only we can make.

``u.<reply>.<item>.<option>.<mac>``, at most 64 ASCII bytes as Telegram demands. The first letter says whether
the signature also covers a person (u) or serves anyone (a); who presses is told by Telegram, so the person
need not be in the data. Replay is not this module's matter: a tap is single use by the state of its row.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

MAX_BYTES = 64
"""The longest callback data that Telegram takes."""

_MAC_BYTES = 12
_MAC_CHARS = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{0,26}", re.ASCII)
_DATA = re.compile(
    rf"(?P<body>(?P<scope>[ua])\.(?P<reply>[0-9a-z]{{1,13}})\.(?P<item>{_TOKEN.pattern})\.(?P<option>{_TOKEN.pattern}))"
    rf"\.(?P<mac>[A-Za-z0-9_-]{{{_MAC_CHARS}}})",
    re.ASCII,
)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Tap:
    """What a genuine button stands for; item and option as they were given when it was made, in text."""

    pending_reply_id: int
    item: str
    option: str


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


def _mac(body: str, user_id: int | None, key: bytes) -> str:
    whose = "" if user_id is None else str(user_id)
    digest = hmac.digest(key, f"{body}|{whose}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_MAC_BYTES]).decode()


def _base36(number: int) -> str:
    digits = ""
    while number >= 36:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return _DIGITS[number] + digits
