"""P5: what a step costs, and what idling costs, with 1,000, 10,000 and 100,000 steps parked already."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import psutil

from benchmarks.clones import clone
from benchmarks.figures import Figure
from benchmarks.ground import NO_LIMITS, Ground, NotDone, database_of
from benchmarks.parking import ASKS
from devstack.people import Person
from devstack.product import Product
from devstack.waiting import look_until
from shared.engine.task_records import TopicFetch
from tests.support.bpmn import external_task

PARKED = (1_000, 10_000, 100_000)
STEPS = 100
ROUNDS = 2
IDLE_S = 10.0
FETCHES = 15
PROCESSES = {"worker_p5": "workers", "bot_p5": "bot"}
QUIET = {"SWEEP_INTERVAL_S": "86400"}
"""The sweep compares all rows with all tasks, so it grows with them by its nature; it is left out."""


@dataclass(frozen=True)
class Level:
    """What was measured with so many steps parked."""

    parked: int
    step_ms: float
    wall_ms: float
    fetch_ms: float
    idle_cpu_share: float
    commits_per_s: float
    memory_mb: dict[str, float]


async def bench(ground: Ground) -> list[Figure]:
    """Three levels on one product, each with its own clones on top of the last."""
    await ground.town.call("POST", "/limits", {"enforce": False})
    *people, silent = await ground.people(11)
    levels: list[Level] = []
    async with ground.product({**NO_LIMITS, **QUIET}) as product:
        await asyncio.gather(*(product.start(name, module) for name, module in PROCESSES.items()))
        key = await ground.deploy(external_task("work", "render_task", inputs=ASKS))
        await _park_and_answer(ground, product, key, people, answer=True)  # caches and plans are warm
        await _park_and_answer(ground, product, key, [silent], answer=False)
        for parked in PARKED:
            await clone(ground, database_of(product), parked)
            levels.append(await _level(ground, product, key, people, parked))
            ground.say(f"P5 {levels[-1]}")
    await ground.town.call("POST", "/limits", {"enforce": True})
    return _figures(levels)


def _figures(levels: Sequence[Level]) -> list[Figure]:
    low, high = levels[0], levels[-1]
    detail: dict[str, object] = {"levels": [vars(level) for level in levels]}
    detail["step_ms"] = "CPU of worker, bot and the product's database for one step parked and answered"
    grown = max(high.memory_mb[name] / low.memory_mb[name] for name in low.memory_mb)
    return [
        Figure(
            id_,
            f"{what}, 100k parked times 1k parked",
            value,
            reach,
            higher_is_better=False,
            detail=detail if id_ == "P5" else {"see": "P5"},
        )
        for id_, what, value, reach in (
            ("P5", "cost of a step", high.step_ms / low.step_ms, 1.2),
            ("P5 idle", "CPU of idling", high.idle_cpu_share / low.idle_cpu_share, 1.2),
            ("P5 queries", "transactions per second of idling", high.commits_per_s / low.commits_per_s, 1.2),
            ("P5 memory", "memory of the process that grew most", grown, 1.1),
        )
    ]


async def _level(ground: Ground, product: Product, key: str, people: Sequence[Person], parked: int) -> Level:
    walls_s, cpus_s = [], []
    for _ in range(ROUNDS):
        cpu_s, began = await _cpu_s(ground, product), time.monotonic()
        await _park_and_answer(ground, product, key, people, answer=True)
        walls_s.append(time.monotonic() - began)
        cpus_s.append(await _cpu_s(ground, product) - cpu_s)
    fetch_ms = await _fetch_ms(ground)
    share, commits_per_s = await _idle(ground, product)
    processes = {name: psutil.Process(product.pid(name)) for name in PROCESSES}
    return Level(
        parked=parked,
        step_ms=round(1000 * min(cpus_s) / STEPS, 2),
        wall_ms=round(1000 * min(walls_s) / STEPS, 2),
        fetch_ms=round(fetch_ms, 2),
        idle_cpu_share=round(share, 4),
        commits_per_s=round(commits_per_s, 2),
        memory_mb={name: round(process.memory_info().rss / 1e6, 1) for name, process in processes.items()},
    )


async def _park_and_answer(
    ground: Ground, product: Product, key: str, people: Sequence[Person], *, answer: bool
) -> None:
    steps = STEPS if answer else 1
    chosen = [people[number % len(people)] for number in range(steps)]
    before = await _count(ground, product, ("posted",))
    done = await _count(ground, product, ("completed",))
    await ground.start(key, [{"telegram_user_id": each.user_id} for each in chosen])
    await _until(ground, product, ("posted",), before + steps)
    if answer:
        for person in people:
            for shown in await person.chat():
                if (shown.get("reply_markup") or {}).get("inline_keyboard"):
                    await person.tap("Yes", message=shown)
        await _until(ground, product, ("completed",), done + steps)


async def _count(ground: Ground, product: Product, states: Sequence[str]) -> int:
    query = "SELECT count(*) FROM pending_replies WHERE state = ANY(%s)"
    return int(await ground.value(database_of(product), query, list(states)))


async def _until(ground: Ground, product: Product, states: Sequence[str], count: int) -> None:
    async def found() -> int:
        return await _count(ground, product, states)

    if await look_until(lambda seen: seen >= count, found, 120) < count:
        raise NotDone(f"not {count} steps became {'/'.join(states)}")


async def _idle(ground: Ground, product: Product) -> tuple[float, float]:
    """The share of a core, and the transactions per second, of a product that nobody uses."""
    await asyncio.sleep(2)
    cpu_s, commits, began = await _cpu_s(ground, product), await _commits(ground, product), time.monotonic()
    await asyncio.sleep(IDLE_S)
    took_s = time.monotonic() - began
    used_s = await _cpu_s(ground, product) - cpu_s
    return used_s / took_s, (await _commits(ground, product) - commits) / took_s


async def _commits(ground: Ground, product: Product) -> int:
    query = "SELECT xact_commit FROM pg_stat_database WHERE datname = %s"
    return int(await ground.value("engine", query, database_of(product)))


async def _cpu_s(ground: Ground, product: Product) -> float:
    """CPU seconds so far of the product's processes and of their connections' servers."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    found = await ground.rows("engine", query, database_of(product))
    pids = [product.pid(name) for name in PROCESSES] + [pid for (pid,) in found]
    total_s = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total_s += times.user + times.system
    return total_s


async def _fetch_ms(ground: Ground) -> float:
    """The engine's own time for a fetch that finds nothing."""
    took_s = []
    for _ in range(FETCHES):
        began = time.perf_counter()
        await ground.engine.fetch_and_lock("bench", [TopicFetch("bench_nobody", 1)], 10)
        took_s.append(time.perf_counter() - began)
    return 1000 * median(took_s)
