"""A check and what it found; each is alone, so that one dead part hides no other."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from shared.errors import StepgramError

LIMIT_S = 20.0
"""A check that takes longer has failed."""

CLOCK_WARN_S, CLOCK_FAIL_S = 5.0, 60.0
"""Locks and looks into the history overlap by some seconds; more than this they cannot bear."""


class State(StrEnum):
    """How a check ended; SKIP is for what cannot be told from here."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """What a check found, and how to mend it."""

    check: str
    state: State
    found: str
    mend: str = ""

    def line(self) -> str:
        """The finding as one line for people."""
        mend = f". To mend: {self.mend}" if self.mend else ""
        return f"{self.state:<5}{self.check}: {self.found}{mend}"


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, found)


def warn(check: str, found: str, mend: str) -> Finding:
    """It works, but not everything or not for ever."""
    return Finding(check, State.WARN, found, mend)


def fail(check: str, found: str, mend: str = "") -> Finding:
    """It cannot work like this."""
    return Finding(check, State.FAIL, found, mend)


def skip(check: str, found: str) -> Finding:
    """It cannot be told from here, and this is why."""
    return Finding(check, State.SKIP, found)


async def attempt(check: str, look: Awaitable[Finding], mend: str = "", limit_s: float = LIMIT_S) -> Finding:
    """Do one check; whatever happens to it becomes its finding, with ``mend`` if it is an error."""
    try:
        return await asyncio.wait_for(look, limit_s)
    except TimeoutError:
        return fail(check, f"no answer within {limit_s:g} s", mend or "see what stands between us and it")
    except StepgramError as error:
        return fail(check, one_line(str(error)), mend)
    except Exception as error:  # a surprise in one check must not end the others
        return fail(check, one_line(f"{type(error).__name__}: {error}"), mend)


def one_line(text: str) -> str:
    """A message of somebody else's, without its line breaks."""
    return " ".join(text.split())


async def compare_clocks(check: str, ask: Awaitable[datetime], precision_s: float = 0.0) -> Finding:
    """Compare a clock elsewhere with ours; ``precision_s`` is what it cuts off of the time."""
    before = datetime.now(UTC)
    there = await ask
    after = datetime.now(UTC)
    late_s, early_s = (there - after).total_seconds(), (there - before).total_seconds() + precision_s
    # The true difference lies between the two; what cannot be told apart from none is none.
    off_s = max(late_s, 0.0) or min(early_s, 0.0)
    if abs(off_s) < CLOCK_WARN_S:
        return ok(check, "agrees with ours")
    found = f"is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} the clock of this machine"
    verdict = fail if abs(off_s) >= CLOCK_FAIL_S else warn
    return verdict(check, found, "let both machines take their time from NTP")
