"""Receives updates: each is stored before it is acknowledged, by polling or by webhook.

Polling has one leader, by an advisory lock on a connection of its own; when it dies Postgres frees the lock
and the next process takes over. Two pollers at once would be harmless: an update is stored once.
"""

import asyncio
import contextlib
import json
from typing import Any

import aiohttp
import psycopg
import structlog
from telegram.error import TelegramError

from bot.web import server
from bot.web.routes import UploadRoutes
from bot.web.webhook import ALLOWED_UPDATES, Webhook
from shared import inbox, metrics
from shared.db import direct_connection
from shared.errors import StepgramError, WorldError
from shared.queues import pause_s
from shared.service import Part, Services
from shared.telegram.client import TelegramUnavailable, translate
from shared.telegram.request import new_session

log = structlog.get_logger(__name__)

POLL_S = 25
PATIENCE = aiohttp.ClientTimeout(sock_connect=10, sock_read=POLL_S + 10)
TAKEOVER_S = 2.0
"""How often a process that does not lead tries to, and how often the leader says that it is there."""

LEADER_SILENCE_S = 8.0
"""A leader that stands still, or whose machine is gone without a word, loses the lead after it."""

LONGEST_PAUSE_S = 5.0
Connection = psycopg.AsyncConnection[tuple[object, ...]]

LEADER_LOCK_CLASS = 7_300_212


def receiving(services: Services) -> list[Part]:
    """What receives updates as the settings say, and the web server where anything needs one.

    Raises:
        ConfigurationError: a webhook without WEBHOOK_SECRET, or a LISTEN_ADDRESS that is none.
    """
    page = UploadRoutes(services).routes() if services.settings.upload_page_url else []
    if services.settings.webhook_url is None:
        serving = [server.WebServer(services, page).run] if page else []
        return [Poller(services).run, *serving]
    webhook = Webhook(services)
    return [webhook.tell, server.WebServer(services, [*page, *webhook.routes()]).run]


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
