"""Everything that a run leaves to chance, as a pure function of its seed and duration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from tests.chaos.schedule import Fault, faults_of
from tests.chaos.scripts import SCRIPTS
from tests.chaos.words import Question

PEOPLE = 50
GROUPS = 8
MOST_CASES = 200
FULL_SIZE_S = 120.0
"""From this duration on a run has all its cases; a minute has a quarter: the faults take their time of it."""

STARTS_WITHIN = 0.7
"""The share of the duration in which cases are started; the rest is left to answer them under faults."""


@dataclass(frozen=True)
class Group:
    """A group of people, by their numbers; the first is its administrator."""

    number: int
    members: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """What the person of a case does when they are asked: taps a caption, writes a text or sends a file."""

    kind: str
    value: str
    think_s: float = 0.5
    takes_first_copy: bool = False
    taps_twice: bool = False
    replies: bool = True


@dataclass(frozen=True)
class Case:
    """One instance: whose it is, what they answer, and how it must end."""

    number: int
    script: str
    person: int
    start_s: float
    questions: tuple[tuple[Question, Answer], ...]
    end: str
    variables: Mapping[str, Any]
    runs: Mapping[str, int]
    group: int | None = None
    allow: str = "anyone"
    strangers: tuple[int, ...] = ()
    file_bytes: int = 0

    @cached_property
    def content(self) -> bytes | None:
        """The file that its person sends, if they send one."""
        if not self.file_bytes:
            return None
        return json.dumps({"case": self.number, "pad": "0123456789" * (self.file_bytes // 10)}).encode()

    @property
    def key(self) -> str:
        """The business key, and the word that names it in messages."""
        return f"case{self.number}"


@dataclass(frozen=True)
class Plan:
    """A whole run."""

    seed: int
    duration_s: float
    uses_webhook: bool
    groups: tuple[Group, ...]
    cases: tuple[Case, ...]
    faults: tuple[Fault, ...]

    def lines(self) -> list[str]:
        """The plan for a reader: what is replayed by giving the seed again."""
        how = "webhook" if self.uses_webhook else "polling"
        counts = ", ".join(
            f"{sum(case.script == name for case in self.cases)} {name}" for name in sorted(SCRIPTS)
        )
        head = (
            f"seed {self.seed}, {self.duration_s:g} s, {how}, {PEOPLE} people, {len(self.cases)} instances: "
        )
        return [head + counts, *(f"  {fault}" for fault in self.faults)]


def make_plan(seed: int, duration_s: float) -> Plan:
    """The plan of a seed; equal arguments give equal plans."""
    chance = Random(f"{seed}/{duration_s:g}")
    groups = tuple(
        Group(number, tuple(chance.sample(range(PEOPLE), PEOPLE // GROUPS))) for number in range(GROUPS)
    )
    count = min(MOST_CASES, max(len(SCRIPTS), round(MOST_CASES * (duration_s / FULL_SIZE_S) ** 2)))
    return Plan(
        seed=seed,
        duration_s=duration_s,
        uses_webhook=chance.random() < 0.5,
        groups=groups,
        cases=tuple(_case(chance, number, count, groups, duration_s) for number in range(1, count + 1)),
        faults=faults_of(chance, duration_s),
    )


def _case(chance: Random, number: int, count: int, groups: tuple[Group, ...], duration_s: float) -> Case:
    # Each script at least once, however few cases there are.
    names = sorted(SCRIPTS)
    weights = [SCRIPTS[name].weight for name in names]
    name = names[number - 1] if number <= len(names) else chance.choices(names, weights)[0]
    script = SCRIPTS[name]
    written = script.write(chance, number)
    who: dict[str, Any] = {"person": (number - 1) % PEOPLE}
    if script.in_group:
        who = _in_a_group(chance, groups)
    return Case(
        number=number,
        script=name,
        start_s=round(duration_s * STARTS_WITHIN * (number - 1) / count, 2),
        questions=tuple((question, _manner(chance, *told)) for question, *told in written.answers),
        end=written.end,
        variables=written.variables,
        runs=written.runs,
        file_bytes=written.file_bytes,
        **who,
    )


def _in_a_group(chance: Random, groups: tuple[Group, ...]) -> dict[str, Any]:
    """Who answers in a group, by which rule, and which of the others try although they may not."""
    group = chance.choice(groups)
    allow = chance.choice(("anyone", "admins", "ids"))
    person = group.members[0] if allow == "admins" else chance.choice(group.members)
    others = [each for each in group.members[1:] if each != person]
    strangers = (chance.choice(others),) if allow != "anyone" and chance.random() < 0.5 else ()
    return {"person": person, "group": group.number, "allow": allow, "strangers": strangers}


def _manner(chance: Random, kind: str, value: str) -> Answer:
    return Answer(
        kind,
        value,
        think_s=round(chance.uniform(0.2, 2.5), 2),
        takes_first_copy=chance.random() < 0.5,
        taps_twice=chance.random() < 0.1,
        replies=chance.random() < 0.5,
    )
