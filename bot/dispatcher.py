"""Hands stored updates to their handlers: parsing inside a try, handling and the mark in one transaction."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from telegram import Chat, Message, Update
from telegram.error import TelegramError

from bot import answers, buttons, commands, dialogs, groups, uploads
from bot.context import Context
from bot.reading import read
from shared import inbox, models, people, texts
from shared.db import DatabaseUnavailable
from shared.errors import WorldError
from shared.queues import Loop, LostClaim, settle
from shared.service import Services

log = structlog.get_logger(__name__)

CONCURRENCY = 16

Handler = Callable[[Context], Awaitable[None]]


class Dispatcher:
    """The handler of the updates' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[models.Update]:
        """The loop that a bot process runs."""
        return self._services.loop(inbox.UPDATES, self.handle, concurrency=CONCURRENCY)

    async def handle(self, row: models.Update) -> None:
        """Handle one update."""
        update = read(row.payload, self._services.bot)
        try:
            context = await self._in_transaction(row, update, route)
        except (DatabaseUnavailable, LostClaim):
            raise
        except (WorldError, TelegramError) as error:
            # The person is told; the update is done, or everything of theirs would wait behind it.
            log.warning("the world failed a person", error=str(error))
            context = await self._in_transaction(row, update, _apologise)
        for act in context.after:
            with contextlib.suppress(TelegramError):
                await act()

    async def _in_transaction(self, row: models.Update, update: Update, handler: Handler) -> Context:
        async with self._services.db.begin() as tx:
            context = Context(tx, self._services, update)
            async with _speaking(context):
                await handler(context)
            await settle(tx, row, state="handled")
        return context


@contextlib.asynccontextmanager
async def _speaking(context: Context) -> AsyncIterator[None]:
    """Speak to the chat of an update as it wishes."""
    chat, user = context.update.effective_chat, context.update.effective_user
    if chat is None:
        yield
        return
    code = user.language_code if user is not None and chat.id > 0 else None
    async with people.speaking_to(context.tx, chat.id, language_code=code):
        yield


async def route(context: Context) -> None:
    """One update to the handler that it belongs to."""
    update = context.update
    if update.callback_query is not None:
        await buttons.tapped(context)
    elif update.my_chat_member is not None:
        await groups.membership_changed(context)
    elif update.message is not None and update.effective_user is not None:
        await _message(context, update.message)
    elif update.edited_message is not None and update.effective_user is not None:
        await _edited(context, update.edited_message)


async def _message(context: Context, message: Message) -> None:
    if message.migrate_to_chat_id is not None and message.chat.type == Chat.GROUP:
        await groups.moved(context, message.migrate_to_chat_id)
        return
    if message.chat.type in {Chat.GROUP, Chat.SUPERGROUP}:
        await groups.seen(context, message.chat)
    elif message.chat.type != Chat.PRIVATE:
        return
    else:
        await context.meet()
    if (command := await commands.command_of(context)) is not None:
        await commands.run(context, command)
    elif message.chat_shared is not None:
        await groups.picked(context, message.chat_shared.chat_id)
    elif message.text is not None or message.document is not None or uploads.looks_like_a_file(message):
        await _answer(context, message)
    elif await answers.shared(context):
        return
    elif context.is_private and _is_said_by_a_person(message):
        await context.say(texts.say("send-something-else"))


async def _edited(context: Context, message: Message) -> None:
    """A correction counts as an answer, and is nothing else."""
    if message.text is None or message.chat.type not in {Chat.PRIVATE, Chat.GROUP, Chat.SUPERGROUP}:
        return
    with contextlib.suppress(dialogs.WhichQuestion):
        await answers.text_edited(context, message.text)


async def _answer(context: Context, message: Message) -> None:
    try:
        if message.text is not None:
            await answers.text_received(context, message.text)
        else:
            await uploads.received(context)
    except dialogs.WhichQuestion:
        await context.say(texts.say("which-question"))


def _is_said_by_a_person(message: Message) -> bool:
    """Whether it is something that somebody sent, and no news of the chat such as a pinned message."""
    return any(
        (message.sticker, message.contact, message.location, message.poll, message.dice, message.video_note)
    )


async def _apologise(context: Context) -> None:
    if context.update.callback_query is not None:
        context.toast(texts.say("try-again"), alert=True)
    elif context.update.message is not None and context.is_private:
        await context.say(texts.say("try-again"))
