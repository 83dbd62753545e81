"""A bucket in memory."""

import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from shared.storage import Looked, ObjectMissing, Storage, StoredObject, TooLarge


class FakeReader:
    """An object that is being read."""

    def __init__(self, data: bytes) -> None:
        self.size_bytes = len(data)
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), 4):
            yield self._data[start : start + 4]


class FakeStorage:
    """Stands in for Storage; ``failures`` are raised by the next calls that read or write."""

    bucket = "bucket"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.failures: list[Exception] = []
        self.deleted: list[str] = []
        self.cleared: list[str] = []
        self.sizes: dict[str, int] = {}

    @property
    def storage(self) -> Storage:
        """This bucket under the type that our code expects."""
        return cast("Storage", self)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[FakeReader]:
        self._fail()
        if key not in self.objects:
            raise ObjectMissing(f"reading {key}: there is no such object")
        reader = FakeReader(self.objects[key])
        reader.size_bytes = self.sizes.get(key, reader.size_bytes)
        yield reader

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str, max_bytes: int | None = None
    ) -> StoredObject:
        data = b""
        async for chunk in chunks:
            data += chunk
            if max_bytes is not None and len(data) > max_bytes:
                raise TooLarge(max_bytes)
        self._fail()
        self.objects[key], self.types[key] = data, content_type
        return StoredObject(key, self.bucket, len(data), hashlib.sha256(data).hexdigest(), "etag")

    async def look(self, key: str) -> Looked:
        self._fail()
        if key not in self.objects:
            raise ObjectMissing(f"looking for {key}: there is no such object")
        data = self.objects[key]
        return Looked(self.sizes.get(key, len(data)), hashlib.md5(data, usedforsecurity=False).hexdigest())

    def seekable(self, key: str, size_bytes: int) -> io.BytesIO:
        self._fail()
        if key not in self.objects:
            raise ObjectMissing(f"reading {key}: there is no such object")
        return io.BytesIO(self.objects[key])

    async def copy(self, key: str, to: str) -> None:
        if key not in self.objects:
            raise ObjectMissing(f"copying {key}: there is no such object")
        self.objects[to] = self.objects[key]

    async def size_bytes(self, key: str) -> int | None:
        self._fail()
        return len(self.objects[key]) if key in self.objects else None

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)
        self.deleted.append(key)

    async def abort_unfinished(self, key: str) -> None:
        self.cleared.append(key)

    async def presign_get(self, key: str, expires_s: int, filename: str | None = None) -> str:
        return f"https://bucket.example.org/{key}?for={expires_s}&as={filename}"

    def public_url(self, key: str) -> str:
        return f"https://files.example.org/{key}"

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
