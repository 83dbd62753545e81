"""Runs automated topics: each task in this process's own name, its lock extended while it runs."""

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
import time

import structlog

from shared.engine.errors import (
    FAULTS_BEFORE_GIVING_UP,
    EngineFault,
    EngineUnavailable,
    OptimisticLocking,
    TaskGone,
)
from shared.engine.results import Outcome, library_task, outcome_of, report
from shared.engine.task_records import FetchedTask, LockOutcome, TopicFetch
from shared.errors import AuthorError, StepgramError, WorldError
from shared.queues import pause_s
from shared.service import Services
from workers.fetcher import Fetcher
from workers.registry import Automated
from workers.tools import Tools

log = structlog.get_logger(__name__)

RETRIES = 3
"""How often a task is handed out again after an unexpected error of its function, before an incident."""

RETRY_PAUSE_S = 10.0
STOP_AFTER_S = 2.0
"""How long running functions may go on after a stop was asked; then they are cancelled and unlocked."""


AHEAD_S, AHEAD_AT_MOST = 0.1, 32
"""Tasks are fetched ahead for so long as the recent ones took: many quick ones at once, slow ones never."""

RECENT = 0.1
"""The weight of the newest task in the mean time of the recent ones."""

GIVE_BACK_TRIES = 4
"""How often it is tried to give a task back."""


class CannotGoOn(StepgramError):
    """The function is done and the engine cannot enter what follows."""


class LostTask(Exception):
    """The engine gave the task to somebody else or took it back; whatever the function did is dropped."""


class AutomatedWorker:
    """The automated topics of one process."""

    def __init__(self, services: Services, topics: list[Automated]) -> None:
        self._services = services
        self._topics = {topic.name: topic for topic in topics}
        self.worker_id = f"stepgram-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        # What the poll of a process that was killed still locks is free again after the short lock.
        self._first_lock_s = services.settings.fetch_lock_s
        fetches = [
            TopicFetch(topic.name, lock_s=min(topic.lock_s, self._first_lock_s), local_variables=False)
            for topic in topics
        ]
        self._stopping = False
        self._running: dict[asyncio.Task[None], FetchedTask] = {}
        self._at_once = services.settings.automated_concurrency
        self._places = asyncio.Semaphore(self._at_once)
        self._recent_s = 1.0
        self._fetcher = Fetcher(
            services.engine,
            services.wakeups,
            self.worker_id,
            fetches,
            self._take,
            room=self._at_once,
            poll_s=services.settings.poll_s,
            ahead=self._ahead,
            pulse=services.health.pulse("automated_fetcher"),
            contact=services.health.contact("engine_automated"),
        )

    def _ahead(self) -> int:
        return min(AHEAD_AT_MOST, int(AHEAD_S * self._at_once / self._recent_s))

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping``; what is not done soon after is cancelled and given back."""
        stop = asyncio.create_task(self._cancel_late(stopping))
        await self._fetcher.run(stopping)
        await stop

    async def _cancel_late(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._stopping = True  # what the pending poll still brings is given back at once
        if self._running:
            await asyncio.wait(list(self._running), timeout=STOP_AFTER_S)
        for running in list(self._running):
            running.cancel()

    async def _take(self, task: FetchedTask) -> None:
        if self._stopping:
            await self._give_back(task)
            return
        running = asyncio.current_task()
        assert running is not None  # noqa: S101 - a coroutine always runs in a task
        self._running[running] = task
        try:
            with structlog.contextvars.bound_contextvars(task=task.id, activity=task.activity_id):
                await self._run(task, self._topics[task.topic])
        except asyncio.CancelledError:
            await self._give_back(task)
        finally:
            self._running.pop(running, None)

    async def _give_back(self, task: FetchedTask) -> None:
        """Unlock a task, but only while our lock surely holds: later it may be somebody else's."""
        for attempt in range(1, GIVE_BACK_TRIES + 1):
            try:
                if await self._extend(task, 5) is LockOutcome.HELD:
                    await self._services.engine.unlock(task.id)
                    log.info("given back", task=task.id)
            except WorldError:
                # Such as a heartbeat that was cancelled here and is still at work in the engine.
                await asyncio.sleep(pause_s(attempt, 1))
            else:
                return

    async def _run(self, task: FetchedTask, topic: Automated) -> None:
        external = library_task(task)
        tools = Tools(self._services.storage, self._services.db, task.id)
        try:
            async with self._heartbeat(task, topic), self._places:
                began = time.monotonic()
                outcome = outcome_of(await topic.run(external, tools), topic.name)
                await self._report(task, outcome)
                took_s = time.monotonic() - began
                self._recent_s += RECENT * (took_s - self._recent_s)
        except LostTask:
            log.warning("the task is no longer ours")
        except (AuthorError, CannotGoOn) as error:
            await self._failure(task, error, retries=0)
        except WorldError as error:
            log.warning("again later", error=str(error))
            await self._failure(task, error, retries=task.retries or RETRIES)
        except Exception as error:
            log.exception("the topic's function failed", topic=topic.name)
            await self._failure(task, error, retries=(task.retries or RETRIES + 1) - 1)

    async def _report(self, task: FetchedTask, outcome: Outcome) -> None:
        """Tell the engine what the function did, until it knows: the work itself is not done again."""
        for attempt in itertools.count(1):
            try:
                await report(self._services.engine, task, outcome)
            except TaskGone:
                if attempt > 1:
                    return  # an earlier try whose answer was lost had done it
                raise LostTask from None
            except EngineFault as error:
                if attempt >= FAULTS_BEFORE_GIVING_UP:
                    raise CannotGoOn(f"done, but the process cannot go on: {error}") from error
            except (OptimisticLocking, EngineUnavailable) as error:
                log.warning("the engine does not take the result yet", error=str(error))
            else:
                return
            await asyncio.sleep(pause_s(attempt, 10))

    async def _failure(self, task: FetchedTask, error: Exception, *, retries: int) -> None:
        message = f"{task.topic}: {error}"
        await self._services.engine.failure(
            task.id,
            self.worker_id,
            message=message,
            details=f"{type(error).__name__}: {error}",
            retries=retries,
            retry_timeout_s=RETRY_PAUSE_S if retries else 0.0,
        )

    async def _extend(self, task: FetchedTask, lock_s: int) -> LockOutcome:
        return await self._services.engine.lock(task.id, self.worker_id, lock_s)

    @contextlib.asynccontextmanager
    async def _heartbeat(self, task: FetchedTask, topic: Automated):  # type: ignore[no-untyped-def]
        """Extend the lock while the block runs; interrupt the block when the lock is lost."""
        block = asyncio.current_task()
        lost = False

        async def beat() -> None:
            nonlocal lost
            held_s = min(topic.lock_s, self._first_lock_s)
            while True:
                await asyncio.sleep(held_s / 3)
                held_s = topic.lock_s
                with contextlib.suppress(WorldError):
                    if await self._extend(task, topic.lock_s) is not LockOutcome.HELD:
                        lost = True
                        assert block is not None  # noqa: S101
                        block.cancel()
                        return

        beating = asyncio.create_task(beat())
        try:
            yield
        except asyncio.CancelledError:
            if lost:
                raise LostTask from None
            raise
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating
