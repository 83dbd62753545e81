"""The words by which everybody in a run recognises a question: people, judge and processes share them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devstack.people import captions, words
from shared import texts

_MARK = re.compile(r"case(\d+)-([a-z]+)-(\d+)-([a-z]+)")
OPENING, DECISION = "opening", "decision"
"""The items of a step that are no field: the button that begins its form, and the buttons that end it."""


@dataclass(frozen=True, order=True)
class Question:
    """One thing that one step of one case asks, in one round of it."""

    case: int
    step: str
    round: int
    item: str

    def __str__(self) -> str:
        return mark(self.case, self.step, self.round, self.item)


def mark(case: object, step: str, round_: object, item: str) -> str:
    """The word in a text that names what is asked; the arguments may be expressions of the engine."""
    return f"case{case}-{step}-{round_}-{item}"


def asked(message: Mapping[str, Any]) -> Question | None:
    """What a message of the bot asks, or None. A message that lost its buttons still names it."""
    text = words(message)
    found = _MARK.findall(text)
    if not found:
        return None
    case, step, number, item = found[-1]
    shown = captions(message)
    if texts.say("button-answer") in shown:
        item = OPENING
    elif texts.say("your-decision") in text or item == "text":
        item = DECISION
    return Question(int(case), step, int(number), item)


def is_live(message: Mapping[str, Any]) -> bool:
    """Whether it has a button that can be tapped."""
    return bool(captions(message))


def copies(messages: Sequence[Mapping[str, Any]], question: Question) -> list[Mapping[str, Any]]:
    """The messages that ask it, oldest first."""
    return [message for message in messages if asked(message) == question]
