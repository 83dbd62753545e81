"""Typed variables of the engine, both ways.

=====================  ==================================================================================
Python                 engine
=====================  ==================================================================================
None                   Null
str                    String; over 4,000 UTF-16 units Json, for a String is one database column.
                       NUL is dropped and half a surrogate pair replaced: no database takes them, and an
                       answer must not be lost over a character that nobody sees
bool                   Boolean
int                    Integer (32 bit), Long (64 bit), beyond that a String of its digits
float                  Double
Decimal                Double, so that conditions can compare it; exact up to 15 digits
datetime               Date, to the millisecond; it must be aware
date                   Date, midnight UTC
list, tuple, Mapping   Json; inside, Decimal is a number and dates are ISO 8601 strings
Typed                  what it says
=====================  ==================================================================================
"""

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from shared.engine.errors import UnreadableValue

TypedValue = Mapping[str, Any]
"""The engine's own form of a variable: {type, value, valueInfo}."""

STRING_MAX_UNITS = 4_000
"""Of a String, in UTF-16 units: the databases differ in what they count, and this is the least of them."""

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Typed:
    """A value whose engine type is named instead of guessed, such as ``Typed(3, "Long")``."""

    value: Any
    type: str


def to_engine(value: object) -> TypedValue:
    """Give a value the engine's form, by the table above.

    Raises:
        TypeError: no engine type fits it.
        ValueError: a naive datetime; NaN or an infinity inside Json.
    """
    match value:
        case Typed():
            return _typed(value)
        case None:
            return _form(None, "Null")
        case str():
            text = storable(value)
            fits = len(text.encode("utf-16-le")) // 2 <= STRING_MAX_UNITS
            return _form(text, "String") if fits else _json(text)
        case bool():
            return _form(value, "Boolean")
        case int():
            return _integer(value)
        case float() | Decimal():
            return _form(_double(float(value)), "Double")
        case date():
            return _form(format_time(value), "Date")
        case Mapping() | list() | tuple():
            return _json(value)
    raise TypeError(f"the engine has no type for {type(value).__name__}")


def from_engine(raw: TypedValue) -> Any:
    """Give a typed variable as a Python value; Date becomes an aware datetime, a File None (it is not there).

    Lists and maps that the engine holds as Java objects are decoded where they were serialized as JSON.

    Raises:
        UnreadableValue: the value does not fit its type.
    """
    value, type_ = raw.get("value"), raw.get("type")
    if value is None or type_ == "File":
        return None
    try:
        if type_ == "Date":
            return parse_time(value)
        if type_ == "Double":
            return float(value)
        if type_ == "Bytes":
            return base64.b64decode(value)
        return decode_json(raw)
    except (ValueError, TypeError) as error:
        raise UnreadableValue(f"a variable of type {type_} holds {str(value)[:100]!r}: {error}") from error


def decode_json(raw: TypedValue) -> Any:
    """The value, decoded where it is Json or an object serialized as JSON, else as it came.

    Raises:
        ValueError: it is malformed.
    """
    value, info = raw.get("value"), raw.get("valueInfo") or {}
    is_json = raw.get("type") == "Json" or info.get("serializationDataFormat") == "application/json"
    return json.loads(value) if is_json and isinstance(value, str) else value


def format_time(value: date) -> str:
    """A date or aware datetime as the engine takes it: ``2026-01-31T12:00:00.000+0000``."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def parse_time(text: str) -> datetime:
    """A time of the engine as an aware UTC datetime."""
    return datetime.fromisoformat(text).astimezone(UTC)


def storable(text: str) -> str:
    """The text without what no database takes: NUL is dropped, half a surrogate pair becomes U+FFFD."""
    return _NOT_STORABLE.sub(lambda match: "" if match[0] == "\0" else "\ufffd", text)


def _form(value: object, type_: str) -> TypedValue:
    return {"value": value, "type": type_}


def _json(value: object) -> TypedValue:
    return _form(json.dumps(_plain(value), allow_nan=False, ensure_ascii=False), "Json")


def _integer(value: int) -> TypedValue:
    if -(2**31) <= value < 2**31:
        return _form(value, "Integer")
    if -(2**63) <= value < 2**63:
        return _form(value, "Long")
    return _form(str(value), "String")


def _double(value: float) -> float | str:
    """JSON has no NaN and no infinity; the engine reads their Java names."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _typed(typed: Typed) -> TypedValue:
    value = typed.value
    if typed.type == "Json" and not isinstance(value, str):
        return _json(value)
    if typed.type == "Date" and isinstance(value, date):
        return _form(format_time(value), "Date")
    return _form(storable(value) if isinstance(value, str) else value, typed.type)


def _plain(value: object) -> object:
    """The same with JSON's own types only, and texts storable."""
    match value:
        case str():
            return storable(value)
        case Mapping():
            return {storable(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Decimal():
            whole = value.is_finite() and value == value.to_integral_value()
            return int(value) if whole else float(value)
        case date():
            return value.isoformat()
    return value
