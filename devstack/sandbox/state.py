"""The sandbox's world: bots, people, chats, and what is told to bots and to watching browsers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.sandbox import render, view
from devstack.sandbox.calls import CallLog
from devstack.sandbox.clock import Clock, Signal
from devstack.sandbox.downloads import Downloads
from devstack.sandbox.faults import FaultKind, Faults
from devstack.sandbox.files import FileStore
from devstack.sandbox.limits import RateLimiter
from devstack.sandbox.model import CallbackQuery, Chat, ChatType, Message, User
from devstack.sandbox.updates import LongPoll, NewUpdate, UpdateQueue
from devstack.sandbox.values import Json
from devstack.sandbox.webhook import Webhook

DEFAULT_TOKEN = "1000001:sandbox-token"  # noqa: S105 - opens nothing but a sandbox
FIRST_USER_ID = 100_001
FIRST_GROUP_ID = 2_000_001
SUPERGROUP_BASE = -1_000_000_000_000


@dataclass(slots=True)
class Bot:
    """A bot with its updates, its webhook and its commands (by scope and language)."""

    token: str
    user: User
    updates: UpdateQueue
    poll: LongPoll
    webhook: Webhook | None = None
    webhook_set_at: float = 0.0
    commands: dict[str, list[Json]] = field(default_factory=dict)
    next_message_id: int = 1

    @property
    def id(self) -> int:
        """The bot's user id, the first part of its token."""
        return self.user.id


class Sandbox:
    """Everything the server knows. One instance per server; all of it lives in one event loop."""

    def __init__(self, files_dir: Path, tokens: Sequence[str] = (DEFAULT_TOKEN,)) -> None:
        files_dir.mkdir(parents=True, exist_ok=True)
        self.first_group_id = FIRST_GROUP_ID
        self.clock = Clock()
        self.files = FileStore(files_dir, self.clock)
        self.limits = RateLimiter(self.clock)
        self.faults = Faults()
        self.calls = CallLog(self.clock)
        self.bots: dict[str, Bot] = {token: self._new_bot(token, n) for n, token in enumerate(tokens)}
        self.callbacks: dict[str, CallbackQuery] = {}
        self.callback_answered = Signal()
        self.users: dict[int, User] = {}
        self.chats: dict[tuple[int, int], Chat] = {}
        self.downloads = Downloads()
        self.closed = asyncio.Event()
        self._watchers: set[asyncio.Queue[Json]] = set()

    def _new_bot(self, token: str, number: int) -> Bot:
        bot_id = int(token.partition(":")[0])
        username = "stepgram_bot" if number == 0 else f"stepgram_{number + 1}_bot"
        name = "Stepgram" if number == 0 else f"Stepgram {number + 1}"
        updates = UpdateQueue(self.clock)
        return Bot(token, User(bot_id, name, username=username, is_bot=True), updates, LongPoll(updates))

    # people and chats

    @property
    def bot(self) -> Bot:
        """The first bot, which is meant where none is named."""
        return next(iter(self.bots.values()))

    def bot_by_id(self, bot_id: int) -> Bot | None:
        """The bot with that user id."""
        return next((bot for bot in self.bots.values() if bot.id == bot_id), None)

    def user(self, user_id: int) -> User | None:
        """A person or a bot."""
        bot = self.bot_by_id(user_id)
        return bot.user if bot else self.users.get(user_id)

    def chat(self, chat_id: int, bot_id: int | None = None) -> Chat | None:
        """A group, or that bot's (the first bot's) private chat with a person."""
        return self.chats.get((0 if chat_id < 0 else bot_id or self.bot.id, chat_id))

    def add_user(self, user: User) -> None:
        """Add a person, and their private chats with the bots, which are not started yet."""
        self.users[user.id] = user
        for bot in self.bots.values():
            self.chats[bot.id, user.id] = Chat(
                user.id, ChatType.PRIVATE, person=user, bot_id=bot.id, is_started=False
            )
        self.publish({"event": "user", "user": render.user(user)})

    def add_chat(self, chat: Chat) -> None:
        """Add a group."""
        self.chats[0, chat.id] = chat

    def free_user_id(self) -> int:
        """An id that nobody has."""
        return max(self.users, default=FIRST_USER_ID - 1) + 1 if self.users else FIRST_USER_ID

    def free_group_id(self, chat_type: ChatType) -> int:
        """An id for a new group, of the shape that its type has at Telegram."""
        number = self.first_group_id + sum(not chat.is_private for chat in self.chats.values())
        return SUPERGROUP_BASE - number if chat_type is ChatType.SUPERGROUP else -number

    # messages

    def post(self, message: Message) -> Message:
        """Put a message without an id into its chat and show it."""
        chat = message.chat
        message.id = self._next_message_id(chat)
        chat.messages[message.id] = message
        for file in message.files:
            file.bot_ids.update(bot.id for bot in self.bots_in(chat))
        self.publish({"event": "message", "chat_id": chat.id, "message": view.sandbox_message(message)})
        return message

    def show_edit(self, message: Message) -> None:
        """Tell the watchers that a message has changed."""
        event: Json = {"event": "edit", "chat_id": message.chat.id, "message": view.sandbox_message(message)}
        self.publish(event)

    def delete(self, message: Message) -> None:
        """Take a message away."""
        message.deleted = True
        self.publish({"event": "delete", "chat_id": message.chat.id, "message_id": message.id})

    def _next_message_id(self, chat: Chat) -> int:
        """Groups count for themselves, all private chats of a bot together."""
        counter = self.bot_by_id(chat.bot_id) if chat.is_private else None
        owner = counter or chat
        owner.next_message_id += 1
        return owner.next_message_id - 1

    # telling

    def bots_in(self, chat: Chat) -> list[Bot]:
        """The bots that are in a chat now."""
        if chat.is_private:
            return [bot for bot in self.bots.values() if bot.id == chat.bot_id]
        return [bot for bot in self.bots.values() if chat.status_of(bot.id).is_inside]

    def emit(self, bot: Bot, update: NewUpdate, chat_id: int) -> None:
        """Queue an update for a bot, with the fault that may befall it."""
        if not bot.updates.wants(update.kind):
            return
        fault = self.faults.for_update(update.kind, chat_id)
        bot.updates.push(
            update,
            repeats=1 if fault and fault.kind is FaultKind.DUPLICATE_UPDATE else 0,
            hold=fault is not None and fault.kind is FaultKind.REORDER_UPDATE,
        )

    def publish(self, event: Json) -> None:
        """Send an event to all watching browsers."""
        for watcher in self._watchers:
            watcher.put_nowait(event)

    @contextlib.contextmanager
    def watch(self) -> Iterator[asyncio.Queue[Json]]:
        """A queue of all events from now on."""
        watcher: asyncio.Queue[Json] = asyncio.Queue()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    # life

    def reset(self) -> None:
        """Forget everything but the bots, their webhooks and commands."""
        self.users.clear()
        self.chats.clear()
        self.callbacks.clear()
        self.faults.clear()
        self.limits.reset()
        self.calls.clear()
        self.files.clear()
        for bot in self.bots.values():
            bot.updates.clear()
            bot.next_message_id = 1
        self.publish({"event": "reset"})

    async def close(self) -> None:
        """End what waits: long polls answer empty, webhooks stop."""
        self.closed.set()
        self.callback_answered.fire()
        for bot in self.bots.values():
            bot.poll.interrupt()
            if bot.webhook is not None:
                await bot.webhook.stop()
                bot.webhook = None
