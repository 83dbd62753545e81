import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from shared.engine.errors import UnreadableValue
from shared.engine.values import Typed, format_time, from_engine, parse_time, storable, to_engine

NOON = datetime(2026, 1, 2, 12, 0, 0, 123_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "type_", "in_engine"),
    [
        (None, "Null", None),
        ("héllo 😀", "String", "héllo 😀"),
        (True, "Boolean", True),
        (0, "Integer", 0),
        (2**31 - 1, "Integer", 2**31 - 1),
        (-(2**31), "Integer", -(2**31)),
        (2**31, "Long", 2**31),
        (2**63 - 1, "Long", 2**63 - 1),
        (2**63, "String", "9223372036854775808"),
        (1.5, "Double", 1.5),
        (math.inf, "Double", "Infinity"),
        (-math.inf, "Double", "-Infinity"),
        (math.nan, "Double", "NaN"),
        (Decimal("1000.10"), "Double", 1000.1),
        (NOON, "Date", "2026-01-02T12:00:00.123+0000"),
        (NOON.astimezone(timezone(timedelta(hours=5.5))), "Date", "2026-01-02T12:00:00.123+0000"),
        (date(2026, 1, 2), "Date", "2026-01-02T00:00:00.000+0000"),
        (datetime(1, 1, 2, tzinfo=UTC), "Date", "0001-01-02T00:00:00.000+0000"),
        ([1, "a", None], "Json", '[1, "a", null]'),
        ((), "Json", "[]"),
        (
            {"a": {"b": [date(2026, 1, 2), Decimal("2"), Decimal("0.5")]}},
            "Json",
            '{"a": {"b": ["2026-01-02", 2, 0.5]}}',
        ),
        (Typed(3, "Long"), "Long", 3),
        (Typed([1], "Json"), "Json", "[1]"),
        (Typed("[1]", "Json"), "Json", "[1]"),
        (Typed(NOON, "Date"), "Date", "2026-01-02T12:00:00.123+0000"),
        (Typed("a\0", "String"), "String", "a"),
    ],
)
def test_every_python_value_has_one_engine_type(value: object, type_: str, in_engine: object) -> None:
    assert to_engine(value) == {"value": in_engine, "type": type_}


@pytest.mark.parametrize(("char", "most"), [("a", 4000), ("😀", 2000)])
def test_a_string_holds_4000_utf_16_units_and_longer_text_is_json(char: str, most: int) -> None:
    assert to_engine(char * most) == {"value": char * most, "type": "String"}
    longer = to_engine(char * (most + 1))
    assert longer["type"] == "Json"
    assert from_engine(longer) == char * (most + 1)


def test_what_no_database_takes_is_left_out_of_texts() -> None:
    assert storable("a\0b\ud83dc") == "ab\ufffdc"
    assert to_engine("a\0b") == {"value": "ab", "type": "String"}
    assert to_engine({"k\0": ["v\0", "\udfff"]}) == {"value": '{"k": ["v", "\ufffd"]}', "type": "Json"}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", [object()]])
def test_a_value_without_an_engine_type_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_engine(value)


@pytest.mark.parametrize(
    "value", [NOON.replace(tzinfo=None), [math.nan], {"a": Decimal("NaN")}, [Decimal("Infinity")]]
)
def test_a_value_that_would_change_its_meaning_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        to_engine(value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"type": "String", "value": "[1]", "valueInfo": {}}, "[1]"),
        ({"type": "Null", "value": None}, None),
        ({"type": "String", "value": None}, None),
        ({"type": "Long", "value": 2**40}, 2**40),
        ({"type": "Double", "value": "NaN"}, pytest.approx(math.nan, nan_ok=True)),
        ({"type": "Date", "value": "2026-01-02T17:30:00.123+0530"}, NOON.replace(microsecond=123_000)),
        ({"type": "Json", "value": '{"a": [1.5, null]}'}, {"a": [1.5, None]}),
        (
            {
                "type": "Object",
                "value": '["x"]',
                "valueInfo": {
                    "objectTypeName": "java.util.ArrayList<java.lang.String>",
                    "serializationDataFormat": "application/json",
                },
            },
            ["x"],
        ),
        (
            {
                "type": "Object",
                "value": "rO0ABXNy",
                "valueInfo": {"serializationDataFormat": "application/x-java-serialized-object"},
            },
            "rO0ABXNy",
        ),
        ({"type": "Bytes", "value": "aGVsbG8="}, b"hello"),
        ({"type": "File", "value": None, "valueInfo": {"filename": "a.txt"}}, None),
    ],
)
def test_every_variable_of_the_engine_becomes_a_python_value(raw: dict[str, Any], value: object) -> None:
    assert from_engine(raw) == value


@pytest.mark.parametrize(("type_", "value"), [("Json", "{"), ("Date", "yesterday"), ("Double", "much")])
def test_a_variable_that_does_not_fit_its_type_is_the_authors_error(type_: str, value: str) -> None:
    with pytest.raises(UnreadableValue, match=type_):
        from_engine({"type": type_, "value": value})


def test_times_go_there_and_back() -> None:
    assert parse_time(format_time(NOON)) == NOON.replace(microsecond=123_000)
    assert parse_time(format_time(NOON)).tzinfo is UTC


def test_json_keeps_letters_as_they_are() -> None:
    assert json.loads(to_engine(["ö😀"])["value"]) == ["ö😀"]
    assert "ö😀" in to_engine(["ö😀"])["value"]
