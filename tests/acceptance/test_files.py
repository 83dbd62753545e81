"""Files end to end: real processes, a real bucket, a real engine; afterwards bucket and rows agree."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio

from devstack.parts.s3 import s3_client
from devstack.people import Person
from shared import texts
from shared.operating import files
from shared.storage import Storage
from tests.support.bpmn import external_task, process
from tests.support.clamd import running_clamd, virus
from tests.support.world import World, until

KEY = "files"
MB = 1_000_000


@pytest_asyncio.fixture(loop_scope="session")
async def agreeing(world: World, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world with a bucket of its own; when its test is over, bucket and rows must agree."""
    bucket = "files-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    world.is_spoilt, world.product = True, world.product.with_settings(R2_BUCKET_NAME=bucket)
    with s3_client(world.product.env) as client:
        client.create_bucket(Bucket=bucket)
        yield world
        await until(lambda: at_rest(world), "no file is on its way", patience_s=30)
        assert [line async for line in files.told(world.settings(), as_json=False)] == []
        for each in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=each["Key"])
        client.delete_bucket(Bucket=bucket)


async def at_rest(world: World) -> bool:
    """Whether no file waits for anybody."""
    waiting = "SELECT count(*) FROM uploads WHERE state IN ('sending', 'queued', 'arrived', 'removing')"
    return bool(await world.value(waiting) == 0)


async def asked(
    world: World, name: str = "Ada", settings: dict[str, str] | None = None, **keys: str
) -> tuple[Person, str]:
    """Somebody who is asked for files, with the author's keys; and the instance."""
    inputs = {"telegram_user_id": "${telegram_user_id}", "s3_data": "The data"}
    properties = {f"s3_data.{key}": value for key, value in keys.items()}
    step = external_task("ask", "await_upload", inputs=inputs, properties=properties)
    await world.deploy(process(KEY, [step]))
    person = await world.town.person(name)
    await person.say("/start")
    await world.start("worker", "bot", settings=settings)
    await person.sees("Hello")
    instance = await world.start_process(KEY, telegram_user_id=person.user_id)
    await person.sees("The data")
    return person, instance


async def send_path(person: Person, path: Path) -> None:
    """Somebody sends a file of this disk, however large."""
    body = {"from": person.user_id, "document": {"path": str(path)}}
    await person.town.call("POST", f"/chats/{person.chat_id}/messages", body)


async def digest(world: World, key: str) -> str:
    """Of an object as it lies in the bucket."""
    storage = Storage.from_settings(world.settings())
    try:
        found = hashlib.sha256()
        async with storage.open(key) as stored:
            async for chunk in stored:
                found.update(chunk)
        return found.hexdigest()
    finally:
        await storage.aclose()


async def test_a_file_beyond_20_mb_comes_through_a_local_server_and_survives_a_kill_on_its_way(
    agreeing: World, tmp_path: Path
) -> None:
    world = agreeing
    agreeing.sandbox.sandbox.downloads.local_dir = tmp_path / "local"
    ada, instance = await asked(world, settings={"TELEGRAM_LOCAL_FILES": "1"})
    path = tmp_path / "large.payload"
    content = b"".join(bytes([number]) * MB for number in range(60))
    path.write_bytes(content)
    await send_path(ada, path)
    begun = "SELECT count(*) FROM uploads WHERE object_key IS NOT NULL"
    await until(lambda: world.value(begun), "it is on its way")
    await world.stop("bot", kill=True)
    await world.start("bot", settings={"TELEGRAM_LOCAL_FILES": "1"})
    await ada.sees("is stored", patience_s=60)
    assert await world.until_ended(instance) == "COMPLETED"
    key = (await world.variables(instance))["s3_data"]
    assert await digest(world, key) == hashlib.sha256(content).hexdigest()
    assert [each for each in (tmp_path / "local").rglob("*") if each.is_file()] == []


async def test_a_file_of_200_mb_takes_less_than_64_mb_of_memory(agreeing: World, tmp_path: Path) -> None:
    world = agreeing
    agreeing.sandbox.sandbox.downloads.local_dir = tmp_path / "local"
    ada, instance = await asked(world, settings={"TELEGRAM_LOCAL_FILES": "1"})
    path = tmp_path / "large.payload"
    with path.open("wb") as file:
        file.truncate(200 * MB)
    bot = psutil.Process(world.product.pid("bot"))
    idle, peak = bot.memory_info().rss, 0
    await send_path(ada, path)
    stored = asyncio.create_task(ada.sees("is stored", patience_s=90))
    while not stored.done():
        peak = max(peak, bot.memory_info().rss)
        await asyncio.wait({stored}, timeout=0.02)
    await stored
    assert (peak - idle) / MB < 64
    assert await world.until_ended(instance) == "COMPLETED"


async def test_an_album_whose_updates_land_on_two_bots_is_one_list_and_one_answer(agreeing: World) -> None:
    world = agreeing
    ada, instance = await asked(world, max_files="5")
    await world.start("bot2")
    names = [f"{number}.txt" for number in range(5)]
    documents = [
        {"document": {"name": name, "content_base64": base64.b64encode(name.encode()).decode()}}
        for name in names
    ]
    body = {"from": ada.user_id, "album": documents}
    await world.town.call("POST", f"/chats/{ada.chat_id}/messages", body)
    await ada.sees("Your files so far", buttons=["Done (5)"], patience_s=30)
    await ada.tap("Done (5)")
    assert await world.until_ended(instance) == "COMPLETED"
    variables = await world.variables(instance)
    assert [each["name"] for each in variables["s3_data_meta"]] == names
    assert len(variables["s3_data"]) == 5


async def test_an_infected_file_is_refused_and_kept_apart_and_nothing_passes_while_clamav_is_away(
    agreeing: World, tmp_path: Path
) -> None:
    world = agreeing
    async with running_clamd(tmp_path / "clamd") as clamd:
        ada, instance = await asked(world, settings={"CLAMD_ADDRESS": clamd.address})
        await ada.send("bad.txt", await virus(), "text/plain")
        await ada.sees(texts.say("file-infected"), patience_s=30)
        ((key, why),) = await world.rows(
            "SELECT object_key, last_error FROM uploads WHERE state = 'infected'"
        )
        assert key.startswith("quarantine/tasks/")
        assert "EICAR" in why
        await clamd.stop()
        await ada.send("good.txt", b"good", "text/plain")
        await ada.sees(texts.say("scanner-away"), patience_s=30)
        assert (await world.engine.history_instance(instance)).ended_at is None  # type: ignore[union-attr]
    await world.stop("bot")
    async with running_clamd(tmp_path / "again") as clamd:
        await world.start("bot", settings={"CLAMD_ADDRESS": clamd.address})
        await ada.sees("is stored", patience_s=60)
        assert await world.until_ended(instance) == "COMPLETED"


async def test_the_process_gets_a_key_that_is_private_and_an_address_that_ends(agreeing: World) -> None:
    world = agreeing
    ada, instance = await asked(world, link_lifetime="PT1H", retention="P30D")
    await ada.send("data.json", b'{"a": 1}')
    assert await world.until_ended(instance) == "COMPLETED"
    meta: dict[str, Any] = (await world.variables(instance))["s3_data_meta"]
    async with httpx.AsyncClient() as anybody:
        answer = await anybody.get(meta["url"])
        assert (answer.content, answer.status_code) == (b'{"a": 1}', 200)
        assert (await anybody.get(meta["url"].partition("?")[0])).status_code == 403
    assert meta["url_until"] < meta["delete_after"]


async def test_a_file_of_a_step_that_was_withdrawn_meanwhile_leaves_the_bucket(agreeing: World) -> None:
    world = agreeing
    ada, instance = await asked(world, max_files="3")
    await ada.send("data.json", b'{"a": 1}')
    await ada.sees("Your files so far", buttons=["Done (1)"])
    await world.engine.delete_process_instance(instance, "not needed")
    removed = "SELECT count(*) FROM uploads WHERE state = 'removed'"
    await until(lambda: world.value(removed), "its object is removed")
