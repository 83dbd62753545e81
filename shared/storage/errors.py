"""The errors of the object store, and what boto3's errors become."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, beside the built-in one under OSError
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from urllib3.exceptions import HTTPError

from shared.errors import ConfigurationError, StepgramError, WorldError

T = TypeVar("T")

# Threads of its own: the loop's default ones also resolve host names, and a store that hangs must not keep
# the process from its engine, its database and Telegram.
_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="storage")

_BUSY = {"SlowDown", "RequestTimeout", "TooManyRequests", "NoSuchUpload"}
_NETWORK = (ConnectionError, HTTPClientError, IncompleteReadError, HTTPError, OSError)
_MENDED_BY = {
    "NoSuchBucket": "R2_BUCKET_NAME names no bucket there",
    "InvalidAccessKeyId": "R2_ACCESS_KEY_ID is not known there",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "R2_SECRET_ACCESS_KEY does not belong to R2_ACCESS_KEY_ID",
}
_NO_RIGHT = "R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY do not give the right to it in R2_BUCKET_NAME"


class StorageError(StepgramError):
    """The object store did not do what it was asked."""


class StorageUnavailable(StorageError, WorldError):
    """The object store does not answer, or not now."""


class StorageRefused(StorageError, ConfigurationError):
    """The object store refuses our key or knows no such bucket; the message names the settings."""


class ObjectMissing(StorageError):
    """There is no object of this key."""


class TooLarge(StorageError):
    """More bytes came than are allowed; nothing was stored."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"more than {max_bytes} bytes")
        self.max_bytes = max_bytes


async def call(doing: str, work: Callable[[], T]) -> T:
    """Run a blocking piece of boto3 in a thread and translate its errors.

    Raises:
        StorageError: one of its kinds.
    """
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
    except (BotoCoreError, ClientError, HTTPError, OSError) as error:
        raise translated(error, doing) from error


def translated(error: Exception, doing: str) -> StorageError:
    """Our error for one of boto3's; ``doing`` says in a few words what was tried."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return StorageRefused(f"{doing}: R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY are missing")
    if isinstance(error, _NETWORK):
        return StorageUnavailable(f"{doing}: {error}")
    if not isinstance(error, ClientError):
        return StorageError(f"{doing}: {error}")
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _MENDED_BY or status in {401, 403}:
        return StorageRefused(f"{doing}: {code}; {_MENDED_BY.get(code, _NO_RIGHT)}")
    if status >= 500 or status == 429 or code in _BUSY:
        return StorageUnavailable(f"{doing}: {code or status}")
    if status == 404:
        return ObjectMissing(f"{doing}: there is no such object")
    return StorageError(f"{doing}: {error}")
