"""One object on its way into the bucket, in constant memory."""

import asyncio
import hashlib
import io
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog

from shared.storage.errors import StorageError, TooLarge, call

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

log = structlog.get_logger(__name__)

PARTS_AT_ONCE = 2
"""Parts of one object on their way at once: one alone leaves the line idle while the store answers."""


class Upload:
    """An object that arrives in chunks: one PUT when it is small, else a multipart upload.

    While PARTS_AT_ONCE are on their way the next one is gathered, and no more are in memory. A part once
    begun is never left to itself: a thread cannot be cancelled, and an abort that overtakes it would leave an
    orphan.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        key: str,
        *,
        content_type: str,
        metadata: Mapping[str, str],
        max_bytes: int | None,
        part_bytes: int,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        # headers are ASCII: values are kept percent-encoded
        self._metadata = {name: quote(value, safe=" !#$&'()*+,/:;=?@[]~") for name, value in metadata.items()}
        self._max_bytes = max_bytes
        self._part_bytes = part_bytes
        self._gathered = io.BytesIO()  # handed over as it is: copies of parts would add up
        self._sent: list[io.BytesIO] = []  # gather again: fresh memory for each costs more than to fill it
        self._hash = hashlib.sha256()
        self._in_order = asyncio.Lock()  # fair: parts are hashed as they came
        self._upload_id: str | None = None
        self._etags: list[str] = []
        self._running: deque[asyncio.Task[Any]] = deque()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """The hex digest of the object, once it is finished."""
        return self._hash.hexdigest()

    async def add(self, chunk: bytes) -> None:
        """Take the next bytes; waits while as many parts as may be are on their way and another is full.

        Raises:
            TooLarge: with these bytes there are more than allowed.
            StorageError: an earlier part could not be stored.
        """
        self.size_bytes += len(chunk)
        if self._max_bytes is not None and self.size_bytes > self._max_bytes:
            raise TooLarge(self._max_bytes)
        rest = memoryview(chunk)
        while rest:
            room = self._part_bytes - self._gathered.tell()
            self._gathered.write(rest[:room])
            rest = rest[room:]
            if self._gathered.tell() == self._part_bytes:
                await self._begin_part()

    async def finish(self) -> str:
        """Store what is left and make the object visible; returns its etag.

        Raises:
            StorageError: it could not be stored.
        """
        if self._upload_id is None:
            self._begin(self._send_whole(self._taken()))
        else:
            if self._gathered.tell():
                await self._begin_part()
            await self._settle()
            self._begin(self._complete())
        return str(await self._settle()).strip('"')

    async def abort(self) -> None:
        """Remove what is there of a multipart upload; the store's errors are logged, not raised."""
        cleaning = asyncio.create_task(self._abort())
        await asyncio.shield(cleaning)  # a second cancellation must not leave the orphan behind

    def _taken(self) -> io.BytesIO:
        taken, self._gathered = self._gathered, self._sent.pop() if self._sent else io.BytesIO()
        taken.truncate()
        taken.seek(0)
        self._gathered.seek(0)
        return taken

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        self._running.append(asyncio.create_task(work))

    async def _settle(self, but: int = 0) -> Any:
        """Wait until no more than so many are on their way; what the last one gave.

        A cancellation leaves them to ``abort``.
        """
        given = None
        while len(self._running) > but:
            given = await asyncio.shield(self._running[0])
            self._running.popleft()
        return given

    async def _send_whole(self, data: io.BytesIO) -> str:
        def work() -> str:
            self._hash.update(data.getbuffer())
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=data,
                ContentType=self._content_type,
                Metadata=self._metadata,
            )
            return answer["ETag"]

        return await call(f"storing {self._key}", work)

    async def _begin_part(self) -> None:
        if self._upload_id is None:
            self._begin(self._create())
            await self._settle()
        await self._settle(PARTS_AT_ONCE - 1)
        self._etags.append("")
        self._begin(self._send_part(len(self._etags), self._taken()))

    async def _create(self) -> None:
        def work() -> str:
            return self._client.create_multipart_upload(
                Bucket=self._bucket, Key=self._key, ContentType=self._content_type, Metadata=self._metadata
            )["UploadId"]

        self._upload_id = await call(f"storing {self._key}", work)

    async def _send_part(self, number: int, data: io.BytesIO) -> None:
        def send() -> str:
            return self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id or "",
                PartNumber=number,
                Body=data,
            )["ETag"]

        async with self._in_order:
            await call(f"hashing part {number} of {self._key}", lambda: self._hash.update(data.getbuffer()))
        self._etags[number - 1] = await call(f"storing part {number} of {self._key}", send)
        self._sent.append(data)

    async def _complete(self) -> str:
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in enumerate(self._etags, 1)
        ]
        answer = await call(
            f"completing {self._key}",
            lambda: self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id or "",
                MultipartUpload={"Parts": parts},
            ),
        )
        return answer["ETag"]

    async def _abort(self) -> None:
        # their errors are seen by the caller already, or overtaken by another reason
        await asyncio.gather(*self._running, return_exceptions=True)
        if (upload_id := self._upload_id) is None:
            return
        try:
            await call(
                f"aborting {self._key}",
                lambda: self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=self._key, UploadId=upload_id
                ),
            )
        except StorageError as error:
            log.warning("multipart upload not aborted", key=self._key, upload_id=upload_id, error=str(error))
