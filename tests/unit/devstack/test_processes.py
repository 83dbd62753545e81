import dataclasses
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from devstack.guard import guarding
from devstack.processes import end, end_all, find, spawn, tail
from devstack.state import ProcessRecord, State

SLEEP = "import time; time.sleep(600)"
IGNORES_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);" + SLEEP
)
HAS_A_CHILD = (
    "import subprocess, sys;"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print(child.pid, flush=True); child.wait()"
)


@pytest_asyncio.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[[str], ProcessRecord]]:
    """Start Python programs that are ended after the test; their output is in log."""
    records: list[ProcessRecord] = []

    def start_program(code: str) -> ProcessRecord:
        argv = [sys.executable, "-S", "-c", code, str(tmp_path / "marker")]
        process = spawn(argv, os.environ, tmp_path / "log")
        record = ProcessRecord(
            "part", process.pid, process.create_time(), str(tmp_path / "marker"), signal.SIGTERM
        )
        records.append(record)
        return record

    yield start_program
    for record in records:
        await end(record, kill=True)


def output(tmp_path: Path) -> str:
    wait_until(lambda: bool((tmp_path / "log").read_text()))
    return (tmp_path / "log").read_text()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_started_process_is_found_and_ended(start: Callable[[str], ProcessRecord]) -> None:
    record = start(SLEEP)
    assert find(record)
    await end(record)
    assert find(record) is None
    assert not psutil.pid_exists(record.pid)  # reaped, too


async def test_a_pid_that_belongs_to_another_program_is_neither_found_nor_ended(
    start: Callable[[str], ProcessRecord],
) -> None:
    record = start(SLEEP)
    stale = dataclasses.replace(record, marker="/some/other/state/folder")
    assert find(stale) is None
    await end(stale, kill=True)
    assert find(record)


async def test_a_pid_that_was_given_again_is_neither_found_nor_ended(
    start: Callable[[str], ProcessRecord],
) -> None:
    record = start(SLEEP)
    stale = dataclasses.replace(record, created=record.created - 60)
    assert find(stale) is None
    await end(stale)
    assert find(record)


async def test_the_children_end_with_their_parent(
    start: Callable[[str], ProcessRecord], tmp_path: Path
) -> None:
    record = start(HAS_A_CHILD)
    child = psutil.Process(int(output(tmp_path)))
    await end(record)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_process_that_does_not_listen_is_killed_when_patience_ends(
    start: Callable[[str], ProcessRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.processes.STOP_PATIENCE_S", 0.1)
    record = start(IGNORES_SIGTERM)
    output(tmp_path)
    await end(record)
    assert find(record) is None


async def test_a_process_that_ended_by_itself_is_not_found(start: Callable[[str], ProcessRecord]) -> None:
    record = start("")
    wait_until(lambda: find(record) is None)
    await end(record)


async def test_a_part_ends_before_the_part_that_it_needs(
    start: Callable[[str], ProcessRecord], tmp_path: Path
) -> None:
    state = State(tmp_path / "state")
    state.record(dataclasses.replace(start(SLEEP), part="postgres"))
    state.record(dataclasses.replace(start(SLEEP), part="engine", needs=["postgres"]))
    told: list[str] = []
    await end_all(state, report=lambda part, text, **_: told.append(f"{part} {text}"))
    assert told == ["engine stopping", "engine stopped", "postgres stopping", "postgres stopped"]
    assert State(tmp_path / "state").processes == {}


async def test_a_guard_ends_what_is_left_once_its_dying_owner_lets_go_of_the_lock(
    start: Callable[[str], ProcessRecord], tmp_path: Path
) -> None:
    record = start(SLEEP)
    state = State(tmp_path / "state")
    with state.lock():
        state.record(record)
        async with guarding(state):
            pass
        assert find(record)
    wait_until(lambda: find(record) is None)


async def test_a_guard_leaves_alone_what_a_new_owner_has_started(
    start: Callable[[str], ProcessRecord], tmp_path: Path
) -> None:
    old, new = start(SLEEP), dataclasses.replace(start(SLEEP), part="new")
    state = State(tmp_path / "state")
    with state.lock():
        state.record(old)
        async with guarding(state) as guard:
            pass
        wait_until(lambda: "has gone and left ['part']" in tail(state.log_file("guard")))
        state.record(new)
    wait_until(lambda: not guard.is_running() or guard.status() == psutil.STATUS_ZOMBIE)
    assert find(old) is None
    assert find(new)


def test_the_tail_of_a_log_begins_with_this_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n" + b"".join(b"line %d\n" % number for number in range(9)))
    assert tail(log, start_byte=4, lines=50).splitlines()[0] == "line 0"
    assert tail(log, lines=2) == "line 7\nline 8"
    assert tail(tmp_path / "none") == ""
