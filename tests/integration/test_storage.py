"""The bucket against a real S3 server: streams both ways, nothing left behind, honest errors."""

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
import pytest_asyncio

from devstack.stack import Stack, running_stack
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
from shared.storage.upload import PARTS_AT_ONCE

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

pytest_plugins = ["devstack.pytest_plugin"]

MIB = 1024 * 1024
PART_BYTES = 5 * MIB


def settings_of(stack: Stack, **changes: str) -> Settings:
    values = {name.lower(): value for name, value in stack.env.items() if name.startswith("R2_")}
    return Settings.model_validate({"database_url": "postgresql://x", **values, **changes})


@pytest_asyncio.fixture
async def storage(stack: Stack) -> AsyncIterator[Storage]:
    whole = Storage.from_settings(settings_of(stack))
    # the smallest parts that S3 takes, so that a small file is many parts
    yield Storage(whole._client, whole.bucket, part_bytes=PART_BYTES)
    await whole.aclose()


@pytest.fixture
def raw(stack: Stack) -> Iterator["S3Client"]:
    settings = settings_of(stack)
    assert settings.r2_secret_access_key is not None
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=settings.r2_endpoint_url,
        aws_access_key_id=settings.r2_access_key_id,
        aws_secret_access_key=settings.r2_secret_access_key.get_secret_value(),
        region_name="us-east-1",
    )
    yield client
    client.close()


async def chunks(total_bytes: int, chunk_bytes: int = 700_001) -> AsyncIterator[bytes]:
    for start in range(0, total_bytes, chunk_bytes):
        size = min(chunk_bytes, total_bytes - start)
        yield (b"%09d;" % start * (size // 10 + 1))[:size]


async def whole(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def fetched(storage: Storage, key: str) -> bytes:
    async with storage.open(key) as stored:
        return b"".join([chunk async for chunk in stored])


async def assert_nothing_left(storage: Storage, raw: "S3Client", key: str) -> None:
    assert await storage.size_bytes(key) is None
    pending = await asyncio.to_thread(lambda: raw.list_multipart_uploads(Bucket=storage.bucket))
    assert key not in [upload["Key"] for upload in pending.get("Uploads", [])]


@pytest.mark.parametrize(
    "total_bytes", [0, 1, 100, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 13_000_000]
)
async def test_what_was_stored_comes_back_byte_by_byte(storage: Storage, total_bytes: int) -> None:
    content = await whole(chunks(total_bytes))
    key = f"round/{total_bytes}"
    stored = await storage.put(key, chunks(total_bytes), content_type="application/x-test")
    assert (stored.key, stored.bucket, stored.size_bytes) == (key, storage.bucket, total_bytes)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert stored.etag
    assert '"' not in stored.etag
    assert await storage.size_bytes(key) == total_bytes
    async with storage.open(key) as reader:
        assert reader.size_bytes == total_bytes
        assert b"".join([chunk async for chunk in reader]) == content


async def test_what_a_dead_process_left_of_an_upload_is_removed(storage: Storage, raw: "S3Client") -> None:
    def begin(key: str) -> None:
        upload = raw.create_multipart_upload(Bucket=storage.bucket, Key=key)
        raw.upload_part(
            Bucket=storage.bucket, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=bytes(PART_BYTES)
        )

    def begun() -> list[str]:
        answer = raw.list_multipart_uploads(Bucket=storage.bucket, Prefix="dead/")
        return sorted(each["Key"] for each in answer.get("Uploads", []))

    for key in ("dead/file", "dead/file", "dead/file.2"):
        await asyncio.to_thread(begin, key)
    await storage.abort_unfinished("dead/file")
    assert await asyncio.to_thread(begun) == ["dead/file.2"]
    await storage.abort_unfinished("dead/file.2")
    assert await asyncio.to_thread(begun) == []


async def test_a_chunk_may_be_larger_than_several_parts(storage: Storage) -> None:
    content = os.urandom(3 * PART_BYTES + 17)
    await storage.put_bytes("large-chunk", content, content_type="application/x-test")
    assert await fetched(storage, "large-chunk") == content


class Slow:
    """Keeps the first part of an object on its way until the one beside it is over."""

    def __init__(self, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        self._send = storage._client.upload_part
        self._others = threading.Semaphore(0)
        self._counting = threading.Lock()
        self.now = self.most = 0
        monkeypatch.setattr(storage._client, "upload_part", self._sent)

    def _sent(self, *, PartNumber: int, **what: Any) -> Any:  # noqa: N803 - boto3's name
        with self._counting:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if PartNumber == 1:
                assert self._others.acquire(timeout=20)
            return self._send(PartNumber=PartNumber, **what)
        finally:
            with self._counting:
                self.now -= 1
            self._others.release()


async def test_parts_that_arrive_in_another_order_make_the_same_object(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(storage, monkeypatch)
    content = await whole(chunks(5 * PART_BYTES + 17))
    stored = await storage.put("order", chunks(len(content)), content_type="application/x-test")
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert await fetched(storage, "order") == content
    assert slow.most == PARTS_AT_ONCE


async def test_a_part_that_is_refused_waits_for_the_one_beside_it_and_leaves_nothing(
    storage: Storage, raw: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(storage, monkeypatch)
    upload_part = storage._client.upload_part

    def refused(*, PartNumber: int, **what: Any) -> Any:  # noqa: N803 - boto3's name
        if PartNumber == 2:
            what["UploadId"] = "of-nobody"
        return upload_part(PartNumber=PartNumber, **what)

    monkeypatch.setattr(storage._client, "upload_part", refused)
    with pytest.raises(StorageError):
        await storage.put("refused", chunks(4 * PART_BYTES), content_type="text/plain")
    assert slow.now == 0
    await assert_nothing_left(storage, raw, "refused")


async def test_a_second_object_of_the_same_key_replaces_the_first(storage: Storage) -> None:
    await storage.put_bytes("again", b"first", content_type="text/plain")
    await storage.put_bytes("again", b"second", content_type="text/plain")
    assert await fetched(storage, "again") == b"second"


@pytest.mark.parametrize("total_bytes", [10, PART_BYTES + 1])
async def test_metadata_of_any_characters_comes_back(storage: Storage, total_bytes: int) -> None:
    metadata = {"name": "отчёт 👍.json", "note": "100% = a+b %41\r\n\x00"}
    await storage.put("meta", chunks(total_bytes), content_type="text/plain", metadata=metadata)
    async with storage.open("meta") as reader:
        assert dict(reader.metadata) == metadata


async def test_any_persons_file_name_makes_a_usable_key(storage: Storage) -> None:
    for name in (
        "../../x.json",
        "ж" * 300 + ".json",
        "👍🏽 100% #1?&+=.json",
        "con",
        "a b\tc.json",
        "漢" * 99,
    ):
        key = object_key(7, "task-1", "s3_file", datetime.now(UTC), name)
        content = b"x" * (PART_BYTES + 1)
        await storage.put_bytes(key, content, content_type="text/plain")
        assert await fetched(storage, key) == content
        async with httpx.AsyncClient() as client:
            assert (await client.get(await storage.presign_get(key, 60))).content == content
        await storage.delete(key)
        assert await storage.size_bytes(key) is None


async def test_a_source_that_fails_leaves_nothing_behind(storage: Storage, raw: "S3Client") -> None:
    async def failing() -> AsyncIterator[bytes]:
        async for chunk in chunks(3 * PART_BYTES):
            yield chunk
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        await storage.put("failing", failing(), content_type="text/plain")
    await assert_nothing_left(storage, raw, "failing")


@pytest.mark.parametrize("max_bytes", [0, 100, PART_BYTES, 2 * PART_BYTES + 1])
async def test_more_bytes_than_allowed_are_refused_while_they_come(
    storage: Storage, raw: "S3Client", max_bytes: int
) -> None:
    with pytest.raises(TooLarge) as refused:
        await storage.put("too-large", chunks(3 * PART_BYTES), content_type="text/plain", max_bytes=max_bytes)
    assert refused.value.max_bytes == max_bytes
    await assert_nothing_left(storage, raw, "too-large")


async def test_exactly_as_many_bytes_as_allowed_are_taken(storage: Storage) -> None:
    stored = await storage.put("exact", chunks(1000), content_type="text/plain", max_bytes=1000)
    assert stored.size_bytes == 1000


@pytest.mark.parametrize("after_bytes", [0, PART_BYTES, 2 * PART_BYTES + 5])
async def test_a_cancelled_put_leaves_nothing_behind(
    storage: Storage, raw: "S3Client", after_bytes: int
) -> None:
    reached = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for chunk in chunks(after_bytes):
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(storage.put("cancelled", stuck(), content_type="text/plain"))
    await reached.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    await assert_nothing_left(storage, raw, "cancelled")


async def test_an_object_may_be_left_before_its_end(storage: Storage) -> None:
    await storage.put("partly", chunks(13_000_000), content_type="text/plain")
    async with storage.open("partly") as reader:
        assert await reader.read(5) == b"000000000"[:5]
        async for chunk in reader:
            assert chunk
            break
    assert await storage.size_bytes("partly") == 13_000_000


async def test_reading_can_be_cancelled(storage: Storage) -> None:
    await storage.put("reading", chunks(13_000_000), content_type="text/plain")
    begun = asyncio.Event()

    async def read() -> None:
        async with storage.open("reading") as reader:
            begun.set()
            async for _ in reader:
                await asyncio.Event().wait()

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_what_is_not_there_is_missing_and_deleting_it_is_no_error(storage: Storage) -> None:
    with pytest.raises(ObjectMissing):
        async with storage.open("nowhere"):
            pass
    assert await storage.size_bytes("nowhere") is None
    await storage.delete("nowhere")


async def test_a_senseless_key_is_an_error_that_no_repetition_mends(storage: Storage) -> None:
    with pytest.raises(StorageError) as failed:
        async with storage.open(""):
            pass
    assert not isinstance(failed.value, StorageUnavailable)


async def test_a_presigned_address_gives_the_object_to_anyone_and_nothing_else_does(storage: Storage) -> None:
    await storage.put_bytes("private/a b.txt", b"secret", content_type="text/plain")
    address = await storage.presign_get("private/a b.txt", 60, filename="../Отчёт 1.txt")
    async with httpx.AsyncClient() as client:
        answer = await client.get(address)
        assert answer.content == b"secret"
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%D0%9E")
        assert (await client.get(address.partition("?")[0])).status_code == 403
        assert (await client.get(address.replace("Signature=", "Signature=0"))).status_code == 403


async def test_a_presigned_address_expires(storage: Storage) -> None:
    await storage.put_bytes("short", b"x", content_type="text/plain")
    address = await storage.presign_get("short", 1)
    async with httpx.AsyncClient() as client, asyncio.timeout(20):
        while (await client.get(address)).status_code == 200:  # noqa: ASYNC110 - the clock is the server's
            await asyncio.sleep(0.2)
        assert (await client.get(address)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"r2_access_key_id": "nobody"}, "R2_ACCESS_KEY_ID"),
        ({"r2_secret_access_key": "wrong"}, "R2_SECRET_ACCESS_KEY"),
        ({"r2_bucket_name": "no-such-bucket"}, "R2_BUCKET_NAME"),
    ],
)
async def test_a_refusal_names_the_setting(stack: Stack, changes: dict[str, str], setting: str) -> None:
    refused = Storage.from_settings(settings_of(stack, **changes))
    with pytest.raises(StorageRefused, match=setting):
        await refused.check()
    with pytest.raises(StorageRefused, match=setting):
        await refused.put_bytes("x", b"x", content_type="text/plain")
    with pytest.raises(StorageRefused, match=setting):
        async with refused.open("x"):
            pass
    await refused.aclose()


async def test_a_working_bucket_passes_its_check(storage: Storage) -> None:
    await storage.check()


async def test_many_uploads_at_once_do_not_mix(storage: Storage) -> None:
    async def one(number: int) -> bool:
        content = bytes([number]) * (PART_BYTES + number)
        stored = await storage.put_bytes(f"many/{number}", content, content_type="text/plain")
        return stored.sha256 == hashlib.sha256(content).hexdigest()

    assert all(await asyncio.gather(*(one(number) for number in range(6))))


async def test_a_server_that_stops_half_way_is_unavailable_and_serves_again_later(tmp_path: Path) -> None:
    async with running_stack(tmp_path, parts=("s3",)) as own:
        storage = Storage.from_settings(settings_of(own))
        await storage.put("before", chunks(13_000_000), content_type="text/plain")

        async def stopping() -> AsyncIterator[bytes]:
            async for chunk in chunks(20_000_000):
                yield chunk
            await own.stop_part("s3", kill=True)
            async for chunk in chunks(20_000_000):
                yield chunk

        with pytest.raises(StorageUnavailable):
            await storage.put("half", stopping(), content_type="text/plain")
        for failing in (storage.check(), storage.size_bytes("before"), storage.delete("before")):
            with pytest.raises(StorageUnavailable):
                await failing

        await own.start_part("s3")
        await storage.check()
        assert await storage.size_bytes("half") is None
        async with storage.open("before") as reader:
            await reader.read(10)
            await own.stop_part("s3", kill=True)
            with pytest.raises(StorageUnavailable):
                await _read_all(reader.read)
        await storage.aclose()


async def _read_all(read: Callable[[int], Awaitable[bytes]]) -> None:
    while await read(MIB):
        pass


MEMORY_SCRIPT = """
import asyncio, psutil
from shared.settings import load_settings
from shared.storage import Storage

peak_mb = 0
def sample():
    global peak_mb
    peak_mb = max(peak_mb, psutil.Process().memory_info().rss / 2**20)
async def chunks(total):
    for _ in range(total // 65536):
        sample()
        yield bytes(65536)
async def main():
    storage = Storage.from_settings(load_settings())
    await storage.put("memory", chunks(1_000_000), content_type="x/y")
    before_mb = psutil.Process().memory_info().rss / 2**20
    stored = await storage.put("memory", chunks(200 * 1024 * 1024), content_type="x/y")
    size = 0
    async with storage.open("memory") as reader:
        async for chunk in reader:
            sample()
            size += len(chunk)
    assert size == stored.size_bytes == 200 * 1024 * 1024
    await storage.delete("memory")
    await storage.aclose()
    print(peak_mb - before_mb)
asyncio.run(main())
"""


async def test_200_mb_in_and_out_cost_less_than_64_mb_of_memory(stack: Stack) -> None:
    def run() -> str:
        return subprocess.run(
            [sys.executable, "-c", MEMORY_SCRIPT],
            env={**os.environ, **stack.env, "PYTHONPATH": os.getcwd()},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    grown_mb = float(await asyncio.to_thread(run))
    print(f"grown by {grown_mb:.0f} MB")
    assert grown_mb < 64
