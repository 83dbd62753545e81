"""P6: 1, 2 and 4 workers on a handler that waits 200 ms for somebody else."""

import asyncio
from statistics import median

from benchmarks.figures import Figure
from benchmarks.ground import Ground
from benchmarks.peers.topics import SLOW, SLOW_S
from devstack.product import Product

TASKS_EACH = 100
AT_ONCE = 4
WORKERS = (1, 2, 4)
ROUNDS = 2


async def bench(ground: Ground) -> list[Figure]:
    """Up and down again; the rates of each number of workers beside that of one."""
    rates: dict[int, list[float]] = {count: [] for count in WORKERS}
    async with ground.product({"AUTOMATED_CONCURRENCY": str(AT_ONCE)}) as product:
        for number in range(ROUNDS):
            for count in WORKERS if number % 2 == 0 else reversed(WORKERS):
                rates[count].append(await _drain(ground, product, count))
                ground.say(f"P6 {count} workers: {rates[count][-1]:.1f}/s")
    per_s = {count: median(found) for count, found in rates.items()}
    detail: dict[str, object] = {
        "per_s": {count: round(rate, 1) for count, rate in per_s.items()},
        "ideal_per_s_of_one": AT_ONCE / SLOW_S,
        "steps_at_once_in_a_worker": AT_ONCE,
    }
    what = f"{WORKERS[-1]} workers on a slow handler, share of linear"
    return [Figure("P6", what, per_s[WORKERS[-1]] / (WORKERS[-1] * per_s[1]), 0.9, detail=detail)]


async def _drain(ground: Ground, product: Product, count: int) -> float:
    names = [ground.fresh_name("worker") for _ in range(count)]
    # All work is there, and all workers run, before the first task can be fetched: neither the making of the
    # instances nor the start of a process is a part of this.
    key = await ground.waiting(SLOW, TASKS_EACH * count)
    await ground.suspend(key)
    await asyncio.gather(*(product.start(name, "workers") for name in names))
    try:
        await ground.suspend(key, suspended=False)
        await ground.start(key, [{}])  # a new task, unlike an activated one, ends the polls that wait
        return await ground.rate(key, TASKS_EACH * count + 1)
    finally:
        await asyncio.gather(*(product.stop(name) for name in names))
