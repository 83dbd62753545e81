"""Fetching: one long poll at a time, quick looks beside it, and never more in hand than there is room for."""

import asyncio
from collections.abc import Sequence

from shared.engine.errors import EngineUnavailable
from shared.engine.task_records import FetchedTask, TopicFetch
from shared.errors import WorldError
from shared.transitions import FETCH_SIGNAL
from shared.wakeups import Wakeups
from tests.fakes.engine import FakeEngine
from tests.fakes.waiting import running, until
from workers.fetcher import Fetcher, Take

TOPIC = TopicFetch("render_task", lock_s=30)


class Taker:
    """Takes tasks and holds them until it is told to let go."""

    def __init__(self, *failures: Exception, hold: bool = False) -> None:
        self.taken: list[str] = []
        self.in_hand = self.most = 0
        self.let_go = asyncio.Event()
        self._failures = list(failures)
        if not hold:
            self.let_go.set()

    async def __call__(self, task: FetchedTask) -> None:
        self.taken.append(task.id)
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        await self.let_go.wait()
        self.in_hand -= 1
        if self._failures:
            raise self._failures.pop(0)


def fetcher(
    engine: FakeEngine,
    take: Take,
    wakeups: Wakeups | None = None,
    *,
    room: int = 4,
    poll_s: float = 0.1,
    topics: Sequence[TopicFetch] = (TOPIC,),
) -> Fetcher:
    """A fetcher of human steps."""
    wakeups = wakeups or Wakeups("postgresql://nowhere")
    return Fetcher(engine.client, wakeups, "stepgram", topics, take, room=room, poll_s=poll_s)


async def test_a_task_is_taken_as_soon_as_it_is_there() -> None:
    engine, taker = FakeEngine(), Taker()
    async with running(fetcher(engine, taker, poll_s=1).run):
        await until(lambda: engine.count("fetch_and_lock"), "the poll waits")
        task = engine.give()
        await until(lambda: taker.taken, "the task is taken")
    assert taker.taken == [task.id]
    assert engine.held[task.id].worker_id == "stepgram"


async def test_no_more_is_in_hand_than_there_is_room_for() -> None:
    engine, taker = FakeEngine(), Taker(hold=True)
    tasks = [engine.give() for _ in range(9)]
    async with running(fetcher(engine, taker, room=4).run):
        await until(lambda: taker.in_hand == 4, "the room is full")
        fetches = engine.count("fetch_and_lock")
        await asyncio.sleep(0.25)
        assert engine.count("fetch_and_lock") == fetches, "it asks for no more"
        assert sum(held.is_locked for held in engine.held.values()) == 4, "nor locks any"
        taker.let_go.set()
        await until(lambda: len(taker.taken) == 9, "the rest follows")
    assert taker.most <= 4
    assert sorted(taker.taken) == sorted(task.id for task in tasks)


async def test_a_completion_is_followed_by_a_quick_look_beside_the_pending_poll() -> None:
    engine, taker, wakeups = FakeEngine(), Taker(), Wakeups("postgresql://nowhere")
    async with running(fetcher(engine, taker, wakeups, poll_s=5).run) as stopping:
        await until(lambda: engine.calls, "the poll waits")
        wakeups.wake(FETCH_SIGNAL)
        await until(lambda: engine.count("fetch_and_lock") == 2, "a second look")
        engine.give()  # ends the pending poll
        await until(lambda: taker.taken, "the task is taken")
        stopping.set()
        engine.give()
    assert ("fetch_and_lock", None) in engine.calls, "without waiting"


async def test_a_stop_lets_the_pending_poll_end_and_waits_for_what_is_in_hand() -> None:
    engine, taker = FakeEngine(), Taker(hold=True)
    engine.give()
    stopping = asyncio.Event()
    run = asyncio.create_task(fetcher(engine, taker, poll_s=0.2).run(stopping))
    await until(lambda: taker.in_hand, "a task is in hand")
    await until(lambda: engine.count("fetch_and_lock") == 2, "another poll waits")
    stopping.set()
    late = engine.give()  # the engine gives it to the poll that waits
    await until(lambda: len(taker.taken) == 2, "what the poll brings is taken, for nobody else will")
    assert not run.done()
    taker.let_go.set()
    await asyncio.wait_for(run, 5)
    assert taker.taken[-1] == late.id


async def test_an_engine_that_is_away_is_asked_again_without_a_hot_loop() -> None:
    engine, taker = FakeEngine(), Taker()
    engine.fail(
        "fetch_and_lock", *[EngineUnavailable("away")] * 2, EngineUnavailable("x", retry_after_s=0.05)
    )
    task = engine.give()
    async with running(fetcher(engine, taker).run):
        await asyncio.sleep(0.3)
        assert engine.count("fetch_and_lock") <= 2
        await until(lambda: taker.taken == [task.id], "the task is taken in the end")


async def test_a_quick_look_that_fails_is_left_to_the_poll() -> None:
    engine, taker, wakeups = FakeEngine(), Taker(), Wakeups("postgresql://nowhere")
    async with running(fetcher(engine, taker, wakeups, poll_s=0.3).run):
        await until(lambda: engine.calls, "the poll waits")
        engine.fail("fetch_and_lock", EngineUnavailable("away"))
        wakeups.wake(FETCH_SIGNAL)
        await until(lambda: engine.count("fetch_and_lock") >= 2, "the quick look")
        engine.give()
        await until(lambda: taker.taken, "the task is taken")


async def test_one_task_that_fails_does_not_stop_the_others() -> None:
    engine = FakeEngine()
    taker = Taker(WorldError("away"), RuntimeError("broken"))
    for _ in range(3):
        engine.give()
    async with running(fetcher(engine, taker, room=1).run):
        await until(lambda: len(taker.taken) == 3, "all are taken")


async def test_without_topics_nothing_is_fetched() -> None:
    engine = FakeEngine()
    async with running(fetcher(engine, Taker(), topics=()).run):
        pass
    assert engine.calls == []


async def test_quick_tasks_are_fetched_ahead_by_few_fetches() -> None:
    engine, taker = FakeEngine(), Taker(hold=True)
    for _ in range(40):
        engine.give()
    wakeups = Wakeups("postgresql://nowhere")
    ahead = Fetcher(engine.client, wakeups, "w", (TOPIC,), taker, room=4, poll_s=0.1, ahead=lambda: 16)
    async with running(ahead.run):
        await until(lambda: taker.in_hand > 4, "more are in hand than there are places")
        await asyncio.sleep(0.1)
        assert taker.in_hand <= 20
        taker.let_go.set()
        await until(lambda: len(taker.taken) == 40, "the rest follows")
    assert engine.count("fetch_and_lock") < 15


async def test_tasks_that_come_together_are_given_on_together() -> None:
    engine, taker = FakeEngine(), Taker()
    groups: list[int] = []

    async def take_many(tasks: Sequence[FetchedTask]) -> None:
        groups.append(len(tasks))

    for _ in range(9):
        engine.give()
    wakeups = Wakeups("postgresql://nowhere")
    many = Fetcher(engine.client, wakeups, "w", (TOPIC,), taker, room=16, poll_s=0.1, take_many=take_many)
    async with running(many.run):
        await until(lambda: sum(groups) + len(taker.taken) == 9, "all are taken")
    assert groups[0] == 8, "half the room"
    assert len(taker.taken) == 1, "one alone needs no group"
