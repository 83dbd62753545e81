"""The bucket beside the rows of files, on a real store and a real database."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from devstack.stack import Stack
from shared import cli
from shared.db import Database
from shared.models import Upload
from shared.operating import files
from shared.operating.files import Difference, compare
from shared.settings import Settings
from shared.storage import Storage, object_key
from shared.storage.listing import objects
from tests.fakes.rows import change

USER = 4711


@pytest_asyncio.fixture
async def storage(stack: Stack) -> AsyncIterator[Storage]:
    """A bucket with nothing that has rows."""
    values = {name.lower(): value for name, value in stack.env.items() if name.startswith("R2_")}
    whole = Storage.from_settings(Settings.model_validate(values | {"r2_bucket_name": "agreement"}))
    existing = await asyncio.to_thread(whole._client.list_buckets)
    if "agreement" not in [each.get("Name") for each in existing["Buckets"]]:
        await asyncio.to_thread(lambda: whole._client.create_bucket(Bucket="agreement"))
    await empty(whole)
    yield whole
    await whole.aclose()


async def empty(storage: Storage) -> None:
    async for page in objects(storage, ""):
        for each in page:
            await storage.delete(each.key)
    begun = await asyncio.to_thread(lambda: storage._client.list_multipart_uploads(Bucket=storage.bucket))
    for upload in begun.get("Uploads", ()):
        await abort(storage, upload["Key"], upload["UploadId"])


async def abort(storage: Storage, key: str, upload_id: str) -> None:
    await asyncio.to_thread(
        lambda: storage._client.abort_multipart_upload(Bucket=storage.bucket, Key=key, UploadId=upload_id)
    )


async def put(storage: Storage, key: str) -> None:
    await storage.put_bytes(key, b"x", content_type="text/plain")


def a_key(name: str = "a.json") -> str:
    return object_key(USER, "task", "s3_x", datetime.now(UTC), name)


async def a_row(db: Database, key: str, state: str = "stored", **more: Any) -> Upload:
    values: dict[str, Any] = {
        "variable": "s3_x",
        "chat_id": 1,
        "user_id": USER,
        "user_name": "Ann",
        "file_id": "f",
        "source": "page" if state == "sending" else "telegram",
    }
    row = Upload(state=state, object_key=key, name="a.json", **values | more)
    async with db.begin() as tx:
        tx.add(row)
    return row


async def found(storage: Storage, db: Database, **more: Any) -> list[Difference]:
    return [each async for each in compare(storage, db, **more)]


async def test_a_bucket_that_holds_what_the_rows_say_agrees(storage: Storage, db: Database) -> None:
    for number in range(5):
        await put(storage, key := a_key(f"{number} ж.json"))
        await a_row(db, key)
    await put(storage, "quarantine/x")
    await a_row(db, "quarantine/x", "infected")
    await put(storage, failed := a_key())
    await a_row(db, failed, "failed")
    await a_row(db, a_key(), "removed")
    await a_row(db, a_key(), "refused")
    assert await found(storage, db) == []


async def test_what_topics_store_and_what_is_older_than_the_rows_is_not_judged(
    storage: Storage, db: Database
) -> None:
    await put(storage, "analyses/1/chart.png")
    await put(storage, f"tasks/{USER}/task/s3_x/20260314T120000.000042Z_a.json")
    assert await found(storage, db) == []


@pytest.mark.parametrize("state", [None, "removed", "refused", "abandoned"])
async def test_an_object_that_no_row_owns_is_an_orphan(
    storage: Storage, db: Database, state: str | None
) -> None:
    await put(storage, key := a_key())
    if state is not None:
        await a_row(db, key, state)
    assert await found(storage, db) == [Difference("orphan", key, state)]


@pytest.mark.parametrize("state", ["stored", "infected"])
async def test_a_row_whose_object_is_not_there_is_missing(storage: Storage, db: Database, state: str) -> None:
    keys = sorted(a_key(f"{number}.json") for number in range(3))
    await put(storage, keys[1])
    for key in keys:
        await a_row(db, key, state)
    assert await found(storage, db) == [
        Difference("missing", keys[0], state), Difference("missing", keys[2], state),
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["sending", "queued", "arrived", "removing"])
async def test_what_is_on_its_way_is_no_difference_unless_it_takes_long(
    storage: Storage, db: Database, state: str
) -> None:
    await put(storage, key := a_key())
    await a_row(db, key, state)
    assert await found(storage, db) == []
    assert await found(storage, db, young=timedelta(0)) == [Difference("late", key, state)]


async def test_a_file_on_its_way_into_quarantine_is_no_difference(storage: Storage, db: Database) -> None:
    key = a_key()
    await put(storage, f"quarantine/{key}")
    await a_row(db, key, "arrived")
    assert await found(storage, db) == []


async def test_an_upload_that_was_begun_and_that_nobody_goes_on_with_is_an_orphan(
    storage: Storage, db: Database
) -> None:
    async def begun(key: str) -> str:
        answer = await asyncio.to_thread(
            lambda: storage._client.create_multipart_upload(Bucket=storage.bucket, Key=key)
        )
        return answer["UploadId"]

    lost, done, sending, other = a_key("lost"), a_key("done"), a_key("sending"), "analyses/1"
    ids = {key: await begun(key) for key in (lost, done, sending, other)}
    await put(storage, done)
    await a_row(db, done)
    row = await a_row(db, sending, "sending")
    expected = [Difference("parts", lost, None, ids[lost]), Difference("parts", done, "stored", ids[done])]
    assert sorted(await found(storage, db), key=str) == sorted(expected, key=str)
    await change(db, row, state="abandoned")
    assert Difference("parts", sending, "abandoned", ids[sending]) in await found(storage, db)
    for key, upload_id in ids.items():
        await abort(storage, key, upload_id)


async def test_more_than_a_page_of_each_is_compared_whole(
    storage: Storage, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BATCH", 3)
    list_objects = storage._client.list_objects_v2
    monkeypatch.setattr(storage._client, "list_objects_v2", lambda **more: list_objects(**more, MaxKeys=4))
    keys = sorted(a_key(f"{number:02}.json") for number in range(20))
    for number, key in enumerate(keys):
        if number % 7:
            await put(storage, key)
        if number % 5:
            await a_row(db, key)
    differences = await found(storage, db)
    missing = [key for number, key in enumerate(keys) if number % 5 and not number % 7]
    orphans = [key for number, key in enumerate(keys) if number % 7 and not number % 5]
    assert sorted(each.key for each in differences if each.kind == "missing") == missing
    assert sorted(each.key for each in differences if each.kind == "orphan") == orphans
    assert len(differences) == len(missing) + len(orphans)


async def test_the_command_tells_each_difference_and_ends_with_1(
    stack: Stack,
    storage: Storage,
    db: Database,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
) -> None:
    environment = {
        **stack.env,
        "DATABASE_URL": database_url,
        "R2_BUCKET_NAME": storage.bucket,
        "BOT_TOKEN": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> tuple[int | str | None, str]:
        monkeypatch.setattr(sys, "argv", ["stepgram", "files", *arguments])
        with pytest.raises(SystemExit) as end:
            await asyncio.to_thread(cli.main)
        return end.value.code, capsys.readouterr().out

    assert await run() == (0, "the bucket and the rows of files agree\n")
    assert await run("--format", "json") == (0, "")
    await put(storage, key := a_key())
    assert await run() == (1, f"orphan: {key} is in the bucket, and it has no row\n")
    code, out = await run("--format", "json")
    assert (code, json.loads(out)) == (1, {"kind": "orphan", "key": key, "state": None, "upload_id": None})
