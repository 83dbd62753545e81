"""Child processes that outlive us: started apart from our session, recognised and ended by their record."""

import asyncio
import contextlib
import os
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import psutil

from devstack.reporting import Report, silent
from devstack.state import ProcessRecord, State

STOP_PATIENCE_S = 15.0
_ORPHAN_PATIENCE_S = 0.5
_EXEC_PATIENCE_S = 0.5
_POLL_S = 0.02
# The kernel's start time moves with the wall clock on some systems.
_CLOCK_TOLERANCE_S = 5.0
_LOG_LIMIT_BYTES = 10_000_000


def spawn(argv: list[str], env: Mapping[str, str], log: Path, *, stdin: int | None = None) -> psutil.Process:
    """Start a process in a session of its own that appends its output to `log`.

    A long log is set aside first. `stdin` is an open file descriptor; without it the input is empty.
    """
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.old"))
    # posix_spawn rather than Popen: nothing here waits for the child, and a collected Popen warns about that.
    pid = os.posix_spawn(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
            if stdin is None
            else (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return psutil.Process(pid)


def find(record: ProcessRecord) -> psutil.Process | None:
    """Give the running process of a record; None when it has ended, or its pid went to another program."""
    try:
        process = psutil.Process(record.pid)
        if not _is_alive(process) or abs(process.create_time() - record.created) > _CLOCK_TOLERANCE_S:
            return None
        ours = any(record.marker in argument for argument in _arguments(process))
    except psutil.Error:
        return None
    return process if ours else None


async def end(record: ProcessRecord, *, kill: bool = False) -> None:
    """End the process of a record and all its children, politely at first unless `kill` is set."""
    process = find(record)
    if process is None:
        return
    family = [process]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += process.children(recursive=True)
        if not kill:
            process.send_signal(record.stop_signal)
            await _remaining([process], STOP_PATIENCE_S)
            family = await _remaining(family, _ORPHAN_PATIENCE_S)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    await _remaining(family, STOP_PATIENCE_S)


async def end_all(state: State, *, keep: Collection[str] = (), report: Report = silent) -> None:
    """End the recorded processes but those of `keep`; a part ends after the parts that need it."""
    while records := [record for part, record in state.processes.items() if part not in keep]:
        needed = {need for record in records for need in record.needs}
        last = [record for record in records if record.part not in needed]
        await asyncio.gather(*(_end_and_forget(state, record, report) for record in last))


def tail(log: Path, start_byte: int = 0, lines: int = 25) -> str:
    """Give the last lines of a log, those before `start_byte` left out."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(min(start_byte, size_bytes), size_bytes - 100_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


async def _end_and_forget(state: State, record: ProcessRecord, report: Report) -> None:
    report(record.part, "stopping")
    await end(record)
    state.forget(record.part)
    report(record.part, "stopped", stage="stopped")


async def _remaining(family: Iterable[psutil.Process], patience_s: float) -> list[psutil.Process]:
    """Wait until they have ended; give those that have not within the patience."""
    give_up = time.monotonic() + patience_s
    alive = list(family)
    while alive and time.monotonic() < give_up:
        alive = [member for member in alive if _is_alive(member)]
        await asyncio.sleep(_POLL_S if alive else 0)
    return alive


def _arguments(process: psutil.Process) -> list[str]:
    """Give its command line; the system shows none for a moment while a process turns into its program."""
    give_up = time.monotonic() + _EXEC_PATIENCE_S
    while not (arguments := process.cmdline()) and time.monotonic() < give_up:
        time.sleep(0.001)
    return arguments


def _is_alive(process: psutil.Process) -> bool:
    """Tell whether it runs. The dead count as ended before anybody reaps them; our own children we reap.

    While a killed process has threads, it shows as dead and still holds its ports.
    """
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.is_running()
        try:
            return os.waitpid(process.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False
