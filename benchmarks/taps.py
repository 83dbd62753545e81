"""P3: from one person's tap to their next prompt, beside the bare chain complete, fetch, send."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import median, quantiles
from typing import Any

from benchmarks.figures import Figure
from benchmarks.ground import NO_LIMITS, Ground, python
from benchmarks.parking import ASKS
from devstack.people import Person
from tests.support.bpmn import exclusive, external_task, goto

TAPS = 30
ROUNDS = 3
LOOK_S = 0.005


async def bench(ground: Ground) -> list[Figure]:
    """In turns; p50 and p95 of all taps of each."""
    await ground.town.call("POST", "/limits", {"enforce": False})
    waits_s: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(ROUNDS):
        for name in ("ours", "bare") if number % 2 == 0 else ("bare", "ours"):
            found = await (_ours if name == "ours" else _bare)(ground)
            ground.say(f"P3 {name}: p50 {1000 * median(found):.0f} ms, p95 {1000 * _p95(found):.0f} ms")
            waits_s[name] += found
    await ground.town.call("POST", "/limits", {"enforce": True})
    detail: dict[str, object] = {
        f"{name}_ms": {"p50": round(1000 * median(found), 1), "p95": round(1000 * _p95(found), 1)}
        for name, found in waits_s.items()
    }
    detail |= {"taps": TAPS * ROUNDS, "limits": "raised on both sides, for nobody taps that fast"}
    ours, bare = waits_s["ours"], waits_s["bare"]
    what = "tap to next prompt, times the bare chain (getUpdates, complete, fetch, send)"
    return [
        Figure("P3 p50", what, median(ours) / median(bare), 1.5, higher_is_better=False, detail=detail),
        Figure("P3 p95", what, _p95(ours) / _p95(bare), 2.0, higher_is_better=False, detail=detail),
    ]


def _p95(found: Sequence[float]) -> float:
    return quantiles(found, n=20)[-1]


async def _ours(ground: Ground) -> list[float]:
    async with ground.product(NO_LIMITS) as product:

        @asynccontextmanager
        async def working(topic: str) -> AsyncIterator[None]:
            await asyncio.gather(product.start("worker_p3", "workers"), product.start("bot_p3", "bot"))
            yield

        return await tap(ground, "render_task", working)


async def _bare(ground: Ground) -> list[float]:
    argv = python("benchmarks.peers.bare_bot")
    return await tap(ground, ground.fresh_name("topic"), lambda topic: ground.peer(argv, topic, {}))


async def tap(ground: Ground, topic: str, working: Callable[[str], Any]) -> list[float]:
    """One person answers the same step again and again: as soon as they tap, it waits for them anew."""
    (person,) = await ground.people(1)
    step = external_task("work", topic, inputs=ASKS)
    key = await ground.deploy(step, exclusive("again", {"${action == 'yes'}": [goto("work")]}, []))
    async with working(topic):
        await ground.start(key, [{"telegram_user_id": person.user_id}])
        waits_s = [await _one(person) for _ in range(TAPS)]
    await ground.forget(key)
    return waits_s[TAPS // 10 :]  # the first find cold caches


async def _one(person: Person) -> float:
    shown = await person.sees(buttons=["Yes"])
    body = {"from": person.user_id, "caption": "Yes"}
    path = f"/chats/{person.chat_id}/messages/{shown['message_id']}/press"
    await asyncio.sleep(0.25)  # what follows a prompt, such as its lease, is over when somebody has read it
    began = time.perf_counter()
    await person.town.call("POST", path, body)
    give_up = began + 30
    while time.perf_counter() < give_up:
        messages = await person.chat()
        if messages[-1]["message_id"] > shown["message_id"]:
            break
        await asyncio.sleep(LOOK_S)
    return time.perf_counter() - began
