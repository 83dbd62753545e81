"""What lies in the bucket, by pages: of a million objects a thousand are in memory at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.storage.bucket import Storage
from shared.storage.errors import call


@dataclass(frozen=True, slots=True)
class Listed:
    """An object, or an upload of one that was begun (``upload_id``), and since when it is there."""

    key: str
    since: datetime
    upload_id: str | None = None


async def objects(storage: Storage, prefix: str) -> AsyncIterator[Sequence[Listed]]:
    """The objects below a prefix, in the order of their keys; a thousand at a time.

    Raises:
        StorageUnavailable, StorageRefused: see there.
    """
    more: dict[str, Any] = {}
    while True:
        page = await call(
            f"listing {prefix}",
            lambda: storage._client.list_objects_v2(Bucket=storage.bucket, Prefix=prefix, **more),  # noqa: B023
        )
        yield [Listed(each["Key"], each["LastModified"]) for each in page.get("Contents", ())]
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


async def unfinished(storage: Storage, prefixes: tuple[str, ...]) -> AsyncIterator[Sequence[Listed]]:
    """The multipart uploads below some prefixes that were begun and neither completed nor aborted.

    All of the bucket's are asked for: not every store knows prefixes here (:mod:`shared.storage.stores`).

    Raises:
        StorageUnavailable, StorageRefused: see there.
    """
    more: dict[str, Any] = {}
    while True:
        page = await call(
            "listing unfinished uploads",
            lambda: storage._client.list_multipart_uploads(Bucket=storage.bucket, **more),  # noqa: B023
        )
        yield [
            Listed(each["Key"], each["Initiated"], each["UploadId"])
            for each in page.get("Uploads", ())
            if each["Key"].startswith(prefixes)
        ]
        marks = page.get("NextKeyMarker"), page.get("NextUploadIdMarker")
        if not page.get("IsTruncated") or not marks[0]:
            return
        more = {"KeyMarker": marks[0], **({"UploadIdMarker": marks[1]} if marks[1] else {})}
