"""Receiving: stored before it is acknowledged, by one leader or by any number of web servers."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import text

from bot import receiver as module
from bot.receiver import Poller, receiving
from bot.web import server, webhook
from bot.web.webhook import MAX_BODY_BYTES, SECRET_HEADER, Webhook
from shared import inbox
from shared.db import Database
from shared.errors import ConfigurationError, WorldError
from shared.models import Json, Update
from shared.telegram.request import new_session
from tests.fakes.rows import all_of
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram
from tests.fakes.waiting import running, until
from tests.fakes.web import Response, serving

SECRET = "s3cret-token"


def set_to(fakes: Fakes, **values: Any) -> Fakes:
    """The same with other settings."""
    fakes.settings = fakes.settings.model_copy(update=values)
    return fakes


@pytest.fixture
def polling(fakes: Fakes, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """A process that polls, impatient to take over."""
    monkeypatch.setattr(module, "TAKEOVER_S", 0.05)
    return set_to(fakes, database_url=database_url)


async def stored(db: Database) -> list[str]:
    """The texts of the stored messages, in order."""
    return [row.payload["message"]["text"] for row in await all_of(db, Update) if "message" in row.payload]


async def has_stored(db: Database, *texts: str) -> bool:
    return await stored(db) == list(texts)


async def ann_said(telegram: Telegram, *texts: str) -> int:
    """Ann, and what she wrote."""
    ann = await telegram.ann()
    for each in texts:
        await telegram.say(ann, each)
    return ann


# polling


async def test_what_people_write_is_stored_in_order(polling: Fakes, telegram: Telegram) -> None:
    ann = await ann_said(telegram, "one")
    async with running(Poller(polling.services).run):
        await until(lambda: has_stored(polling.db, "one"), "what was waiting is stored")
        await telegram.say(ann, "two")
        await telegram.say(ann, "three")
        await until(lambda: has_stored(polling.db, "one", "two", "three"), "the rest follows")
    asked = [call["params"].get("allowed_updates") for call in await telegram.calls("getUpdates")]
    assert webhook.ALLOWED_UPDATES in asked


async def test_an_update_is_stored_before_it_is_acknowledged(
    polling: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann_said(telegram, "one")
    go_on, waiting = asyncio.Event(), asyncio.Event()
    store = inbox.store

    async def slow(*args: Any) -> int:
        waiting.set()
        await go_on.wait()
        return await store(*args)

    monkeypatch.setattr(inbox, "store", slow)
    async with running(Poller(polling.services).run):
        await asyncio.wait_for(waiting.wait(), 5)
        assert len(await telegram.updates_that_wait()) == 1
        go_on.set()
        await until(lambda: has_stored(polling.db, "one"), "it is stored")

        async def acknowledged() -> bool:
            return not await telegram.updates_that_wait()

        await until(acknowledged, "it is acknowledged")


async def test_a_database_that_fails_loses_no_update(
    polling: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann_said(telegram, "one", "two")
    store, failures = inbox.store, [WorldError("the database is away")] * 2

    async def failing(*args: Any) -> int:
        if failures:
            raise failures.pop()
        return await store(*args)

    monkeypatch.setattr(inbox, "store", failing)
    monkeypatch.setattr(module, "pause_s", lambda *_: 0.01)
    async with running(Poller(polling.services).run):
        await until(lambda: has_stored(polling.db, "one", "two"), "both are stored in the end")


@pytest.mark.parametrize(
    ("kind", "more"),
    [("500", {}), ("429", {"retry_after": 1}), ("timeout", {"hold_s": 0.05}), ("lost_answer", {})],
)
async def test_a_telegram_that_fails_is_asked_again(
    polling: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch, kind: str, more: dict[str, Any]
) -> None:
    monkeypatch.setattr(module, "pause_s", lambda *_: 0.01)
    await ann_said(telegram, "one")
    await telegram.fault(kind, "getUpdates", **more)
    await telegram.fault("500", "deleteWebhook")
    async with running(Poller(polling.services).run):
        await until(lambda: has_stored(polling.db, "one"), "it is stored in the end")


async def test_junk_in_a_batch_is_left_out(
    polling: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[Any]] = [[None, {"no": "id"}, {"update_id": 7, "message": {"text": "a\0b\ud800"}}]]
    offsets: list[int | None] = []

    async def fetch(self: Poller, http: aiohttp.ClientSession, offset: int | None) -> list[Any]:
        offsets.append(offset)
        if batches:
            return batches.pop()
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(Poller, "_fetch", fetch)
    async with running(Poller(polling.services).run):
        await until(lambda: len(offsets) == 2, "the next poll")
    assert offsets == [None, 8]
    assert await stored(polling.db) == ["ab\ufffd"]


async def test_a_webhook_that_was_set_is_removed_before_polling(polling: Fakes, telegram: Telegram) -> None:
    ann = await telegram.ann()
    await telegram.call("setWebhook", url="http://127.0.0.1:1/x", secret_token=SECRET)
    await telegram.say(ann, "one")
    async with running(Poller(polling.services).run):
        await until(lambda: has_stored(polling.db, "one"), "it polls")


async def leaders(db: Database) -> list[int]:
    """The backends that hold the leader's lock."""
    async with db.begin() as tx:
        found = await tx.scalars(
            text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = :c AND granted"),
            {"c": module.LEADER_LOCK_CLASS},
        )
        return list(found)


async def test_of_two_processes_one_polls(polling: Fakes, telegram: Telegram) -> None:
    ann = await ann_said(telegram, "one")
    async with running(Poller(polling.services).run, Poller(polling.services).run):
        await until(lambda: has_stored(polling.db, "one"), "it is stored")
        await telegram.say(ann, "two")
        await until(lambda: has_stored(polling.db, "one", "two"), "it is stored")
        assert len(await leaders(polling.db)) == 1
    assert 409 not in {call["status"] for call in await telegram.calls("getUpdates")}, "no conflict"
    assert await leaders(polling.db) == []


async def test_a_second_poller_takes_over_within_seconds(
    polling: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "pause_s", lambda *_: 0.3)
    ann = await ann_said(telegram, "one")
    async with running(Poller(polling.services).run, Poller(polling.services).run):
        await until(lambda: has_stored(polling.db, "one"), "the first leads")
        (pid,) = await leaders(polling.db)
        async with polling.db.begin() as tx:
            await tx.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

        async def another_leads() -> bool:
            now = await leaders(polling.db)
            return bool(now) and now != [pid]

        await until(another_leads, "another leads")
        for number in range(5):
            await telegram.say(ann, str(number))
        await until(lambda: has_stored(polling.db, "one", *map(str, range(5))), "nothing is lost or doubled")


async def test_a_leader_that_stands_still_loses_the_lead(
    polling: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a stopped process, or one whose machine is gone without a word: its connection falls silent."""
    monkeypatch.setattr(module, "LEADER_SILENCE_S", 1.0)
    ann = await ann_said(telegram)
    hold = module._hold
    monkeypatch.setattr(module, "_hold", lambda connection, over: over.wait())
    async with running(Poller(polling.services).run):
        (pid,) = await until(lambda: leaders(polling.db), "the first leads")
        monkeypatch.setattr(module, "_hold", hold)
        async with running(Poller(polling.services).run):

            async def another_leads() -> bool:
                return bool(now := await leaders(polling.db)) and now != [pid]

            await until(another_leads, "another leads", 5)
            await telegram.say(ann, "one")
            await until(lambda: has_stored(polling.db, "one"), "it polls")


async def test_a_leader_whose_connection_is_lost_stops_polling(
    polling: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls: list[bool] = []

    async def poll(self: Poller, http: aiohttp.ClientSession) -> None:
        polls.append(True)
        try:
            await asyncio.sleep(60)
        finally:
            polls.pop()

    monkeypatch.setattr(Poller, "_poll", poll)
    monkeypatch.setattr(module, "pause_s", lambda *_: 60.0)
    async with running(Poller(polling.services).run):
        await until(lambda: polls, "it polls")
        (pid,) = await leaders(polling.db)
        async with polling.db.begin() as tx:
            await tx.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await until(lambda: not polls, "it stops")


async def test_a_poller_that_leads_beside_another_does_no_harm(polling: Fakes, telegram: Telegram) -> None:
    """Two databases, or a leader whose connection broke unseen: an update is stored once all the same."""
    await ann_said(telegram, *map(str, range(5)))
    found = (await telegram.updates_that_wait()) * 2
    async with polling.db.begin() as tx:
        await inbox.store(tx, telegram.bot_id, found)
    async with running(Poller(polling.services).run):
        await until(lambda: telegram.updates_are_read(), "it polls")
    assert await stored(polling.db) == list(map(str, range(5)))


@pytest.mark.parametrize("body", [b"not JSON", b"\xff\xfe", b"[" * 100_000, b'"ok"', b'{"ok": true}'])
async def test_an_answer_that_is_none_is_of_the_world(polling: Fakes, body: bytes) -> None:
    poller = Poller(polling.services)
    async with serving(lambda _: Response(body=body)) as url, new_session() as http:
        poller._url = url
        with pytest.raises(WorldError, match="getUpdates"):
            await poller._fetch(http, None)


async def test_a_refused_token_is_told_and_not_hammered(polling: Fakes) -> None:
    poller = Poller(polling.services)
    body = {"ok": False, "error_code": 401, "description": "Unauthorized"}
    async with serving(lambda _: Response(401, body)) as url, new_session() as http:
        poller._url = url
        with pytest.raises(WorldError, match="BOT_TOKEN") as refused:
            await poller._fetch(http, None)
    assert refused.value.retry_after_s == 30


# the webhook


@pytest.mark.parametrize("secret", [None, ""])
def test_a_webhook_without_a_secret_refuses_to_start(fakes: Fakes, secret: str | None) -> None:
    given = None if secret is None else SecretStr(secret)
    set_to(fakes, webhook_url="https://bot.example.org/hook", webhook_secret=given)
    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET"):
        receiving(fakes.services)


@pytest.mark.parametrize("address", ["localhost", "localhost:", "localhost:http"])
def test_an_address_that_is_none_refuses_to_start(fakes: Fakes, address: str) -> None:
    set_to(
        fakes, webhook_url="https://x.example.org", webhook_secret=SecretStr(SECRET), listen_address=address
    )
    with pytest.raises(ConfigurationError, match="LISTEN_ADDRESS"):
        receiving(fakes.services)


def test_without_a_webhook_it_polls(fakes: Fakes) -> None:
    (part,) = receiving(fakes.services)
    assert "Poller" in part.__qualname__


@pytest_asyncio.fixture(loop_scope="session")
async def hook(fakes: Fakes) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the web application."""
    set_to(fakes, webhook_url="https://bot.example.org/hook", webhook_secret=SecretStr(SECRET))
    transport = httpx.ASGITransport(
        app=server.application(fakes.services.health, Webhook(fakes.services).routes())
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        yield client


async def deliver(client: httpx.AsyncClient, content: Any, secret: str | None = SECRET) -> int:
    """Post an update as Telegram does; the status of the answer."""
    headers = {} if secret is None else {SECRET_HEADER: secret}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return (await client.post("/hook", content=body, headers=headers)).status_code


MESSAGE: Json = {"update_id": 5, "message": {"text": "one", "chat": {"id": 7}}}


async def test_an_update_that_is_delivered_is_stored_once(db: Database, hook: httpx.AsyncClient) -> None:
    assert [await deliver(hook, MESSAGE) for _ in range(3)] == [200, 200, 200]
    assert await stored(db) == ["one"]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], SECRET.upper(), "ü"])
async def test_without_the_secret_nothing_is_stored(
    db: Database, hook: httpx.AsyncClient, secret: str | None
) -> None:
    headers: Any = {} if secret is None else {SECRET_HEADER: secret.encode()}
    answer = await hook.post("/hook", content=json.dumps(MESSAGE).encode(), headers=headers)
    assert answer.status_code == 403
    assert await stored(db) == []


async def test_a_body_that_is_too_large_is_not_read(db: Database, hook: httpx.AsyncClient) -> None:
    assert await deliver(hook, b"x" * 10_000_000) == 413
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 100_000
            yield b"x" * 100_000

    answer = await hook.post("/hook", content=endless(), headers={SECRET_HEADER: SECRET})
    assert answer.status_code == 413
    assert MAX_BODY_BYTES <= 1_000_000


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", b"\xff", b"[" * 100_000, b"[]", b"5", b'{"message": {}}', b'{"update_id": "5"}'],
)
async def test_what_is_no_update_is_refused(db: Database, hook: httpx.AsyncClient, body: bytes) -> None:
    assert await deliver(hook, body) == 400
    assert await all_of(db, Update) == []


async def test_characters_that_no_database_takes_are_stored_all_the_same(
    db: Database, hook: httpx.AsyncClient
) -> None:
    assert await deliver(hook, b'{"update_id": 5, "message": {"text": "a\\u0000b"}}') == 200
    assert await stored(db) == ["ab"]


async def test_an_update_that_cannot_be_stored_is_delivered_again(
    hook: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: Any) -> int:
        raise WorldError("away")

    monkeypatch.setattr(inbox, "store", away)
    assert await deliver(hook, MESSAGE) == 503


async def test_the_webhooks_server_tells_its_health(hook: httpx.AsyncClient) -> None:
    assert (await hook.get("/livez")).json()["status"] == "ok"
    unready = await hook.get("/readyz")
    assert (unready.status_code, unready.json()["checks"]["started"]) == (503, "the process is starting")
    assert (await hook.get("/hook")).status_code in {404, 405}


def free_address() -> str:
    """HOST:PORT that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def exchange(address: str, sent: bytes) -> bytes:
    """Everything that is answered to these bytes until the other side hangs up."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


POST = b"POST /hook HTTP/1.1\r\nHost: bot\r\n"
TEN_MB = b"Content-Length: 10000000\r\n\r\n"


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (POST + TEN_MB, b"403"),
        (POST + b"X-Telegram-Bot-Api-Secret-Token: wrong\r\n" + TEN_MB, b"403"),
        (POST + b"X-Telegram-Bot-Api-Secret-Token: wrong\r\nTransfer-Encoding: chunked\r\n\r\n", b"403"),
        (POST + b"X-Telegram-Bot-Api-Secret-Token: s3cret-token\r\n" + TEN_MB, b"413"),
    ],
    ids=["no secret", "wrong secret", "wrong secret, endless", "10 MB"],
)
async def test_a_bad_request_is_refused_before_its_body_and_hung_up_on(
    fakes: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch, request_head: bytes, status: bytes
) -> None:
    """Not one byte of the body is sent here: whoever waited for it would never answer."""
    monkeypatch.setattr(server, "DRAIN_S", 0)
    address = free_address()
    set_to(fakes, webhook_url="https://bot.example.org/hook", webhook_secret=SecretStr(SECRET))
    set_to(fakes, listen_address=address)
    async with running(*receiving(fakes.services)):

        async def listens() -> bool:
            with contextlib.suppress(OSError):
                return bool(await exchange(address, b"GET /livez HTTP/1.0\r\n\r\n"))
            return False

        await until(listens, "the server listens")
        answer = await exchange(address, request_head)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answer.lower()


async def test_telegram_delivers_to_the_address_that_it_is_told(
    fakes: Fakes, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "pause_s", lambda *_: 0.01)
    address = free_address()
    set_to(
        fakes,
        webhook_url=f"http://{address}/hook",
        webhook_secret=SecretStr(SECRET),
        listen_address=address,
    )
    ann = await telegram.ann()
    await telegram.fault("500", "setWebhook")
    async with running(*receiving(fakes.services)):

        async def is_set() -> bool:
            return bool((await telegram.call("getWebhookInfo"))["url"])

        await until(is_set, "the webhook is set although the first try failed")
        await telegram.say(ann, "one")
        await telegram.say(ann, "two")
        await until(lambda: has_stored(fakes.db, "one", "two"), "both are delivered")
    await telegram.call("deleteWebhook")
