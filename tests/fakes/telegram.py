"""Telegram for tests of our own parts: people who write and tap, and the updates that come of it."""

from typing import Any

from shared import inbox
from shared.db import Database
from shared.models import Json
from tests.unit.sandbox.lab import Lab


class Telegram(Lab):
    """A sandbox with short words; what people do becomes stored updates by ``receive``."""

    async def ann(self, name: str = "Ann") -> int:
        """A person who has started the bot."""
        return await self.person(name)

    async def receive(self, db: Database) -> int:
        """Fetch what is there and store it, as the receiver does; the number of updates that were new."""
        found = await self.updates()
        async with db.begin() as tx:
            return await inbox.store(tx, self.bot_id, found)

    async def updates_that_wait(self) -> list[Json]:
        """What the bot has not acknowledged."""
        queue = self.running.sandbox.bot.updates
        return [update.body for update in queue.read(0, 100)]

    async def updates_are_read(self) -> bool:
        """Whether everything was acknowledged."""
        return not await self.updates_that_wait()

    async def fault(self, kind: str, method: str = "*", count: int = 1, **more: Any) -> None:
        """Let the next matching calls go wrong."""
        await self.control("POST", "/faults", kind=kind, method=method, count=count, **more)

    async def calls(self, method: str) -> list[Json]:
        """The calls of a method so far."""
        response = await self.client.get("/sandbox/calls", params={"method": method})
        found: list[Json] = response.json()["calls"]
        return found

    async def texts(self, chat_id: int) -> list[str]:
        """What the bot shows in a chat, in order."""
        messages = await self.shown(chat_id)
        mine = [each for each in messages if each["from"]["id"] == self.bot_id]
        return [each.get("text", each.get("caption", "")) for each in mine]

    async def last(self, chat_id: int) -> Json:
        """The newest message of the bot in a chat."""
        mine = [each for each in await self.shown(chat_id) if each["from"]["id"] == self.bot_id]
        found: Json = mine[-1]
        return found

    async def toast(self, callback_id: str) -> str:
        """What the person saw on top of the chat after a tap."""
        response = await self.client.get(f"/sandbox/callbacks/{callback_id}", params={"wait_s": 2})
        return str(response.json().get("text") or "")


def captions(message: Json) -> list[str]:
    """The buttons of a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]
