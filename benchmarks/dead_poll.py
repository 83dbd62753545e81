"""P1b: a worker is killed while it long-polls, then 100 tasks start: how long until all are handled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.ground import Ground, NotDone, python
from benchmarks.node import node_client
from devstack.product import Product
from tests.support.bpmn import external_task

STARTED = 100
SHORT_LOCK_S, POLL_S = 10, 5
"""Ours: a third of the default of FETCH_LOCK_S, so that the measurement ends soon; POLL_S is the default."""

WHOLE_LOCK_S = 20
"""Theirs: the clients know one lock, which has to outlast the slowest handler; 60 s and more are usual."""

POLLING_S = 4.0
"""So long a process has to come to its long poll."""

Start = Callable[[str, str], Awaitable[None]]
"""Starts a process of that name for that topic."""


async def bench(ground: Ground) -> list[Figure]:
    """All of them side by side: they wait for locks, not for each other."""
    settings = {"FETCH_LOCK_S": str(SHORT_LOCK_S), "POLL_S": str(POLL_S), "AUTOMATED_CONCURRENCY": "4"}
    async with ground.product(settings) as product:
        runs = {"ours": _handled(ground, "ours", _ours(product))}
        options: Mapping[str, Any] = {"maxTasks": 10, "lockDuration": WHOLE_LOCK_S * 1000}
        polling = {**options, "asyncResponseTimeout": 30_000}
        runs["python3"] = _handled(
            ground, "python3", _theirs(ground, python("benchmarks.peers.python_client"), polling)
        )
        try:
            runs["js"] = _handled(ground, "js", _theirs(ground, await node_client(), polling))
        except NotDone as reason:
            ground.say(f"P1b SKIPPED for js: {reason}")
        took_s = dict(zip(runs, await asyncio.gather(*runs.values()), strict=True))
    for name, seconds in took_s.items():
        ground.say(f"P1b {name}: all handled after {seconds:.1f} s")
    detail: dict[str, object] = {
        "until_all_handled_s": {name: round(seconds, 1) for name, seconds in took_s.items()},
        "our_short_lock_s": SHORT_LOCK_S,
        "our_poll_s": POLL_S,
        "their_lock_s": WHOLE_LOCK_S,
        "note": "theirs is the whole lock whatever its length: 60 s of a 60 s lock",
    }
    what = "a worker killed while it polls, 100 tasks: seconds until all are handled (short lock + one poll)"
    return [Figure("P1b", what, took_s["ours"], SHORT_LOCK_S + POLL_S, higher_is_better=False, detail=detail)]


def _ours(product: Product) -> Start:
    async def start(name: str, topic: str) -> None:
        await product.start(name, "workers", settings={"BENCH_TOPIC": topic})

    return start


def _theirs(ground: Ground, argv: list[str], options: Mapping[str, Any]) -> Start:
    async def start(name: str, topic: str) -> None:
        await ground.launch_peer(name, argv, topic, options)

    return start


async def _handled(ground: Ground, name: str, start: Start) -> float:
    topic, first, second = (ground.fresh_name(f"{name}_{kind}") for kind in ("topic", "first", "second"))
    key = await ground.deploy(external_task("work", topic))
    await start(first, topic)
    await asyncio.sleep(POLLING_S)
    await ground.kill(first)
    began = time.time()
    await ground.start(key, [{}] * STARTED)
    await start(second, topic)
    await ground.until_ended(key, STARTED)
    await ground.kill(second)
    return (await ground.drained(key))[2] - began
