"""P1: automated steps drained per second, 1,000 waiting, by us, by a bare loop and by two known clients."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from statistics import median
from typing import Any

from benchmarks.figures import Figure
from benchmarks.ground import Ground, NotDone, python
from benchmarks.node import node_client
from devstack.product import Product

WAITING, TRIAL = 1000, 250
ROUNDS = 3
CONNECTIONS = 9
"""As many as one worker of ours uses here: eight completions and the next fetch."""

BARE_MAX_TASKS = (5, 25)
PYTHON_OPTIONS = tuple({"maxTasks": most, "lockDuration": 60_000} for most in (1, 10, 50))
NODE_OPTIONS = (
    {"maxTasks": 10, "interval": 0, "maxParallelExecutions": 10},
    {"maxTasks": 50, "interval": 0, "maxParallelExecutions": 50},
    {"maxTasks": 100, "interval": 100},
)

Run = Callable[[int], Awaitable[float]]


async def bench(ground: Ground) -> list[Figure]:
    """Find the best options of each, then drain in turns."""
    async with ground.product({"AUTOMATED_CONCURRENCY": "8"}) as product:
        runs: dict[str, Run] = {"ours": partial(_ours, ground, product)}
        options: dict[str, object] = {}
        await _trial(ground, "a warm engine", partial(_ours, ground, product))
        for name, argv, choices in await _peers(ground):
            runs[name], options[name] = await _best(ground, name, argv, choices)
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(ROUNDS):
            for name in list(runs) if number % 2 == 0 else reversed(runs):
                rates[name].append(await runs[name](WAITING))
                ground.say(f"P1 {name}: {rates[name][-1]:.0f}/s")
    return _figures(rates, options)


async def _peers(ground: Ground) -> list[tuple[str, list[str], Sequence[Mapping[str, Any]]]]:
    bare = [{"connections": CONNECTIONS, "max_tasks": most} for most in BARE_MAX_TASKS]
    found: list[tuple[str, list[str], Sequence[Mapping[str, Any]]]] = [
        ("bare", python("benchmarks.peers.bare_loop"), bare),
        ("python3", python("benchmarks.peers.python_client"), PYTHON_OPTIONS),
    ]
    try:
        found.append(("js", await node_client(), NODE_OPTIONS))
    except NotDone as reason:
        ground.say(f"P1 SKIPPED: {reason}")
    return found


async def _best(
    ground: Ground, name: str, argv: list[str], choices: Sequence[Mapping[str, Any]]
) -> tuple[Run, Mapping[str, Any]]:
    tried = [(await _trial(ground, f"{name} {each}", _peer(ground, argv, each)), each) for each in choices]
    _, chosen = max(tried, key=lambda pair: pair[0])
    return _peer(ground, argv, chosen), chosen


async def _trial(ground: Ground, name: str, run: Run) -> float:
    rate = await run(TRIAL)
    ground.say(f"P1 trial of {name}: {rate:.0f}/s")
    return rate


def _peer(ground: Ground, argv: list[str], options: Mapping[str, Any]) -> Run:
    return partial(_drain, ground, lambda topic: ground.peer(argv, topic, options))


async def _ours(ground: Ground, product: Product, count: int) -> float:
    @asynccontextmanager
    async def working(topic: str) -> AsyncIterator[None]:
        product.launch("worker_p1", "workers", settings={"BENCH_TOPIC": topic})
        try:
            yield
        finally:
            await product.stop("worker_p1", kill=True)

    return await _drain(ground, working, count)


async def _drain(ground: Ground, working: Callable[[str], Any], count: int) -> float:
    topic = ground.fresh_name("topic")
    key = await ground.waiting(topic, count)
    async with working(topic):
        return await ground.rate(key, count)


def _figures(rates: Mapping[str, Sequence[float]], options: Mapping[str, object]) -> list[Figure]:
    per_s = {name: round(median(found), 1) for name, found in rates.items()}
    detail: dict[str, object] = {"per_s": per_s, "rounds": rates, "options": options, "waiting": WAITING}
    goals = {"bare": ("P1", 0.9), "python3": ("P1 python3", 1.7), "js": ("P1 js", 1.4)}
    names = {"bare": "a bare pooled loop", "python3": "python3's client", "js": "npm's client"}
    return [
        # Each of ours beside the other's of the same round, for the machine changes from minute to minute.
        Figure(
            goals[peer][0],
            f"automated steps drained per second, times {names[peer]}",
            median(ours / theirs for ours, theirs in zip(rates["ours"], rates[peer], strict=True)),
            goals[peer][1],
            detail=detail,
        )
        for peer in rates
        if peer != "ours"
    ]
