"""Processes of ours that die on order at an exact point, and their supervisor, who starts them anew.

    CRASH_AT=FILE CRASH_LOG=FILE python -m tests.support.crashing bot workers

A point is a commit that wrote something, or a call of another system: the engine, Telegram, the bucket. It is
passed when the commit is done or the answer has arrived, and before anybody could act upon it. The file of
CRASH_AT names one point to a line; whoever passes the first of them takes its line out and is killed there.
CRASH_LOG collects the names of all points that are passed. Production knows nothing of all this: its classes
are wrapped here, from outside, before the real entry point runs.
"""

import asyncio
import linecache
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import aiohttp
from botocore.client import BaseClient
from sqlalchemy import Connection, Engine, Executable, event
from yarl import URL

from shared.db import Database, Tx
from shared.engine.rest import operation_of
from shared.queues import Loop
from shared.storage import Storage
from shared.wakeups import Wakeups
from tests.support.preloaded import preload, run_as_main

POLLS = ("POST /external-task/fetchAndLock", "getUpdates")
"""Calls that are made all the time; one that brings nothing is no point."""

ALIKE = {"replies": "prompts"}
"""Either queue may take a reply that waits."""

EMPTY = (b"[]", b'{"ok":true,"result":[]}')
SMALLEST_PART_BYTES = 5 * 1024 * 1024
WRITTEN = "rows that this transaction has written"


class Points:
    """The points of this process."""

    def __init__(self, at: Path, log: Path) -> None:
        self._at = at
        self._log = log
        self._told: set[str] = set()

    def passed(self, name: str) -> None:
        """Note that a point is passed, and die there if that is ordered."""
        if name not in self._told:
            self._told.add(name)
            with self._log.open("a") as log:
                log.write(f"{name}\n")
        with suppress(FileNotFoundError):
            order = self._at.read_text().splitlines()
            if order[:1] == [name]:
                self._die(order[1:])

    def _die(self, later: list[str]) -> None:
        mine = self._at.with_suffix(f".{os.getpid()}")
        self._at.rename(mine)  # of several that come here together, one finds it
        if later:
            mine.write_text("\n".join(later))
            mine.rename(self._at)
        os.kill(os.getpid(), signal.SIGKILL)


def install(points: Points) -> None:
    """Wrap whatever commits and calls."""
    _wrap_database(points)
    _wrap_http(points)
    _wrap_bucket(points)
    _look_again()


def _look_again() -> None:
    """Let all loops look once more when what a dead process held is free."""
    run = Wakeups.run

    async def running(self: Wakeups, stopping: asyncio.Event) -> None:
        lapsed_s = float(os.environ["CLAIM_S"]) + 0.1
        asyncio.get_running_loop().call_later(lapsed_s, self._wake_all)
        await run(self, stopping)

    Wakeups.run = running  # type: ignore[method-assign]


def _wrap_database(points: Points) -> None:
    begin, at_once = Database.begin, Database.at_once
    event.listen(Engine, "begin", lambda connection: connection.info.update({WRITTEN: 0}))
    event.listen(Engine, "after_cursor_execute", _count_written)

    @asynccontextmanager
    async def noted(opened: AbstractAsyncContextManager[Tx], name: str) -> AsyncIterator[Tx]:
        async with opened as tx:
            yield tx
            has_written = (await tx.connection()).info[WRITTEN]
        if has_written:
            points.passed(name)

    async def noted_at_once(rows: Awaitable[Any], name: str) -> Any:
        found = await rows
        points.passed(name)
        return found

    def begin_noted(self: Database) -> AbstractAsyncContextManager[Tx]:
        return noted(begin(self), f"commit {_place(sys._getframe(1))}")

    def at_once_noted(self: Database, statement: Executable) -> Awaitable[Any]:
        return noted_at_once(at_once(self, statement), f"commit {_place(sys._getframe(1))}")

    Database.begin = begin_noted  # type: ignore[assignment, method-assign]
    Database.at_once = at_once_noted  # type: ignore[assignment, method-assign]


def _count_written(connection: Connection, cursor: Any, _1: str, _2: Any, context: Any, _3: bool) -> None:
    if context.isinsert or context.isupdate or context.isdelete:
        connection.info[WRITTEN] = connection.info.get(WRITTEN, 0) + max(0, cursor.rowcount)


def _place(frame: FrameType) -> str:
    """The function that commits, and which of its transactions; of a loop that takes rows its queue."""
    code = frame.f_code
    name = code.co_qualname
    lines = transactions_of(code)
    if len(lines) > 1:
        name += f"#{1 + max(at for at, line in enumerate(lines) if line <= frame.f_lineno)}"
    if code is not Loop._take.__code__:
        return name
    queue = frame.f_locals["self"]._queue.name
    return f"{name} {ALIKE.get(queue, queue)}"


@cache
def transactions_of(code: CodeType) -> list[int]:
    """The lines of a function that open transactions."""
    last = max(line or 0 for _, _, line in code.co_lines())
    lines = range(code.co_firstlineno, last + 1)
    return [line for line in lines if ".begin()" in linecache.getline(code.co_filename, line)]


def _wrap_http(points: Points) -> None:
    request: Callable[..., Awaitable[aiohttp.ClientResponse]] = aiohttp.ClientSession._request
    engine_url, telegram_url = os.environ["ENGINE_URL"], os.environ["TELEGRAM_API_URL"]

    def name_of(method: str, url: URL, asked: Iterable[str]) -> tuple[str, str] | None:
        if str(url).startswith(telegram_url):
            return "telegram", "file" if "/file/bot" in url.path else url.path.rpartition("/")[2]
        if str(url).startswith(engine_url):
            path = url.path.removeprefix(URL(engine_url).path.rstrip("/"))
            first = next((f"?{name}" for name in asked if method == "GET"), "")
            return "engine", operation_of(method, path) + first
        return None

    async def request_noted(
        self: aiohttp.ClientSession, method: str, url: str | URL, **options: Any
    ) -> aiohttp.ClientResponse:
        response = await request(self, method, url, **options)
        named = name_of(method, URL(url), options.get("params") or ())
        if named and not (named[1] in POLLS and await response.read() in EMPTY):
            points.passed(" ".join(named))
        return response

    aiohttp.ClientSession._request = request_noted  # type: ignore[assignment, method-assign]


def _wrap_bucket(points: Points) -> None:
    # The smallest parts that S3 takes, so that a small file has two.
    Storage.__init__.__kwdefaults__.update(part_bytes=SMALLEST_PART_BYTES)  # type: ignore[union-attr]
    call: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call_noted(self: BaseClient, operation: str, arguments: Any) -> Any:
        answer = call(self, operation, arguments)
        points.passed(f"s3 {operation}")
        return answer

    BaseClient._make_api_call = call_noted  # type: ignore[attr-defined]


class Supervisor:
    """Runs one process of each kind; imports everything once, so that a start is a fork."""

    def __init__(self, kinds: list[str]) -> None:
        self._kinds = kinds
        self._children: dict[int, str] = {}
        self._stopping = False
        preload(kinds)

    def run(self) -> int:
        """Run until told to stop, or until one ends by itself; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for kind in self._kinds:
            self._start(kind)
        code = 0
        while self._children:
            pid, status = os.wait()
            kind = self._children.pop(pid)
            if self._stopping:
                continue
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                self._start(kind)
                continue
            print(f"{kind} has ended by itself: {status}", flush=True)
            code = 1
            self._stop()
        return code

    def _start(self, kind: str) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = kind
            return
        self._children.clear()
        install(Points(Path(os.environ["CRASH_AT"]), Path(os.environ["CRASH_LOG"])))
        run_as_main(kind)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(Supervisor(sys.argv[1:]).run())
