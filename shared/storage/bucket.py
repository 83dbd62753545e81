"""The bucket: objects go in and come out as streams, in constant memory and off the event loop."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

import boto3
import structlog

from shared.errors import ConfigurationError
from shared.files import sanitise_name
from shared.settings import Settings
from shared.storage.errors import ObjectMissing, StorageRefused, call
from shared.storage.multipart import Multipart
from shared.storage.seekable import SeekableObject
from shared.storage.stores import PART_BYTES, Store, store_at
from shared.storage.upload import Upload

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CopySourceTypeDef

log = structlog.get_logger(__name__)

CHUNK_BYTES = 256 * 1024
"""What iterating over a stored object reads at a time."""

_NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was stored: where, how large, and its digest in hex."""

    key: str
    bucket: str
    size_bytes: int
    sha256: str
    etag: str


@dataclass(frozen=True, slots=True)
class Looked:
    """How large an object is, and the mark that changes with its content."""

    size_bytes: int
    etag: str


class ObjectReader:
    """A stored object that is being read: iterate over its chunks, or call ``read`` as a parser does."""

    def __init__(self, key: str, body: "StreamingBody", size_bytes: int, metadata: Mapping[str, str]) -> None:
        self.key = key
        self.size_bytes = size_bytes
        self.metadata = metadata
        self._body = body

    async def read(self, size: int = CHUNK_BYTES) -> bytes:
        """The next bytes, at most ``size``; empty at the end.

        Raises:
            StorageUnavailable: the connection broke.
        """
        return await call(f"reading {self.key}", lambda: self._body.read(size))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk


class Storage:
    """One bucket of S3, R2, MinIO or s3proxy. One per process; its client is shared by all threads."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        *,
        public_url: str | None = None,
        part_bytes: int = PART_BYTES,
        store: Store | None = None,
    ) -> None:
        self.bucket = bucket
        self.store = store or store_at(None)
        self._client = client
        self._public_url = public_url
        self._part_bytes = part_bytes
        self.multipart = Multipart(client, bucket)
        """For objects whose parts a browser sends."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The bucket that the settings name; nothing is sent yet.

        Raises:
            ConfigurationError: R2_BUCKET_NAME, or a key for R2_ENDPOINT_URL, is missing or malformed.
        """
        if not settings.r2_bucket_name:
            raise ConfigurationError("R2_BUCKET_NAME is missing; files need a bucket of S3, R2 or MinIO")
        secret = settings.r2_secret_access_key
        if settings.r2_endpoint_url and not (settings.r2_access_key_id and secret):
            raise ConfigurationError(
                "R2_ENDPOINT_URL is set; R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY are too few"
            )
        store = store_at(settings.r2_endpoint_url)
        try:
            client = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.r2_endpoint_url,
                region_name=store.region,
                aws_access_key_id=settings.r2_access_key_id,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                config=store.config,
            )
        except ValueError as error:
            raise ConfigurationError(f"R2_ENDPOINT_URL is malformed: {error}") from error
        return cls(client, settings.r2_bucket_name, public_url=settings.r2_public_url, store=store)

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str] = _NO_METADATA,
        max_bytes: int | None = None,
    ) -> StoredObject:
        """Store a stream of unknown length; an object of that key is replaced.

        It appears whole or, on any failure or cancellation, not at all, and nothing stays behind.

        Raises:
            TooLarge: more than ``max_bytes`` came.
            StorageUnavailable, StorageRefused: see there.
        """
        upload = Upload(
            self._client,
            self.bucket,
            key,
            content_type=content_type,
            metadata=metadata,
            max_bytes=max_bytes,
            part_bytes=self._part_bytes,
        )
        try:
            async for chunk in chunks:
                await upload.add(chunk)
            etag = await upload.finish()
        except BaseException:
            await upload.abort()
            raise
        return StoredObject(key, self.bucket, upload.size_bytes, upload.sha256, etag)

    async def put_bytes(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] = _NO_METADATA
    ) -> StoredObject:
        """Store bytes that are in memory anyway.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """

        async def whole() -> AsyncIterator[bytes]:
            yield data

        return await self.put(key, whole(), content_type=content_type, metadata=metadata)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[ObjectReader]:
        """Read an object as a stream.

        Raises:
            ObjectMissing: there is none of this key.
            StorageUnavailable, StorageRefused: see there; also while reading.
        """
        answer = await call(f"opening {key}", lambda: self._client.get_object(Bucket=self.bucket, Key=key))
        body = answer["Body"]
        metadata = {name: unquote(value) for name, value in answer["Metadata"].items()}
        try:
            yield ObjectReader(key, body, answer["ContentLength"], metadata)
        finally:
            await call(f"closing {key}", body.close)  # in a thread: it waits for a read that was given up

    async def look(self, key: str) -> Looked:
        """What an object is just now, without reading it.

        Raises:
            ObjectMissing: there is none of this key.
            StorageUnavailable, StorageRefused: see there.
        """
        answer = await call(
            f"looking for {key}", lambda: self._client.head_object(Bucket=self.bucket, Key=key)
        )
        return Looked(answer["ContentLength"], answer["ETag"].strip('"'))

    async def size_bytes(self, key: str) -> int | None:
        """The size of an object, or None if there is none.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """
        try:
            return (await self.look(key)).size_bytes
        except ObjectMissing:
            return None

    def seekable(self, key: str, size_bytes: int) -> SeekableObject:
        """An object of a known size as a file for a thread; nothing is sent before it is read."""
        return SeekableObject(self._client, self.bucket, key, size_bytes)

    async def copy(self, key: str, to: str) -> None:
        """Give an object a second key; the store itself copies, in parts where it is large.

        Raises:
            ObjectMissing, StorageUnavailable, StorageRefused: see there.
        """
        source: CopySourceTypeDef = {"Bucket": self.bucket, "Key": key}
        await call(f"copying {key}", lambda: self._client.copy(source, self.bucket, to))

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """
        await call(f"deleting {key}", lambda: self._client.delete_object(Bucket=self.bucket, Key=key))

    async def abort_unfinished(self, key: str) -> None:
        """Remove what a process that died has left of multipart uploads to a key: unseen, but paid for.

        Without the right to look for it, it is left to the bucket's lifecycle rule.

        Raises:
            StorageUnavailable: see there.
        """

        def work() -> None:
            found = self._client.list_multipart_uploads(Bucket=self.bucket, Prefix=key).get("Uploads", [])
            for each in found:
                if each["Key"] == key:
                    self._client.abort_multipart_upload(
                        Bucket=self.bucket, Key=key, UploadId=each["UploadId"]
                    )

        try:
            await call(f"looking for unfinished uploads of {key}", work)
        except StorageRefused as error:
            log.warning("unfinished uploads are left to the lifecycle rule", key=key, reason=str(error))

    async def presign_get(self, key: str, expires_s: int, filename: str | None = None) -> str:
        """An address that gives the object to whoever has it, for ``expires_s`` seconds (at most seven days).

        With a ``filename`` a browser saves it under that name. Whether the object exists is not asked.
        """
        parameters = {"Bucket": self.bucket, "Key": key}
        if filename is not None:
            name = quote(sanitise_name(filename), safe="")
            parameters["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{name}"
        return await call(
            f"signing {key}",
            lambda: self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_s),
        )

    def public_url(self, key: str) -> str:
        """The address of an object in a bucket that is public by R2_PUBLIC_URL.

        Raises:
            ConfigurationError: R2_PUBLIC_URL is not set.
        """
        if not self._public_url:
            raise ConfigurationError("R2_PUBLIC_URL is missing; a step asks for a public address of its file")
        return f"{self._public_url.rstrip('/')}/{quote(key)}"

    async def check(self) -> None:
        """Find out whether the bucket is there for us.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """
        doing = f"looking for the bucket {self.bucket}"
        try:
            await call(doing, lambda: self._client.head_bucket(Bucket=self.bucket))
        except ObjectMissing as error:
            raise StorageRefused(f"{doing}: R2_BUCKET_NAME names no bucket there") from error

    async def aclose(self) -> None:
        """Close the connections."""
        self._client.close()
