"""The author's contract: what the names and properties of a service task mean, checked with clear errors.

Inputs reach a step as local variables; metadata is a property ``ITEM.KEY``, or ``KEY`` for the whole step.
An input parameter of the same name makes a key dynamic. docs/reference/contract.md is this table in words.
"""

import contextlib
import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import regex

from shared.errors import AuthorError
from shared.markup import Rich
from shared.steps import fields
from shared.steps.model import Action, Ask, Option, Shown, Step

STEP_KEYS = {"title", "recipient", "allow", "thread", "review", "cancellable", "on_cancel"}
RECIPIENT_NAMES = {"telegram_user_id", "chat_id"}
ITEM_KEYS = {
    "text": {"links"},
    "line": {"label"},
    "photo": {"label"},
    "file": {"label"},
    "action": {"label", "without_form"},
    "s3": {"label", "required", "help", "accept", "max_bytes", "public"},
    "field": {
        "type", "label", "required", "default", "min", "max", "pattern", "options", "help", "unit",
    },
}  # fmt: skip
PREFIXES = {
    "text_": "text",
    "photo_": "photo",
    "file_": "file",
    "action_": "action",
    "s3_": "s3",
    "form_": "field",
}
NAME = re.compile(r"[^.\s]+")
MAX_ACTIONS = 12
MAX_CAPTION = 64
MAX_OPTIONS = 80
"""Telegram takes 100 buttons under a message; some are left for Skip and the actions."""


@dataclass(frozen=True)
class Declared:
    """What a task declares: names in the order of the diagram, values as Python, properties as text."""

    activity: str
    names: tuple[str, ...]
    values: Mapping[str, Any]
    properties: Mapping[str, str]
    caught_codes: frozenset[str] | None = frozenset()
    local_results: bool = False


@dataclass
class _Reading:
    """One reading of one step: collects every problem before it complains."""

    declared: Declared
    problems: list[str] = field(default_factory=list)

    def complain(self, name: str, found: str, allowed: str) -> None:
        self.problems.append(f"{name}: {found}; {allowed}")

    def get(self, name: str) -> str | None:
        """The value of a key: from an input parameter, else from a property; None if neither says it."""
        value = self.declared.values.get(name)
        if value is None:
            value = self.declared.properties.get(name)
        return None if value is None else as_text(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.get(name)
        if value is None or value == "":
            return default
        if value.lower() not in {"true", "false"}:
            self.complain(name, f"found {value!r}", "allowed: true, false")
            return default
        return value.lower() == "true"

    def number(self, name: str) -> float | None:
        value = self.get(name)
        if value is None or value == "":
            return None
        with contextlib.suppress(ValueError):
            if math.isfinite(float(value)):
                return float(value)
        self.complain(name, f"found {value!r}", "a number is expected")
        return None

    def integer(self, name: str) -> int | None:
        value = self.get(name)
        if value is None or value == "":
            return None
        if re.fullmatch(r"-?\d{1,18}", value.strip()) is None:
            self.complain(name, f"found {value!r}", "a whole number is expected")
            return None
        return int(value)


def is_item(name: str) -> bool:
    """Whether a name means something to a step wherever it comes from, beside being shown as a line."""
    item = name.partition(".")[0]
    return "." in name or item in STEP_KEYS | RECIPIENT_NAMES or any(item.startswith(p) for p in PREFIXES)


def names_recipient(values: Mapping[str, Any], properties: Mapping[str, str]) -> bool:
    """Whether a step itself says whom it asks."""
    return any(values.get(name) for name in ("recipient", *RECIPIENT_NAMES)) or bool(
        properties.get("recipient")
    )


def as_text(value: Any) -> str:
    """A variable's value as people and keys read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def read_step(declared: Declared, *, needs_file: bool = False, may_ask: bool = True) -> Step:
    """Check what a task declares and give the step that it describes.

    Raises:
        AuthorError: with every problem found, each naming what was found and what is allowed.
    """
    reading = _Reading(declared)
    kinds = _kinds(reading)
    _check_keys(reading, kinds)
    asks = [_ask(reading, name, kind) for name, kind in kinds.items() if kind in {"s3", "field"}]
    actions = [_action(reading, name) for name, kind in kinds.items() if kind == "action"]
    shown = [item for name, kind in kinds.items() for item in _shown(reading, name, kind)]
    chat_id, recipient_id, allow = _recipient(reading)
    step = Step.model_construct(
        title=reading.get("title") or "",
        chat_id=chat_id,
        recipient_id=recipient_id,
        allow=allow,
        thread_id=reading.integer("thread"),
        shown=tuple(shown),
        asks=tuple(asks),
        actions=tuple(actions),
        review=reading.flag("review", default=False),
        # Whoever says what a cancellation throws wants the step to be cancellable.
        cancellable=reading.flag("cancellable", default=bool(reading.get("on_cancel"))),
        on_cancel=reading.get("on_cancel") or None,
        local_results=declared.local_results,
    )
    step = step.model_copy(update={"shadows": tuple(n for n in step.result_names() if n in declared.names)})
    _check_whole(reading, step, needs_file=needs_file, may_ask=may_ask)
    if reading.problems:
        raise AuthorError(f"activity {declared.activity!r}: " + " | ".join(reading.problems))
    return step


def _kinds(reading: _Reading) -> dict[str, str]:
    """Every item that the task names, in the order of the diagram, and what kind it is."""
    declared = reading.declared
    typed = {
        name.rpartition(".")[0]
        for name in [*declared.names, *declared.properties]
        if name.endswith(".type") and name.count(".") == 1 and name != ".type"
    }
    kinds: dict[str, str] = {}
    for name in [*declared.names, *declared.properties]:
        item = name.partition(".")[0]
        known = next(
            (kind for prefix, kind in PREFIXES.items() if item.startswith(prefix) and item != prefix), None
        )
        if known is None and item in typed:
            known = "field"
        if known is None and item == name and name in declared.names:
            known = "line"
        if known and item not in STEP_KEYS | RECIPIENT_NAMES:
            kinds.setdefault(item, known)
    return kinds


def _check_keys(reading: _Reading, kinds: Mapping[str, str]) -> None:
    declared = reading.declared
    for name in dict.fromkeys([*declared.properties, *(name for name in declared.names if "." in name)]):
        item, dot, key = name.partition(".")
        if not dot:
            if name not in STEP_KEYS | RECIPIENT_NAMES and name not in kinds:
                reading.complain(name, "unknown property" + _nearest(name, STEP_KEYS), _allowed(STEP_KEYS))
        elif item not in kinds:
            reading.complain(name, f"there is no item {item!r}" + _nearest(item, kinds), _allowed(kinds))
        elif key not in ITEM_KEYS[kinds[item]]:
            keys = ITEM_KEYS[kinds[item]]
            reading.complain(name, f"unknown key {key!r}" + _nearest(key, keys), _allowed(keys))


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _allowed(names: Iterable[str]) -> str:
    return "allowed: " + (", ".join(sorted(names)) or "none")


def _shown(reading: _Reading, name: str, kind: str) -> list[Shown]:
    if kind not in {"text", "line", "photo", "file"}:
        return []
    value = reading.get(name) or ""
    if not value:
        return []  # an expression that gave nothing shows nothing
    if kind == "text":
        return [
            Shown(kind="text", name=name, value=value, links=reading.flag(f"{name}.links", default=False))
        ]
    label = reading.get(f"{name}.label")
    if kind == "line":
        return [Shown(kind="line", name=name, value=value, label=label or name)]
    return [Shown(kind="photo" if kind == "photo" else "file", name=name, value=value, label=label)]


def _action(reading: _Reading, name: str) -> Action:
    short = name.removeprefix("action_")
    said = (reading.get(f"{name}.label"), reading.get(name))
    caption = next((text for text in said if text and not Rich(text).blank), short)
    if len(caption) > MAX_CAPTION:
        reading.complain(
            name, f"its caption has {len(caption)} characters", f"at most {MAX_CAPTION} are shown"
        )
    return Action(
        name=short, caption=caption, without_form=reading.flag(f"{name}.without_form", default=False)
    )


def _ask(reading: _Reading, name: str, kind: str) -> Ask:
    if kind == "s3":
        accept = tuple(
            part.strip().lower() for part in (reading.get(f"{name}.accept") or "").split(",") if part.strip()
        )
        if wrong := [part for part in accept if not re.fullmatch(r"\.[a-z0-9]+", part)]:
            reading.complain(
                f"{name}.accept", f"found {wrong[0]!r}", "extensions are expected, like .json,.zip"
            )
        return Ask(
            name=name,
            type="file",
            label=reading.get(f"{name}.label") or reading.get(name) or name.removeprefix("s3_"),
            required=reading.flag(f"{name}.required", default=True),
            help=reading.get(f"{name}.help"),
            accept=accept,
            max_bytes=reading.integer(f"{name}.max_bytes"),
            public=reading.flag(f"{name}.public", default=False),
        )
    return _check_field(reading, _field(reading, name))


def _field(reading: _Reading, name: str) -> Ask:
    type_name = reading.get(f"{name}.type") or "string"
    if type_name not in fields.TYPES:
        found = f"found {type_name!r}" + _nearest(type_name, fields.TYPES)
        reading.complain(f"{name}.type", found, _allowed(fields.TYPES))
        type_name = "string"
    default = reading.get(f"{name}.default")
    return Ask(
        name=name,
        type=type_name,
        label=reading.get(f"{name}.label") or name.removeprefix("form_"),
        required=reading.flag(f"{name}.required", default=False),
        default=(reading.get(name) or None) if default is None else default,
        min=reading.number(f"{name}.min"),
        max=reading.number(f"{name}.max"),
        pattern=reading.get(f"{name}.pattern"),
        options=_options(reading, name),
        help=reading.get(f"{name}.help"),
        unit=reading.get(f"{name}.unit"),
    )


def _options(reading: _Reading, name: str) -> tuple[Option, ...]:
    """``a|b|c``, ``a=Caption|…``, or a list or map variable."""
    found = reading.declared.values.get(f"{name}.options")
    if isinstance(found, list):
        return tuple(Option(value=as_text(each), caption=as_text(each)) for each in found)
    if isinstance(found, dict):
        return tuple(Option(value=str(key), caption=as_text(each)) for key, each in found.items())
    parts = [part.strip() for part in (reading.get(f"{name}.options") or "").split("|") if part.strip()]
    split = [part.partition("=") for part in parts]
    return tuple(
        Option(value=value.strip(), caption=caption.strip() or value.strip()) for value, _, caption in split
    )


def _check_field(reading: _Reading, ask: Ask) -> Ask:
    if ask.type == "choice" and not ask.options:
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
    for option in ask.options:
        try:
            fields.read_answer(ask, option.value)
        except fields.InvalidAnswer as error:
            reading.complain(f"{ask.name}.options", f"found {option.value!r}", str(error))
    if ask.default is not None:
        try:
            fields.read_answer(ask, ask.default)
        except fields.InvalidAnswer as error:
            reading.complain(f"{ask.name}.default", f"found {ask.default!r}", str(error))
    return ask


def _recipient(reading: _Reading) -> tuple[int, int | None, str | tuple[int, ...]]:
    """Whom the step asks: (chat, person or None, who in a group may answer)."""
    values = reading.declared.values
    named = (
        reading.get("recipient") or as_text(values.get("telegram_user_id")) or as_text(values.get("chat_id"))
    )
    if not named:
        reading.complain("recipient", "nobody is named", "give telegram_user_id, tg_user_ID or a chat_id")
        return 0, None, "anyone"
    match = re.fullmatch(r"(?:tg_user_)?(-?\d{1,18})", named.strip())
    if match is None or int(match[1]) == 0:
        reading.complain(
            "recipient", f"found {named!r}", "a Telegram user id, tg_user_ID or a chat_id is expected"
        )
        return 0, None, "anyone"
    chat_id = int(match[1])
    return chat_id, (chat_id if chat_id > 0 else None), _allow(reading)


def _allow(reading: _Reading) -> str | tuple[int, ...]:
    allow = (reading.get("allow") or "anyone").strip()
    if allow in {"anyone", "admins"}:
        return allow
    if re.fullmatch(r"\d{1,18}(\s*,\s*\d{1,18})*", allow):
        return tuple(int(part) for part in allow.split(","))
    reading.complain("allow", f"found {allow!r}", "allowed: anyone, admins, or user ids with commas")
    return "anyone"


def _check_whole(reading: _Reading, step: Step, *, needs_file: bool, may_ask: bool) -> None:
    if len(step.actions) > MAX_ACTIONS:
        reading.complain("action_*", f"found {len(step.actions)} buttons", f"at most {MAX_ACTIONS} fit")
    if needs_file and not any(ask.is_file for ask in step.asks):
        reading.complain("s3_*", "this topic waits for a file, and none is asked for", "name one s3_…")
    if not may_ask and not step.asks_nothing:
        asked = [ask.name for ask in step.asks] + [f"action_{action.name}" for action in step.actions]
        reading.complain(", ".join(asked) or "review", "a notice asks nothing", "use render_task to ask")
    if not (step.shown or step.asks or step.actions):
        reading.complain("text_*", "the step shows nothing and asks nothing", "give it a text_…")
    names = step.result_names()
    for name in sorted({name for name in names if names.count(name) > 1}):
        reading.complain(name, "two results have this name", "give the field another one")
    if step.thread_id == 1:
        reading.complain(
            "thread", "found 1", "Telegram refuses the general topic by its number; leave it out"
        )
    codes = reading.declared.caught_codes
    if step.on_cancel and codes is not None and step.on_cancel not in codes:
        reading.complain(
            "on_cancel",
            f"nothing catches the BPMN error {step.on_cancel!r}, it would end the instance silently",
            _allowed(codes),
        )
