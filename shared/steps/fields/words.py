"""Fields that are written: string, text, email, phone, url, json."""

import json
import re
from urllib.parse import urlsplit

import regex

from shared import texts
from shared.engine.values import storable, to_engine
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, Widget, as_written, check_bounds
from shared.steps.model import Ask

PATTERN_LIMIT_S = 0.2
"""How long an author's pattern may take on one answer."""

PHONE_DIGITS = range(7, 16)
"""Digits of an international number with its country code, by ITU-T E.164."""


def _string(ask: Ask, answer: str) -> Typed:
    answer = storable(answer)
    check_bounds(ask, len(answer), lambda: texts.wrong_length(ask.min, ask.max, len(answer)))
    if ask.pattern is not None and not _matches(ask.pattern, answer):
        raise InvalidAnswer(texts.wrong_pattern(ask.help))
    return dict(to_engine(answer))  # a text too long for a String travels as Json


def _unpacked(ask: Ask, typed: Typed) -> str:
    return str(json.loads(typed["value"]) if typed["type"] == "Json" else typed["value"])


def _matches(pattern: str, answer: str) -> bool:
    """Whether the whole answer fits. A pattern that backtracks for ever must not stop the process."""
    try:
        return regex.fullmatch(pattern, answer, timeout=PATTERN_LIMIT_S) is not None
    except TimeoutError:
        return False


def _email(ask: Ask, answer: str) -> Typed:
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", answer.strip()) is None:
        raise InvalidAnswer(texts.say("not-an-email"))
    return _string(ask, answer.strip())


def _phone(ask: Ask, answer: str) -> Typed:
    number = re.sub(r"[\s().\u00a0/-]", "", answer.strip())
    number = "+" + number[2:] if number.startswith("00") else number
    if re.fullmatch(r"\+[0-9]+", number) is None or len(number) - 1 not in PHONE_DIGITS:
        raise InvalidAnswer(texts.say("not-a-phone"))
    return _string(ask, number)


def _url(ask: Ask, answer: str) -> Typed:
    address = answer.strip()
    try:
        parts = urlsplit(address)
        is_whole = parts.scheme in {"http", "https"} and "." in (parts.hostname or "") and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or re.search(r"[\s<>\"{}|\\^`\x00-\x1f]", address):
        raise InvalidAnswer(texts.say("not-a-url"))
    return _string(ask, address)


def _json(ask: Ask, answer: str) -> Typed:
    try:
        value = json.loads(answer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidAnswer(texts.say("not-json")) from None
    return {"value": storable(json.dumps(value, ensure_ascii=False)), "type": "Json"}


def _refuse(constant: str) -> None:
    raise ValueError(constant)


TYPES = (
    FieldType("string", _string, _unpacked, "any text", "String; longer than 4,000 UTF-16 units Json"),
    FieldType("text", _string, _unpacked, "any text", "as `string`"),
    FieldType("email", _email, _unpacked, "something like `name@example.org`", "String"),
    FieldType(
        "phone",
        _phone,
        as_written,
        "an international number, `+49 30 123456`; in a private chat also by a button",
        "String, `+4930123456`",
        Widget.CONTACT,
    ),
    FieldType("url", _url, _unpacked, "`https://example.org/page`, http or https", "String"),
    FieldType("json", _json, as_written, 'any JSON, `{"a": 1}`', "Json"),
)
