"""What a handler of an update has in hand: the open transaction, the services, and its voice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from telegram import CallbackQuery, Message, Update, User

from shared import outbox, people
from shared.db import Tx
from shared.engine.errors import NoAnswer
from shared.markup import render_html
from shared.models import Json
from shared.service import Services
from shared.signing import derive_key, sign
from shared.steps.conversation import Draft
from shared.steps.widgets import Button

ASK_TIMEOUT_S = 5.0
"""How long an update, and the transaction around it, waits for Telegram or the engine to say something."""

TOAST_LIMIT = 200
"""Characters of a callback answer."""


@asynccontextmanager
async def asking_the_engine() -> AsyncIterator[None]:
    """Wait for the engine no longer than an update may.

    Raises:
        NoAnswer: it took longer.
    """
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            yield
    except TimeoutError as late:
        raise NoAnswer("the engine does not answer a person in time") from late


@dataclass
class Context:
    """One update being handled.

    Whatever a handler writes through ``tx`` is committed together with the mark that the update is handled;
    ``after`` holds what is done once that is certain.
    """

    tx: Tx
    services: Services
    update: Update
    after: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)

    @property
    def user(self) -> User:
        """Who did it."""
        user = self.update.effective_user
        if user is None:
            raise LookupError("the update names nobody")
        return user

    @property
    def message(self) -> Message:
        """The message that somebody wrote, or has edited."""
        message = self.update.message or self.update.edited_message
        if message is None:
            raise LookupError("the update has no message")
        return message

    @property
    def query(self) -> CallbackQuery:
        """The tap on a button."""
        if self.update.callback_query is None:
            raise LookupError("the update has no tap")
        return self.update.callback_query

    @property
    def chat_id(self) -> int:
        """Where it happened; a tap on a message too old to be delivered has its chat all the same."""
        chat = self.update.effective_chat
        if chat is None:
            raise LookupError("the update names no chat")
        return chat.id

    @property
    def is_private(self) -> bool:
        """Whether it happened between the person and the bot alone."""
        return self.chat_id > 0

    async def meet(self, *, wants_engine_user: bool = False) -> None:
        """Remember who did it, as Telegram names them now."""
        user = self.user
        await people.meet(
            self.tx,
            user.id,
            user.first_name,
            last_name=user.last_name,
            username=user.username,
            language_code=user.language_code,
            wants_engine_user=wants_engine_user,
        )

    @cached_property
    def key(self) -> bytes:
        """The key of our buttons."""
        return derive_key(self.services.settings.bot_token.get_secret_value())

    def button(self, caption: str, item: str, option: str | int = "") -> Button:
        """A button of a menu, which only this person can tap."""
        return caption, sign(0, item, option, self.user.id, self.key)

    async def say(
        self,
        html: str,
        rows: Sequence[Sequence[Button]] = (),
        *,
        chat_id: int | None = None,
        keyboard: Json | None = None,
    ) -> None:
        """Say something in this chat, before anything that is not an answer to somebody."""
        draft = Draft("notice", render_html(html, live=True), rows=tuple(tuple(row) for row in rows))
        written = self.update.message or self.update.edited_message
        if not self.is_private and written is not None and chat_id is None:
            draft = Draft("notice", draft.rich, rows=draft.rows, reply_to=written.message_id)
        await self.post([draft], chat_id=chat_id, keyboard=keyboard)

    async def post(
        self,
        drafts: Sequence[Draft],
        *,
        chat_id: int | None = None,
        pending_reply_id: int | None = None,
        keyboard: Json | None = None,
    ) -> None:
        """Queue messages as an answer to this update; they are committed with the mark that it is handled."""
        await outbox.post(
            self.tx,
            self.chat_id if chat_id is None else chat_id,
            drafts,
            pending_reply_id=pending_reply_id,
            priority=outbox.REPLY,
            keyboard=keyboard,
        )

    async def menu(self, html: str, rows: Sequence[Sequence[Button]] = ()) -> None:
        """Turn the menu that was tapped into the next one; say it anew where that menu is not known."""
        message = self.query.message
        shown = message and await outbox.by_message(self.tx, self.chat_id, message.message_id)
        if not shown:
            await self.say(html, rows)
            return
        draft = Draft("notice", render_html(html, live=True), rows=tuple(tuple(row) for row in rows))
        await outbox.edit(self.tx, shown, draft)

    def toast(self, text: str = "", *, alert: bool = False) -> None:
        """Answer the tap, after the commit and as well as it goes: Telegram forgets taps after seconds."""
        query = self.query

        async def answer() -> None:
            await self.services.bot.answer_callback_query(
                query.id, text[:TOAST_LIMIT] or None, show_alert=alert
            )

        self.after.append(answer)
