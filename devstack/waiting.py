"""Waiting for a condition instead of for a time, and working meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

POLL_S = 0.05

Found = TypeVar("Found")


async def look_until(
    fits: Callable[[Found], object],
    look: Callable[[], Awaitable[Found]],
    patience_s: float,
    every_s: float = POLL_S,
) -> Found:
    """Look again and again until what is found fits or the patience is over; give what was found last."""
    give_up = time.monotonic() + patience_s
    while True:
        found = await look()
        if fits(found) or time.monotonic() > give_up:
            return found
        await asyncio.sleep(every_s)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do endless work as long as the block runs. Raises what it failed by, once the block has ended."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
