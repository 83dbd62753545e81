"""P4: three processes send to different chats of one bot, while Telegram's limits are enforced."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import psutil

from benchmarks.figures import Figure
from benchmarks.ground import Ground, NotDone, database_of, python
from devstack.people import Person
from devstack.waiting import look_until

MESSAGES = 2000
PROCESSES = 3
PER_BOT_S = 30.0

QUEUE = (
    "INSERT INTO prompts (chat_id, kind, state, content)"
    """ SELECT chat_id, 'notice', 'queued', '{"text": "A message of the bench"}'"""
    " FROM unnest(%s::bigint[]) AS chat_id"
)
WAKE = "SELECT pg_notify('stepgram', 'prompts')"


async def bench(ground: Ground) -> list[Figure]:
    """The rate of the fleet as a part of what the bot is allowed, and how often Telegram had to refuse."""
    chats = [person.chat_id for person in await _readers(ground, MESSAGES)]
    ours, theirs = await _ours(ground, chats), await _theirs(ground, chats)
    detail: dict[str, object] = {"messages": len(chats), "processes": PROCESSES}
    detail |= {"ours": ours, "AIORateLimiter": theirs}
    share = ours["per_s"] / PER_BOT_S
    return [
        Figure("P4", "3 senders, 30/s enforced: part of 30/s", share, 0.97, detail=detail),
        Figure("P4-429", "3 senders, 30/s enforced: 429s", ours["429"], 0, higher_is_better=False),
    ]


async def _ours(ground: Ground, chats: list[int]) -> dict[str, float]:
    async with ground.product({"MESSAGES_PER_S": str(PER_BOT_S)}) as product, _limited(ground) as since:
        names = [f"bench_sender{number}" for number in range(PROCESSES)]
        for name in names:
            await product.start(name, "bot")
        database = database_of(product)
        before_s = _cpu_s(ground, names)
        await ground.rows(database, QUEUE, chats)
        await ground.rows(database, WAKE)
        sent = await _sent(ground, since, len(chats))
        return sent | {"cpu_ms_each": round((_cpu_s(ground, names) - before_s) / len(chats) * 1000, 1)}


def _cpu_s(ground: Ground, names: list[str]) -> float:
    """What the processes have used; with less than that a second left for them, the machine is the bound."""
    used = [psutil.Process(ground.stack.state.processes[name].pid).cpu_times() for name in names]
    return sum(each.user + each.system for each in used)


async def _theirs(ground: Ground, chats: list[int]) -> dict[str, float]:
    async with _limited(ground) as since, AsyncExitStack() as peers:
        for number in range(PROCESSES):
            options = {"chats": chats[number::PROCESSES]}
            await peers.enter_async_context(ground.peer(python("benchmarks.peers.limiter"), "none", options))
        return await _sent(ground, since, len(chats))


async def _readers(ground: Ground, count: int) -> list[Person]:
    """People who have started the bot; it will not hear of that, so it answers nobody."""
    readers = await ground.people(count)
    url = f"{ground.town.url}/bot{ground.stack.env['BOT_TOKEN']}/getUpdates"
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:  # noqa: S501 - plain http
        (last,) = (await http.post(url, json={"offset": -1})).json()["result"]
        await http.post(url, json={"offset": last["update_id"] + 1})
    return readers


@asynccontextmanager
async def _limited(ground: Ground) -> AsyncIterator[int]:
    """Telegram's limits hold, from full buckets on, as long as the block runs; the calls made before it."""
    await ground.town.call("POST", "/limits", {"enforce": True, "per_bot_s": PER_BOT_S})
    calls = await _calls(ground, 0)
    try:
        yield calls[-1]["n"] if calls else 0
    finally:
        await ground.town.call("POST", "/limits", {"enforce": False})


async def _calls(ground: Ground, since: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await ground.town.call("GET", "/calls", since=since, method="sendMessage")
    )["calls"]
    return found


async def _sent(ground: Ground, since: int, count: int) -> dict[str, float]:
    """Wait until all are sent: how many a second from the first to the last, and how many were refused."""
    at = since
    accepted: list[float] = []
    refused = 0

    async def look() -> int:
        nonlocal at, refused
        for call in await _calls(ground, at):
            if call["status"] == 0:
                break  # it is still running
            at = call["n"]
            refused += call["status"] == 429
            if call["ok"]:
                accepted.append(call["at"])
        return len(accepted)

    if await look_until(lambda found: found >= count, look, 6 * count / PER_BOT_S) < count:
        raise NotDone(f"only {len(accepted)} of {count} messages were sent; 429s: {refused}")
    accepted.sort()
    # Whoever sends a burst first is not quicker: the bucket that paid for it was full before.
    return {"per_s": round((count - 1) / (accepted[-1] - accepted[0]), 2), "429": refused}
