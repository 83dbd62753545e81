"""The product on a stack: its tables, its processes and their ends. It differs by its environment only."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from devstack.errors import PartError
from devstack.parts.engine import EngineName
from devstack.processes import end, find, spawn, tail
from devstack.reporting import Report, Stage, silent
from devstack.stack import PARTS, Stack, running_stack, stack_of
from devstack.state import ProcessRecord
from devstack.waiting import look_until
from shared.settings import Settings

CHECKOUT = Path(__file__).parent.parent
READY_WORD = "started"
START_PATIENCE_S = 60.0
COMMAND_PATIENCE_S = 60.0
LAUNCH_PATIENCE_S = 600.0  # jars may have to be fetched first
_POLL_S = 0.05

WORKERS = ("worker1", "worker2")
BOT = "bot1"
QUICK_STOP = {"POLL_S": "1"}
"""A worker ends with its pending poll, so short polls end it soon."""


Spawn = Callable[[list[str], Mapping[str, str], Path], psutil.Process]
"""Starts a command line with an environment and a log, as devstack.processes.spawn does."""


class Product:
    """Migrates, deploys, and runs worker and bot processes against a stack."""

    def __init__(
        self, stack: Stack, settings: Mapping[str, str] | None = None, *, spawn: Spawn = spawn
    ) -> None:
        self.stack = stack
        self._settings = dict(settings or {})
        self._spawn = spawn

    def with_settings(self, **settings: str) -> "Product":
        """The same product with further settings."""
        return Product(self.stack, {**self._settings, **settings}, spawn=self._spawn)

    @property
    def env(self) -> dict[str, str]:
        """Give the environment of the product's processes.

        What the shell says about the product is left out: that may lead to a database which is not ours.
        """
        inherited = {name: value for name, value in os.environ.items() if not _is_setting(name)}
        own = {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        return {**inherited, **self.stack.env, **own, **self._settings}

    @property
    def mark(self) -> str:
        """Give the -X option of the processes: Python takes any, so ps shows whose process it is."""
        return f"stack={self.stack.state.folder}"

    async def command(self, *arguments: str) -> str:
        """Run `stepgram ARGUMENTS` to its end and give what it printed. Raises PartError when it fails."""
        code = "import sys; from workers.cli import main; sys.argv[0] = 'stepgram'; main()"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            *arguments,
            cwd=CHECKOUT,
            env=self.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        name = f"stepgram {arguments[0]}"
        try:
            async with asyncio.timeout(COMMAND_PATIENCE_S):
                out, errors = await process.communicate()
        except TimeoutError:
            raise PartError(name, f"not done after {COMMAND_PATIENCE_S:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise PartError(name, errors.decode().strip(), "")
        return out.decode()

    async def start(
        self, name: str, module: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> None:
        """Start a process `python -m MODULE` under that name and wait until it says that it has started.

        Raises PartError with the end of its log when it does not.
        """
        since = self.launch(name, module, *arguments, settings=settings)
        record = self.stack.state.processes[name]
        log = self.stack.state.log_file(name)
        give_up = asyncio.get_running_loop().time() + START_PATIENCE_S
        while READY_WORD not in log.read_text()[since:]:
            if find(record) is None or asyncio.get_running_loop().time() > give_up:
                raise PartError(name, f"did not start; see {log}", tail(log, since))
            await asyncio.sleep(_POLL_S)

    def launch(
        self, name: str, module: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> int:
        """Start a process without waiting for it; the size of its log before."""
        log = self.stack.state.log_file(name)
        since = len(log.read_text()) if log.exists() else 0
        argv = [sys.executable, "-X", self.mark, "-m", module, *arguments]
        process = self._spawn(argv, {**self.env, **(settings or {})}, log)
        self.stack.state.record(
            ProcessRecord(
                part=name,
                pid=process.pid,
                created=process.create_time(),
                marker=self.mark,
                stop_signal=signal.SIGTERM,
                needs=["engine", "postgres", "s3", "telegram"],
            )
        )
        return since

    async def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process, by SIGKILL if `kill` is set."""
        await end(self.stack.state.processes[name], kill=kill)
        self.stack.state.forget(name)

    def pid(self, name: str) -> int:
        """Give the process id."""
        return self.stack.state.processes[name].pid

    def log(self, name: str) -> str:
        """Give everything that a process has logged."""
        return self.stack.state.log_file(name).read_text()

    def ended(self) -> list[str]:
        """Give the names of the processes, the stack's too, that should run and do not."""
        return [name for name, record in self.stack.state.processes.items() if find(record) is None]


@asynccontextmanager
async def running_product(
    state_dir: Path,
    files: Sequence[Path],
    *,
    parts: Collection[str] = PARTS,
    engine: EngineName = "camunda",
    settings: Mapping[str, str] | None = None,
    durable: bool = False,
    report: Report = silent,
) -> AsyncIterator[Product]:
    """Run a stack with two workers and a bot, `files` (BPMN) deployed, as long as the block runs.

    Ends like `running_stack`. Raises PartError that names what did not start.
    """
    async with running_stack(state_dir, parts=("postgres",), durable=durable, report=report) as base:
        stack = stack_of(
            base.state, parts=parts, engine=engine, durable=durable, report=_except("postgres", report)
        )
        product = Product(stack, {**QUICK_STOP, **(settings or {})})
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(stack.up())
                group.create_task(_serve(product, files, parts, up, report))
        except ExceptionGroup as failures:
            raise _first(failures) from None
        yield product


async def _serve(
    product: Product, files: Sequence[Path], parts: Collection[str], up: asyncio.Task[None], report: Report
) -> None:
    """Do beside the engine's start, which takes longest, whatever needs no engine."""
    await _told(report, "tables", product.command("migrate"), "migrated")
    await _until_launched(product, parts)
    async with asyncio.TaskGroup() as group:
        group.create_task(_told(report, BOT, product.start(BOT, "bot"), "serving"))
        # A worker that finds no engine waits before it asks again, so it starts after it.
        await up
        names = [str(file) for file in files]
        deployed = ", ".join(file.stem for file in files) + " deployed"
        group.create_task(_told(report, "deploy", product.command("deploy", *names), deployed))
        for worker in WORKERS:
            group.create_task(_told(report, worker, product.start(worker, "workers"), "serving"))


async def _until_launched(product: Product, parts: Collection[str]) -> None:
    """Wait until the parts have processes, for then their addresses are known."""

    async def launched() -> set[str]:
        return set(product.stack.state.processes)

    await look_until(set(parts).issubset, launched, LAUNCH_PATIENCE_S)


async def _told(report: Report, name: str, work: Awaitable[object], done: str) -> None:
    report(name, "starting")
    began = asyncio.get_running_loop().time()
    try:
        await work
    except PartError:
        report(name, "failed", stage="failed")
        raise
    report(name, f"{done} after {asyncio.get_running_loop().time() - began:.1f} s", stage="ready")


def _except(silent_part: str, report: Report) -> Report:
    """Give a report without the news of a part that has told them."""

    def told(part: str, text: str, *, stage: Stage = "working", done: int = 0, total: int = 0) -> None:
        if part != silent_part:
            report(part, text, stage=stage, done=done, total=total)

    return told


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _is_setting(name: str) -> bool:
    return name.lower() in Settings.model_fields and not name.startswith("LOG_")
