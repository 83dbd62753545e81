"""The command line of the development stack: `python -m devstack up|down|status|logs|env`."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from devstack.errors import DevstackError, PartError
from devstack.parts.engine import ENGINES
from devstack.processes import end_all, find, tail
from devstack.progress import showing_progress
from devstack.stack import PARTS, env_of, stack_of
from devstack.state import State

DEFAULT_STATE_DIR = Path(__file__).parent.parent / ".devstack"
_messages = Console(stderr=True, highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Run one command and give its exit status."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except PartError as error:
        if error.log_tail:
            _messages.print(error.log_tail, markup=False, style="dim", soft_wrap=True)
        _messages.print(str(error), style="red", markup=False, soft_wrap=True)
    except DevstackError as error:
        _messages.print(str(error), style="red", markup=False, soft_wrap=True)
    except (KeyboardInterrupt, asyncio.CancelledError):
        _messages.print("stopped")
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devstack", description="Real parts to develop and test with."
    )
    parser.add_argument(
        "--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="default: .devstack in the checkout"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start what is not running yet and wait until it is ready")
    up.add_argument("--only", type=_parts, default=PARTS, metavar="PART,...", help=f"of {', '.join(PARTS)}")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="end everything").set_defaults(run=_down)
    commands.add_parser("status", help="show what runs").set_defaults(run=_status)
    logs = commands.add_parser("logs", help="show the end of the logs")
    logs.add_argument("part", nargs="?", metavar="PART")
    logs.add_argument("-n", "--lines", type=int, default=40)
    logs.set_defaults(run=_logs)
    env = commands.add_parser("env", help="print the settings that lead to the running parts, as NAME=value")
    env.set_defaults(run=_env)
    return parser


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(filter(None, (part.strip() for part in text.split(","))))
    if unknown := set(parts) - set(PARTS):
        raise argparse.ArgumentTypeError(
            f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})"
        )
    return parts


def _up(options: argparse.Namespace) -> int:
    engine = os.environ.get("ENGINE", "camunda").lower()
    if engine not in ENGINES:
        raise DevstackError(f"ENGINE is {engine!r}; it can be {' or '.join(ENGINES)}")
    state = State(options.state_dir)
    with state.lock(), showing_progress(_messages) as report:
        _run(stack_of(state, parts=options.only, engine=engine, durable=True, report=report).up())
    return 0


def _down(options: argparse.Namespace) -> int:
    state = State(options.state_dir)
    if not state.processes:
        _messages.print("nothing runs")
        return 0
    with state.lock(), showing_progress(_messages) as report:
        _run(end_all(state, report=report))
    return 0


def _status(options: argparse.Namespace) -> int:
    state = State(options.state_dir)
    table = Table("part", "state", "pid", "port", "log", box=None)
    running = 0
    for part in sorted({*PARTS, *state.processes}):
        record = state.processes.get(part)
        runs = record is not None and find(record) is not None
        running += runs
        word = "runs" if runs else "ended by itself" if record else "stopped"
        pid, port = (str(record.pid), str(state.known_port(part) or "")) if record and runs else ("", "")
        table.add_row(part, word, pid, port, os.path.relpath(state.log_file(part)))
    Console().print(table)
    return 0 if running else 1


def _logs(options: argparse.Namespace) -> int:
    state = State(options.state_dir)
    known = sorted(file.stem for file in state.part_folder("logs").glob("*.log"))
    if options.part and options.part not in known:
        raise DevstackError(f"no log of {options.part!r}; there are {', '.join(known) or 'none'}")
    for part in [options.part] if options.part else known:
        if not options.part:
            sys.stdout.write(f"==> {part} <==\n")
        sys.stdout.write(tail(state.log_file(part), lines=options.lines) + "\n")
    return 0


def _env(options: argparse.Namespace) -> int:
    settings = env_of(State(options.state_dir).processes.values())
    if not settings:
        raise DevstackError("nothing runs; start it by `python -m devstack up`")
    for name, value in settings.items():
        sys.stdout.write(f"{name}={value}\n")
    return 0


def _run(work: Coroutine[Any, Any, None]) -> None:
    async def cancellable() -> None:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await work

    asyncio.run(cancellable())


if __name__ == "__main__":
    sys.exit(main())
