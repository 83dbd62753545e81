"""P2: steps parked per second (fetch, row, prompt row, lease) beside bare fetch and lock."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

from benchmarks.figures import Figure
from benchmarks.ground import Ground, NotDone, database_of, python
from devstack.people import Person
from devstack.product import QUICK_STOP, Product
from devstack.waiting import look_until
from tests.support.bpmn import external_task

WAITING = 600
ROUNDS = 3
PEOPLE = 60
LEASE_S = 86_400
BARE = {"connections": 10, "max_tasks": 16, "only_lock": True, "local": True}
"""As many connections as our client has."""

ASKS = {
    "telegram_user_id": "${telegram_user_id}",
    "text_question": "Shall it be so?",
    "action_yes": "Yes",
    "action_no": "No",
}


async def bench(ground: Ground) -> list[Figure]:
    """In turns, each on steps of its own."""
    people = await ground.people(PEOPLE)
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(ROUNDS + 1):
        for name in ("ours", "bare") if number % 2 == 0 else ("bare", "ours"):
            rate = await (_ours if name == "ours" else _bare)(ground, people)
            ground.say(f"P2 {name}: {rate:.0f}/s" + (" (warming up)" if number == 0 else ""))
            if number:
                rates[name].append(rate)
    ratio = median(ours / bare for ours, bare in zip(rates["ours"], rates["bare"], strict=True))
    detail: dict[str, object] = {
        "per_s": {name: round(median(found), 1) for name, found in rates.items()},
        "waiting": WAITING,
        "sending": "the worker sends prompts meanwhile, within Telegram's limits",
    }
    return [Figure("P2", "steps parked per second, times bare fetch and lock", ratio, 0.7, detail=detail)]


async def _ours(ground: Ground, people: Sequence[Person]) -> float:
    async with ground.product({"LEASE_S": str(LEASE_S), **QUICK_STOP}) as product:

        @asynccontextmanager
        async def working(topic: str) -> AsyncIterator[None]:
            product.launch("worker_p2", "workers")
            yield

        return await _park(ground, people, "render_task", working, product)


async def _bare(ground: Ground, people: Sequence[Person]) -> float:
    topic, argv = ground.fresh_name("topic"), python("benchmarks.peers.bare_loop")
    return await _park(ground, people, topic, lambda name: ground.peer(argv, name, BARE), None)


async def _park(
    ground: Ground,
    people: Sequence[Person],
    topic: str,
    working: Callable[[str], Any],
    product: Product | None,
) -> float:
    key = await ground.deploy(external_task("work", topic, inputs=ASKS))
    chosen = [people[number % len(people)].user_id for number in range(WAITING)]
    await ground.start(key, [{"telegram_user_id": user_id} for user_id in chosen])
    async with working(topic):
        rate = await _rate(ground, key)
        if product is not None:
            rows = await ground.value(database_of(product), "SELECT count(*) FROM pending_replies")
            if rows != WAITING:
                raise NotDone(f"{rows} rows of {WAITING} steps")
    await ground.forget(key)
    return rate


async def _rate(ground: Ground, key: str) -> float:
    """Between the first and the last lease; when each was taken follows from its end."""
    query = (
        "SELECT count(*), extract(epoch FROM max(lock_exp_time_) - min(lock_exp_time_))::float"
        " FROM act_ru_ext_task WHERE proc_def_key_ = %s AND lock_exp_time_ > now() + interval '12 hours'"
    )

    async def leased() -> tuple[int, float]:
        count, seconds = (await ground.rows("engine", query, key))[0]
        return count, seconds

    count, seconds = await look_until(lambda found: found[0] >= WAITING, leased, 180)
    if count < WAITING:
        raise NotDone(f"only {count} of {WAITING} steps were parked")
    return (WAITING - 1) / max(seconds, 0.001)
