"""Files that people send: kept as a row, then streamed from Telegram into the bucket, checked on the way."""

from collections.abc import AsyncIterator

import structlog
from telegram import Message
from telegram.constants import ChatAction

from bot import dialogs
from bot.context import Context
from bot.dialogs import Dialog
from shared import outbox, people, replies, texts, transitions, uploads
from shared.db import Tx
from shared.engine.values import to_engine
from shared.errors import ConfigurationError, WorldError
from shared.files import HEAD_BYTES, FileRefused, check_declared, check_file
from shared.markup import render_html
from shared.models import Json, PendingReply, Upload
from shared.queues import Loop, settle
from shared.service import Services
from shared.steps.conversation import Draft
from shared.steps.model import Ask, Step
from shared.storage import StoredObject, TooLarge, object_key
from shared.telegram.client import FileGone

log = structlog.get_logger(__name__)

AT_ONCE = 4


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
    limit = _limit(ask, context.services)
    name = document.file_name or "file"
    try:
        check_declared(name, 1 if document.file_size is None else document.file_size, ask.accept, limit)
    except FileRefused as refused:
        await context.say(texts.file_refused(refused.reason, ask.accept, limit))
        return
    if await uploads.waiting_for(context.tx, dialog.reply.id, ask.name):
        await context.say(texts.say("one-is-on-its-way"))
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


def _limit(ask: Ask, services: Services) -> int:
    return min(ask.max_bytes or services.settings.upload_max_bytes, services.settings.upload_max_bytes)


class Uploader:
    """The handler of the uploads' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[Upload]:
        """The loop that a bot process runs."""
        return self._services.loop(uploads.UPLOADS, self.handle, concurrency=AT_ONCE, on_poison=self._lost)

    async def handle(self, upload: Upload) -> None:
        """Bring one file into the bucket and its step forward; a crash at any line begins again from here."""
        async with self._services.db.begin() as tx:
            reply = await transitions.lock_reply(tx, upload.pending_reply_id)
            voice = (await people.voices(tx, [upload.chat_id]))[upload.chat_id]
        with texts.speaking(voice):
            await self._handle(upload, reply)

    async def _handle(self, upload: Upload, reply: PendingReply | None) -> None:
        ask = _ask(reply, upload)
        if reply is None or ask is None:
            await self._abandon(upload, reply)
            return
        limit = _limit(ask, self._services)
        try:
            stored, mime_type = await self._store(upload, reply, ask, limit)
        except FileRefused as refused:
            await self._refuse(upload, texts.file_refused(refused.reason, ask.accept, limit))
        except TooLarge:
            await self._refuse(upload, texts.file_refused("too_large", ask.accept, limit))
        except FileGone as error:
            log.warning("a file is gone", reason=str(error))
            await self._refuse(upload, texts.say("file-gone"))
        except (WorldError, ConfigurationError):
            await self._say_once(upload, texts.say("storage-away"))
            raise
        else:
            await self._keep(upload, ask, stored, mime_type)

    async def _store(
        self, upload: Upload, reply: PendingReply, ask: Ask, limit: int
    ) -> tuple[StoredObject, str]:
        # The time is that of the row: a second try after a crash overwrites what the first one left.
        key = object_key(
            upload.user_id, reply.external_task_id, upload.variable, upload.created_at, upload.name
        )
        if upload.object_key is not None:  # an earlier try may have died in the middle
            await self._services.storage.abort_unfinished(upload.object_key)
        async with self._services.db.begin() as tx:
            await uploads.note_key(tx, upload, key)
        async with self._services.files.open(upload.file_id) as chunks:
            head, whole = await _peek(chunks)
            size_bytes = upload.size_bytes or len(head)
            kind = check_file(head, upload.name, upload.mime_type, size_bytes, ask.accept, limit)
            stored = await self._services.storage.put(key, whole, content_type=kind.mime, max_bytes=limit)
        return stored, kind.mime

    async def _keep(self, upload: Upload, ask: Ask, stored: StoredObject, mime_type: str) -> None:
        """The file is in the bucket: it is the answer to its question, unless the step is over meanwhile."""
        async with self._services.db.begin() as tx:
            reply = await transitions.lock_reply(tx, upload.pending_reply_id)
            if reply is not None and _ask(reply, upload) is not None:
                dialog = Dialog(tx, self._services, reply)
                index = dialog.step.asks.index(ask)
                await _say(tx, upload, texts.file_stored(upload.name, stored.size_bytes))
                await dialog.take(
                    index, self._answer(upload, ask, stored, mime_type), upload.user_id, upload.user_name
                )
                await settle(tx, upload, state="stored", sha256=stored.sha256, size_bytes=stored.size_bytes)
                return
        await self._abandon(upload, reply)

    def _answer(self, upload: Upload, ask: Ask, stored: StoredObject, mime_type: str) -> Json:
        storage = self._services.storage
        meta = {
            "name": upload.name,
            "size": stored.size_bytes,
            "type": mime_type,
            "sha256": stored.sha256,
            "bucket": stored.bucket,
            "key": stored.key,
        }
        value = storage.public_url(stored.key) if ask.public else stored.key
        return {"value": value, "type": "String", "shown": upload.name, "meta": to_engine(meta)}

    async def _refuse(self, upload: Upload, sentence: str) -> None:
        async with self._services.db.begin() as tx:
            await settle(tx, upload, state="refused", last_error=sentence)
            await _say(tx, upload, sentence)

    async def _abandon(self, upload: Upload, reply: PendingReply | None) -> None:
        """The step is over, or somebody else's: the file goes as well."""
        async with self._services.db.begin() as tx:
            # First the claim: a late holder must not take away what the other one has stored as the answer.
            await settle(tx, upload, state="abandoned")
            if (why := _why_too_late(reply, upload)) is not None:
                await _say(tx, upload, why)
            if upload.object_key is not None:
                await self._services.storage.delete(upload.object_key)
                await self._services.storage.abort_unfinished(upload.object_key)

    async def _say_once(self, upload: Upload, sentence: str) -> None:
        async with self._services.db.begin() as tx:
            await _say(tx, upload, sentence, dedupe=f"upload:{upload.id}:away")

    async def _lost(self, tx: Tx, upload: Upload, reason: str) -> None:
        async with people.speaking_to(tx, upload.chat_id):
            await _say(tx, upload, texts.say("file-lost"))


async def _say(tx: Tx, upload: Upload, sentence: str, *, dedupe: str | None = None) -> None:
    draft = Draft("notice", render_html(sentence, live=True), reply_to=upload.message_id)
    await outbox.post(tx, upload.chat_id, [draft], dedupe=dedupe, priority=outbox.REPLY)


def _why_too_late(reply: PendingReply | None, upload: Upload) -> str | None:
    """What is told of a file that came when the time of its step was up; its prompt says the rest."""
    if reply is None:
        return None
    if transitions.has_expired(reply):
        return texts.say("time-is-up")
    return texts.say("handed-over") if _was_handed_over(reply, upload) else None


def _was_handed_over(reply: PendingReply, upload: Upload) -> bool:
    return Step.of(reply.step).escalated_from == upload.chat_id


def _ask(reply: PendingReply | None, upload: Upload) -> Ask | None:
    """What the file is for, if its step still waits for it."""
    if reply is None or reply.state not in transitions.OPEN or upload.variable in reply.answers:
        return None
    if _was_handed_over(reply, upload):
        return None
    asks = Step.of(reply.step).asks
    return next((ask for ask in asks if ask.name == upload.variable), None)


async def _peek(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes of a stream, and the whole stream with them."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break

    async def whole() -> AsyncIterator[bytes]:
        if head:
            yield head
        async for chunk in chunks:
            yield chunk

    return head, whole()
