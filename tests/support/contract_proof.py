"""How a case proves that a key of the author's contract does something: a step without it and with it."""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import deadlines
from shared.files import FileRefused, check_declared
from shared.steps import contract, conversation
from shared.steps.conversation import Draft
from shared.steps.fields import InvalidAnswer, read_answer, skipped
from shared.steps.keys import KINDS, STEP_KEYS, Key
from shared.steps.model import Step
from tests.fakes.steps import ANN, declare, sign

ROOT = Path(__file__).parents[2]
ITEMS = {
    "text": "text_x",
    "line": "Line",
    "photo": "photo_x",
    "file": "file_x",
    "action": "action_x",
    "s3": "s3_x",
    "field": "form_x",
}
CODES = frozenset({"GIVEN_UP", "TOO_LATE"})
OF_STEP = "step"

Named = tuple[str, str]
"""Kind of item, or ``step``, and key."""

See = Callable[[Step], object]


@dataclass(frozen=True)
class Kept:
    """Sees what the step's row keeps, where the effect itself needs a database, an engine or a chat."""

    name: str
    of_ask: bool = False

    def __call__(self, step: Step) -> object:
        return getattr(step.asks[0] if self.of_ask else step, self.name)


@dataclass(frozen=True)
class Case:
    """A value of a key, and what is seen of a step ``without`` it and ``having`` it."""

    value: str
    see: See
    without: object
    having: object
    inputs: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    recipient: int = ANN
    is_needed: bool = False
    """Whether the step without the key is an author's error."""
    happens_in: str = ""
    """The test of what happens then, as pytest names it."""


def table() -> dict[Named, Key]:
    """Every key of the contract."""
    of_items = {(kind.name, name): key for kind in KINDS.values() for name, key in kind.keys.items()}
    return {**of_items, **{(OF_STEP, name): key for name, key in STEP_KEYS.items()}}


def uncovered(keys: Iterable[Named], cases: Iterable[Named]) -> set[Named]:
    """Keys without a case, and cases without a key."""
    return set(keys) ^ set(cases)


def faults(named: Named, case: Case) -> list[str]:
    """Why a case does not prove that its key does something."""
    item, key = ITEMS.get(named[0], ""), named[1]
    name = f"{item}.{key}" if item else key
    plain, complaints = _examined(case, {})
    changed, others = _examined(case, {name: case.value})
    seen = case.see(plain), case.see(changed)
    found = []
    if bool(complaints) is not case.is_needed:
        found.append(f"without it: {complaints}")
    if others:
        found.append(f"with it: {others}")
    if seen != (case.without, case.having):
        found.append(f"seen is {seen}, not {(case.without, case.having)}")
    if case.without == case.having:
        found.append("it changes nothing")
    if isinstance(case.see, Kept) and not case.happens_in:
        found.append("what happens is seen by no test")
    if case.happens_in and not exists(case.happens_in):
        found.append(f"there is no {case.happens_in}")
    return found


def exists(node: str) -> bool:
    """Whether there is a test of this name."""
    file, _, name = node.partition("::")
    path = ROOT / "tests" / file
    return path.is_file() and name in {
        each.name
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _examined(case: Case, more: Mapping[str, str]) -> tuple[Step, list[str]]:
    declared = declare(case.inputs, {**case.properties, **more}, recipient=case.recipient, caught_codes=CODES)
    step, problems = contract.examine(declared)
    return step, [str(problem) for problem in problems]


# what is seen of a step


def opened(step: Step) -> list[Draft]:
    """Its first messages."""
    return conversation.opening(step, sign, dialog_open=not step.claim)


def words(step: Step) -> list[str]:
    """What its first messages say."""
    return [draft.rich.text for draft in opened(step)]


def headline(step: Step) -> str:
    """The first line of its question."""
    return words(step)[-1].splitlines()[0]


def hint(step: Step) -> bool:
    """Whether the author's own words stand below its question."""
    return words(step)[-1].splitlines()[1:] == ["As on the invoice"]


def links(step: Step) -> list[str]:
    """Where its text leads."""
    return [str(each.get("url")) for draft in opened(step) for each in draft.rich.entities]


def threads(step: Step) -> set[object]:
    """The topics of the forum that it is posted in."""
    return {draft.content().get("thread_id") for draft in opened(step)}


def captions(step: Step) -> list[str]:
    """The buttons under its first messages, without the ways past a question."""
    return [text for draft in opened(step) for row in draft.rows for text, data, *_ in row if data != SKIP]


def styles(step: Step) -> list[str]:
    """The colours of the buttons under its first messages, as the Bot API has them."""
    markups = [draft.content()["reply_markup"] for draft in opened(step)]
    buttons = [button for markup in markups for row in markup["inline_keyboard"] for button in row]
    return [button["style"] for button in buttons if "style" in button]


def pressed(step: Step) -> list[str]:
    """What those buttons do."""
    return [button[1] for draft in opened(step) for row in draft.rows for button in row]


def may_skip(step: Step) -> bool:
    """Whether its question can be skipped."""
    return SKIP in pressed(step)


def answered(answer: str) -> See:
    """What its question makes of an answer."""

    def see(step: Step) -> object:
        try:
            return read_answer(step.asks[0], answer)["value"]
        except InvalidAnswer:
            return "refused"

    return see


def passed_over(step: Step) -> object:
    """What the process gets where its question is skipped."""
    ask = step.asks[0]
    return conversation.outcome(step, {ask.name: skipped(ask)}, None)["variables"][ask.name]["value"]


def sent(name: str, size_bytes: int) -> See:
    """Why a file is not taken."""

    def see(step: Step) -> object:
        ask = step.asks[0]
        try:
            check_declared(name, size_bytes, ask.accept, ask.max_bytes)
        except FileRefused as refused:
            return refused.reason
        return "taken"

    return see


def results(step: Step) -> list[str]:
    """The variables that the process gets."""
    return list(conversation.outcome(step, {}, "x")["variables"])


def last_buttons(step: Step) -> list[str]:
    """What can be tapped when every question is answered."""
    answers = {ask.name: {"value": "a", "type": "String", "shown": "a"} for ask in step.asks}
    closing = conversation.closing(step, answers, sign)
    return [] if closing is None else [button[1] for row in closing.rows for button in row]


def times(step: Step) -> list[tuple[str, int]]:
    """What happens by itself while it waits, and after how many seconds."""
    return deadlines._times(step)


SKIP = sign("q0", "s")
