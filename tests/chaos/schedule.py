"""Which faults befall a run, and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

WORKERS = ("worker1", "worker2")
BOTS = ("bot1", "bot2")
UPDATE_FAULTS = ("duplicate_update", "reorder_update")
CALL_FAULTS = ("429", "500", "timeout", "lost_answer")

PART_EVERY_S = 16.0
KILL_EVERY_S = 7.0
TELEGRAM_EVERY_S = 2.0
SENDING = "send.*|edit.*|delete.*"
"""The calls that show or change a message; a 500 befalls the others, too."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: `lane` says who makes it, one after another in each lane."""

    at_s: float
    lane: str
    target: str
    kind: str
    lasting_s: float = 0.0
    count: int = 1

    def __str__(self) -> str:
        lasting = f" for {self.lasting_s:g} s" if self.lasting_s else ""
        times = f" x{self.count}" if self.count > 1 else ""
        return f"{self.at_s:6.1f} s  {self.lane}: {self.kind} {self.target}{times}{lasting}"


def faults_of(chance: Random, duration_s: float) -> tuple[Fault, ...]:
    """All faults of a run in the order of their time; each kind occurs in a minute of it."""
    lanes = (*_parts(chance, duration_s), *_kills(chance, duration_s), *_telegram(chance, duration_s))
    return tuple(sorted(lanes, key=lambda fault: fault.at_s))


def _times(chance: Random, duration_s: float, every_s: float) -> Iterator[float]:
    """Moments about so far apart; the last leaves a tenth of the duration for what it does."""
    at_s = every_s * chance.uniform(0.3, 0.6)
    while at_s < duration_s * 0.9:
        yield round(at_s, 1)
        at_s += every_s * chance.uniform(0.7, 1.3)


def _in_turn(chance: Random, choices: tuple[str, ...]) -> Iterator[str]:
    """Every choice once in random order, then again."""
    while True:
        yield from chance.sample(choices, len(choices))


def _parts(chance: Random, duration_s: float) -> Iterator[Fault]:
    """The engine, Postgres and S3 go and come back, sometimes without a farewell."""
    targets = _in_turn(chance, ("engine", "postgres", "s3"))
    for at_s, target in zip(_times(chance, duration_s, PART_EVERY_S), targets, strict=False):
        kind = chance.choice(("stop", "kill"))
        yield Fault(at_s, "parts", target, kind, lasting_s=round(chance.uniform(0.5, 4.0), 1))


def _kills(chance: Random, duration_s: float) -> Iterator[Fault]:
    """SIGKILL for one process of ours after another."""
    targets = _in_turn(chance, (*WORKERS, *BOTS))
    for at_s, target in zip(_times(chance, duration_s, KILL_EVERY_S), targets, strict=False):
        yield Fault(at_s, "processes", target, "kill", lasting_s=round(chance.uniform(0.0, 3.0), 1))


def _telegram(chance: Random, duration_s: float) -> Iterator[Fault]:
    """Telegram refuses, fails, is silent, forgets to answer, says things twice or in another order."""
    kinds = _in_turn(chance, (*CALL_FAULTS, *UPDATE_FAULTS))
    for at_s, kind in zip(_times(chance, duration_s, TELEGRAM_EVERY_S), kinds, strict=False):
        target = "*" if kind in {"500", *UPDATE_FAULTS} else SENDING
        count = chance.randint(1, 3)
        lasting_s = round(chance.uniform(1.0, 3.0), 1) if kind in {"429", "timeout"} else 0.0
        yield Fault(at_s, "telegram", target, kind, lasting_s, count)
