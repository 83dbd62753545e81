"""The rate budgets of a bot and its chats: one in Postgres for the fleet, a part of it without Postgres."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import ARRAY, Float, Text, func, literal, select

from shared.db import Database, DatabaseUnavailable
from shared.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

CLOSE_S = 2.0
"""What is under way has so long to end when the process does."""

RETRY_S = 0.25
"""Between two looks whether the database is quick again."""

AHEAD_SHARE, AHEAD_MOST_S = 0.4, 0.2
"""A message may be granted so much before its time, as a part of the bot's burst and in seconds.

One statement then grants several messages, and no process need come back for each.
"""

CHATS_MEAN_THE_BOT, AT_ONCE_S = 3, 5.0
"""A 429 does not say what it halts; so many chats within so short a time mean that it is the bot."""


@dataclass(frozen=True)
class Ask:
    """What one message needs: its cost in messages, and the rates of its chat and of its lane of the bot."""

    chat_key: str
    chat_every_s: float
    chat_burst: float
    bot_burst: float
    cost: float


@dataclass(frozen=True)
class Answer:
    """Granted: go after ``wait_s``. Denied: nothing was taken; ask again after ``wait_s``.

    ``bot_wait_s`` of that is the bot's, the rest the chat's.
    """

    granted: bool
    wait_s: float
    bot_wait_s: float


class SharedBudget:
    """GCRA in Postgres: one short statement each."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._bot_key = f"bot:{settings.bot_id}"
        self._bot_every_s = 1 / settings.messages_per_s
        self._ahead_s = min(AHEAD_MOST_S, AHEAD_SHARE * settings.messages_burst * self._bot_every_s)

    async def take(self, asks: Sequence[Ask]) -> list[Answer]:
        """Ask for several messages, the most urgent first.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        call = func.take_budgets(
            self._bot_key,
            self._bot_every_s,
            self._ahead_s,
            literal([ask.bot_burst for ask in asks], ARRAY(Float)),
            literal([ask.chat_key for ask in asks], ARRAY(Text)),
            literal([ask.chat_every_s for ask in asks], ARRAY(Float)),
            literal([ask.chat_burst for ask in asks], ARRAY(Float)),
            literal([ask.cost for ask in asks], ARRAY(Float)),
        ).table_valued("granted", "wait_s", "bot_wait_s")
        return [
            self._answer(row.granted, row.wait_s, row.bot_wait_s)
            for row in await self._db.at_once(select(call))
        ]

    def _answer(self, granted: bool, wait_s: float, bot_wait_s: float) -> Answer:
        # Who comes a little before the time finds several to be granted, by one statement.
        early_s = 0.0 if granted else self._ahead_s / 2
        return Answer(granted, wait_s - early_s, max(0.0, bot_wait_s - early_s))

    async def halt(self, chat_key: str, seconds: float) -> None:
        """Halt a chat, and the bot when several chats are halted at once.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        await self._db.at_once(
            select(func.halt_budget(self._bot_key, chat_key, seconds, AT_ONCE_S, CHATS_MEAN_THE_BOT))
        )


class LocalBudget:
    """This process's own part of the budget, by its own clock, for as long as nobody can be asked."""

    def __init__(self, settings: Settings) -> None:
        self._share = settings.rate_fallback_share
        self._bot_every_s = 1 / (settings.messages_per_s * self._share)
        self._bot_arrival_s = 0.0
        self._arrivals_s: dict[str, float] = {}
        self._halted_until_s: dict[str, float] = {}

    def take(self, asks: Sequence[Ask]) -> list[Answer]:
        """Ask for several messages, the most urgent first."""
        return [self._take(ask) for ask in asks]

    def _take(self, ask: Ask) -> Answer:
        now_s = time.monotonic()
        chat_every_s = ask.chat_every_s / self._share
        bot_next_s = max(self._bot_arrival_s, now_s) + ask.cost * self._bot_every_s
        chat_next_s = max(self._arrivals_s.get(ask.chat_key, 0.0), now_s) + ask.cost * chat_every_s
        bot_burst, chat_burst = (
            max(1, ask.cost, burst * self._share) for burst in (ask.bot_burst, ask.chat_burst)
        )
        bot_wait_s = max(0.0, bot_next_s - now_s - bot_burst * self._bot_every_s)
        wait_s = max(bot_wait_s, chat_next_s - now_s - chat_burst * chat_every_s)
        if wait_s > 0:
            return Answer(granted=False, wait_s=wait_s, bot_wait_s=bot_wait_s)
        self._bot_arrival_s = bot_next_s
        self._arrivals_s[ask.chat_key] = chat_next_s
        return Answer(granted=True, wait_s=0, bot_wait_s=0)

    def halt(self, chat_key: str, seconds: float) -> None:
        """Halt a chat for this process."""
        self._halted_until_s[chat_key] = max(
            self._halted_until_s.get(chat_key, 0.0), time.monotonic() + seconds
        )

    def halted_s(self, chat_key: str) -> float:
        """The seconds for which this process keeps away from a chat."""
        until_s = self._halted_until_s.get(chat_key)
        if until_s is None:
            return 0.0
        if (left_s := until_s - time.monotonic()) <= 0:
            del self._halted_until_s[chat_key]
        return max(0.0, left_s)

    def forget(self) -> None:
        """The fleet's budget holds again; halts that it does not know of stay."""
        self._bot_arrival_s = 0.0
        self._arrivals_s.clear()


class Budget:
    """The fleet's budget while the database grants it quickly, else this process's own part."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._shared = SharedBudget(db, settings)
        self._local = LocalBudget(settings)
        self._limit_s = settings.rate_answer_s
        self._looking: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[Any]] = set()

    async def take(self, asks: Sequence[Ask]) -> list[Answer]:
        """Ask for several messages, the most urgent first; answers within ``rate_answer_s``."""
        if self._looking is None:
            asking = self._begin(self._shared.take(asks))
            try:
                return await asyncio.wait_for(asyncio.shield(asking), self._limit_s)
            except (TimeoutError, DatabaseUnavailable) as error:
                reason = str(error) or f"no answer within {self._limit_s:g} s"
                log.warning("the fleet's rate budget cannot be asked, keeping to a part of it", reason=reason)
                self._looking = asyncio.create_task(self._look(asking))
        return self._local.take(asks)

    async def _look(self, late: asyncio.Task[list[Answer]]) -> None:
        """Return to the fleet's budget when the database is quick again; one question at a time."""
        await asyncio.gather(late, return_exceptions=True)
        while True:
            await asyncio.sleep(RETRY_S)
            begun_s = time.monotonic()
            try:
                await asyncio.shield(self._begin(self._shared.take([])))
            except DatabaseUnavailable:
                continue
            if time.monotonic() - begun_s < self._limit_s:
                break
        log.info("the fleet's rate budget holds again")
        self._local.forget()
        self._looking = None

    async def halt(self, chat_key: str, seconds: float) -> None:
        """Halt a chat for every process; for this one alone when the database cannot be told in time."""
        telling = self._begin(self._shared.halt(chat_key, seconds))
        try:
            await asyncio.wait_for(asyncio.shield(telling), self._limit_s)
        except (TimeoutError, DatabaseUnavailable):
            self._local.halt(chat_key, seconds)

    def halted_s(self, chat_key: str) -> float:
        """The seconds for which this process alone keeps away from a chat."""
        return self._local.halted_s(chat_key)

    def _begin(self, statement: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a statement to its end, late or not: one that is cancelled takes its connection along."""
        task = asyncio.create_task(statement)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def aclose(self) -> None:
        """Stop looking for the database, and let what is under way end."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSE_S)
            for task in late:
                task.cancel()
