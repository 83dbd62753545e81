import asyncio
import itertools

import pytest

from devstack.waiting import beside, look_until


async def test_looking_ends_with_the_first_that_fits() -> None:
    numbers = itertools.count()

    async def look() -> int:
        return next(numbers)

    assert await look_until(lambda number: number == 2, look, 10) == 2


async def test_looking_in_vain_gives_what_was_found_last() -> None:
    async def look() -> str:
        return "still there"

    assert await look_until(lambda found: not found, look, 0.1) == "still there"


async def test_work_beside_a_block_ends_with_it() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with beside(work()):
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_the_failure_of_work_beside_a_block_is_raised_after_it() -> None:
    async def work() -> None:
        raise ValueError("no")

    seen = []

    async def block() -> None:
        async with beside(work()):
            await asyncio.sleep(0)
            seen.append("its end")

    with pytest.raises(ValueError, match="no"):
        await block()
    assert seen == ["its end"]


async def test_a_failing_block_is_not_hidden_by_the_work_beside_it() -> None:
    async def work() -> None:
        raise ValueError("no")

    async def block() -> None:
        async with beside(work()):
            await asyncio.sleep(0)
            raise KeyError

    with pytest.raises(KeyError):
        await block()
