"""Every name and key of the author's contract, once: for the checker, the reference and the templates."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Key:
    """One key: what kind of value it takes, what holds without it, and a value to copy."""

    name: str
    takes: str
    means: str
    default: str
    example: str
    translated: bool = False
    """Whether ``KEY.ru`` says it in another language."""


@dataclass(frozen=True)
class Kind:
    """A kind of item: how its names begin (None: by its keys alone), what it is, what the process gets."""

    name: str
    prefix: str | None
    title: str
    keys: MappingProxyType[str, Key]


def _table(*keys: Key) -> MappingProxyType[str, Key]:
    return MappingProxyType({key.name: key for key in keys})


def _said(name: str, means: str, default: str, example: str) -> Key:
    """A key that is a text which people read."""
    return Key(name, TEXT, means, default, example, translated=True)


FLAG, TEXT, WHOLE, LIMIT = "true or false", "text", "whole number", "number, or a day as `2026-03-14`"
DURATION, ERROR_CODE = "[duration](#time)", "BPMN error code"
CURRENCY = "[ISO 4217](https://www.iso.org/iso-4217-currency-codes.html) code"
WHOM = "user id, `tg_user_ID` or chat id"

STEP_KEYS = _table(
    Key(
        "title",
        TEXT,
        "the bold first line",
        "the task's name in the diagram; a notice has none",
        "Approve it",
        translated=True,
    ),
    Key(
        "recipient",
        WHOM,
        "[who must answer](#the-recipient)",
        "see there",
        "tg_user_123456",
    ),
    Key(
        "allow",
        "`anyone`, `admins`, `starter`, `group:NAME`, or user ids with commas",
        "[who in a group may answer](#groups)",
        "`anyone`",
        "admins",
    ),
    Key("thread", WHOLE, "the topic (message_thread_id) of a forum group; not 1", "none", "17"),
    Key("claim", FLAG, "in a group one person takes the step before anybody answers it", "`false`", "true"),
    Key(
        "votes",
        "whole number, or `majority`",
        "in a group so many must tap the same button",
        "the first tap decides",
        "3",
    ),
    Key("review", FLAG, "a form without buttons ends with Submit and Edit", "`false`", "true"),
    Key(
        "cancellable",
        FLAG,
        "`/cancel` offers to end this step",
        "`true` where `on_cancel` is given, else `false`",
        "true",
    ),
    Key(
        "on_cancel",
        ERROR_CODE,
        "the error that a cancellation throws; without it the process instance is deleted, with a reason"
        " in its history",
        "none",
        "GIVEN_UP",
    ),
    Key(
        "after",
        "`keep`, `summarise`, `delete`",
        "what becomes of the step's messages when it is answered: they stay without their buttons, become one"
        " line, or go",
        "`keep`",
        "summarise",
    ),
    Key(
        "reminder_after",
        DURATION,
        "the person is reminded after it, then after twice as long, and so on, at most five times",
        "none",
        "PT4H",
    ),
    Key(
        "expires_after",
        DURATION,
        "the step is over after it, unanswered, and `on_expire` is thrown",
        "none",
        "P2D",
    ),
    Key(
        "on_expire",
        ERROR_CODE,
        "the error that an expiry throws; `expires_after` needs it",
        "none",
        "TOO_LATE",
    ),
    Key(
        "escalate_after",
        DURATION,
        "the step is handed over to `escalate_to` after it, unanswered",
        "none",
        "P1D",
    ),
    Key(
        "escalate_to",
        WHOM,
        "who must answer from then on; `escalate_after` needs it",
        "none",
        "tg_user_654321",
    ),
)

START_KEYS = _table(
    Key(
        "business_key",
        TEXT,
        "the business key of the instance; `${form_x}` in it stands for an answer",
        "every start has one of its own",
        "expense-${form_number}",
    ),
    Key(
        "version",
        "`latest`, the number of a version, or a version tag",
        "which version `/new` offers and starts; the latest version says it",
        "`latest`",
        "3",
    ),
)
"""Keys that only a start event has, beside those of its form."""

_LABEL = "label"
_REQUIRED = "required"

KINDS = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                "text",
                "text_",
                "texts",
                _table(Key("links", FLAG, "http and https links stay tappable", "`false`", "true")),
            ),
            Kind(
                "line",
                None,
                "lines",
                _table(
                    Key(
                        _LABEL,
                        TEXT,
                        "the word before the colon",
                        "the input's name",
                        "Amount",
                        translated=True,
                    ),
                    Key("currency", CURRENCY, "a number is an amount of it", "none", "EUR"),
                ),
            ),
            Kind(
                "photo",
                "photo_",
                "pictures",
                _table(_said(_LABEL, "its caption", "none", "The chart")),
            ),
            Kind(
                "file",
                "file_",
                "documents",
                _table(_said(_LABEL, "its caption", "none", "The report")),
            ),
            Kind(
                "action",
                "action_",
                "buttons",
                _table(
                    Key(
                        _LABEL,
                        TEXT,
                        "the caption, at most 64 characters",
                        "the input's value, then the name",
                        "Yes, approve",
                        translated=True,
                    ),
                    Key(
                        "without_form",
                        FLAG,
                        "the button is offered beside every question and ends the step without the rest of"
                        " the form",
                        "`false`",
                        "true",
                    ),
                    Key(
                        "order",
                        WHOLE,
                        "its place: buttons with the smallest number first, then those without one;"
                        " `action_back` is always the last",
                        "as in the diagram",
                        "1",
                    ),
                    Key(
                        "style",
                        "`danger`, `success`, `primary`",
                        "its colour: red, green or blue, where the person's Telegram knows colours",
                        "the app's own",
                        "danger",
                    ),
                ),
            ),
            Kind(
                "s3",
                "s3_",
                "files asked for",
                _table(
                    Key(
                        _LABEL,
                        TEXT,
                        "what is asked for, in words",
                        "the input's value, then the name",
                        "The export",
                        translated=True,
                    ),
                    Key(_REQUIRED, FLAG, "without it, the question can be skipped", "`true`", "false"),
                    Key(
                        "help",
                        TEXT,
                        "a line below the question",
                        "how to send a file",
                        "Export it as JSON",
                        translated=True,
                    ),
                    Key(
                        "accept",
                        "extensions with commas",
                        "what is taken; content must agree with the extension",
                        "any",
                        ".json,.zip",
                    ),
                    Key(
                        "max_bytes",
                        WHOLE,
                        "the largest file",
                        "`UPLOAD_MAX_BYTES`, which also bounds it",
                        "1000000",
                    ),
                    Key(
                        "types",
                        "`document`, `photo`, `video`, `audio`, `voice`, with commas",
                        "how a file may come from Telegram, which makes pictures of photos and renames them",
                        "`document`",
                        "document,photo",
                    ),
                    Key(
                        "min_files",
                        WHOLE,
                        "how many files at least, where `max_files` takes several",
                        "`1`",
                        "2",
                    ),
                    Key(
                        "max_files",
                        WHOLE,
                        "how many files at most, up to 50; above 1 the question ends with Done, and the"
                        " process gets lists",
                        "`1`",
                        "5",
                    ),
                    Key(
                        "strip_metadata",
                        FLAG,
                        "a picture loses where, when and with what it was taken; of pictures, only JPEG, PNG,"
                        " WebP, GIF and TIFF are taken then",
                        "`false`",
                        "true",
                    ),
                    Key(
                        "validate",
                        "name of a [validator](#validators)",
                        "what the content must be beside its kind",
                        "none",
                        "csv_header",
                    ),
                    Key(
                        "validate_with",
                        "text, or a list or map variable",
                        "what the validator takes",
                        "none",
                        "date,amount",
                    ),
                    Key(
                        "public",
                        FLAG,
                        "the process gets the file's public address, not its key; needs `R2_PUBLIC_URL`",
                        "`false`",
                        "true",
                    ),
                    Key(
                        "link_lifetime",
                        "[duration](#time) of at most `P7D`, or `PT0S`",
                        "how long the address `url` in `s3_x_meta` gives the file to whoever has it; `PT0S`:"
                        " there is no address",
                        "`FILE_LINK_S`, a day",
                        "PT1H",
                    ),
                    Key(
                        "retention",
                        DURATION,
                        "the file is deleted from the bucket so long after it was stored",
                        "it stays",
                        "P90D",
                    ),
                ),
            ),
            Kind(
                "field",
                "form_",
                "fields",
                _table(
                    Key("type", "one of the [types](#types)", "what is asked for", "`string`", "integer"),
                    Key(
                        _LABEL, TEXT, "the question", "the name without `form_`", "How many?", translated=True
                    ),
                    Key(_REQUIRED, FLAG, "without it, the question has a Skip button", "`false`", "true"),
                    Key(
                        "default",
                        "an answer",
                        "what the process gets when the question is skipped",
                        "the input's value, else Null",
                        "10",
                    ),
                    Key(
                        "min",
                        LIMIT,
                        "the least: a number, a day, the length of a text, how many are chosen",
                        "none",
                        "1",
                    ),
                    Key("max", LIMIT, "the most, likewise", "none", "100"),
                    Key(
                        "pattern",
                        "regular expression",
                        "what the whole text must match",
                        "none",
                        "[A-Z]{3}-[0-9]+",
                    ),
                    Key(
                        "options",
                        "`a\\|b\\|c`, `a=Caption\\|b=Other`, or a list or map variable",
                        "choices, as buttons, on pages where they are many; at most 500",
                        "none",
                        "red=Red|blue=Blue",
                        translated=True,
                    ),
                    Key(
                        "help",
                        TEXT,
                        "a line below the question; also told when `pattern` does not match",
                        "none",
                        "As on the invoice",
                        translated=True,
                    ),
                    _said("unit", "shown behind the question", "none", "kg"),
                    Key(
                        "currency",
                        CURRENCY,
                        "a number is an amount of it, as `decimal` or `integer`",
                        "none",
                        "EUR",
                    ),
                ),
            ),
        )
    }
)

PREFIXES = MappingProxyType({kind.prefix: kind.name for kind in KINDS.values() if kind.prefix})
"""How names begin, and the kind of item that is."""
