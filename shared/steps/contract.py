"""The author's contract: what the names and properties of a service task mean, checked with clear errors.

Inputs reach a step as local variables; metadata is a property ``ITEM.KEY``, or ``KEY`` for the whole step.
An input parameter of the same name makes a key dynamic. All names and keys are in :mod:`shared.steps.keys`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from shared import texts
from shared.errors import AuthorError
from shared.markup import Rich
from shared.steps.asks import read_ask
from shared.steps.keys import KINDS, PREFIXES, STEP_KEYS
from shared.steps.model import Action, Shown, Step, Style
from shared.steps.reading import Declared, Problem, Reading, allowed, as_text, nearest
from shared.steps.times import check_times, read_times

RECIPIENT_NAMES = {"telegram_user_id", "chat_id"}
OF_THE_STEP = {*STEP_KEYS, *RECIPIENT_NAMES}
"""Names that are no items."""

ENGINE_GROUP = "group:"
_USER = r"(?:tg_user_)?[1-9]\d{0,17}"
MAX_ACTIONS = 100
"""They are shown by pages, as options are; more could not be found by anybody."""

MAX_CAPTION = 64
STYLES: tuple[Style, ...] = get_args(Style)


def is_item(name: str) -> bool:
    """Whether a name means something to a step wherever it comes from, beside being shown as a line."""
    item = name.partition(".")[0]
    return "." in name or item in OF_THE_STEP or any(item.startswith(p) for p in PREFIXES)


def names_recipient(values: Mapping[str, Any], properties: Mapping[str, str]) -> bool:
    """Whether a step itself says whom it asks."""
    return any(values.get(name) for name in ("recipient", *RECIPIENT_NAMES)) or bool(
        properties.get("recipient")
    )


def read_step(declared: Declared, *, needs_file: bool = False, may_ask: bool = True) -> Step:
    """Check what a task declares and give the step that it describes.

    Raises:
        AuthorError: with every problem found, each naming what was found and what is allowed.
    """
    step, problems = examine(declared, needs_file=needs_file, may_ask=may_ask)
    if problems:
        raise AuthorError(f"activity {declared.activity!r}: " + " | ".join(map(str, problems)))
    return step


def examine(
    declared: Declared, *, needs_file: bool = False, may_ask: bool = True
) -> tuple[Step, list[Problem]]:
    """What a task declares as a step, good only where no problem was found, and the problems."""
    reading = Reading(declared)
    kinds = _kinds(reading)
    _check_keys(reading, kinds)
    asks = [read_ask(reading, name, kind) for name, kind in kinds.items() if kind in {"s3", "field"}]
    buttons = [name for name, kind in kinds.items() if kind == "action"]
    actions = [_action(reading, name) for name in _in_order(reading, buttons)]
    shown = [item for name, kind in kinds.items() for item in _shown(reading, name, kind)]
    chat_id, recipient_id, allow = _recipient(reading)
    step = Step.model_construct(
        title=reading.get("title") or "",
        translations=reading.translations(title="title"),
        chat_id=chat_id,
        recipient_id=recipient_id,
        allow=allow,
        thread_id=reading.integer("thread"),
        # In a private chat there is nobody to take it from, and nobody to outvote.
        claim=reading.flag("claim", default=False) and chat_id < 0,
        votes=_votes(reading) if chat_id < 0 else None,
        shown=tuple(shown),
        asks=tuple(asks),
        actions=tuple(actions),
        review=reading.flag("review", default=False),
        # Whoever says what a cancellation throws wants the step to be cancellable.
        cancellable=reading.flag("cancellable", default=bool(reading.get("on_cancel"))),
        on_cancel=reading.get("on_cancel") or None,
        after=reading.one_of("after", ("keep", "summarise", "delete")),
        **read_times(reading),
        local_results=declared.local_results,
    )
    step = step.model_copy(update={"shadows": tuple(n for n in step.result_names() if n in declared.names)})
    _check_whole(reading, step, needs_file=needs_file, may_ask=may_ask)
    return step, reading.problems


def _kinds(reading: Reading) -> dict[str, str]:
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
        if known and item not in OF_THE_STEP:
            kinds.setdefault(item, known)
    return kinds


def _check_keys(reading: Reading, kinds: Mapping[str, str]) -> None:
    declared = reading.declared
    for name in dict.fromkeys([*declared.properties, *(name for name in declared.names if "." in name)]):
        item, dot, key = _untranslated(name, kinds).partition(".")
        if not dot:
            if item not in OF_THE_STEP and item not in kinds:
                found = "unknown property" + nearest(name, STEP_KEYS)
                reading.complain(name, found, allowed(STEP_KEYS), "unknown-key")
        elif item in STEP_KEYS and STEP_KEYS[item].translated:
            found = f"unknown key {key!r}" + nearest(key, texts.LANGUAGES)
            reading.complain(name, found, allowed(texts.LANGUAGES), "unknown-key")
        elif item not in kinds:
            found = f"there is no item {item!r}" + nearest(item, kinds)
            reading.complain(name, found, allowed(kinds), "unknown-key")
        elif key not in (keys := KINDS[kinds[item]].keys):
            found = f"unknown key {key!r}" + nearest(key, keys)
            reading.complain(name, found, allowed(keys), "unknown-key")


def _untranslated(name: str, kinds: Mapping[str, str]) -> str:
    """The name of the key that ``title.ru`` or ``form_x.label.ru`` says in another language."""
    said, _, language = name.rpartition(".")
    item, dot, key = said.partition(".")
    if language not in texts.LANGUAGES:
        return name
    if not dot:
        is_title = item in STEP_KEYS and STEP_KEYS[item].translated
        return said if is_title or kinds.get(item) == "text" else name
    keys = KINDS[kinds[item]].keys if item in kinds else {}
    return said if key in keys and keys[key].translated else name


def _shown(reading: Reading, name: str, kind: str) -> list[Shown]:
    if kind not in {"text", "line", "photo", "file"}:
        return []
    value = reading.get(name) or ""
    if not value:
        return []  # an expression that gave nothing shows nothing
    if kind == "text":
        return [
            Shown(
                kind="text",
                name=name,
                value=value,
                links=reading.flag(f"{name}.links", default=False),
                translations=reading.translations(value=name),
            )
        ]
    label = reading.get(f"{name}.label")
    said = reading.translations(label=f"{name}.label")
    if kind == "line":
        line = Shown(kind="line", name=name, value=value, label=label or name, translations=said)
        typed = reading.declared.values.get(name)
        typed_as = {"moment": typed} if isinstance(typed, datetime) else {"data": typed}
        return [line.model_copy(update={} if isinstance(typed, str) else typed_as | _money(reading, name))]
    if "://" in value and not _is_web_address(value):
        reading.complain(name, f"found {value!r}", "a key of the bucket, or an https:// address, is expected")
    shown = Shown(kind="photo" if kind == "photo" else "file", name=name, value=value, label=label)
    return [shown.model_copy(update={"translations": said})]


def _money(reading: Reading, name: str) -> dict[str, str | None]:
    return {"currency": reading.currency(f"{name}.currency")}


def _is_web_address(value: str) -> bool:
    return re.fullmatch(r"https://[^\s/@:]+\.[^\s/@:]+(:\d+)?(/\S*)?", value) is not None


def _in_order(reading: Reading, buttons: Sequence[str]) -> list[str]:
    """Buttons as their author numbers them; the way back stands last, wherever the diagram has it."""
    order = {name: reading.integer(f"{name}.order") for name in buttons}

    def place(name: str) -> tuple[bool, bool, int]:
        number = order[name]
        return name == "action_back", number is None, number or 0

    return sorted(buttons, key=place)


def _action(reading: Reading, name: str) -> Action:
    short = name.removeprefix("action_")
    said = (reading.get(f"{name}.label"), reading.get(name))
    caption = next((text for text in said if text and not Rich(text).blank), short)
    translations = reading.translations(caption=f"{name}.label")
    for each in (caption, *(words.caption or "" for words in translations.values())):
        if len(each) > MAX_CAPTION:
            found = f"its caption has {len(each)} characters"
            reading.complain(name, found, f"at most {MAX_CAPTION} are shown")
    return Action(
        name=short,
        caption=caption,
        without_form=reading.flag(f"{name}.without_form", default=False),
        style=_style(reading, f"{name}.style"),
        translations=translations,
    )


def _style(reading: Reading, name: str) -> Style | None:
    said = (reading.get(name) or "").strip()
    style = next((each for each in STYLES if each == said), None)
    if said and style is None:
        reading.complain(name, f"found {said!r}" + nearest(said, STYLES), allowed(STYLES))
    return style


def _recipient(reading: Reading) -> tuple[int, int | None, str | tuple[int, ...]]:
    """Whom the step asks: (chat, person or None, who in a group may answer)."""
    values = reading.declared.values
    named = (
        reading.get("recipient") or as_text(values.get("telegram_user_id")) or as_text(values.get("chat_id"))
    )
    if not named:
        hint = "give telegram_user_id, tg_user_ID or a chat_id"
        reading.complain("recipient", "nobody is named", hint, "missing-recipient")
        return 0, None, "anyone"
    chat_id = reading.chat("recipient", named)
    if chat_id is None:
        return 0, None, "anyone"
    return chat_id, (chat_id if chat_id > 0 else None), _allow(reading)


def _allow(reading: Reading) -> str | tuple[int, ...]:
    allow = (reading.get("allow") or "anyone").strip()
    if allow in {"anyone", "admins"} or re.fullmatch(rf"{ENGINE_GROUP}[A-Za-z0-9_.-]+", allow):
        return allow
    if allow == "starter":
        return _starter(reading)
    if re.fullmatch(rf"{_USER}(\s*,\s*{_USER})*", allow, re.ASCII):
        return tuple(int(part.strip().removeprefix("tg_user_")) for part in allow.split(","))
    known = "allowed: anyone, admins, starter, group:NAME, or user ids with commas"
    reading.complain("allow", f"found {allow!r}", known)
    return "anyone"


def _starter(reading: Reading) -> tuple[int, ...]:
    starter = reading.declared.starter
    if starter is None:
        return ()
    if re.fullmatch(_USER, starter.strip(), re.ASCII):
        return (int(starter.strip().removeprefix("tg_user_")),)
    found = f"found 'starter', but the process variable telegram_user_id is {starter or 'not set'!r}"
    reading.complain("allow", found, "start the process with telegram_user_id, or name who may answer")
    return ()


def says_starter(values: Mapping[str, Any], properties: Mapping[str, str]) -> bool:
    """Whether who may answer depends on who started the process."""
    said = values.get("allow")
    return as_text(properties.get("allow") if said is None else said).strip() == "starter"


def _votes(reading: Reading) -> int | Literal["majority"] | None:
    votes = (reading.get("votes") or "").strip()
    if votes == "majority":
        return "majority"
    if re.fullmatch(r"[1-9]\d{0,4}", votes, re.ASCII):
        return int(votes)
    if votes:
        reading.complain("votes", f"found {votes!r}", "a whole number above 0, or majority, is expected")
    return None


def _check_whole(reading: Reading, step: Step, *, needs_file: bool, may_ask: bool) -> None:
    if len(step.actions) > MAX_ACTIONS:
        found = f"found {len(step.actions)} buttons"
        reading.complain("action_*", found, f"at most {MAX_ACTIONS} fit", "bad-step")
    if needs_file and not any(ask.is_file for ask in step.asks):
        found = "this topic waits for a file, and none is asked for"
        reading.complain("s3_*", found, "name one s3_…", "bad-step")
    if not may_ask and not step.asks_nothing:
        asked = [ask.name for ask in step.asks] + [f"action_{action.name}" for action in step.actions]
        name = ", ".join(asked) or "review"
        reading.complain(name, "a notice asks nothing", "use render_task to ask", "bad-step")
    if not (step.shown or step.asks or step.actions):
        found = "the step shows nothing and asks nothing"
        reading.complain("text_*", found, "give it a text_…", "bad-step")
    if step.votes and (step.asks or not step.actions):
        found = "only buttons can be voted on"
        reading.complain("votes", found, "give the step buttons and no questions", "bad-step")
    if step.votes and step.claim:
        found = "found together with claim"
        reading.complain("votes", found, "either one takes the step, or several vote", "bad-step")
    names = step.result_names()
    for name in sorted({name for name in names if names.count(name) > 1}):
        reading.complain(name, "two results have this name", "give the field another one", "bad-step")
    if step.thread_id == 1:
        reading.complain(
            "thread", "found 1", "Telegram refuses the general topic by its number; leave it out"
        )
    reading.check_caught("on_cancel", step.on_cancel)
    check_times(reading, step)
