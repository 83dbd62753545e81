"""Whether a process lives and is ready, and the small server that says so: `/livez`, `/readyz`, `/metrics`.

It lives while its event loop turns and each of its parts turned when it had to. It is ready while its
database answers with this version's tables, nobody has asked it to stop and, in a worker, the engine gave an
answer within the last minute. An engine or a Telegram that is away makes no bot unready: it goes on
accepting answers.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable

import structlog

from shared.errors import ConfigurationError

log = structlog.get_logger(__name__)

STALL_S = 120.0
"""A part that has not turned for so long stands still: longer than any time-out of ours, added up."""

SILENCE_S = 60.0
"""A worker that could not fetch for so long is not ready."""

DATABASE_PATIENCE_S = 3.0
REQUEST_PATIENCE_S = 5.0
REQUEST_LIMIT_BYTES = 8192
TICK_S = 1.0

Exposition = Callable[[], Awaitable[bytes]]


class Pulse:
    """The sign of life of one part of a process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._due_at: float | None = None

    def beat(self, expected_s: float = 0.0) -> None:
        """The part turned; it will turn again in about ``expected_s``."""
        self._due_at = time.monotonic() + expected_s + STALL_S

    @property
    def problem(self) -> str | None:
        """Why the part counts as standing still."""
        late_s = time.monotonic() - self._due_at if self._due_at is not None else -1.0
        return f"has not turned for {late_s + STALL_S:.0f} s" if late_s > 0 else None


class Contact:
    """When somebody outside last answered this process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._heard_at = time.monotonic()
        self._error = "no answer yet"

    def heard(self) -> None:
        """There was an answer."""
        self._heard_at = time.monotonic()

    def failed(self, reason: str) -> None:
        """There was none."""
        self._error = reason

    def not_needed(self) -> None:
        """This process does without them."""
        self._heard_at = float("inf")

    @property
    def problem(self) -> str | None:
        """Why it counts as away."""
        silent_s = time.monotonic() - self._heard_at
        return f"no answer for {silent_s:.0f} s: {self._error}" if silent_s > SILENCE_S else None


class Health:
    """The signs of one process."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.started = False
        self.database: Callable[[], Awaitable[str | None]] | None = None
        self._pulses: list[Pulse] = []
        self._contacts: list[Contact] = []

    def pulse(self, name: str) -> Pulse:
        """A sign of life for a part; it counts from its first beat on."""
        pulse = Pulse(name)
        self.watch(pulse)
        return pulse

    def watch(self, pulse: Pulse) -> None:
        """Count a part that made its own sign of life."""
        self._pulses.append(pulse)

    def contact(self, name: str) -> Contact:
        """Somebody without whom this process is not ready for long."""
        contact = Contact(name)
        self._contacts.append(contact)
        return contact

    def live(self) -> dict[str, str | None]:
        """Every part, and why it counts as standing still."""
        checks: dict[str, str | None] = {"event_loop": None}
        for pulse in self._pulses:  # several loops may work on one queue
            checks[pulse.name] = checks.get(pulse.name) or pulse.problem
        return checks

    async def ready(self) -> dict[str, str | None]:
        """Everything that the process needs, and what is wrong with it."""
        checks = {
            "started": None if self.started else "the process is starting",
            "stopping": "the process is stopping" if self.stopping.is_set() else None,
            "database": await self._database(),
        }
        return checks | {contact.name: contact.problem for contact in self._contacts}

    async def _database(self) -> str | None:
        if self.database is None:
            return "not opened yet"
        try:
            return await asyncio.wait_for(self.database(), DATABASE_PATIENCE_S)
        except TimeoutError:
            return f"no answer within {DATABASE_PATIENCE_S:g} s"

    async def answer(self, path: str) -> tuple[int, bytes] | None:
        """Status and JSON body for `/livez` and `/readyz`; None for any other path."""
        if path == "/livez":
            checks = self.live()
        elif path == "/readyz":
            checks = await self.ready()
        else:
            return None
        failing = any(checks.values())
        body = {"status": "failing" if failing else "ok", "checks": {k: v or "ok" for k, v in checks.items()}}
        return 503 if failing else 200, json.dumps(body).encode()


def host_and_port(address: str, setting: str) -> tuple[str, int]:
    """The two halves of HOST:PORT.

    Raises:
        ConfigurationError: it is none; names the setting.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise ConfigurationError(f"{setting} must be HOST:PORT, found {address!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


class HealthServer:
    """A few fixed pages over HTTP; a web framework would cost a worker more memory than the rest of this."""

    def __init__(self, health: Health, address: str, exposition: Exposition, content_type: str) -> None:
        self._health = health
        self._host, self._port = host_and_port(address, "HEALTH_ADDRESS")
        self._exposition = exposition
        self._content_type = content_type

    @contextlib.asynccontextmanager
    async def serving(self):  # type: ignore[no-untyped-def]
        """Serve as long as the block runs; yields the port.

        Raises:
            ConfigurationError: nobody can listen there.
        """
        try:
            server = await asyncio.start_server(
                self._serve, self._host, self._port, limit=REQUEST_LIMIT_BYTES, reuse_address=True
            )
        except OSError as error:
            raise ConfigurationError(f"HEALTH_ADDRESS cannot be listened on: {error}") from error
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._response(head.partition(b"\r\n")[0].decode("latin-1").split(" ")))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked does not want to know
        finally:
            writer.close()

    async def _response(self, request: list[str]) -> bytes:
        method, path = (*request, "", "")[:2]
        path = path.partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return _http(405, b"", "text/plain", method)
        if path == "/metrics":
            return _http(200, await self._exposition(), self._content_type, method)
        answer = await self._health.answer(path)
        status, body = answer or (404, b"/livez, /readyz, /metrics\n")
        return _http(status, body, "application/json" if answer else "text/plain", method)


def _http(status: int, body: bytes, content_type: str, method: str) -> bytes:
    head = (
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not OK'}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)


async def watch_loop(lag: Callable[[float], None]) -> None:
    """Measure, for ever, how late the event loop wakes a sleeper."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(TICK_S)
        late_s = time.monotonic() - began - TICK_S
        lag(max(0.0, late_s))
        if late_s > TICK_S:
            log.warning("the event loop stood still", seconds=round(late_s, 1))
