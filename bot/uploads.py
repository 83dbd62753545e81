"""Files that people send: checked by what Telegram tells of them and kept as rows; bot.uploader goes on."""

from dataclasses import dataclass

from telegram import Message, User
from telegram.constants import ChatAction

from bot import dialogs, page_offers
from bot.context import Context
from bot.dialogs import Dialog
from shared import replies, texts, uploads
from shared.db import Tx
from shared.files import FileRefused, check_declared
from shared.markup import escape_value
from shared.service import Services
from shared.settings import Settings
from shared.steps.model import Ask, Step

MAX_SENTENCE = 500
"""How much of what a validator says is told, in characters."""


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
    elif (sent := _sent(context.message)).kind not in ask.types:
        await context.say(texts.send_another_way(ask))
    else:
        await _accept(context, dialog, ask, sent)


@dataclass(frozen=True)
class _Sent:
    """A file of a message, whatever Telegram calls it."""

    kind: str
    file_id: str
    name: str
    mime_type: str | None
    size_bytes: int | None


def _sent(message: Message) -> _Sent:
    """What a message brings. Only a document and a piece of music surely have a name; others get one."""
    if message.photo:
        largest = message.photo[-1]
        name = f"photo_{message.message_id}.jpg"
        return _Sent("photo", largest.file_id, name, "image/jpeg", largest.file_size)
    if message.voice:
        voice = message.voice
        return _Sent(
            "voice", voice.file_id, f"voice_{message.message_id}.ogg", voice.mime_type, voice.file_size
        )
    for kind, found, ending in (
        ("document", message.document, ""),  # an animation has one, too
        ("video", message.video, ".mp4"),
        ("audio", message.audio, ".mp3"),
    ):
        if found is not None:
            name = found.file_name or (f"{kind}_{message.message_id}{ending}" if ending else "file")
            return _Sent(kind, found.file_id, name, found.mime_type, found.file_size)
    raise LookupError("the message has no file")


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


async def _accept(context: Context, dialog: Dialog, ask: Ask, sent: _Sent) -> None:
    """Keep a file whose name and size are right; the rest is seen when its bytes come."""
    most_bytes = context.services.settings.telegram_file_bytes
    offered = Offered(sent.name, sent.size_bytes, sent.mime_type, most_bytes)
    album = context.message.media_group_id
    is_first = not await uploads.of_variable(context.tx, dialog.reply.id, ask.name, uploads.UNDER_WAY)
    try:
        if album and not ask.takes_many:
            await _only_one(context, album)
        await admit(context.tx, context.services, dialog, ask, offered, context.user)
    except FileRefused as refused:
        if sentence := refusal(refused, ask):
            await context.say(sentence, page_offers.under_refusal(context, dialog, ask, refused))
        if refused.reason == "too_large_for_telegram" and context.is_private:
            await page_offers.offer(context, dialog, ask)
        return
    await uploads.accept(
        context.tx,
        pending_reply_id=dialog.reply.id,
        variable=ask.name,
        chat_id=context.chat_id,
        message_id=context.message.message_id,
        media_group_id=album,
        user_id=context.user.id,
        user_name=context.user.full_name,
        kind=sent.kind,
        file_id=sent.file_id,
        name=sent.name,
        mime_type=sent.mime_type,
        size_bytes=sent.size_bytes,
    )
    if ask.takes_many:
        await dialog.list_files(ask, anew=is_first)
    bot, chat_id = context.services.bot, context.chat_id
    context.after.append(lambda: bot.send_chat_action(chat_id, ChatAction.UPLOAD_DOCUMENT))


async def _only_one(context: Context, album: str) -> None:
    """An album where one file is asked for: which of them is meant nobody can tell, so none is taken.

    Raises:
        FileRefused: this is not the first of the album that came; with the reason "said" where it was told.
    """
    if await uploads.refuse_album(context.tx, context.chat_id, album, "one of several"):
        raise FileRefused("one_only")
    if await uploads.was_refused(context.tx, context.chat_id, album):
        raise FileRefused("said")


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
    if ask.takes_many:
        if len(await uploads.of_variable(tx, dialog.reply.id, ask.name)) >= ask.max_files:
            raise FileRefused("too_many")
    elif await uploads.of_variable(tx, dialog.reply.id, ask.name, uploads.IN_HAND):
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
    """What a person is told of a file that cannot be taken; nothing where they were told before."""
    if refused.reason == "said":
        return ""
    if refused.reason == "invalid_content":
        return escape_value(refused.params["sentence"][:MAX_SENTENCE])
    most_bytes = refused.params.get("max_bytes") or 0
    return texts.file_refused(refused.reason, ask.accept, most_bytes, ask.max_files)
