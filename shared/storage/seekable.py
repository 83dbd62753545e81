"""A stored object as a file that can be sought, read by ranges: who unpacks or parses needs no copy."""

import io
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from shared.storage.errors import StorageUnavailable, translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from typing_extensions import Buffer


class SeekableObject(io.RawIOBase):
    """Read-only; each read is one GET of a range, so wrap it in ``io.BufferedReader`` where reads are small.

    It blocks: use it in a thread. Nothing of the object is kept in memory.
    """

    def __init__(self, client: "S3Client", bucket: str, key: str, size_bytes: int) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._key = key
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        """See io.IOBase."""
        return True

    def seekable(self) -> bool:
        """See io.IOBase."""
        return True

    def tell(self) -> int:
        """See io.IOBase."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See io.IOBase."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"before the beginning: {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: "Buffer", /) -> int:
        """See io.RawIOBase.

        Raises:
            StorageUnavailable, StorageRefused, ObjectMissing: see there.
        """
        target = memoryview(buffer).cast("B")
        wanted = min(len(target), self._size_bytes - self._at)
        if wanted <= 0:
            return 0
        data = self._range(self._at, self._at + wanted - 1)
        target[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _range(self, first: int, last: int) -> bytes:
        doing = f"reading bytes {first} to {last} of {self._key}"
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={first}-{last}"
            )
            with answer["Body"] as body:
                data = body.read()
        except (BotoCoreError, ClientError, HTTPError, OSError) as error:
            raise translated(error, doing) from error
        if len(data) != last - first + 1:  # a store that ignores ranges, or an object that was replaced
            raise StorageUnavailable(f"{doing}: {len(data)} bytes came")
        return data
