"""Files that people send: checked by what Telegram tells of them and kept as rows; bot.uploader goes on."""

from dataclasses import dataclass

from telegram import Message, User
from telegram.constants import ChatAction

from bot import dialogs
from bot.context import Context
from bot.dialogs import Dialog
from shared import replies, texts, uploads
from shared.db import Tx
from shared.files import FileRefused, check_declared
from shared.service import Services
from shared.settings import Settings
from shared.steps.model import Ask, Step


@dataclass(frozen=True)
class Offered:
    """A file as its sender declares it; ``most_bytes`` is what its way can carry."""

    name: str
    size_bytes: int | None
    mime_type: str | None
    most_bytes: int


def looks_like_a_file(message: Message) -> bool:
    """Something that people send when they mean a file: Telegram changed it on the way or it has no name."""
    return bool(message.photo or message.video or message.audio or message.voice or message.animation)


async def received(context: Context) -> None:
    """A document, or something else that is no text."""
    dialog, index = await _target(context)
    if dialog is None or index is None:
        if await dialogs.has_expired(context):
            await context.say(texts.say("time-is-up"))
        elif context.is_private:
            await context.say(texts.say("file-not-expected"))
        return
    if context.message.sender_chat is not None:
        await context.say(texts.say("anonymous-admin"))
        return
    if not await dialogs.may_answer(context, dialog, context.user):
        if dialogs.was_handed_over(context, dialog):
            await context.say(texts.say("handed-over"))
        return
    ask = dialog.step.asks[index]
    if index != dialog.next_ask:
        await context.say(texts.say("already-here"))
    elif not ask.is_file:
        await context.say(texts.say("file-not-expected"))
    elif context.message.document is None:
        await context.say(texts.send_as_document(ask.accept))
    else:
        await _accept(context, dialog, ask)


async def _target(context: Context) -> tuple[Dialog | None, int | None]:
    """As for a text; and where no form is open, the one step of the chat that waits for a file."""
    dialog, index = await dialogs.target(context)
    if dialog is not None or not context.is_private:
        return dialog, index
    waiting = [
        reply
        for reply in await replies.open_in_chat(context.tx, context.chat_id)
        if any(ask.is_file for ask in Step.of(reply.step).asks)
    ]
    if len(waiting) != 1:
        return None, None
    dialog = await dialogs.open_dialog(context, waiting[0].id)
    return dialog, None if dialog is None else dialog.next_ask


async def _accept(context: Context, dialog: Dialog, ask: Ask) -> None:
    """Keep a file whose name and size are right; the rest is seen when its bytes come."""
    document = context.message.document
    assert document is not None  # noqa: S101 - received() saw it
    name = document.file_name or "file"
    most_bytes = context.services.settings.telegram_file_bytes
    offered = Offered(name, document.file_size, document.mime_type, most_bytes)
    try:
        await admit(context.tx, context.services, dialog, ask, offered, context.user)
    except FileRefused as refused:
        await context.say(refusal(refused, ask))
        return
    await uploads.accept(
        context.tx,
        pending_reply_id=dialog.reply.id,
        variable=ask.name,
        chat_id=context.chat_id,
        message_id=context.message.message_id,
        user_id=context.user.id,
        user_name=context.user.full_name,
        file_id=document.file_id,
        name=name,
        mime_type=document.mime_type,
        size_bytes=document.file_size,
    )
    bot, chat_id = context.services.bot, context.chat_id
    context.after.append(lambda: bot.send_chat_action(chat_id, ChatAction.UPLOAD_DOCUMENT))


async def admit(tx: Tx, services: Services, dialog: Dialog, ask: Ask, offered: Offered, user: User) -> None:
    """Check all that can be known of a file before its bytes come.

    Raises:
        FileRefused: it does not fit the question, or is more than its sender or their group may send a day.
    """
    settings = services.settings
    size_bytes = 1 if offered.size_bytes is None else offered.size_bytes
    check_declared(offered.name, size_bytes, ask.accept, size_limit(ask, settings))
    if size_bytes > offered.most_bytes:
        raise FileRefused("too_large_for_telegram", size_bytes=size_bytes, max_bytes=offered.most_bytes)
    if await uploads.of_variable(tx, dialog.reply.id, ask.name, uploads.UNDER_WAY):
        raise FileRefused("one_is_on_its_way")
    await _within_the_day(tx, settings, dialog, size_bytes, user)


async def _within_the_day(tx: Tx, settings: Settings, dialog: Dialog, size_bytes: int, user: User) -> None:
    sent = await uploads.sent_lately(tx, user_id=user.id)
    most = uploads.Sent(settings.person_files_a_day, settings.person_bytes_a_day)
    too_much = sent.with_one_of(size_bytes).is_beyond(most)
    if not too_much and dialog.reply.chat_id < 0:
        sent = await uploads.sent_lately(tx, chat_id=dialog.reply.chat_id)
        most = uploads.Sent(settings.group_files_a_day, settings.group_bytes_a_day)
        too_much = sent.with_one_of(size_bytes).is_beyond(most)
    if too_much:
        raise FileRefused("enough_for_today")


def size_limit(ask: Ask, settings: Settings) -> int:
    """The largest file that a question takes, in bytes."""
    return min(ask.max_bytes or settings.upload_max_bytes, settings.upload_max_bytes)


def refusal(refused: FileRefused, ask: Ask) -> str:
    """What a person is told of a file that cannot be taken."""
    return texts.file_refused(refused.reason, ask.accept, refused.params.get("max_bytes") or 0)
