"""The stack: parts started side by side, waited for, and ended together."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from devstack import ports
from devstack.errors import PartError
from devstack.guard import guarding
from devstack.parts.base import Part
from devstack.parts.engine import Engine, EngineName
from devstack.parts.postgres import Postgres
from devstack.parts.s3 import S3
from devstack.parts.telegram import Telegram
from devstack.processes import end, end_all, find, spawn, tail
from devstack.reporting import Report, silent
from devstack.state import ProcessRecord, State

PARTS = ("engine", "postgres", "s3", "telegram")
_POLL_S = 0.05


class Stack:
    """Parts on one state folder, by their names of PARTS. Whoever calls a method holds the state's lock."""

    def __init__(self, state: State, parts: Mapping[str, Part], report: Report = silent) -> None:
        self.state = state
        self._parts = dict(parts)
        self._report = report

    @property
    def env(self) -> dict[str, str]:
        """Give the product's settings that lead to the parts which run."""
        names = {part.name for part in self._parts.values()}
        return env_of(record for record in self.state.processes.values() if record.part in names)

    @property
    def postgres(self) -> Postgres:
        """Give the database server. Raises LookupError in a stack without one."""
        part = self._parts.get("postgres")
        if isinstance(part, Postgres):
            return part
        raise LookupError("this stack has no postgres")

    async def up(self) -> None:
        """Start what is not running yet and wait until all is healthy; on failure end what this call started.

        Raises PartError that names the part which failed, or another DevstackError.
        """
        before = list(self.state.processes.values())
        try:
            await self._start_all(self._parts.values())
        except BaseException:
            keep = [part for part, record in self.state.processes.items() if record in before]
            await end_all(self.state, keep=keep, report=self._report)
            raise

    async def stop_part(self, name: str, *, kill: bool = False) -> None:
        """End one part, by SIGKILL if `kill` is set; the parts that use it go on without it."""
        part = self._parts[name]
        if record := self.state.processes.get(part.name):
            await end(record, kill=kill)
            self.state.forget(part.name)

    async def start_part(self, name: str) -> None:
        """Start one part that was stopped, on the port that it had."""
        await self._start_all([self._parts[name]])

    @asynccontextmanager
    async def second_engine(
        self,
        engine: EngineName = "camunda",
        *,
        default_whitelist: bool = False,
        database: str | None = None,
    ) -> AsyncIterator["Stack"]:
        """Run another engine beside the first, on the same Postgres server.

        With the `database` of the first it is a second node of that engine. Yields a stack whose `engine`
        is that one and which shares all other parts.
        """
        name = f"engine2_{engine}" + ("_default" if default_whitelist else "")
        part = Engine(
            name,
            self.state,
            self.postgres,
            engine=engine,
            database=database or name,
            default_whitelist=default_whitelist,
        )
        other = Stack(self.state, {**self._parts, "engine": part}, self._report)
        try:
            await other.start_part("engine")
            yield other
        finally:
            await other.stop_part("engine")

    async def _start_all(self, parts: Collection[Part]) -> None:
        ready = {part.name: asyncio.Event() for part in parts}
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._start(part, ready))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _start(self, part: Part, ready: dict[str, asyncio.Event]) -> None:
        started = time.monotonic()
        try:
            if await self._runs_already(part):
                self._report(part.name, f"runs already at {part.url}", stage="ready")
            else:
                await part.prepare(self._report)
                for need in set(part.needs) & set(ready):
                    self._report(part.name, f"waiting for {need}")
                    await ready[need].wait()
                await self._launch(part)
                took_s = time.monotonic() - started
                self._report(part.name, f"ready at {part.url} after {took_s:.1f} s", stage="ready")
        except Exception:
            self._report(part.name, "failed", stage="failed")
            raise
        ready[part.name].set()

    async def _runs_already(self, part: Part) -> bool:
        record = self.state.processes.get(part.name)
        if record is None:
            return False
        if find(record) and record.settings == part.settings() and await part.is_healthy():
            return True
        self._report(part.name, "ending what is left of the last run")
        await end(record)
        self.state.forget(part.name)
        return False

    async def _launch(self, part: Part) -> None:
        self._report(part.name, "starting")
        port = self.state.claim_port(part.name)
        try:
            await self._launch_once(part)
        except PartError:
            if ports.is_free(port):
                raise
            # Somebody took the port between our look at it and the server's.
            self.state.claim_port(part.name)
            await self._launch_once(part)
        await part.furnish()

    async def _launch_once(self, part: Part) -> None:
        command = await part.command()
        log = self.state.log_file(part.name)
        log_start = log.stat().st_size if log.exists() else 0
        process = spawn(command.argv, command.env, log)
        record = ProcessRecord(
            part=part.name,
            pid=process.pid,
            created=process.create_time(),
            marker=command.marker,
            stop_signal=part.stop_signal,
            settings=part.settings(),
            env=part.env(),
            needs=list(part.needs),
        )
        self.state.record(record)
        give_up = time.monotonic() + part.start_timeout_s
        while not await part.is_healthy():
            gone = find(record) is None
            if gone or time.monotonic() > give_up:
                await end(record)
                self.state.forget(part.name)
                reason = "ended at its start" if gone else f"not ready after {part.start_timeout_s:.0f} s"
                raise PartError(part.name, f"{reason}; see {log}", tail(log, log_start))
            await asyncio.sleep(_POLL_S)


def stack_of(
    state: State,
    *,
    parts: Collection[str] = PARTS,
    engine: EngineName = "camunda",
    default_whitelist: bool = False,
    durable: bool = False,
    report: Report = silent,
) -> Stack:
    """Put together the wanted parts and those that they need."""
    postgres = Postgres(state, durable=durable)
    every: dict[str, Part] = {
        "postgres": postgres,
        "engine": Engine(
            "engine",
            state,
            postgres,
            engine=engine,
            database="engine" if engine == "camunda" else f"engine_{engine}",
            default_whitelist=default_whitelist,
        ),
        "s3": S3(state),
        "telegram": Telegram(state),
    }
    wanted = set(parts).union(*(every[part].needs for part in parts))
    return Stack(state, {name: part for name, part in every.items() if name in wanted}, report)


@asynccontextmanager
async def running_stack(
    state_dir: Path,
    *,
    parts: Collection[str] = PARTS,
    engine: EngineName = "camunda",
    default_whitelist: bool = False,
    durable: bool = False,
    report: Report = silent,
) -> AsyncIterator[Stack]:
    """Run a stack as long as the block runs; it ends also when this process dies in whatever way.

    Stacks with different state folders run side by side. Unless `durable`, Postgres does not flush to disk.
    """
    state = State(state_dir)
    stack = stack_of(
        state,
        parts=parts,
        engine=engine,
        default_whitelist=default_whitelist,
        durable=durable,
        report=report,
    )
    with state.lock():
        async with guarding(state):
            try:
                await stack.up()
                yield stack
            finally:
                await end_all(state, report=report)


def env_of(records: Iterable[ProcessRecord]) -> dict[str, str]:
    """Give the product's settings that lead to those processes of `records` which run."""
    running = sorted(filter(find, records), key=lambda record: record.part)
    return {name: value for record in running for name, value in record.env.items()}


async def create_database(stack: Stack, name: str, template: str | None = None) -> str:
    """Make a fresh database for the product and give its URL; a copy of `template` if that is named.

    Nobody may be connected to the template. A database of that name is replaced.
    """
    return await stack.postgres.create_database(name, template)
