"""Wake-ups: NOTIFY of another process sets an event here, and one query for all finds what falls due.

So nobody waits for its next poll, and an idle process asks its database once a second, whatever it serves.
"""

import asyncio
from collections import defaultdict

import psycopg
import structlog

from shared.db import CHANNEL, direct_connection
from shared.health import Pulse

log = structlog.get_logger(__name__)

LOOK_S = 1.0
PATIENCE_S = 10.0
"""A database that does not answer for so long is taken to be gone."""


class Wakeups:
    """The named signals of one process; one may be lost while the connection is down, polls are the net."""

    is_watching = False
    """Whether what is due is being looked for; while it is not, everybody has to look for themselves."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.pulse = Pulse("wakeups")
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._due: dict[str, str] = {}

    def subscribe(self, name: str, due: str | None = None) -> asyncio.Event:
        """An event that is set each time ``name`` is notified; the subscriber clears it.

        ``due`` is a query, in SQL without parameters: while it finds a row the event is set at each look.
        """
        event = asyncio.Event()
        self._events[name].add(event)
        if due is not None:
            self._due[name] = due
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
        self.is_watching = True  # in a moment, or what follows takes it back
        while not stopping.is_set():
            self.pulse.beat()
            try:
                connection = await direct_connection(self._url)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    delay_s = 0.5
                    # Whatever was notified while nobody listened.
                    for name in self._events.keys() - self._due.keys():
                        self.wake(name)
                    await self._listen(connection, stopping)
            except (psycopg.Error, TimeoutError) as error:
                self.is_watching = False
                self._wake_all()  # to look for themselves from now on
                log.warning("wake-ups lost, polling meanwhile", error=str(error), again_in_s=delay_s)
                try:
                    await asyncio.wait_for(stopping.wait(), delay_s)
                except TimeoutError:
                    delay_s = min(delay_s * 2, 10)

    async def _listen(
        self, connection: psycopg.AsyncConnection[tuple[object, ...]], stopping: asyncio.Event
    ) -> None:
        clock = asyncio.get_running_loop().time
        look_at = clock()
        while not stopping.is_set():
            self.pulse.beat()
            if clock() >= look_at:
                await asyncio.wait_for(self._look(connection), PATIENCE_S)
                self.is_watching = True
                look_at = clock() + LOOK_S
            async for notification in connection.notifies(timeout=LOOK_S / 2, stop_after=64):
                self.wake(notification.payload)

    async def _look(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        looks = [f"SELECT '{name}' WHERE EXISTS ({query})" for name, query in self._due.items()]
        found = await connection.execute(" UNION ALL ".join(looks or ["SELECT NULL"]).encode())
        for (name,) in await found.fetchall():
            self.wake(str(name))
