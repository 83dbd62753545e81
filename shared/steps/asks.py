"""What a step asks for: files and fields, read from their keys and checked."""

import re
from typing import Any, get_args

import regex

from shared.files.packings import READABLE, UNREADABLE
from shared.files.validators import VALIDATORS
from shared.steps import fields
from shared.steps.model import Ask, FileKind, Option, Words
from shared.steps.reading import Reading, allowed, as_text, nearest, read_options

MAX_FILES = 50
"""They are listed in one message, each with a button."""

MADE_BY_TELEGRAM = {"photo": {".jpg", ".jpeg"}, "voice": {".ogg"}}
"""The extensions of what Telegram itself encodes; a video or a piece of music keeps its own."""

MAX_LINK_S = 7 * 86_400
"""By the signature's own rules, in every store."""

MAX_OPTIONS = 500
"""They are shown by pages; more could not be found by anybody, and are kept in the row of every step."""

MAX_SHOWN = 100
"""How much of an argument a complaint shows, in characters."""


def read_ask(reading: Reading, name: str, kind: str) -> Ask:
    """A file (``kind`` s3) or a field of the step; what is wrong with it goes to the reading's problems."""
    if kind == "s3":
        return _file(reading, name)
    return _check_field(reading, _field(reading, name))


def _file(reading: Reading, name: str) -> Ask:
    most = reading.integer(f"{name}.max_files")
    least = reading.integer(f"{name}.min_files")
    if most is not None and not 1 <= most <= MAX_FILES:
        reading.complain(f"{name}.max_files", f"found {most}", f"1 to {MAX_FILES} files are allowed")
    if least is not None and not 1 <= least <= (most or 1):
        reading.complain(f"{name}.min_files", f"found {least}", f"1 to max_files, {most or 1}, are allowed")
    accept = _accept(reading, name)
    return Ask(
        name=name,
        type="file",
        label=reading.get(f"{name}.label") or reading.get(name) or name.removeprefix("s3_"),
        required=reading.flag(f"{name}.required", default=True),
        help=reading.get(f"{name}.help"),
        accept=accept,
        types=_types(reading, name, accept),
        min_files=least or 1,
        max_files=most or 1,
        max_bytes=reading.integer(f"{name}.max_bytes"),
        public=reading.flag(f"{name}.public", default=False),
        strip_metadata=reading.flag(f"{name}.strip_metadata", default=False),
        **_validation(reading, name),
        retention_s=reading.duration_s(f"{name}.retention"),
        link_lifetime_s=_link_lifetime_s(reading, name),
        translations=reading.translations(label=f"{name}.label", help=f"{name}.help"),
    )


def _link_lifetime_s(reading: Reading, name: str) -> int | None:
    key = f"{name}.link_lifetime"
    if (reading.get(key) or "").strip() in {"0", "PT0S"}:
        return 0
    seconds = reading.duration_s(key)
    if seconds is not None and seconds > MAX_LINK_S:
        reading.complain(key, f"found {reading.get(key)!r}", "a presigned address holds for P7D at most")
    return seconds


def _accept(reading: Reading, name: str) -> tuple[str, ...]:
    accept = tuple(reading.parts(f"{name}.accept"))
    if wrong := [part for part in accept if not re.fullmatch(r"\.[a-z0-9]+", part)]:
        reading.complain(f"{name}.accept", f"found {wrong[0]!r}", "extensions are expected, like .json,.zip")
    if unreadable := [part for part in accept if part in UNREADABLE]:
        found = f"found {unreadable[0]!r}, an archive that Stepgram cannot look into"
        complaint = f"of archives, {', '.join(READABLE)} can be taken, and Office files"
        reading.complain(f"{name}.accept", found, complaint)
    return accept


def _types(reading: Reading, name: str, accept: tuple[str, ...]) -> tuple[FileKind, ...]:
    known: tuple[FileKind, ...] = get_args(FileKind)
    found = tuple(reading.parts(f"{name}.types"))
    for each in found:
        if each not in known:
            reading.complain(f"{name}.types", f"found {each!r}" + nearest(each, known), allowed(known))
        elif accept and each in MADE_BY_TELEGRAM and not MADE_BY_TELEGRAM[each] & {*accept}:
            what = allowed(MADE_BY_TELEGRAM[each])
            reading.complain(f"{name}.accept", f"{each} without its extension", what)
    return tuple(each for each in known if each in found) or ("document",)


def _validation(reading: Reading, name: str) -> dict[str, Any]:
    """The validator of a file and what it takes."""
    key, with_key = f"{name}.validate", f"{name}.validate_with"
    argument = reading.raw(with_key)
    named = reading.get(key) or None
    if named is None:
        if argument is not None and not reading.is_written(key):
            reading.complain(with_key, "there is no validate", f"{key}: {allowed(VALIDATORS)}")
        return {}
    if named not in VALIDATORS:
        reading.complain(key, f"found {named!r}" + nearest(named, VALIDATORS), allowed(VALIDATORS))
        return {}
    is_known = argument is not None or with_key in reading.declared.values or not reading.is_written(with_key)
    if is_known and (complaint := VALIDATORS[named].complaint(argument)):
        found = "nothing" if argument is None else repr(as_text(argument)[:MAX_SHOWN])
        reading.complain(with_key, f"found {found}", complaint)
    return {"validator": named, "validator_argument": argument}


def _field(reading: Reading, name: str) -> Ask:
    type_name = reading.get(f"{name}.type") or "string"
    if type_name not in fields.TYPES:
        found = f"found {type_name!r}" + nearest(type_name, fields.TYPES)
        reading.complain(f"{name}.type", found, allowed(fields.TYPES))
        type_name = "string"
    default = reading.get(f"{name}.default")
    is_day = type_name in {"date", "datetime"}
    return Ask(
        name=name,
        type=type_name,
        label=reading.get(f"{name}.label") or name.removeprefix("form_"),
        required=reading.flag(f"{name}.required", default=False),
        default=(reading.get(name) or None) if default is None else default,
        min=None if is_day else reading.number(f"{name}.min"),
        max=None if is_day else reading.number(f"{name}.max"),
        earliest=reading.day(f"{name}.min") if is_day else None,
        latest=reading.day(f"{name}.max") if is_day else None,
        pattern=reading.get(f"{name}.pattern"),
        options=_options(reading, name),
        help=reading.get(f"{name}.help"),
        unit=reading.get(f"{name}.unit"),
        currency=_currency(reading, name, type_name),
        translations=_translations(reading, name),
    )


def _currency(reading: Reading, name: str, type_name: str) -> str | None:
    currency = reading.currency(f"{name}.currency")
    if currency and type_name not in {"integer", "decimal"}:
        found = f"found {currency!r} beside the type {type_name!r}"
        reading.complain(f"{name}.currency", found, "an amount is an integer or a decimal")
    return currency


def _translations(reading: Reading, name: str) -> dict[str, Words]:
    found = reading.translations(**{part: f"{name}.{part}" for part in ("label", "help", "unit", "options")})
    known = {option.value for option in _options(reading, name)}
    for language, words in found.items():
        said = {option.value for option in words.options or ()}
        if words.options is not None and said != known:
            values = f"found the values {', '.join(sorted(said))}"
            reading.complain(f"{name}.options.{language}", values, allowed(known) + ", all of them")
    return found


def _options(reading: Reading, name: str) -> tuple[Option, ...]:
    """``a|b|c``, ``a=Caption|…``, or a list or map variable."""
    found = reading.declared.values.get(f"{name}.options")
    if isinstance(found, list):
        return tuple(Option(value=as_text(each), caption=as_text(each)) for each in found)
    if isinstance(found, dict):
        return tuple(Option(value=str(key), caption=as_text(each)) for key, each in found.items())
    return read_options(reading.get(f"{name}.options") or "")


def _check_field(reading: Reading, ask: Ask) -> Ask:
    if ask.type in {"choice", "multichoice"} and not ask.options:
        reading.complain(f"{ask.name}.options", "a choice without options", "give a|b|c or a list variable")
    if ask.pattern is not None:
        try:
            regex.compile(ask.pattern)
        except regex.error as error:
            reading.complain(
                f"{ask.name}.pattern", f"found {ask.pattern!r}", f"no regular expression: {error}"
            )
            return ask
    if len(ask.options) > MAX_OPTIONS:
        reading.complain(
            f"{ask.name}.options", f"found {len(ask.options)} options", f"at most {MAX_OPTIONS} fit"
        )
    # How many are chosen is the person's affair; one option alone need not be enough.
    alone = ask.model_copy(update={"min": None, "max": None}) if ask.type == "multichoice" else ask
    for option in ask.options:
        try:
            fields.read_answer(alone, option.value)
        except fields.InvalidAnswer as error:
            reading.complain(f"{ask.name}.options", f"found {option.value!r}", str(error))
    if ask.default is not None:
        try:
            fields.read_answer(ask, ask.default)
        except fields.InvalidAnswer as error:
            reading.complain(f"{ask.name}.default", f"found {ask.default!r}", str(error))
    return ask
