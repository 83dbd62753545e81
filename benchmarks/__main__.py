"""`python -m benchmarks`: measures side by side, prints a table of ratios, writes benchmarks/latest.json."""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.ground import Ground, NotDone, settings_of
from devstack.errors import DevstackError
from devstack.people import Town
from devstack.processes import end_all
from devstack.product import CHECKOUT
from devstack.stack import running_stack
from devstack.state import State
from shared.engine.client import EngineClient

LATEST = CHECKOUT / "benchmarks" / "latest.json"
STATE_DIR = CHECKOUT / ".devstack" / "bench"

SETTLE_S = 6.0
"""Between two measurements: as long as the engine may go on with the polls of killed processes."""

Bench = Callable[[Ground], Awaitable[list[Figure]]]

MODULES = {
    "P1": "automated",
    "P1b": "dead_poll",
    "P2": "parking",
    "P3": "taps",
    "P4": "rates",
    "P6": "scaling",
    "U": "uploads",
    "P5": "growth",
}
"""In this order: the last leaves an engine full of steps."""


async def measure(wanted: Sequence[str], console: Console) -> list[Figure]:
    """Run the wanted measurements on one stack."""
    figures: list[Figure] = []
    console.print("starting engine, Postgres, S3 and the sandbox ...")
    await clear(STATE_DIR)
    async with (
        running_stack(STATE_DIR) as stack,
        Town(stack.env["TELEGRAM_API_URL"]) as town,
        EngineClient.from_settings(settings_of(stack.env)) as engine,
    ):
        ground = Ground(stack, engine, town, lambda text: console.print(text, style="dim", markup=False))
        for part in wanted:
            figures += await _one(ground, part, console)
            await asyncio.sleep(SETTLE_S)
    return figures


async def clear(state_dir: Path) -> None:
    """Begin with nothing: steps of the last run would be asked again, and its files fill the disk."""
    state = State(state_dir)
    with state.lock():
        await end_all(state)
        for part in ("postgres", "s3"):
            shutil.rmtree(state.part_folder(part))


async def _one(ground: Ground, part: str, console: Console) -> list[Figure]:
    name = f"benchmarks.{MODULES[part]}"
    began, load = time.monotonic(), os.getloadavg()[0]
    try:
        if importlib.util.find_spec(name) is None:
            raise NotDone("it is not written yet")  # noqa: TRY301
        bench: Bench = importlib.import_module(name).bench
        figures = await bench(ground)
    except (NotDone, DevstackError) as reason:
        console.print(f"{part} SKIPPED: {reason}", style="bold red", markup=False)
        return []
    took_s = time.monotonic() - began
    for figure in figures:
        figure.detail.update(machine(), took_s=round(took_s, 1), load_before=round(load, 2))
    console.print(f"{part} took {took_s:.0f} s", markup=False)
    return figures


def machine() -> dict[str, object]:
    """What it was measured on."""
    return {
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def table(figures: Sequence[Figure]) -> Table:
    """The figures for people."""
    made = Table("", "what", "value", "reach", "", box=None)
    for figure in figures:
        sign = "≥" if figure.higher_is_better else "≤"
        word, style = ("holds", "green") if figure.holds else ("SHORT", "bold red")
        reach = f"{sign} {figure.reach:g}"
        made.add_row(figure.id, figure.what, f"{figure.value:.2f}", reach, f"[{style}]{word}[/]")
    return made


def keep(figures: Sequence[Figure], target: Path, *, partial: bool) -> None:
    """Write the figures; of a partial run, in the place of the same ones of the last run."""
    old: list[dict[str, Any]] = json.loads(target.read_text()) if partial and target.exists() else []
    new = {figure.id: figure.json() for figure in figures}
    merged = [new.pop(each["id"], each) for each in old] + list(new.values())
    target.write_text(json.dumps(merged, indent=2) + "\n")


def main() -> int:
    """Measure; the exit status is 1 when a figure falls short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help=f"comma-separated, of {', '.join(MODULES)}")
    parser.add_argument("--output", type=Path, default=LATEST, help="default: benchmarks/latest.json")
    options = parser.parse_args()
    chosen = [part.strip() for part in options.only.split(",") if part.strip()]
    if unknown := set(chosen) - set(MODULES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    console = Console(highlight=False, soft_wrap=True)
    figures = asyncio.run(measure([part for part in MODULES if part in (chosen or MODULES)], console))
    keep(figures, options.output, partial=bool(chosen))
    console.print(table(figures))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
