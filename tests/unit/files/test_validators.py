"""What an author demands of a file's content, and what is told where it is not so."""

import io
import json
from typing import Any

import pytest

from devstack.exports import ExportPlan, export_bytes
from shared import texts
from shared.errors import AuthorError, ConfigurationError
from shared.files import validators
from shared.files.validators import VALIDATORS, InvalidFile, Validator
from tests.fakes.steps import read

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "items"],
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
    "$defs": {"item": {"type": "object", "properties": {"price": {"type": "number"}}}},
}
GOOD = {"name": "x", "items": [{"price": 1}]}
EXPORT = export_bytes(ExportPlan(size_bytes=30_000, people=5, days=3))


def told(name: str, content: bytes, argument: Any = None) -> str | None:
    """What the sender of a file is told, if it is not as it should be."""
    try:
        VALIDATORS[name].check(io.BytesIO(content), argument)
    except InvalidFile as invalid:
        return str(invalid)
    return None


@pytest.mark.parametrize("argument", [SCHEMA, json.dumps(SCHEMA)])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_that_fits_its_schema_is_taken(argument: Any, encoding: str) -> None:
    assert told("json_schema", json.dumps(GOOD).encode(encoding), argument) is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"name": "x"}, "Something is missing in that file at the beginning: items."),
        ({"name": "x", "items": [{"price": "1"}]}, 'at items.0.price (type: "number")'),
        ([], 'at the beginning (type: "object")'),
    ],
)
def test_json_that_does_not_fit_is_told_where(document: Any, words: str) -> None:
    assert words in (told("json_schema", json.dumps(document).encode(), SCHEMA) or "")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe{", b"", b"[" * 100])
def test_what_is_no_json_is_told_so(content: bytes) -> None:
    assert told("json_schema", content, SCHEMA) == texts.say("file-no-json")


def test_a_document_larger_than_fits_in_memory_is_told_the_limit() -> None:
    assert "16.8 MB" in (told("json_schema", b" " * (validators.JSON_BYTES + 1), SCHEMA) or "").replace(
        "\u2060", ""
    )


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        (None, "a JSON schema is expected"),
        ("[1]", "a JSON schema is expected"),
        ("{", "a JSON schema is expected"),
        ({"type": "nonsense"}, "no JSON schema"),
        ({"$ref": "https://example.org/schema.json"}, "its own parts only"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "its own parts only"),
    ],
)
def test_a_schema_that_is_none_is_an_authors_error(schema: Any, complaint: str) -> None:
    with pytest.raises(AuthorError, match=complaint):
        read({"s3_x": None, "s3_x.validate_with": schema}, {"s3_x.validate": "json_schema"})


@pytest.mark.parametrize(
    "content",
    [
        b"date,amount,note\n1,2,3\n",
        b"note;amount;date\n",
        b"Date\tAMOUNT\n",
        b'"date","amount"\r\n',
        "\ufeffdate;amount\n".encode(),
        "date,amount\n".encode("utf-16"),
        b"date|amount|gr\xf6\xdfe\n",
        b"\n\ndate,amount\n",
    ],
)
def test_a_table_with_the_columns_is_taken_however_it_was_written(content: bytes) -> None:
    assert told("csv_header", content, "date, amount") is None


@pytest.mark.parametrize("content", [b"", b"1,2\n", b"when,amount\ndate,amount\n", b'"' * 99, bytes(300_000)])
def test_a_table_without_them_is_told_which_are_missing(content: bytes) -> None:
    assert "These columns are missing in the first line" in (told("csv_header", content, "date,amount") or "")
    assert "date" in (told("csv_header", content, "date,amount") or "")


def test_columns_that_are_not_named_are_an_authors_error() -> None:
    with pytest.raises(AuthorError, match="names of columns are expected"):
        read({"s3_x": None}, {"s3_x.validate": "csv_header"})
    with pytest.raises(AuthorError, match="names of columns are expected"):
        read({"s3_x": None}, {"s3_x.validate": "csv_header", "s3_x.validate_with": " , "})


def test_the_export_of_a_chat_is_taken() -> None:
    assert told("telegram_export", EXPORT) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "That is the HTML form of an export."),
        (b"PK\x03\x04", "That is an archive"),
        (b"{]", "no valid JSON"),
        (b"", "no valid JSON"),
        (EXPORT[:-100], "stops in the middle"),
        (b'{"chats": {"list": []}}', "all your chats"),
        (b'{"name": "x", "type": "y", "id": 1, "messages": []}', "no messages"),
        (b'{"a": 1}', "not the exported history"),
        (b'{"messages": [{"id": 1, "type": "message"}]}', "these are missing in it: name, type, id"),
    ],
)
def test_what_is_no_export_is_told_why_in_the_senders_language(content: bytes, words: str) -> None:
    english = told("telegram_export", content) or ""
    assert words in english
    with texts.speaking(texts.Voice("ru")):
        russian = told("telegram_export", content) or ""
    assert russian != english
    assert set(russian) & set("йцукен")


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"s3_x.validate": "csv_heder"}, "did you mean 'csv_header'"),
        ({"s3_x.validate": "nonsense"}, "allowed: csv_header, json_schema, telegram_export"),
        ({"s3_x.validate_with": "a"}, "there is no validate"),
        ({"s3_x.validate": "telegram_export", "s3_x.validate_with": "a"}, "it takes nothing"),
        ({"s3_x.accept": ".zip,.rar"}, "an archive that Stepgram cannot look into"),
    ],
)
def test_a_demand_that_cannot_be_met_is_an_authors_error(keys: dict[str, str], complaint: str) -> None:
    with pytest.raises(AuthorError, match=complaint):
        read({"s3_x": None}, keys)


class Point:
    """An entry point."""

    def __init__(self, offered: object) -> None:
        self.name, self.value = "own", "package:own"
        self._offered = offered

    def load(self) -> object:
        return self._offered


def test_a_package_adds_validators(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Validator("own", lambda file, argument: None, "anything")
    monkeypatch.setattr(validators, "VALIDATORS", dict(VALIDATORS))
    monkeypatch.setattr(validators, "entry_points", lambda group: [Point(own)])
    validators.load()
    validators.load()
    assert validators.VALIDATORS["own"] is own


@pytest.mark.parametrize("offered", ["nonsense", Validator("csv_header", lambda *_: None, "anything")])
def test_what_is_none_or_takes_the_name_of_another_is_refused(
    offered: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validators, "VALIDATORS", dict(VALIDATORS))
    monkeypatch.setattr(validators, "entry_points", lambda group: [Point(offered)])
    with pytest.raises(ConfigurationError):
        validators.load()
