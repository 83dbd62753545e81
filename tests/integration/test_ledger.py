"""The bucket and the rows of files: what does not agree is found, and nothing else."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from devstack.parts.s3 import s3_client
from devstack.stack import Stack
from shared.db import Database
from shared.models import Upload
from shared.operating.files import Difference, compare
from shared.storage import Storage
from tests.integration.test_storage import settings_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest_asyncio.fixture(loop_scope="session")
async def bucket(stack: Stack) -> AsyncIterator[Storage]:
    """A real bucket of this test's own."""
    with s3_client(stack.env) as client:
        client.create_bucket(Bucket="ledger")
        storage = Storage.from_settings(settings_of(stack, r2_bucket_name="ledger"))
        yield storage
        await storage.aclose()
        empty(client)


def empty(client: "S3Client") -> None:
    """Take the bucket away with all that is in it."""
    for each in client.list_objects_v2(Bucket="ledger").get("Contents", []):
        client.delete_object(Bucket="ledger", Key=each["Key"])
    for begun in client.list_multipart_uploads(Bucket="ledger").get("Uploads", []):
        client.abort_multipart_upload(Bucket="ledger", Key=begun["Key"], UploadId=begun["UploadId"])
    client.delete_bucket(Bucket="ledger")


async def a_row(db: Database, key: str, state: str) -> None:
    """A row of a file."""
    async with db.begin() as tx:
        tx.add(
            Upload(
                state=state, variable="s3_x", chat_id=1, user_id=1, user_name="Ann", source="page",
                name="x", object_key=key,
            )
        )  # fmt: skip


async def found(storage: Storage, db: Database) -> set[tuple[str, str]]:
    return {(each.kind, each.key) async for each in compare(storage, db)}


async def test_a_bucket_and_rows_that_agree_have_no_difference(bucket: Storage, db: Database) -> None:
    for number in range(3):
        await bucket.put_bytes(f"tasks/1/{number}", b"x", content_type="text/plain")
        await a_row(db, f"tasks/1/{number}", ("arrived", "stored", "removing")[number])
    await bucket.put_bytes("quarantine/1/v", b"x", content_type="text/plain")
    await a_row(db, "quarantine/1/v", "infected")
    await a_row(db, "tasks/1/under-way", "queued")
    await a_row(db, "tasks/1/refused", "refused")
    await bucket.put_bytes("analyses/1/chart.png", b"x", content_type="image/png")
    assert await found(bucket, db) == set()


async def test_what_no_row_owns_and_what_is_missing_is_told(
    stack: Stack, bucket: Storage, db: Database
) -> None:
    for key in ("tasks/1/nobodys", "tasks/1/refused", "quarantine/1/nobodys"):
        await bucket.put_bytes(key, b"x", content_type="text/plain")
    await a_row(db, "tasks/1/refused", "refused")
    await a_row(db, "tasks/1/gone", "stored")
    with s3_client(stack.env) as client:
        client.create_multipart_upload(Bucket="ledger", Key="tasks/1/begun")
        client.create_multipart_upload(Bucket="ledger", Key="tasks/1/ours")
    await a_row(db, "tasks/1/ours", "sending")
    assert await found(bucket, db) == {
        ("orphan", "tasks/1/nobodys"),
        ("orphan", "tasks/1/refused"),
        ("orphan", "quarantine/1/nobodys"),
        ("missing", "tasks/1/gone"),
        ("parts", "tasks/1/begun"),
    }


async def test_many_keys_are_compared_page_by_page(
    bucket: Storage, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []

    async def listed(prefix: str) -> AsyncIterator[list[str]]:
        for page in range(3 if prefix == "tasks/" else 0):
            pages.append(page)
            yield [f"tasks/{page}/{number}" for number in range(1000)]

    monkeypatch.setattr(bucket, "keys", listed)
    assert await found(bucket, db) == set(), "what is not there when it is looked at again is no difference"
    assert pages == [0, 1, 2]


async def test_the_command_says_where_they_differ_and_ends_with_1(
    stack: Stack, bucket: Storage, db: Database
) -> None:
    env = stack.env | {
        "R2_BUCKET_NAME": "ledger",
        "DATABASE_URL": db.engine.url.render_as_string(hide_password=False),
    }

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "workers.cli", "files", "--format", "json"]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    clean = run()
    assert (clean.returncode, json.loads(clean.stdout)) == (0, [])
    await bucket.put_bytes("tasks/1/nobodys", b"x", content_type="text/plain")
    differs = run()
    assert differs.returncode == 1
    assert json.loads(differs.stdout)[0]["kind"] == "orphan"
    assert "no row of a file owns" in Difference("orphan", "k").line()
