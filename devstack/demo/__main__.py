"""`python -m devstack.demo`: the main job end to end on real parts; its status is 0 if all was well."""

import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

import httpx
from rich.console import Console

from devstack.demo.performance import Performance
from devstack.demo.story import FILES
from devstack.demo.times import show_times
from devstack.errors import PartError, StackBusyError
from devstack.people import Unexpected
from devstack.processes import end_all, tail
from devstack.product import BOT, CHECKOUT, WORKERS, Product
from devstack.program import chosen_engine, heading, product_for_people, run_program
from devstack.state import State

STATE_DIR = CHECKOUT / ".devstack" / "demo"
CHART = STATE_DIR / "chart.jpg"
_WATCH_S = 0.5
_GUARD_PATIENCE_S = 10.0
_TROUBLE = ("[warning", "[error", "[critical")
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT")
_COMPLAINTS, _LAST_LINES = 20, 4


async def demo(console: Console) -> int:
    """Start everything, play, check, tell the times; the exit status. Raises PartError if a part fails."""
    began = time.monotonic()
    engine = chosen_engine()
    heading(
        console, f"Starting {engine.capitalize()}, PostgreSQL, S3, a Telegram sandbox, two workers and a bot"
    )
    await _clear(STATE_DIR)
    files = [CHECKOUT / "bpmn" / name for name in FILES]
    async with product_for_people(console, STATE_DIR, files, engine=engine) as (product, starts):
        performance = Performance(console, product, CHART)
        performance.times_s["until all had started"] = time.monotonic() - began
        try:
            await _while_all_live(product, performance.run())
        except (Unexpected, TimeoutError, httpx.HTTPError) as error:
            _show_logs(console, product)
            console.print(str(error) or type(error).__name__, style="red", markup=False, soft_wrap=True)
            return 1
        performance.times_s["all of it"] = time.monotonic() - began
        return _conclude(console, performance, starts.took_s)


def _conclude(console: Console, performance: Performance, starts_s: Mapping[str, float]) -> int:
    """Tell the times and the result; the exit status."""
    heading(console, "Where the time went")
    show_times(console, starts_s, performance.waits, performance.times_s)
    console.print(f"\nThe chart that Ada got: {os.path.relpath(CHART)}", soft_wrap=True)
    checks = performance.checks
    if checks.failed:
        console.print(f"{checks.failed} of {checks.done} checks failed", style="bold red")
        return 1
    console.print(f"All {checks.done} checks hold", style="bold green")
    return 0


async def _clear(state_dir: Path) -> None:
    """Forget all of the last demo but the folder's lock; what a killed one has left is ended first.

    Raises StackBusyError if another demo runs. The guard of a killed one is waited for.
    """
    give_up = time.monotonic() + _GUARD_PATIENCE_S
    while True:
        state = State(state_dir)
        try:
            with state.lock():
                await end_all(state)
                _empty(state.folder)
                return
        except StackBusyError:
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(_WATCH_S)


def _empty(state_dir: Path) -> None:
    for entry in state_dir.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()


async def _while_all_live(product: Product, work: Awaitable[None]) -> None:
    """Do the work as long as every process lives. Raises PartError that names the one which ended."""
    working = asyncio.ensure_future(work)
    try:
        while not working.done():
            await asyncio.wait([working], timeout=_WATCH_S)
            if ended := product.ended():  # the likely reason for whatever failed in the work
                log = product.stack.state.log_file(ended[0])
                raise PartError(ended[0], f"ended by itself; see {log}", tail(log))
        await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _show_logs(console: Console, product: Product) -> None:
    """Print what our processes complained of; if of nothing, the end of each log."""
    logs = {name: product.log(name).splitlines() for name in (*WORKERS, BOT)}
    shown = {name: complaints(lines)[-_COMPLAINTS:] for name, lines in logs.items()}
    if not any(shown.values()):
        shown = {name: lines[-_LAST_LINES:] for name, lines in logs.items()}
    for name, lines in shown.items():
        for line in lines:
            console.print(f"{name:<8} {line}", style="dim", markup=False, soft_wrap=True)


def complaints(lines: Sequence[str]) -> list[str]:
    """Give the warnings and errors of a log, with the lines that belong to them, such as tracebacks."""
    found: list[str] = []
    inside = False
    for line in lines:
        if _LOG_LINE.match(line):
            inside = any(mark in line for mark in _TROUBLE)
        if inside:
            found.append(line)
    return found


if __name__ == "__main__":
    sys.exit(run_program(demo))
