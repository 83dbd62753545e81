"""The sandbox's time, which can be moved forward, and a signal that wakes whoever waits."""

from __future__ import annotations

import asyncio
import time


class Signal:
    """Something has changed; every waiter looks again."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def next(self) -> asyncio.Future[None]:
        """A future that is done at the next change."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        return waiter

    async def wait(self, timeout_s: float | None) -> None:
        """Wait for the next change, at most so long."""
        waiter = self.next()
        await asyncio.wait({waiter}, timeout=timeout_s)
        waiter.cancel()

    def fire(self) -> None:
        """Wake everybody who waits now."""
        for waiter in list(self._waiters):
            if not waiter.done():
                waiter.set_result(None)


class Clock:
    """Real time plus what was added by `advance`."""

    def __init__(self) -> None:
        self.advanced_s = 0.0
        self.moved = Signal()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.advanced_s

    def unix(self) -> int:
        """Whole seconds since the epoch, as Telegram writes dates."""
        return int(self.now())

    def advance(self, seconds_s: float) -> None:
        """Let so much time pass at once: ages of messages, taps and budgets."""
        self.advanced_s += seconds_s
        self.moved.fire()
