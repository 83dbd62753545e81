"""Waiting for a condition instead of for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_S = 0.05

Found = TypeVar("Found")


async def look_until(
    fits: Callable[[Found], object], look: Callable[[], Awaitable[Found]], patience_s: float
) -> Found:
    """Look again and again until what is found fits or the patience is over; give what was found last."""
    give_up = time.monotonic() + patience_s
    while True:
        found = await look()
        if fits(found) or time.monotonic() > give_up:
            return found
        await asyncio.sleep(POLL_S)
