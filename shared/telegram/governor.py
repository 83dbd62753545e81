"""Who may send now: the messages of one process stand in line by lane, and ask the budget together."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

from shared.db import Database
from shared.outbox import PROMPT, REPLY
from shared.queues import Later
from shared.settings import Settings
from shared.telegram.budget import Answer, Ask, Budget
from shared.telegram.client import retry_after_s

LANES = (1.0, 1 / 5, 1 / 8, 1 / 15)
"""The part of the bot's burst that each priority may use: what a lower one leaves lets a reply go at once."""

PATIENCE_S = 1.0
"""A message stands in line so long for the bot's budget before its row is given back."""

PAID = {"budget": "taken"}
"""Truthy rate_limit_args: the caller has taken the budget itself, outside of any transaction."""

FREE = {"sendChatAction"}
"""Sending calls that cost nothing."""


@dataclass(eq=False)
class _InLine:
    """A message that waits for its answer."""

    ask: Ask
    lane: int
    give_up_s: float
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Governor:
    """Takes and halts the budgets of a bot and its chats, for everything that one process sends."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._budget = Budget(db, settings)
        self._bot_key = f"bot:{settings.bot_id}"
        self._bot_burst = settings.messages_burst
        self._chat_every_s = 1 / settings.chat_messages_per_s
        self._chat_burst = settings.chat_burst
        # In any minute a group gets its burst and what flows in meanwhile, together no more than allowed.
        self._group_burst = min(self._chat_burst, settings.group_messages_per_min - 1)
        self._group_every_s = 60 / (settings.group_messages_per_min - self._group_burst)
        self.allow_paid_broadcast = settings.allow_paid_broadcast
        self._line: list[_InLine] = []
        self._closed_from: int | None = None
        self._open_at_s = math.inf
        self._news = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    async def take(
        self,
        chat_id: int | str,
        cost: float = 1,
        *,
        lane: int = PROMPT,
        spare: int = 0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Return when a message may go, but leave its chat ``spare`` messages that could go at once.

        Never called while a row is held: it stands in line for up to ``patience_s`` when the bot is busy.

        Raises:
            Later: there is no budget; it names the seconds after which to ask again. Nothing was taken.
        """
        key = self._chat_key(chat_id)
        if (halted_s := self._budget.halted_s(key)) > 0:
            raise Later("the chat is halted", retry_after_s=halted_s)
        # A name is that of a group or a channel.
        is_group = isinstance(chat_id, str) or chat_id < 0
        every_s = self._group_every_s if is_group else self._chat_every_s
        burst = max(1.0, (self._group_burst if is_group else self._chat_burst) - spare)
        ask = Ask(key, every_s, burst, max(1.0, self._bot_burst * LANES[lane]), float(cost))
        waiting = _InLine(ask, lane, asyncio.get_running_loop().time() + patience_s)
        self._stand_in_line(waiting)
        try:
            answer = await waiting.answer
        finally:
            if waiting in self._line:
                self._line.remove(waiting)
        if not answer.granted:
            raise Later("the rate budget is used up", retry_after_s=answer.wait_s)
        if answer.wait_s > 0:
            await asyncio.sleep(answer.wait_s)

    async def halt(self, chat_id: int | str, seconds: float) -> None:
        """Stop every process from writing to a chat, as a 429 asks; to any chat when several are halted."""
        await self._budget.halt(self._chat_key(chat_id), seconds)

    async def aclose(self) -> None:
        """End what goes on in the background."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        for waiting in self._line:
            waiting.answer.cancel()
        await self._budget.aclose()

    def _chat_key(self, chat_id: int | str) -> str:
        return f"{self._bot_key}:{chat_id}"

    def _stand_in_line(self, waiting: _InLine) -> None:
        self._line.append(waiting)
        # Where a message of this lane was denied because of the bot, so would this one be.
        if self._closed_from is None or waiting.lane < self._closed_from:
            self._news.set()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Ask for all that stand in line, again and again until nobody does."""
        while self._line:
            self._news.clear()
            batch = sorted(self._line, key=lambda waiting: waiting.lane)
            try:
                answers = await self._budget.take([waiting.ask for waiting in batch])
            except Exception as error:  # nobody else would tell those who wait
                for waiting in batch:
                    _resolve(waiting, error)
                self._line = [waiting for waiting in self._line if waiting not in batch]
                continue
            self._answer(batch, answers)
            await self._rest()

    def _answer(self, batch: list[_InLine], answers: list[Answer]) -> None:
        """Tell each what became of it; who is denied because of the bot alone may stay in line."""
        now_s = asyncio.get_running_loop().time()
        self._closed_from, self._open_at_s = None, math.inf
        for waiting, answer in zip(batch, answers, strict=True):
            is_the_bot = not answer.granted and answer.wait_s <= answer.bot_wait_s
            open_at_s = now_s + answer.wait_s
            if is_the_bot and open_at_s <= waiting.give_up_s:
                self._closed_from = waiting.lane if self._closed_from is None else self._closed_from
                self._open_at_s = min(self._open_at_s, open_at_s)
                continue
            _resolve(waiting, answer)
            if waiting in self._line:
                self._line.remove(waiting)

    async def _rest(self) -> None:
        """Wait until the bot's budget may grant the next, or somebody more urgent comes."""
        if self._closed_from is None:
            return
        try:
            pause_s = max(0.001, self._open_at_s - asyncio.get_running_loop().time())
            await asyncio.wait_for(self._news.wait(), pause_s)
        except TimeoutError:
            pass
        self._closed_from = None


def _resolve(waiting: _InLine, outcome: Answer | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(outcome, Exception):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)


class FleetLimiter(BaseRateLimiter[dict[str, str]]):
    """The same budget for calls that are made outside the outbox, and the halts of all calls."""

    def __init__(self, governor: Governor) -> None:
        self._governor = governor

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: dict[str, str] | None,
    ) -> Any:
        """Take the budget first, unless it was taken or the call costs none; a 429 halts its chat."""
        chat_id = _chat(data.get("chat_id"))
        sends = endpoint.startswith(("send", "edit", "delete", "copy", "forward")) and endpoint not in FREE
        makes_new = sends and (endpoint.startswith("send") or endpoint == "copyMessage")
        if makes_new and self._governor.allow_paid_broadcast:
            data["allow_paid_broadcast"] = True
        if sends and not rate_limit_args and chat_id is not None:
            await self._governor.take(chat_id, _cost(endpoint, data), lane=REPLY)
        try:
            return await callback(*args, **kwargs)
        except RetryAfter as error:
            if chat_id is not None:
                await self._governor.halt(chat_id, retry_after_s(error))
            raise


def _chat(chat_id: object) -> int | str | None:
    """A chat as the Bot API takes it: a number, a number in a text, or @name."""
    if isinstance(chat_id, str):
        return int(chat_id) if chat_id.lstrip("-").isdigit() else chat_id
    return chat_id if isinstance(chat_id, int) else None


def _cost(endpoint: str, data: dict[str, Any]) -> int:
    """The messages that a call makes."""
    if endpoint == "sendMediaGroup":
        return len(data["media"])
    if endpoint in {"copyMessages", "forwardMessages"}:
        return len(data["message_ids"])
    return 1
