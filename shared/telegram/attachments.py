"""Pictures and documents that steps show: an object is uploaded once, and then sent by its file_id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from telegram import InputFile, Message
from telegram.error import BadRequest

from shared import texts
from shared.db import Database, Tx
from shared.errors import AuthorError
from shared.models import Json, SentFile
from shared.storage import ObjectMissing, Storage, name_of
from shared.telegram.client import SharedBot

log = structlog.get_logger(__name__)

SPOOL_BYTES = 1_000_000
PHOTO_LIMIT_BYTES = 10_000_000
UPLOAD_LIMIT_BYTES = 50_000_000
"""https://core.telegram.org/bots/api#sending-files"""

_NOT_KNOWN = ("file identifier", "file_id", "file of type", "file reference")
"""What Telegram's refusal of a file_id has in it."""


@dataclass(frozen=True)
class Memo:
    """What is to be remembered of a file that was sent."""

    kind: str
    key: str
    etag: str
    file_id: str


class Attachments:
    """Sends what a message shows. A file_id serves one bot, and one content of an object."""

    def __init__(self, db: Database, bot: SharedBot, storage: Storage) -> None:
        self._db = db
        self._bot = bot
        self._storage = storage

    async def send(self, chat_id: int, content: Json, **more: Any) -> tuple[Message, Memo | None]:
        """Send what a message's content shows; a picture that is too large goes as a document.

        Raises:
            AuthorError: there is no such object, or Telegram does not take one so large.
            TelegramError: as the library has it.
        """
        key = str(content.get("photo") or content["document"])
        wants_photo = "photo" in content
        if key.startswith("https://"):  # the contract has checked it; Telegram fetches it by itself
            return await self._send("photo" if wants_photo else "document", chat_id, key, more), None
        try:
            there = await self._storage.look(key)
            kind = "photo" if wants_photo and there.size_bytes <= PHOTO_LIMIT_BYTES else "document"
            known = await self._find(kind, key, there.etag)
            if known is not None and (message := await self._send_known(kind, chat_id, known, more)):
                return message, Memo(kind, key, there.etag, known)
            if known is not None:
                await self._forget(kind, key)
            async with self._file(key) as file:
                message = await self._send(kind, chat_id, file, more)
        except ObjectMissing as error:
            raise AuthorError(f"the step shows a file that is not in the bucket: {error}") from error
        file_id = _file_id(message, kind)
        return message, Memo(kind, key, there.etag, file_id) if file_id else None

    async def _send(self, kind: str, chat_id: int, file: InputFile | str, more: dict[str, Any]) -> Message:
        return await (self._bot.send_photo if kind == "photo" else self._bot.send_document)(
            chat_id, file, **more
        )

    async def _send_known(
        self, kind: str, chat_id: int, file_id: str, more: dict[str, Any]
    ) -> Message | None:
        """Send by file_id; None where Telegram does not know it any more."""
        try:
            return await self._send(kind, chat_id, file_id, more)
        except BadRequest as error:
            if not any(words in error.message.lower() for words in _NOT_KNOWN):
                raise
            log.info("a file is uploaded anew", reason=error.message)
            return None

    @asynccontextmanager
    async def _file(self, key: str) -> AsyncIterator[InputFile]:
        """An object of the bucket to upload.

        Never a variable's text: the library would open a local path.
        """
        async with self._storage.open(key) as stored:
            if stored.size_bytes > UPLOAD_LIMIT_BYTES:
                size = texts.size(stored.size_bytes)
                raise AuthorError(f"the step shows {key}, which has {size}; Telegram takes at most 50 MB")
            # On disk from the first megabyte on; the library streams a handle that it must not read itself.
            with SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
                async for chunk in stored:
                    spool.write(chunk)
                spool.seek(0)
                yield InputFile(spool, filename=name_of(key), read_file_handle=False)

    async def _find(self, kind: str, key: str, etag: str) -> str | None:
        which = SentFile.bot_id == self._bot_id, SentFile.kind == kind, SentFile.object_key == key
        async with self._db.begin() as tx:
            found: str | None = await tx.scalar(select(SentFile.file_id).where(*which, SentFile.etag == etag))
        return found

    async def _forget(self, kind: str, key: str) -> None:
        which = SentFile.bot_id == self._bot_id, SentFile.kind == kind, SentFile.object_key == key
        async with self._db.begin() as tx:
            await tx.execute(delete(SentFile).where(*which))

    async def remember(self, tx: Tx, memo: Memo | None) -> None:
        """Note the file_id of what was sent, and when, with the mark that its message was sent."""
        if memo is None:
            return
        values = {"etag": memo.etag, "file_id": memo.file_id, "used_at": func.now()}
        statement = insert(SentFile).values(
            bot_id=self._bot_id, kind=memo.kind, object_key=memo.key, **values
        )
        keys = ["bot_id", "kind", "object_key"]
        await tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))

    @property
    def _bot_id(self) -> int:
        return int(self._bot.token.partition(":")[0])


def _file_id(message: Message, kind: str) -> str | None:
    if kind == "photo":
        return message.photo[-1].file_id if message.photo else None
    return message.document.file_id if message.document else None
