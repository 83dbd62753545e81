"""The pure parts of the bucket: keys, settings, and what the store's errors become."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from urllib3.exceptions import ProtocolError

from shared.errors import ConfigurationError, StepgramError, WorldError
from shared.settings import Settings
from shared.storage import (
    ObjectMissing,
    Storage,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    TooLarge,
    object_key,
)
from shared.storage.errors import translated

NOON = datetime(2026, 3, 14, 12, 0, 0, 42, tzinfo=UTC)
COMPLETE = {
    "database_url": "postgresql://x",
    "r2_bucket_name": "files",
    "r2_endpoint_url": "http://127.0.0.1:9",
    "r2_access_key_id": "id",
    "r2_secret_access_key": "secret",
}


def made(**changes: str | None) -> Storage:
    return Storage.from_settings(Settings.model_validate({**COMPLETE, **changes}))


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "…"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetObject",
    )


def test_a_key_names_person_task_variable_and_instant() -> None:
    for moment in (NOON, NOON.astimezone(timezone(timedelta(hours=9)))):
        key = object_key(7, "task-1", "s3_chatHistory", moment, "../result.json")
        folder, instant, name = re.split(r"_[0-9a-f]{32}_|(?<=s3_chatHistory/)", key)
        assert (folder, instant, name) == (
            "tasks/7/task-1/s3_chatHistory/", "20260314T120000.000042Z", "result.json",
        )  # fmt: skip


def test_no_key_tells_another() -> None:
    keys = {object_key(7, "task-1", "s3_x", NOON, "a.json") for _ in range(100)}
    assert len(keys) == 100


@pytest.mark.parametrize(
    "part", ["..", ".", "", "../..", "a/b", "a\\b", "ж", "x" * 500, "a b\n", "%2e%2e", "..x"]
)
def test_no_part_of_a_key_leaves_its_place(part: str) -> None:
    key = object_key(part, part, part, NOON, part)
    segments = key.split("/")
    assert len(segments) == 5
    assert all(segment.strip(".") and segment.isprintable() for segment in segments)
    assert len(key.encode()) < 1024
    assert len(segments[-1].encode()) <= 213


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"r2_bucket_name": None}, "R2_BUCKET_NAME"),
        ({"r2_access_key_id": None}, "R2_ACCESS_KEY_ID"),
        ({"r2_secret_access_key": None}, "R2_SECRET_ACCESS_KEY"),
        ({"r2_endpoint_url": "no address"}, "R2_ENDPOINT_URL"),
    ],
)
def test_a_missing_setting_is_named(changes: dict[str, str | None], setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        made(**changes)


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://account.r2.cloudflarestorage.com", "auto"),
        ("http://127.0.0.1:9000", "us-east-1"),
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://s3.us-gov-west-1.amazonaws.com/", "us-gov-west-1"),
        ("https://s3.amazonaws.com.evil.example", "us-east-1"),
    ],
)
async def test_requests_are_signed_for_the_region_of_the_address(endpoint: str, region: str) -> None:
    storage = made(r2_endpoint_url=endpoint)
    assert f"%2F{region}%2Fs3%2F" in await storage.presign_get("key", 60)
    await storage.aclose()


async def test_a_presigned_address_is_path_style_and_names_the_lifetime() -> None:
    storage = made()
    address = await storage.presign_get("a b/ж.json", 3600, filename='x".json')
    assert address.startswith("http://127.0.0.1:9/files/a%20b/%D0%B6.json?")
    assert "X-Amz-Expires=3600" in address
    assert "attachment%3B%20filename%2A%3DUTF-8%27%27x_.json" in address
    await storage.aclose()


async def test_a_public_address_needs_its_setting() -> None:
    storage = made()
    with pytest.raises(ConfigurationError, match="R2_PUBLIC_URL"):
        storage.public_url("a")
    await storage.aclose()
    public = made(r2_public_url="https://files.example.org/")
    assert public.public_url("tasks/a b/ж.json") == "https://files.example.org/tasks/a%20b/%D0%B6.json"
    await public.aclose()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="x"), StorageUnavailable),
        (ConnectTimeoutError(endpoint_url="x"), StorageUnavailable),
        (ReadTimeoutError(endpoint_url="x"), StorageUnavailable),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), StorageUnavailable),
        (ProtocolError("cut"), StorageUnavailable),
        (ConnectionResetError("reset"), StorageUnavailable),
        (refusal("InternalError", 500), StorageUnavailable),
        (refusal("SlowDown", 503), StorageUnavailable),
        (refusal("", 502), StorageUnavailable),
        (refusal("TooManyRequests", 429), StorageUnavailable),
        (refusal("RequestTimeout", 400), StorageUnavailable),
        (refusal("NoSuchUpload", 404), StorageUnavailable),
        (refusal("NoSuchKey", 404), ObjectMissing),
        (refusal("404", 404), ObjectMissing),
        (refusal("NoSuchBucket", 404), StorageRefused),
        (refusal("AccessDenied", 403), StorageRefused),
        (refusal("403", 403), StorageRefused),
        (refusal("InvalidAccessKeyId", 403), StorageRefused),
        (refusal("SignatureDoesNotMatch", 403), StorageRefused),
        (NoCredentialsError(), StorageRefused),
        (refusal("KeyTooLongError", 400), StorageError),
        (ParamValidationError(report="no"), StorageError),
    ],
)
def test_each_error_of_the_store_becomes_the_kind_that_says_what_to_do(
    error: Exception, kind: type[Exception]
) -> None:
    found = translated(error, "reading x")
    assert type(found) is kind
    assert str(found).startswith("reading x")


def test_every_error_is_ours_and_of_its_kind() -> None:
    assert issubclass(StorageError, StepgramError)
    assert issubclass(StorageUnavailable, WorldError)
    assert issubclass(StorageRefused, ConfigurationError)
    assert not issubclass(StorageRefused, WorldError)
    assert TooLarge(5).max_bytes == 5
    assert StorageUnavailable("x", retry_after_s=3).retry_after_s == 3


def test_no_error_shows_a_secret() -> None:
    assert "secret" not in str(translated(refusal("SignatureDoesNotMatch", 403), "x"))
    assert "secret" not in repr(vars(made()))
