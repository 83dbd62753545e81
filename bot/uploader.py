"""Files on their way: fetched into the bucket, examined, and taken as the answer; each stage ends in a row.

A crash at any line begins its stage again. The object has its key in the row before its first byte is there,
and only ``stored`` makes it part of an answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from bot import collecting
from bot.assembling import put_together
from bot.dialogs import Dialog
from bot.uploads import refusal, size_limit
from shared import outbox, people, texts, transitions, uploads
from shared.db import Tx
from shared.errors import ConfigurationError, WorldError
from shared.files import HEAD_BYTES, FileRefused, FileType, check_file, extension_of
from shared.files.examination import Examiner, quarantine_key
from shared.files.polyglots import Ends
from shared.files.scanning import Infected, ScannerAway
from shared.markup import render_html
from shared.models import PendingReply, Upload
from shared.queues import Loop, settle
from shared.service import Services
from shared.steps.conversation import Draft
from shared.steps.model import Ask, Step
from shared.storage import ObjectMissing, StoredObject, TooLarge, object_key
from shared.telegram.client import FileGone, FileTooBig, discard_local

log = structlog.get_logger(__name__)

PROGRESS_AFTER_S, PROGRESS_EVERY_S = 3.0, 10.0
"""Edits cost like messages: of a file that is there sooner nothing is told on its way."""


class Uploader:
    """The handler of the uploads' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._examiner = Examiner(services.settings, services.storage)

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
            ends = await self._fetch(upload, reply, ask) if upload.state == "queued" else None
            await self._discard_local(upload)
            await self._examine(upload, ask, ends)
            await self._keep(upload, ask)
        except Infected as infected:
            await self._quarantine(upload, ask, infected.signature)
        except ObjectMissing:
            await self._vanished(upload, ask)
        except (FileRefused, TooLarge, FileTooBig, FileGone) as refused:
            await self._refuse(upload, ask, self._why_refused(refused, ask))
        except (WorldError, ConfigurationError) as error:
            is_scanner = isinstance(error, ScannerAway)
            await self._say_once(upload, texts.say("scanner-away" if is_scanner else "storage-away"))
            raise

    async def _discard_local(self, upload: Upload) -> None:
        """What a Bot API server of our own has put on the disk is in the bucket now, or not wanted."""
        if upload.local_path is not None:
            await discard_local(upload.local_path)

    async def _fetch(self, upload: Upload, reply: PendingReply, ask: Ask) -> Ends | None:
        """From Telegram into the bucket: checked by its first bytes before the first of them goes there.

        What a browser has sent lies there in parts. Returns the object's ends, unless it was written anew.
        """
        if upload.source == "page":
            stored, kind, ends = await put_together(self._services, upload, ask)
        else:
            await self._choose_key(upload, reply)
            try:
                stored, kind, ends = await self._transfer(upload, ask)
            except FileGone:
                log.info("what Telegram gave has expired, asking for the file again")
                stored, kind, ends = await self._transfer(upload, ask)
        if ask.strip_metadata:
            stripped = await self._examiner.strip(stored.key, kind=kind, size_bytes=stored.size_bytes)
            stored = stripped or stored
        await self._arrived(upload, stored, kind.mime)
        return None if ask.strip_metadata else ends

    async def _transfer(self, upload: Upload, ask: Ask) -> tuple[StoredObject, FileType, Ends]:
        limit = size_limit(ask, self._services.settings)
        located = await self._services.files.locate(upload.file_id or "")
        if located.is_local:
            async with self._services.db.begin() as tx:
                await uploads.note(tx, upload, local_path=located.address)
        async with self._services.files.read(located) as chunks:
            head, whole = await _peek(chunks)
            size_bytes, ends = upload.size_bytes or len(head), Ends()
            kind = check_file(head, upload.name, upload.mime_type, size_bytes, ask.accept, limit)
            stored = await self._services.storage.put(
                upload.object_key or "",
                self._watched(upload, ask, whole, ends),
                content_type=kind.mime,
                max_bytes=limit,
            )
        return stored, kind, ends

    async def _arrived(self, upload: Upload, stored: StoredObject, mime_type: str) -> None:
        async with self._services.db.begin() as tx:
            await uploads.note(
                tx,
                upload,
                state="arrived",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                mime_type=mime_type,
                done_bytes=None,
            )

    async def _watched(
        self, upload: Upload, ask: Ask, chunks: AsyncIterator[bytes], ends: Ends
    ) -> AsyncIterator[bytes]:
        """The same chunks; whoever sent the file is told now and then how far it is."""
        clock = asyncio.get_running_loop().time
        done_bytes, next_word = 0, clock() + PROGRESS_AFTER_S
        async for chunk in chunks:
            yield chunk
            ends.add(chunk)
            done_bytes += len(chunk)
            if clock() >= next_word:
                await self._tell_progress(upload, ask, done_bytes)
                next_word = clock() + PROGRESS_EVERY_S

    async def _tell_progress(self, upload: Upload, ask: Ask, done_bytes: int) -> None:
        """One message is edited. Whoever has lost the row meanwhile learns it here, and stops."""
        async with self._services.db.begin() as tx:
            reply = await self._locked(tx, upload) if ask.takes_many else None
            await uploads.note(tx, upload, done_bytes=done_bytes)
            if reply is not None:
                await Dialog(tx, self._services, reply).list_files(ask)
            elif not ask.takes_many:
                words = texts.file_progress(upload.name, done_bytes, upload.size_bytes)
                draft = Draft("notice", render_html(words), reply_to=upload.message_id)
                await outbox.show(tx, _progress_key(upload), upload.chat_id, draft)

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

    async def _examine(self, upload: Upload, ask: Ask, ends: Ends | None) -> None:
        """What needs the whole file, which nobody knows of yet."""
        kind = FileType(extension_of(upload.name, ask.accept), upload.mime_type or "")
        await self._examiner.examine(
            upload.object_key or "", kind=kind, size_bytes=upload.size_bytes or 0, ask=ask, ends=ends
        )

    async def _keep(self, upload: Upload, ask: Ask) -> None:
        """The file is in the bucket: it is the answer to its question, unless the step is over meanwhile.

        Raises:
            FileRefused: it is there already, or there are enough.
        """
        async with self._services.db.begin() as tx:
            reply = await self._locked(tx, upload)
            if reply is not None and waited_for(reply, upload) is not None:
                dialog = Dialog(tx, self._services, reply)
                if ask.takes_many:
                    await self._add(tx, dialog, upload, ask)
                else:
                    await self._answer(tx, dialog, upload, ask)
                return
        await self._abandon(upload, reply)

    async def _answer(self, tx: Tx, dialog: Dialog, upload: Upload, ask: Ask) -> None:
        await _stored(tx, upload, ask)
        await outbox.end_shown(tx, _progress_key(upload))
        await _say(tx, upload, texts.file_stored(upload.name, upload.size_bytes or 0))
        answer = await collecting.answer_of(self._services, ask, [upload])
        await dialog.take(dialog.step.asks.index(ask), answer, upload.user_id, upload.user_name)

    async def _add(self, tx: Tx, dialog: Dialog, upload: Upload, ask: Ask) -> None:
        """One of several: it stands in the list until Done is tapped."""
        others = await uploads.of_variable(tx, dialog.reply.id, ask.name, ("stored",))
        if any(each.sha256 == upload.sha256 for each in others):
            raise FileRefused("twice", name=upload.name)
        if len(others) >= ask.max_files:
            raise FileRefused("too_many", name=upload.name)
        await _stored(tx, upload, ask)
        await dialog.list_files(ask)

    async def _refuse(self, upload: Upload, ask: Ask, sentence: str) -> None:
        async with self._services.db.begin() as tx:
            await self._turn_down(tx, upload, ask, sentence, state="refused", last_error=sentence)
            await self._clear(upload)
        await self._discard_local(upload)

    async def _turn_down(self, tx: Tx, upload: Upload, ask: Ask, sentence: str, **values: str) -> None:
        """It is over for a file: write that down, and tell its sender."""
        reply = await self._locked(tx, upload) if ask.takes_many else None
        await settle(tx, upload, **values)
        await outbox.end_shown(tx, _progress_key(upload))
        await _say(tx, upload, sentence)
        if reply is not None and waited_for(reply, upload) is not None:
            await Dialog(tx, self._services, reply).list_files(ask)

    def _why_refused(self, refused: FileRefused | TooLarge | FileTooBig | FileGone, ask: Ask) -> str:
        """What the sender of a file is told that cannot be taken."""
        match refused:
            case FileGone():
                log.warning("a file is gone", reason=str(refused))
                return texts.say("file-gone")
            case TooLarge(max_bytes=limit):
                return refusal(FileRefused("too_large", max_bytes=limit), ask)
            case FileTooBig():
                limit = self._services.settings.telegram_file_bytes
                return refusal(FileRefused("too_large_for_telegram", max_bytes=limit), ask)
            case _:
                return refusal(refused, ask)

    async def _quarantine(self, upload: Upload, ask: Ask, signature: str) -> None:
        """Keep what the scanner found apart, for whoever has to look at it; no process is told its key."""
        key = upload.object_key or ""
        apart = quarantine_key(key)
        log.warning("an infected file was put into quarantine", upload=upload.id, found=signature, key=apart)
        with suppress(ObjectMissing):  # an earlier try has come as far as that
            await self._services.storage.copy(key, apart)
        async with self._services.db.begin() as tx:
            values = {"state": "infected", "object_key": apart, "last_error": signature}
            await self._turn_down(tx, upload, ask, texts.say("file-infected"), **values)
            await self._services.storage.delete(key)

    async def _vanished(self, upload: Upload, ask: Ask) -> None:
        """An earlier try has taken the object away and died before that was written down."""
        apart = await self._services.storage.size_bytes(quarantine_key(upload.object_key or ""))
        if apart is not None:
            await self._quarantine(upload, ask, "found by an earlier try")
            return
        await self._refuse(upload, ask, texts.say("file-lost"))

    async def _abandon(self, upload: Upload, reply: PendingReply | None) -> None:
        """The step is over, or somebody else's: the file goes as well."""
        async with self._services.db.begin() as tx:
            # First the claim: a late holder must not take away what the other one has stored as the answer.
            await settle(tx, upload, state="abandoned")
            if (why := _why_too_late(reply, upload)) is not None:
                await _say(tx, upload, why)
            await outbox.end_shown(tx, _progress_key(upload))
            await self._clear(upload)
        await self._discard_local(upload)

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


async def _stored(tx: Tx, upload: Upload, ask: Ask) -> None:
    """It is part of the answer, for as long as the author lets it be kept."""
    if ask.retention_s is not None:
        upload.delete_at = datetime.now(UTC) + timedelta(seconds=ask.retention_s)
    await settle(tx, upload, state="stored", delete_at=upload.delete_at)


def _progress_key(upload: Upload) -> str:
    return f"upload:{upload.id}:progress"


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
