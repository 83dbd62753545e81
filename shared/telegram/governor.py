"""One rate budget for the whole fleet: GCRA in Postgres, taken in a short statement of its own."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from sqlalchemy import Float, func, select
from sqlalchemy.dialects.postgresql import insert
from telegram.ext import BaseRateLimiter

from shared.db import Database
from shared.models import RateBucket
from shared.queues import Later
from shared.settings import Settings

BOT_BURST = 3
"""Messages that the bot may send at once although their time has not come."""

CHATS_MEAN_THE_BOT = 3
"""A 429 does not say what it halts; so many chats at once mean that it is the bot."""

PAID = {"budget": "taken"}
"""Truthy rate_limit_args: the caller has taken the budget itself, outside of any transaction."""

FREE = {"sendChatAction"}
"""Sending calls that cost nothing."""


class Governor:
    """Takes and halts the budgets of a bot and its chats."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._bot_key = f"bot:{settings.bot_id}"
        self._bot_every_s = 1 / settings.messages_per_s
        self._chat_every_s = 1 / settings.chat_messages_per_s
        self._chat_burst = settings.chat_burst
        # In any minute a group gets its burst and what flows in meanwhile, together no more than allowed.
        self._group_burst = min(self._chat_burst, settings.group_messages_per_min - 1)
        self._group_every_s = 60 / (settings.group_messages_per_min - self._group_burst)

    def _chat_key(self, chat_id: int) -> str:
        return f"{self._bot_key}:{chat_id}"

    async def take(self, chat_id: int, cost: float = 1, *, spare: int = 0) -> None:
        """Take the budget of one message to a chat, but leave it ``spare`` messages that could go at once.

        Raises:
            Later: there is none now; it names the seconds after which to ask again. Nothing was taken.
        """
        is_group = chat_id < 0
        call = func.take_budget(
            self._bot_key,
            self._bot_every_s,
            BOT_BURST,
            self._chat_key(chat_id),
            self._group_every_s if is_group else self._chat_every_s,
            max(1, (self._group_burst if is_group else self._chat_burst) - spare),
            cost,
            type_=Float,
        )
        async with self._db.begin() as tx:
            wait_s = await tx.scalar(select(call)) or 0.0
        if wait_s > 0:
            raise Later("the rate budget is used up", retry_after_s=wait_s)

    async def halt(self, chat_id: int, seconds: float) -> None:
        """Stop every process from writing to a chat, as a 429 asks; to any chat when several are halted."""
        until = func.now() + timedelta(seconds=seconds)
        longest = func.greatest(RateBucket.halted_until, until)
        statement = insert(RateBucket).values(
            key=self._chat_key(chat_id), arrival_at=func.now(), halted_until=until
        )
        async with self._db.begin() as tx:
            await tx.execute(
                statement.on_conflict_do_update(index_elements=["key"], set_={"halted_until": longest})
            )
            halted = RateBucket.key.startswith(f"{self._bot_key}:"), RateBucket.halted_until > func.now()
            chats = await tx.scalar(select(func.count()).select_from(RateBucket).where(*halted))
            if (chats or 0) >= CHATS_MEAN_THE_BOT:
                whole = insert(RateBucket).values(
                    key=self._bot_key, arrival_at=func.now(), halted_until=until
                )
                await tx.execute(
                    whole.on_conflict_do_update(index_elements=["key"], set_={"halted_until": longest})
                )


class FleetLimiter(BaseRateLimiter[dict[str, str]]):
    """The same budget for calls that are made outside the outbox."""

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
        """Take the budget first, unless it was taken or the call costs none."""
        chat_id = data.get("chat_id")
        sends = endpoint.startswith(("send", "edit", "delete", "copy", "forward"))
        if sends and endpoint not in FREE and not rate_limit_args and isinstance(chat_id, int):
            await self._governor.take(chat_id)
        return await callback(*args, **kwargs)
