"""Fetching through a gateway that limits and fails: steps still arrive, and a pause is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.engine.client import EngineClient
from shared.engine.task_records import FetchedTask, TopicFetch
from shared.health import Contact
from shared.transitions import FETCH_SIGNAL
from shared.wakeups import Wakeups
from tests.fakes.waiting import running, until
from tests.support.engine_work import Work, settings_of
from tests.support.gateway import CUT, Gateway, a_gateway
from workers.fetcher import Fetcher

PAUSE_S = 2


@asynccontextmanager
async def fetching(
    engine_env: dict[str, str], work: Work, wakeups: Wakeups
) -> AsyncIterator[tuple[Gateway, list[str], Contact]]:
    """A fetcher behind a gateway, and the activities that it was given."""
    taken: list[str] = []
    contact = Contact("engine")

    async def take(task: FetchedTask) -> None:
        taken.append(task.activity_id)

    async with a_gateway(engine_env["ENGINE_URL"]) as gateway:
        settings = settings_of({**engine_env, "ENGINE_URL": gateway.url})
        async with EngineClient.from_settings(settings) as client:
            topics = [TopicFetch(work.key, lock_s=30)]
            fetcher = Fetcher(client, wakeups, "w", topics, take, room=8, poll_s=0.5, contact=contact)
            async with running(fetcher.run):
                yield gateway, taken, contact


async def test_steps_arrive_through_a_gateway_that_fails_and_a_pause_is_kept(
    engine_env: dict[str, str], work: Work
) -> None:
    await work.deploy(work.step("ask"))
    wakeups = Wakeups("postgresql://nowhere")
    async with fetching(engine_env, work, wakeups) as (gateway, taken, contact):
        await until(lambda: gateway.seen, "the first poll")
        gateway.fail(502, 503, CUT, 504)
        # A poll that is on its way already would take the step past the faults.
        await until(lambda: gateway.times(502), "the gateway fails")
        await work.start()
        await until(lambda: taken == ["ask"], "it arrives although four polls failed", 20)
        assert not gateway.faults

        gateway.fail(429, Retry_After=str(PAUSE_S))
        await until(lambda: gateway.times(429), "the gateway limits")
        await work.start()
        before = len(gateway.seen)
        wakeups.wake(FETCH_SIGNAL)  # a completion elsewhere must not break the pause
        await until(lambda: len(taken) == 2, "it arrives after the pause")
        first_after = gateway.seen[before][0]
        assert first_after - gateway.times(429)[0] >= PAUSE_S
        assert contact.problem is None


async def test_a_quick_look_that_is_told_to_wait_is_not_repeated(
    engine_env: dict[str, str], work: Work
) -> None:
    await work.deploy(work.step("ask"))
    wakeups = Wakeups("postgresql://nowhere")
    async with fetching(engine_env, work, wakeups) as (gateway, taken, _):
        await until(lambda: gateway.seen, "the first poll")
        gateway.fail(429, Retry_After=str(PAUSE_S))
        wakeups.wake(FETCH_SIGNAL)
        await until(lambda: gateway.times(429), "the gateway limits")
        for _ in range(20):
            wakeups.wake(FETCH_SIGNAL)
            await asyncio.sleep(0.01)
        # At most the pending poll, and the next one, came beside it.
        since = [at for at in gateway.times() if at > gateway.times(429)[0]]
        assert len(since) <= 2
        await work.start()
        await until(lambda: taken == ["ask"], "it arrives")
