"""Waiting for a condition instead of sleeping, and parts of a process that run as long as a block."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

from shared.service import Part

T = TypeVar("T")


@overload
async def until(check: Callable[[], Coroutine[Any, Any, T]], what: str, patience_s: float = ...) -> T: ...
@overload
async def until(check: Callable[[], T], what: str, patience_s: float = ...) -> T: ...
async def until(check: Callable[[], Any], what: str, patience_s: float = 10.0) -> Any:
    """Give what ``check`` gives as soon as that is true.

    Raises:
        AssertionError: it did not come true in time; names what was waited for.
    """
    give_up = time.monotonic() + patience_s
    while True:
        found = check()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < give_up, f"waited in vain for: {what}; last seen: {found!r}"
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[asyncio.Event]:
    """Run parts of a process; they are told to stop at the end of the block and must then end."""
    stopping = asyncio.Event()
    tasks = [asyncio.ensure_future(part(stopping)) for part in parts]
    try:
        yield stopping
    finally:
        stopping.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)
