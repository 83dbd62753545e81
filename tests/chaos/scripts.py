"""What people decide in each process, drawn from chance: their answers, and how the instance must end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos.words import DECISION, Question

BIG_BYTES = 9_000_000
"""More than one part of a multipart upload."""


@dataclass(frozen=True)
class Written:
    """One person's decisions about one case."""

    answers: list[tuple[Question, str, str]]
    end: str
    variables: Mapping[str, Any]
    runs: Mapping[str, int]
    """How often each step is completed."""
    file_bytes: int = 0


@dataclass(frozen=True)
class Script:
    """A kind of case: how often it is drawn, and how its person decides."""

    weight: int
    write: Callable[[Random, int], Written]
    in_group: bool = False


def _actions(chosen: str, *others: str) -> dict[str, Any]:
    """The variables of a step's buttons."""
    return {"action": chosen, f"action_{chosen}": True} | {f"action_{other}": False for other in others}


def _choose(chance: Random, case: int) -> Written:
    last = chance.choice(("yes", "no"))
    decisions = ["later"] * chance.choice((0, 0, 1, 2)) + [last]
    rounds = [
        (Question(case, "decide", number, DECISION), "tap", each.capitalize())
        for number, each in enumerate(decisions, 1)
    ]
    variables = {"verdict": last, "round": len(decisions) + 1}
    end = {"yes": "agreed", "no": "refused"}[last]
    return Written(rounds, end, variables, {"decide": len(decisions)})


def _form(chance: Random, case: int) -> Written:
    name, amount = f"Name {chance.getrandbits(40):x}", chance.randrange(1_000_000)
    colour, sure = chance.choice(("red", "green", "blue")), chance.random() < 0.5
    action, other = chance.sample(("send", "drop"), 2)
    asks = [
        ("name", "text", name),
        ("amount", "text", str(amount)),
        ("colour", "tap", colour.capitalize()),
        ("sure", "tap", "Yes" if sure else "No"),
        (DECISION, "tap", action.capitalize()),
    ]
    answers = [(Question(case, "fill", 1, item), kind, value) for item, kind, value in asks]
    variables = {
        "form_name": name,
        "form_amount": amount,
        "form_colour": colour,
        "form_sure": sure,
        **_actions(action, other),
    }
    return Written(answers, {"send": "sent", "drop": "dropped"}[action], variables, {"fill": 1})


def _file(chance: Random, case: int) -> Written:
    action, other = chance.sample(("keep", "drop"), 2)
    size = BIG_BYTES if chance.random() < 0.15 else chance.randrange(10, 5_000)
    answers = [
        (Question(case, "upload", 1, "data"), "file", f"data{case}.json"),
        (Question(case, "check", 1, DECISION), "tap", action.capitalize()),
    ]
    end = {"keep": "kept", "drop": "dropped"}[action]
    return Written(answers, end, _actions(action, other), {"upload": 1, "check": 1}, size)


def _vote(chance: Random, case: int) -> Written:
    action, other = chance.sample(("yes", "no"), 2)
    answers = [(Question(case, "vote", 1, DECISION), "tap", action.capitalize())]
    end = {"yes": "agreed", "no": "refused"}[action]
    return Written(answers, end, _actions(action, other), {"vote": 1})


def _note(chance: Random, case: int) -> Written:
    note = f"Note {chance.getrandbits(40):x}"
    answers = [(Question(case, "note", 1, "note"), "text", note)]
    return Written(answers, "noted", {"form_note": note}, {"note": 1})


def _late(chance: Random, case: int) -> Written:
    return Written([], "over", {}, {"wait": 0})


SCRIPTS = {
    "choose": Script(30, _choose),
    "form": Script(25, _form),
    "file": Script(15, _file),
    "vote": Script(12, _vote, in_group=True),
    "note": Script(8, _note, in_group=True),
    "late": Script(10, _late),
}
