"""How a program of the stack runs: its start as people see it, signals, errors, exit status."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule

from devstack.errors import DevstackError, PartError
from devstack.parts.engine import ENGINES, EngineName
from devstack.product import Product, running_product
from devstack.progress import showing_progress
from devstack.reporting import Report, Stage

MAX_WIDTH = 120
LOG_WIDTH = 100
"""Of a log, where no terminal says how wide it is."""


def run_program(work: Callable[[Console], Awaitable[int]]) -> int:
    """Run `work` on standard output until it ends, or until SIGINT or SIGTERM; give the exit status."""
    with contextlib.suppress(AttributeError):  # of whatever stands in its place
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Console(highlight=False)
    console.width = min(console.width, MAX_WIDTH) if console.is_terminal else LOG_WIDTH

    async def cancellable() -> int:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work(console)

    try:
        return asyncio.run(cancellable())
    except DevstackError as error:
        if isinstance(error, PartError) and error.log_tail:
            console.print(error.log_tail, markup=False, style="dim", soft_wrap=True)
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped")
        return 130
    return 1


def chosen_engine() -> EngineName:
    """Give the engine that ENGINE names, by default Camunda. Raises DevstackError for an unknown one."""
    wanted = os.environ.get("ENGINE", "").lower() or "camunda"
    for engine in ENGINES:
        if engine == wanted:
            return engine
    raise DevstackError(f"ENGINE is {wanted!r}; it can be {' or '.join(ENGINES)}")


def heading(console: Console, text: str) -> None:
    """Print the head of a chapter."""
    console.print()
    console.print(Rule(f"[bold]{text}[/]", align="left", style="dim"))
    console.print()


class StartTimes:
    """A report that notes how long each part takes to start, and passes the news on until it is muted."""

    def __init__(self, listener: Report) -> None:
        self._listener: Report | None = listener
        self._began: dict[str, float] = {}
        self.took_s: dict[str, float] = {}

    def __call__(
        self, part: str, text: str, *, stage: Stage = "working", done: int = 0, total: int = 0
    ) -> None:
        """Take the news."""
        began = self._began.setdefault(part, time.monotonic())
        if stage == "ready":
            self.took_s.setdefault(part, time.monotonic() - began)
        if self._listener is not None:
            self._listener(part, text, stage=stage, done=done, total=total)

    def mute(self) -> None:
        """Pass nothing on any more."""
        self._listener = None


@contextlib.asynccontextmanager
async def product_for_people(
    console: Console, state_dir: Path, files: Sequence[Path], **options: Any
) -> AsyncIterator[tuple[Product, StartTimes]]:
    """Run the product as `running_product` does, and show how it starts; how long that took."""
    async with contextlib.AsyncExitStack() as stack:
        with showing_progress(console) as listener:
            starts = StartTimes(listener)
            running = running_product(state_dir, files, report=starts, **options)
            product = await stack.enter_async_context(running)
        starts.mute()
        yield product, starts
