"""What an author demands of a file's content, by name: ``s3_x.validate``, with ``s3_x.validate_with``.

A check runs in a child process before the file becomes part of an answer, with its memory and time limited,
and speaks the language of whoever sent the file.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, BinaryIO

from shared import texts
from shared.errors import ConfigurationError, StepgramError
from shared.files.telegram_export import ExportReader, ExportRefused

ENTRY_POINTS = "stepgram.validators"
"""The group of entry points by which a platform team adds validators; each names a :class:`Validator`."""

JSON_BYTES = 16 * 1024 * 1024
"""The largest document that is held against a schema, which needs it in memory."""

_LINE_BYTES = 256 * 1024
_CHUNK_BYTES = 256 * 1024
_SHOWN_CHARS = 100


class InvalidFile(StepgramError):
    """The content is not what its author wants; the message is one polite sentence for who sent it."""


@dataclass(frozen=True)
class Validator:
    """One check; a platform team adds its own by the entry point ``stepgram.validators``.

    ``check`` gets the file, which can be sought, and what the author gave as ``validate_with``: a text, a map
    or None. It raises :class:`InvalidFile`. ``complaint`` says what is wrong with that argument, or None.
    ``means`` and ``takes`` are the words of the reference.
    """

    name: str
    check: Callable[[BinaryIO, Any], None]
    means: str
    takes: str = "nothing"
    complaint: Callable[[Any], str | None] = lambda argument: None


def load() -> None:
    """Add the validators that installed packages offer.

    Raises:
        ConfigurationError: one is no Validator, or takes the name of another.
    """
    for point in entry_points(group=ENTRY_POINTS):
        found = point.load()
        if not isinstance(found, Validator):
            raise ConfigurationError(
                f"entry point {point.name!r} of {ENTRY_POINTS} is no Validator: {found!r}"
            )
        if VALIDATORS.setdefault(found.name, found) is not found:
            raise ConfigurationError(
                f"two validators are called {found.name!r}; rename that of {point.value!r}"
            )


# JSON by a schema


def _check_json(file: BinaryIO, argument: Any) -> None:
    import jsonschema
    from referencing import Registry

    data = file.read(JSON_BYTES + 1)
    if len(data) > JSON_BYTES:
        raise InvalidFile(texts.say("file-too-large", size=texts.size(JSON_BYTES)))
    try:
        document = json.loads(data.decode(json.detect_encoding(data)))
    except ValueError as malformed:
        raise InvalidFile(texts.say("file-no-json")) from malformed
    schema = _schema(argument)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    # A registry of its own: without one the library would fetch whatever address a schema refers to.
    validator = kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or texts.say("the-beginning")
        if error.validator == "required":
            missing = ", ".join(name for name in error.validator_value if name not in error.instance)
            raise InvalidFile(texts.say("file-json-lacks", place=_short(place), names=_short(missing)))
        rule = f"{error.validator}: {json.dumps(error.validator_value, ensure_ascii=False)}"
        raise InvalidFile(texts.say("file-not-by-schema", place=_short(place), rule=_short(rule)))


def _schema(argument: Any) -> Any:
    return json.loads(argument) if isinstance(argument, str) else argument


def _schema_complaint(argument: Any) -> str | None:
    import jsonschema

    try:
        schema = _schema(argument)
        if not isinstance(schema, dict):
            return "a JSON schema is expected, as text or as a map"
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(schema)
    except ValueError as malformed:
        return f"a JSON schema is expected, as text or as a map: {malformed}"
    except jsonschema.SchemaError as wrong:
        return f"no JSON schema: {_short(wrong.message)}"
    abroad = [each for each in _references(schema) if not each.startswith("#")]
    return f"a schema may refer to its own parts only, not to {_short(abroad[0])}" if abroad else None


def _references(schema: Any) -> list[str]:
    """Everything that a schema refers to."""
    if isinstance(schema, list):
        return [each for part in schema for each in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [
        value for key, value in schema.items() if key in {"$ref", "$dynamicRef"} and isinstance(value, str)
    ]
    return own + [each for part in schema.values() for each in _references(part)]


# the head of a table


def _check_header(file: BinaryIO, argument: Any) -> None:
    wanted = _columns(argument)
    line = _decoded(file.read(_LINE_BYTES))
    found = max((_cells(line, delimiter) for delimiter in ",;\t|"), key=lambda cells: len(wanted & cells))
    if missing := [name for name in _listed(argument) if name.casefold() not in found]:
        raise InvalidFile(texts.say("file-csv-lacks", names=_short(", ".join(missing))))


def _decoded(data: bytes) -> str:
    for encoding, mark in (("utf-8-sig", b"\xef\xbb\xbf"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start > len(data) - 4:  # a character that the end cuts
            return data.decode("utf-8", "ignore")
        return data.decode("cp1252", "replace")


def _cells(text: str, delimiter: str) -> set[str]:
    """The names in a table's first line, by one delimiter."""
    try:
        row = next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter), [])
    except csv.Error:
        return set()
    return {cell.strip().casefold() for cell in row}


def _listed(argument: Any) -> list[str]:
    names = argument if isinstance(argument, list) else str(argument or "").split(",")
    return [str(name).strip() for name in names if str(name).strip()]


def _columns(argument: Any) -> set[str]:
    return {name.casefold() for name in _listed(argument)}


def _header_complaint(argument: Any) -> str | None:
    is_list = isinstance(argument, str | list) and _listed(argument)
    return None if is_list else "names of columns are expected, like date,amount"


# the history of a chat


def _check_export(file: BinaryIO, argument: Any) -> None:
    reader = ExportReader(lambda entry: None)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            reader.feed(chunk)
        reader.close()
    except ExportRefused as refused:
        raise InvalidFile(_about_export(refused.why)) from refused
    if missing := [name for name in ("name", "type", "id") if name not in reader.chat]:
        raise InvalidFile(texts.say("export-lacks", names=", ".join(missing)))


def _about_export(why: str) -> str:
    how = texts.say("export-how")
    match why:
        case "html":
            return f"{texts.say('export-html')} {how}"
        case "archive":
            return texts.say("export-archive")
        case "no_json" | "empty":
            return f"{texts.say('export-no-json')} {how}"
        case "cut":
            return texts.say("export-cut")
        case "all_chats":
            return f"{texts.say('export-all-chats')} {how}"
        case "no_messages":
            return texts.say("export-no-messages")
        case _:
            return f"{texts.say('export-not-one-chat')} {how}"


def _nothing(argument: Any) -> str | None:
    return None if argument is None else "it takes nothing"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


VALIDATORS: dict[str, Validator] = {
    each.name: each
    for each in (
        Validator(
            "json_schema",
            _check_json,
            f"JSON of at most {JSON_BYTES >> 20} MB that fits a schema",
            "the schema, as text or as a map; it refers to its own parts only",
            _schema_complaint,
        ),
        Validator(
            "csv_header",
            _check_header,
            "a table whose first line has these columns, in any order, among others",
            "their names with commas",
            _header_complaint,
        ),
        Validator(
            "telegram_export",
            _check_export,
            "the history of one chat, as Telegram Desktop exports it to JSON",
            complaint=_nothing,
        ),
    )
}
