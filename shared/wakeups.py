"""Wake-ups between processes: NOTIFY sets an event here, so that nobody waits for the next poll."""

import asyncio
from collections import defaultdict

import psycopg
import structlog

from shared.db import CHANNEL, direct_connection
from shared.health import Pulse

log = structlog.get_logger(__name__)

HEARTBEAT_S = 10.0


class Wakeups:
    """The named signals of one process; one may be lost while the connection is down, polls are the net."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.pulse = Pulse("wakeups")
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)

    def subscribe(self, name: str) -> asyncio.Event:
        """An event that is set each time ``name`` is notified; the subscriber clears it."""
        event = asyncio.Event()
        self._events[name].add(event)
        return event

    def wake(self, name: str) -> None:
        """Set the events of ``name`` in this process alone."""
        for event in self._events.get(name, ()):
            event.set()

    def _wake_all(self) -> None:
        for name in list(self._events):
            self.wake(name)

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until ``stopping``; connect again, with a pause, whenever the connection is lost."""
        delay_s = 0.5
        while not stopping.is_set():
            self.pulse.beat()
            try:
                connection = await direct_connection(self._url)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    delay_s = 0.5
                    self._wake_all()  # whatever was notified while nobody listened
                    await self._listen(connection, stopping)
            except (psycopg.Error, TimeoutError) as error:
                log.warning("wake-ups lost, polling meanwhile", error=str(error), again_in_s=delay_s)
                try:
                    await asyncio.wait_for(stopping.wait(), delay_s)
                except TimeoutError:
                    delay_s = min(delay_s * 2, 10)

    async def _listen(
        self, connection: psycopg.AsyncConnection[tuple[object, ...]], stopping: asyncio.Event
    ) -> None:
        quiet_s = 0.0
        while not stopping.is_set():
            self.pulse.beat()
            heard = False
            async for notification in connection.notifies(timeout=0.5, stop_after=64):
                heard = True
                self.wake(notification.payload)
            quiet_s = 0.0 if heard else quiet_s + 0.5
            if quiet_s >= HEARTBEAT_S:
                await asyncio.wait_for(connection.execute("SELECT 1"), HEARTBEAT_S)
                quiet_s = 0.0
