"""Files on their way: fetched into the bucket, examined, and taken as the answer; each stage ends in a row.

A crash at any line begins its stage again. The object has its key in the row before its first byte is there,
and only ``stored`` makes it part of an answer.
"""

from collections.abc import AsyncIterator

import structlog

from bot.dialogs import Dialog
from bot.uploads import refusal, size_limit
from shared import outbox, people, texts, transitions, uploads
from shared.db import Tx
from shared.engine.values import to_engine
from shared.errors import ConfigurationError, WorldError
from shared.files import HEAD_BYTES, FileRefused, check_file
from shared.markup import render_html
from shared.models import Json, PendingReply, Upload
from shared.queues import Loop, settle
from shared.service import Services
from shared.steps.conversation import Draft
from shared.steps.model import Ask, Step
from shared.storage import TooLarge, object_key
from shared.telegram.client import FileGone

log = structlog.get_logger(__name__)


class Uploader:
    """The handler of the uploads' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[Upload]:
        """The loop that a bot process runs."""
        at_once = self._services.settings.uploads_at_once
        return self._services.loop(uploads.UPLOADS, self.handle, concurrency=at_once, on_poison=self._lost)

    async def handle(self, upload: Upload) -> None:
        """Bring one file forward, or take it away; a crash at any line begins again from its last stage."""
        if upload.state == "removing":
            await self._remove(upload)
            return
        async with self._services.db.begin() as tx:
            reply = await self._locked(tx, upload)
            voice = (await people.voices(tx, [upload.chat_id]))[upload.chat_id]
        with texts.speaking(voice):
            await self._handle(upload, reply)

    async def _locked(self, tx: Tx, upload: Upload) -> PendingReply | None:
        if upload.pending_reply_id is None:
            return None
        return await transitions.lock_reply(tx, upload.pending_reply_id)

    async def _handle(self, upload: Upload, reply: PendingReply | None) -> None:
        ask = waited_for(reply, upload)
        if reply is None or ask is None:
            await self._abandon(upload, reply)
            return
        try:
            if upload.state == "queued":
                await self._fetch(upload, reply, ask)
            await self._examine(upload, ask)
        except FileRefused as refused:
            await self._refuse(upload, refusal(refused, ask))
        except TooLarge as error:
            await self._refuse(upload, texts.file_refused("too_large", ask.accept, error.max_bytes))
        except FileGone as error:
            log.warning("a file is gone", reason=str(error))
            await self._refuse(upload, texts.say("file-gone"))
        except (WorldError, ConfigurationError):
            await self._say_once(upload, texts.say("storage-away"))
            raise
        else:
            await self._keep(upload, ask)

    async def _fetch(self, upload: Upload, reply: PendingReply, ask: Ask) -> None:
        """From Telegram into the bucket: checked by its first bytes before the first of them goes there."""
        limit = size_limit(ask, self._services.settings)
        await self._choose_key(upload, reply)
        async with self._services.files.open(upload.file_id or "") as chunks:
            head, whole = await _peek(chunks)
            size_bytes = upload.size_bytes or len(head)
            kind = check_file(head, upload.name, upload.mime_type, size_bytes, ask.accept, limit)
            stored = await self._services.storage.put(
                upload.object_key or "", whole, content_type=kind.mime, max_bytes=limit
            )
        async with self._services.db.begin() as tx:
            await uploads.note(
                tx,
                upload,
                state="arrived",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                mime_type=kind.mime,
            )

    async def _choose_key(self, upload: Upload, reply: PendingReply) -> None:
        """Note where the file is to lie; a try that died in the middle has left its parts there."""
        if upload.object_key is not None:
            await self._services.storage.abort_unfinished(upload.object_key)
            return
        key = object_key(
            upload.user_id, reply.external_task_id, upload.variable, upload.created_at, upload.name
        )
        async with self._services.db.begin() as tx:
            await uploads.note(tx, upload, object_key=key)

    async def _examine(self, upload: Upload, ask: Ask) -> None:
        """What needs the whole file, which nobody knows of yet."""

    async def _keep(self, upload: Upload, ask: Ask) -> None:
        """The file is in the bucket: it is the answer to its question, unless the step is over meanwhile."""
        async with self._services.db.begin() as tx:
            reply = await self._locked(tx, upload)
            if reply is not None and waited_for(reply, upload) is not None:
                dialog = Dialog(tx, self._services, reply)
                await settle(tx, upload, state="stored")
                await _say(tx, upload, texts.file_stored(upload.name, upload.size_bytes or 0))
                answer = self._answer(upload, ask)
                await dialog.take(dialog.step.asks.index(ask), answer, upload.user_id, upload.user_name)
                return
        await self._abandon(upload, reply)

    def _answer(self, upload: Upload, ask: Ask) -> Json:
        value = self._value(upload, ask)
        meta = to_engine(self._meta(upload, ask))
        return {"value": value, "type": "String", "shown": upload.name, "meta": meta, "files": [upload.id]}

    def _value(self, upload: Upload, ask: Ask) -> str:
        """What the process gets for one file."""
        key = str(upload.object_key)
        return self._services.storage.public_url(key) if ask.public else key

    def _meta(self, upload: Upload, ask: Ask) -> Json:
        """What the process gets to know of one file."""
        return {
            "name": upload.name,
            "size": upload.size_bytes,
            "type": upload.mime_type,
            "sha256": upload.sha256,
            "bucket": self._services.storage.bucket,
            "key": upload.object_key,
        }

    async def _refuse(self, upload: Upload, sentence: str) -> None:
        async with self._services.db.begin() as tx:
            await settle(tx, upload, state="refused", last_error=sentence)
            await _say(tx, upload, sentence)
            await self._clear(upload)

    async def _abandon(self, upload: Upload, reply: PendingReply | None) -> None:
        """The step is over, or somebody else's: the file goes as well."""
        async with self._services.db.begin() as tx:
            # First the claim: a late holder must not take away what the other one has stored as the answer.
            await settle(tx, upload, state="abandoned")
            if (why := _why_too_late(reply, upload)) is not None:
                await _say(tx, upload, why)
            await self._clear(upload)

    async def _remove(self, upload: Upload) -> None:
        """No answer needs the object any more."""
        async with self._services.db.begin() as tx:
            await settle(tx, upload, state="removed")
            await self._clear(upload)

    async def _clear(self, upload: Upload) -> None:
        """Leave nothing of a file in the bucket."""
        if upload.object_key is not None:
            await self._services.storage.delete(upload.object_key)
            await self._services.storage.abort_unfinished(upload.object_key)

    async def _say_once(self, upload: Upload, sentence: str) -> None:
        async with self._services.db.begin() as tx:
            await _say(tx, upload, sentence, dedupe=f"upload:{upload.id}:away")

    async def _lost(self, tx: Tx, upload: Upload, reason: str) -> None:
        if upload.state == "removing":
            return
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


def waited_for(reply: PendingReply | None, upload: Upload) -> Ask | None:
    """What a file is for, if its step still waits for it."""
    if reply is None or reply.state not in transitions.OPEN:
        return None
    if "value" in reply.answers.get(upload.variable, {}) or _was_handed_over(reply, upload):
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
