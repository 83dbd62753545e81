"""An object whose parts somebody else sends straight to the store, each to an address signed for it alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from shared.storage.errors import call
from shared.storage.stores import part_bytes_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

T = TypeVar("T")

MIB = 1024 * 1024
SMALLEST_PART_BYTES = 5 * MIB
"""What S3 and R2 take of every part but the last."""

# 404 where S3 says NoSuchUpload: the upload was completed, aborted, or never was.
_GONE = {"NoSuchUpload", "NoSuchKey", "404"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has."""

    number: int
    size_bytes: int
    etag: str


def part_bytes(size_bytes: int) -> int:
    """The size of all parts of an object but the last: R2 wants them equal. Small: soon sent again."""
    return part_bytes_for(size_bytes, SMALLEST_PART_BYTES)


def part_sizes(size_bytes: int) -> list[int]:
    """The sizes of the parts of an object, in order; the first part has number 1."""
    each = part_bytes(size_bytes)
    return [min(each, size_bytes - start) for start in range(0, size_bytes, each)]


class Multipart:
    """Multipart uploads of one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def begin(self, key: str, content_type: str) -> str:
        """Begin an upload to a key; the store's name for it.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """
        answer = await call(
            f"beginning {key}",
            lambda: self._client.create_multipart_upload(
                Bucket=self._bucket, Key=key, ContentType=content_type
            ),
        )
        return answer["UploadId"]

    async def presign_part(
        self, key: str, upload_id: str, number: int, size_bytes: int, expires_s: int
    ) -> str:
        """The address to which one part, of exactly this size, can be PUT for ``expires_s`` seconds.

        The size is signed too: whoever has the address cannot fill the bucket with more.
        """
        parameters = {
            "Bucket": self._bucket,
            "Key": key,
            "UploadId": upload_id,
            "PartNumber": number,
            "ContentLength": size_bytes,
        }
        return await call(
            f"signing part {number} of {key}",
            lambda: self._client.generate_presigned_url(
                "upload_part", Params=parameters, ExpiresIn=expires_s
            ),
        )

    async def parts(self, key: str, upload_id: str) -> list[Part] | None:
        """The parts that the store has, by number; None if there is no such upload (any more).

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """

        def work() -> list[Part]:
            pages = self._client.get_paginator("list_parts").paginate(
                Bucket=self._bucket, Key=key, UploadId=upload_id
            )
            return [
                Part(each["PartNumber"], each["Size"], each["ETag"])
                for page in pages
                for each in page.get("Parts", [])
            ]

        found = await call(f"listing the parts of {key}", _none_if_gone(work))
        return None if found is None else sorted(found, key=lambda part: part.number)

    async def complete(self, key: str, upload_id: str, parts: list[Part]) -> bool:
        """Make an object of these parts; False if there is no such upload (any more).

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """

        def work() -> bool:
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": [{"PartNumber": p.number, "ETag": p.etag} for p in parts]},
            )
            return True

        return bool(await call(f"completing {key}", _none_if_gone(work)))

    async def abort(self, key: str, upload_id: str) -> None:
        """Remove the parts of an upload; one that is not there is no error.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """

        def work() -> None:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)

        await call(f"aborting {key}", _none_if_gone(work))

    async def origin(self) -> str:
        """Where those addresses lead, as a browser names it: scheme, host and port."""
        address = urlsplit(await self.presign_part("any", "any", 1, 1, 60))
        return f"{address.scheme}://{address.netloc}"


def _none_if_gone(work: "Callable[[], T]") -> "Callable[[], T | None]":
    def tried() -> T | None:
        try:
            return work()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in _GONE:
                return None
            raise

    return tried
