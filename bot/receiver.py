"""Receives updates: each is stored before it is acknowledged, by polling or by webhook.

Polling has one leader, by an advisory lock on a connection of its own; when it dies Postgres frees the lock
and the next process takes over. Two pollers at once would be harmless: an update is stored once.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from hmac import compare_digest
from typing import Any

import aiohttp
import psycopg
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from telegram.error import TelegramError

from shared import inbox, metrics
from shared.db import direct_connection
from shared.errors import ConfigurationError, StepgramError, WorldError
from shared.health import host_and_port
from shared.queues import pause_s
from shared.service import Part, Services
from shared.telegram.client import TelegramUnavailable, translate
from shared.telegram.request import new_session

log = structlog.get_logger(__name__)

ALLOWED_UPDATES = list(inbox.KINDS)
POLL_S = 25
PATIENCE = aiohttp.ClientTimeout(sock_connect=10, sock_read=POLL_S + 10)
TAKEOVER_S = 2.0
"""How often a process that does not lead tries to, and how often the leader says that it is there."""

LEADER_SILENCE_S = 8.0
"""A leader that stands still, or whose machine is gone without a word, loses the lead after it."""

LONGEST_PAUSE_S = 5.0
DRAIN_S = 2.0
"""A webhook that stops goes on receiving so long: until every balancer has seen that it is not ready."""

Connection = psycopg.AsyncConnection[tuple[object, ...]]

LEADER_LOCK_CLASS = 7_300_212
MAX_BODY_BYTES = 1_000_000
"""An update is at most some tens of kilobytes."""

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header


def receiver(services: Services) -> Part:
    """The receiver that the settings ask for.

    Raises:
        ConfigurationError: a webhook without WEBHOOK_SECRET, or a LISTEN_ADDRESS that is none.
    """
    settings = services.settings
    if settings.webhook_url is None:
        return Poller(services).run
    if settings.webhook_secret is None or not settings.webhook_secret.get_secret_value():
        raise ConfigurationError("WEBHOOK_URL is set but WEBHOOK_SECRET is not; anybody could send updates")
    return Webhook(services).run


class Poller:
    """getUpdates by raw HTTP: one malformed update must not spoil the batch it came in."""

    def __init__(self, services: Services) -> None:
        self._services = services
        settings = services.settings
        base = settings.telegram_api_url.rstrip("/")
        self._url = f"{base}/bot{settings.bot_token.get_secret_value()}/getUpdates"
        self._failures = 0
        self._pulse = services.health.pulse("poller")

    async def run(self, stopping: asyncio.Event) -> None:
        """Try to lead, and poll while leading, until ``stopping``."""
        work = asyncio.create_task(self._run())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        # A poll can be cancelled at any moment: only the next one acknowledges what it brought.
        for task in (work, stop):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    async def _run(self) -> None:
        async with new_session(connections=1) as http:
            await self._lead_for_ever(http)

    async def _lead_for_ever(self, http: aiohttp.ClientSession) -> None:
        settings = self._services.settings
        url = settings.database_direct_url or settings.database_url
        while True:
            self._pulse.beat()
            try:
                async with await direct_connection(url, idle_limit_s=LEADER_SILENCE_S) as held:
                    await self._wait_for_lead(held)
                    await self._lead(held, http)
            except (psycopg.Error, WorldError, TimeoutError) as error:
                self._failures += 1
                wait_s = getattr(error, "retry_after_s", None) or pause_s(self._failures, LONGEST_PAUSE_S)
                log.warning("cannot receive", error=str(error), again_in_s=round(wait_s, 1))
                self._pulse.beat(wait_s)
                await asyncio.sleep(wait_s)

    async def _wait_for_lead(self, connection: Connection) -> None:
        lock = "SELECT pg_try_advisory_lock(%s, %s)"
        # The lock takes two 32-bit numbers; bots that share the lower half of their ids wait for each other.
        key = (LEADER_LOCK_CLASS, self._services.settings.bot_id % 2**31)
        async with asyncio.timeout(None) as patience:
            while True:
                self._pulse.beat()
                patience.reschedule(asyncio.get_running_loop().time() + LEADER_SILENCE_S)
                if (await (await connection.execute(lock, key)).fetchone()) == (True,):
                    return
                await asyncio.sleep(TAKEOVER_S)

    async def _lead(self, connection: Connection, http: aiohttp.ClientSession) -> None:
        """Poll as long as the lock is surely held."""
        log.info("leading: this process polls Telegram")
        metrics.LEADING.set(1)
        over = asyncio.Event()
        polling = asyncio.create_task(self._poll(http))
        holding = asyncio.create_task(_hold(connection, over))
        try:
            done, _ = await asyncio.wait([polling, holding], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            metrics.LEADING.set(0)
            polling.cancel()
            over.set()  # a statement that is cancelled half-way can keep its connection for seconds
            await asyncio.gather(polling, holding, return_exceptions=True)

    async def _poll(self, http: aiohttp.ClientSession) -> None:
        await self._delete_webhook()
        offset: int | None = None
        while True:
            self._pulse.beat()
            with metrics.timed(metrics.TELEGRAM_SECONDS, "getUpdates"):
                updates = await self._fetch(http, offset)
            async with self._services.db.begin() as tx:
                await inbox.store(tx, self._services.settings.bot_id, updates)
            numbers = [each["update_id"] for each in updates if inbox.is_update(each)]
            offset = max(numbers) + 1 if numbers else offset
            self._failures = 0

    async def _delete_webhook(self) -> None:
        try:
            await self._services.bot.delete_webhook()
        except TelegramError as error:
            raise _as_world(translate(error)) from error

    async def _fetch(self, http: aiohttp.ClientSession, offset: int | None) -> list[Any]:
        body = {"timeout": POLL_S, "limit": 100, "allowed_updates": ALLOWED_UPDATES}
        if offset is not None:
            body["offset"] = offset
        try:
            async with http.post(self._url, json=body, timeout=PATIENCE, allow_redirects=False) as response:
                status, answer = response.status, json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
            raise TelegramUnavailable(f"getUpdates: {type(error).__name__}") from None
        if isinstance(answer, dict) and answer.get("ok") and isinstance(answer.get("result"), list):
            return list(answer["result"])
        raise _refused(status, answer)


async def _hold(connection: Connection, over: asyncio.Event) -> None:
    """Keep the leader's connection from falling silent, until it breaks or the lead is over."""
    while not over.is_set():
        await asyncio.wait_for(connection.execute("SELECT 1"), LEADER_SILENCE_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), TAKEOVER_S)


def _refused(status: int, answer: Any) -> TelegramUnavailable:
    told = answer if isinstance(answer, dict) else {}
    wait_s = (told.get("parameters") or {}).get("retry_after")
    hint = ": Telegram refuses BOT_TOKEN, ask BotFather for the current one" if status in {401, 404} else ""
    wait_s = 30.0 if status in {401, 404} else wait_s
    return TelegramUnavailable(
        f"getUpdates answered {status} {told.get('description', '')}{hint}", retry_after_s=wait_s
    )


def _as_world(error: StepgramError) -> WorldError:
    return error if isinstance(error, WorldError) else TelegramUnavailable(str(error), retry_after_s=30.0)


class _Server(uvicorn.Server):
    """A web server inside our process, which has signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Webhook:
    """Updates that Telegram posts to us; any number of replicas behind one address."""

    def __init__(self, services: Services) -> None:
        self._services = services
        settings = services.settings
        self._host, self._port = host_and_port(settings.listen_address, "LISTEN_ADDRESS")
        secret = settings.webhook_secret
        assert secret is not None  # noqa: S101 - receiver() refused that
        self._secret = secret.get_secret_value()

    def app(self) -> Starlette:
        """The web application: the webhook on every path, /livez and /readyz."""
        return Starlette(
            routes=[
                Route("/livez", self._health, methods=["GET"]),
                Route("/readyz", self._health, methods=["GET"]),
                Route("/{path:path}", self.receive, methods=["POST"]),
            ]
        )

    async def receive(self, request: Request) -> Response:
        """Store one update; only then Telegram is told that it arrived."""
        given = request.headers.get(SECRET_HEADER, "")
        if not compare_digest(given.encode(), self._secret.encode()):
            return _refuse("wrong_secret", 403)
        if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
            return _refuse("too_large", 413)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return _refuse("too_large", 413)
        try:
            update = json.loads(bytes(body))
        except (ValueError, RecursionError):
            return _refuse("not_json", 400)
        if not inbox.is_update(update):
            return _refuse("not_an_update", 400)
        try:
            async with self._services.db.begin() as tx:
                await inbox.store(tx, self._services.settings.bot_id, [update])
        except WorldError:
            return _refuse("database_away", 503)  # Telegram delivers it again
        metrics.WEBHOOK.labels("stored").inc()
        return PlainTextResponse("stored")

    async def _health(self, request: Request) -> Response:
        status, body = await self._services.health.answer(request.url.path) or (404, b"")
        return Response(body, status, media_type="application/json")

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until ``stopping``, and tell Telegram where."""
        config = uvicorn.Config(
            self.app(), host=self._host, port=self._port, log_config=None, access_log=False, lifespan="off",
            timeout_graceful_shutdown=3,
            http="h11",  # it bounds the size of headers; httptools, which uvicorn prefers, does not
            ws="none",
        )  # fmt: skip
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        telling = asyncio.create_task(self._set_webhook())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        stop.cancel()
        if not serving.done():
            await asyncio.wait([serving], timeout=DRAIN_S)
        server.should_exit = True
        await asyncio.gather(telling, stop, return_exceptions=True)
        await serving

    async def _set_webhook(self) -> None:
        """Tell Telegram our address; every replica says the same, so it does not matter which is last."""
        settings = self._services.settings
        failures = 0
        while True:
            try:
                await self._services.bot.set_webhook(
                    str(settings.webhook_url), secret_token=self._secret, allowed_updates=ALLOWED_UPDATES
                )
            except TelegramError as error:
                failures += 1
                wait_s = pause_s(failures, 30)
                log.warning(
                    "cannot set the webhook", error=str(translate(error)), again_in_s=round(wait_s, 1)
                )
                await asyncio.sleep(wait_s)
            else:
                log.info("webhook set", url=settings.webhook_url)
                return


def _refuse(outcome: str, status: int) -> Response:
    """Refuse a request and hang up: whatever is left of it is not read."""
    metrics.WEBHOOK.labels(outcome).inc()
    text = outcome.replace("_", " ")
    return PlainTextResponse(text, status_code=status, headers={"Connection": "close"})
