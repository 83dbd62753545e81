"""Where the checks look, and how they compare."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.markup import escape

from devstack.demo.story import Cast

_SHOWN_CHARACTERS = 300


class Checks:
    """Compares and prints one line for each comparison."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.done = self.failed = 0

    def equal(self, what: str, expected: object, found: object) -> None:
        """Compare; a difference is printed with both sides."""
        self.done += 1
        if found == expected:
            self._console.print(f"  [green]✓[/] {escape(what)}", soft_wrap=True)
            return
        self.failed += 1
        self._console.print(f"  [red]✗ {escape(what)}[/]", soft_wrap=True)
        for word, value in (("expected", expected), ("found", found)):
            self._console.print(f"      {word:<8} {_short(value)}", markup=False, soft_wrap=True)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


@dataclass(frozen=True)
class Scene:
    """Where to look: the running parts, the cast, and the two process instances."""

    env: Mapping[str, str]
    engine: httpx.AsyncClient
    cast: Cast
    adas_instance: str
    bens_instance: str
