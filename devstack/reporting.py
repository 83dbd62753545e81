"""How a starting stack tells what it does, whoever listens."""

from typing import Literal, Protocol

Stage = Literal["working", "ready", "failed", "stopped"]


class Report(Protocol):
    """Takes one line about one part; `done` and `total` count something, where it can be counted."""

    def __call__(
        self, part: str, text: str, *, stage: Stage = "working", done: int = 0, total: int = 0
    ) -> None:
        """Take the news."""


def silent(part: str, text: str, *, stage: Stage = "working", done: int = 0, total: int = 0) -> None:
    """Tell nobody: the report of tests and libraries."""
