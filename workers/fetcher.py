"""Fetches tasks: one long poll at a time per process, and a quick look whenever a completion says so."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared.engine.client import EngineClient
from shared.engine.task_records import FetchedTask, TopicFetch
from shared.errors import WorldError
from shared.health import Contact, Pulse
from shared.queues import pause_s
from shared.transitions import FETCH_SIGNAL
from shared.wakeups import Wakeups

log = structlog.get_logger(__name__)

LONGEST_PAUSE_S = 5.0
"""An engine that restarts is found again so soon; one call in five seconds hurts no gateway."""

LONGEST_OBEYED_S = 300.0
"""A gateway's Retry-After is obeyed up to this; a longer one is likelier a mistake than a wish."""

Take = Callable[[FetchedTask], Awaitable[None]]
TakeMany = Callable[[Sequence[FetchedTask]], Awaitable[None]]

TOGETHER = 16
"""Tasks that are given to ``take_many`` at once; a long answer becomes several such groups, side by side."""


class Fetcher:
    """Keeps up to ``room`` tasks in hand at once, each given to ``take``.

    A pending long poll is never cancelled: the engine would still lock tasks for it that nobody receives.
    ``ahead`` says how many more may wait for a place: where tasks take milliseconds, a fetch for each of them
    costs as much as they do. With ``take_many``, tasks that came together are given to it in groups.
    """

    def __init__(
        self,
        engine: EngineClient,
        wakeups: Wakeups,
        worker_id: str,
        topics: Sequence[TopicFetch],
        take: Take,
        *,
        room: int,
        poll_s: float,
        ahead: Callable[[], int] = lambda: 0,
        take_many: TakeMany | None = None,
        pulse: Pulse | None = None,
        contact: Contact | None = None,
    ) -> None:
        self._engine = engine
        self._worker_id = worker_id
        self._topics = topics
        self._take = take
        self._places = room
        self._ahead = ahead
        self._take_many = take_many
        self._poll_s = poll_s
        self._pulse = pulse or Pulse("fetcher")
        self._contact = contact or Contact("engine")
        self._paused_until = 0.0
        self._nudge = wakeups.subscribe(FETCH_SIGNAL)
        self._in_hand: dict[asyncio.Task[None], int] = {}
        self._asked = 0
        self._changed = asyncio.Event()

    @property
    def _limit(self) -> int:
        return self._places + self._ahead()

    @property
    def _room(self) -> int:
        return self._limit - sum(self._in_hand.values()) - self._asked

    @property
    def _worth_a_fetch(self) -> bool:
        """Whether there is room, and of that ahead half: else each task that ends would cost a fetch."""
        return self._room >= max(1, self._ahead() // 2)

    async def run(self, stopping: asyncio.Event) -> None:
        """Fetch until ``stopping``, then wait for what is in hand; the caller bounds that wait."""
        if not self._topics:
            self._contact.not_needed()
            await stopping.wait()
            return
        await asyncio.gather(self._long_polls(stopping), self._quick_looks(stopping))
        await self.finish()

    async def finish(self) -> None:
        """Wait until nothing is in hand."""
        while self._in_hand:
            await asyncio.wait(self._in_hand)

    async def _long_polls(self, stopping: asyncio.Event) -> None:
        failures = 0
        while not stopping.is_set():
            self._pulse.beat()
            # Half the room is left to quick looks, or a pending poll would keep them from fetching.
            share = max(1, self._limit // 2)
            if not self._worth_a_fetch:
                await self._until_changed(stopping)
                continue
            try:
                await self._fetch(min(share, self._room), self._poll_s)
                failures = 0
            except WorldError as error:
                failures += 1
                wait_s = self._pause(error) or pause_s(failures, LONGEST_PAUSE_S)
                log.warning("cannot fetch", error=str(error), again_in_s=round(wait_s, 1))
                self._pulse.beat(wait_s)
                await _sleep(wait_s, stopping)

    async def _quick_looks(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            waits = [asyncio.create_task(self._nudge.wait()), asyncio.create_task(stopping.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            self._nudge.clear()
            if stopping.is_set() or self._room < 1 or time.monotonic() < self._paused_until:
                continue
            try:
                await self._fetch(self._room, None)
            except WorldError as error:
                self._pause(error)
                log.debug("a quick look failed, the long poll is the net", error=str(error))

    def _pause(self, error: WorldError) -> float | None:
        """The seconds for which the engine, or what stands before it, asks to be left alone."""
        self._contact.failed(str(error))
        if error.retry_after_s is None:
            return None
        wait_s = min(error.retry_after_s, LONGEST_OBEYED_S)
        self._paused_until = max(self._paused_until, time.monotonic() + wait_s)
        return wait_s

    async def _fetch(self, most: int, poll_s: float | None) -> None:
        self._asked += most
        try:
            tasks = await self._engine.fetch_and_lock(self._worker_id, self._topics, most, poll_s)
        finally:
            self._asked -= most
        self._contact.heard()
        size = 1 if self._take_many is None else TOGETHER
        for at in range(0, len(tasks), size):
            group = tasks[at : at + size]
            handled = asyncio.create_task(self._guarded(group))
            self._in_hand[handled] = len(group)
            handled.add_done_callback(self._done)

    async def _guarded(self, group: Sequence[FetchedTask]) -> None:
        ids = [task.id for task in group]
        try:
            if self._take_many is not None and len(group) > 1:
                await self._take_many(group)
            else:
                await self._take(group[0])
        except WorldError as error:
            log.warning("left to the lock's end", tasks=ids, error=str(error))
        except Exception:  # one task must not stop the others
            log.exception("left to the lock's end", tasks=ids, activity=group[0].activity_id)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.pop(task, None)
        self._changed.set()

    async def _until_changed(self, stopping: asyncio.Event) -> None:
        self._changed.clear()
        if not self._worth_a_fetch and not stopping.is_set():
            await _sleep(0.5, self._changed)


async def _sleep(seconds: float, until: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return
