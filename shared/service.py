"""A process of ours: what every process holds, how it starts, and how it stops within ten seconds."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from shared import logs, metrics, outbox, texts
from shared.backlog import Backlog
from shared.db import Database, Tx
from shared.engine.client import EngineClient
from shared.engine.definitions import Definitions
from shared.errors import ConfigurationError
from shared.files import validators
from shared.health import Health, HealthServer, watch_loop
from shared.models import Prompt
from shared.places import Places
from shared.queues import Loop, Queue, Row
from shared.settings import Settings, load_settings
from shared.steps import fields
from shared.storage import Storage
from shared.telegram.client import SharedBot, TelegramFiles, telegram_bot
from shared.telegram.governor import FleetLimiter, Governor
from shared.telegram.sender import Sender
from shared.wakeups import Wakeups

log = structlog.get_logger(__name__)

STOP_LIMIT_S = 9.5
"""After SIGTERM a process ends within ten seconds, whatever it waits for."""

Part = Callable[[asyncio.Event], Awaitable[None]]
"""Something that runs until the event is set and then finishes what it has in hand."""


@dataclass(frozen=True)
class Services:
    """What the parts of a process are made of."""

    settings: Settings
    db: Database
    wakeups: Wakeups
    engine: EngineClient
    definitions: Definitions
    storage: Storage
    bot: SharedBot
    governor: Governor
    files: TelegramFiles
    health: Health = field(default_factory=Health)

    def loop(
        self,
        queue: Queue[Row],
        handle: Callable[[Row], Awaitable[None]],
        *,
        concurrency: int,
        poll_s: float = 1.0,
        on_poison: Callable[[Tx, Row, str], Awaitable[None]] | None = None,
    ) -> Loop[Row]:
        """A loop over a queue with what this process holds."""
        return Loop(
            queue,
            handle,
            self.db,
            self.wakeups,
            concurrency=concurrency,
            poll_s=poll_s,
            claim_s=self.settings.claim_s,
            on_poison=on_poison,
            pulse=self.health.pulse(queue.name),
        )

    def senders(self) -> list[Loop[Prompt]]:
        """The loops that send the outbox; every process runs them."""
        sender = Sender(
            self.db,
            self.bot,
            self.storage,
            self.governor,
            undeliverable_after_s=self.settings.undeliverable_after_s,
            claim_s=self.settings.claim_s,
        )
        return [
            self.loop(outbox.REPLIES, sender.send, concurrency=4, on_poison=sender.incident),
            self.loop(outbox.SENDING, sender.send, concurrency=8, on_poison=sender.incident),
            self.loop(
                outbox.OVERDUE, sender.send_overdue, concurrency=1, poll_s=5.0, on_poison=sender.incident
            ),
            self.loop(outbox.CHANGES, sender.change, concurrency=4),
            self.loop(
                outbox.HELD, Places(self.db, self.settings.chat_prompts_at_once).ask, concurrency=1, poll_s=5
            ),
        ]


@contextlib.asynccontextmanager
async def services(settings: Settings, health: Health) -> AsyncIterator[Services]:
    """Everything that a worker or a bot process holds, opened and closed together."""
    async with contextlib.AsyncExitStack() as stack:
        db = Database(settings.database_url, behind_pooler=settings.database_direct_url is not None)
        stack.push_async_callback(db.aclose)
        engine = await stack.enter_async_context(EngineClient.from_settings(settings))
        governor = Governor(db, settings)
        stack.push_async_callback(governor.aclose)
        bot = await stack.enter_async_context(telegram_bot(settings, FleetLimiter(governor)))
        files = TelegramFiles(settings, bot)
        stack.push_async_callback(files.aclose)
        storage = Storage.from_settings(settings)
        stack.push_async_callback(storage.aclose)
        wakeups = Wakeups(settings.database_direct_url or settings.database_url)
        db.on_notified = wakeups.wake
        yield Services(
            settings=settings,
            db=db,
            wakeups=wakeups,
            engine=engine,
            definitions=Definitions(engine),
            storage=storage,
            bot=bot,
            files=files,
            governor=governor,
            health=health,
        )


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def run_parts(parts: Sequence[Part], stopping: asyncio.Event) -> None:
    """Run every part until told to stop. A part that fails takes the process with it: it is started anew."""
    tasks = [asyncio.create_task(_run(part, stopping)) for part in parts]
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    await stop
    _, late = await asyncio.wait(tasks, timeout=STOP_LIMIT_S)
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of the process failed", exc_info=error)
    if late:
        # A thread in a blocking library cannot be cancelled; what it holds lapses like a dead process's.
        log.warning("not everything in hand could be finished", parts=len(late))
        os._exit(1)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _run(part: Part, stopping: asyncio.Event) -> None:
    await part(stopping)


@contextlib.asynccontextmanager
async def _observed(held: Services) -> AsyncIterator[None]:
    """Measure the event loop, and serve HEALTH_ADDRESS if it is set, as long as the block runs."""
    watching = asyncio.create_task(watch_loop(metrics.LAG.set))
    backlog = Backlog(held.db)

    async def exposition() -> bytes:
        await backlog.refresh()
        return metrics.exposition()

    try:
        if (address := held.settings.health_address) is None:
            yield
            return
        async with HealthServer(held.health, address, exposition, metrics.CONTENT_TYPE).serving():
            yield
    finally:
        watching.cancel()


def settle_heap() -> None:
    """What is loaded by now stays: to look through it for garbage stops the loop for a tenth of a second.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()


def main(name: str, compose: Callable[[Services, asyncio.Event], Awaitable[Sequence[Part]]]) -> None:
    """Run a process made by ``compose`` to its end; settings that cannot work end it with a message."""

    async def run() -> None:
        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format)
        texts.speak_by_default(texts.Voice(settings.default_language, settings.zone))
        fields.load()
        validators.load()
        health = Health()
        health.stopping = stopping = stop_on_signals()
        async with services(settings, health) as held, _observed(held):
            health.database = held.db.problem
            await held.db.wait_until_ready(stopping)
            if stopping.is_set():
                return
            parts = await compose(held, stopping)
            health.watch(held.wakeups.pulse)
            health.started = True
            log.info("started", process=name)
            settle_heap()
            await run_parts(parts, stopping)
            log.info("stopped", process=name)

    try:
        asyncio.run(run())
    except ConfigurationError as error:
        sys.exit(f"{name}: {error}")
