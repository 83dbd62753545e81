"""A whole bot, one turn at a time: what people did is received, handled and answered, then it is quiet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.completer import Completer
from bot.dispatcher import Dispatcher
from bot.starter import Starter
from bot.uploader import Uploader
from shared import deadlines, inbox, outbox, replies, starts, transitions, uploads
from shared.db import Database
from shared.models import Json, PendingReply
from shared.queues import Queue, claim
from shared.telegram.sender import Sender
from tests.fakes.rows import QueuedRow, get
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions
from workers import registry
from workers.deadlines import Deadlines
from workers.parker import Parker


@dataclass
class Conversation:
    """Ann, Bob and the bot. Errors of handlers are raised where the loop would have tried again."""

    fakes: Fakes
    telegram: Telegram

    @property
    def db(self) -> Database:
        return self.fakes.db

    async def ask(
        self,
        chat_id: int,
        inputs: Mapping[str, Any] | None = None,
        properties: Mapping[str, str] | None = None,
        **given: Any,
    ) -> int:
        """Park a step for a person or a group and show it; the id of its row."""
        task = self.fakes.engine.give({"chat_id": chat_id, **(inputs or {})}, properties, **given)
        await self.fakes.engine.lock(task.id, self.fakes.settings.worker_id, 30)
        await Parker(self.fakes.services, registry.human_topics()).park(task)
        async with self.db.begin() as tx:
            reply = await replies.by_task(tx, task.id)
        assert reply is not None, self.fakes.engine.held[task.id].incident
        await self.send()
        return reply.id

    async def turn(self) -> None:
        """Receive what people did, and work until nothing is left to do."""
        await self.telegram.receive(self.db)
        await self.handle()
        await self.store()
        await self.send()

    async def handle(self) -> None:
        """Handle every stored update."""
        dispatcher = Dispatcher(self.fakes.services)
        while (row := await self._next(inbox.UPDATES)) is not None:
            await dispatcher.handle(row)

    async def store(self) -> None:
        """Store every file that was sent."""
        uploader = Uploader(self.fakes.services)
        while (row := await self._next(uploads.UPLOADS)) is not None:
            await uploader.handle(row)

    async def send(self) -> None:
        """Send and change every message that is due."""
        services = self.fakes.services
        sender = Sender(services.db, services.bot, services.storage, services.governor)
        while True:
            if (prompt := await self._next(outbox.SENDING)) is not None:
                await sender.send(prompt)
            elif (prompt := await self._next(outbox.CHANGES)) is not None:
                await sender.change(prompt)
            else:
                return

    async def complete(self) -> None:
        """Tell the engine every answer."""
        completer = Completer(self.fakes.services)
        while (row := await self._next(transitions.COMPLETIONS)) is not None:
            await completer.tell(row)

    async def start(self) -> None:
        """Start every process that somebody asked for."""
        starter = Starter(self.fakes.services)
        while (row := await self._next(starts.STARTS)) is not None:
            await starter.start(row)

    async def meet_deadlines(self) -> int:
        """Do what has come due by itself, and show it; how many deadlines that were."""
        meets, count = Deadlines(self.fakes.services), 0
        while (row := await self._next(deadlines.DEADLINES)) is not None:
            await meets.meet(row)
            count += 1
        await self.send()
        return count

    async def say(self, person: int, text: str, chat_id: int | None = None, **more: Any) -> None:
        """Somebody writes; then the bot has its turn."""
        await self.telegram.say(person, text, chat_id, **more)
        await self.turn()

    async def edit(self, person: int, text: str) -> None:
        """Somebody corrects what they wrote last; then the bot has its turn."""
        mine = [each for each in await self.telegram.shown(person) if each["from"]["id"] == person]
        await self.telegram.send(person, edit=mine[-1]["message_id"], text=text)
        await self.turn()

    async def tap(
        self, person: int, caption: str, chat_id: int | None = None, *, message: Json | None = None
    ) -> str:
        """Somebody taps a button, of the newest message that has it or of a named one; what pops up then."""
        where = chat_id or person
        message = message or await self.message_with(where, caption)
        callback_id = await self.telegram.press(person, message, where, caption=caption)
        await self.turn()
        return await self.telegram.toast(callback_id)

    async def tap_late(self, person: int, caption: str, chat_id: int) -> str:
        """Somebody taps what their Telegram still showed a moment ago; what pops up then."""
        for message in reversed(await self.telegram.shown(chat_id)):
            for button in await self._once_under(message):
                if button["text"] == caption:
                    data = button["callback_data"]
                    tap = await self.telegram.press(person, message, chat_id, data=data, stale=True)
                    await self.turn()
                    return await self.telegram.toast(tap)
        raise LookupError(caption)

    async def _once_under(self, message: Json) -> list[Json]:
        """The buttons that a message was sent with."""
        for call in await self.telegram.calls("sendMessage"):
            if isinstance(call["result"], dict) and call["result"]["message_id"] == message["message_id"]:
                rows = (call["result"].get("reply_markup") or {}).get("inline_keyboard", [])
                return [button for row in rows for button in row]
        return []

    async def message_with(self, chat_id: int, caption: str) -> Json:
        """The newest message of the bot with that button."""
        shown = await self.telegram.shown(chat_id)
        found: Json = next(each for each in reversed(shown) if caption in captions(each))
        return found

    async def buttons(self, chat_id: int) -> list[str]:
        """Every button that can be tapped in a chat."""
        return [caption for each in await self.telegram.shown(chat_id) for caption in captions(each)]

    async def last(self, chat_id: int) -> str:
        """The bot's newest words in a chat."""
        return (await self.telegram.texts(chat_id))[-1]

    async def reply(self, reply_id: int) -> PendingReply:
        """The row of a step."""
        return await get(self.db, PendingReply, reply_id)

    async def _next(self, queue: Queue[QueuedRow]) -> QueuedRow | None:
        async with self.db.begin() as tx:
            rows = await claim(tx, queue, 1, 60)
        return rows[0] if rows else None


def variables(row: PendingReply) -> dict[str, Any]:
    """The values that the engine is to be told."""
    assert row.outcome is not None
    told = row.outcome["variables"]
    return {name: typed["value"] for name, typed in told.items()}
