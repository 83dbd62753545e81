"""Updates that Telegram posts to us; any number of replicas behind one address."""

import asyncio
import json
from hmac import compare_digest

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from telegram.error import TelegramError

from shared import inbox, metrics
from shared.errors import ConfigurationError, WorldError
from shared.queues import pause_s
from shared.service import Services
from shared.telegram.client import translate

log = structlog.get_logger(__name__)

ALLOWED_UPDATES = list(inbox.KINDS)
MAX_BODY_BYTES = 1_000_000
"""An update is at most some tens of kilobytes."""

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header


class Webhook:
    """Takes updates, and tells Telegram where."""

    def __init__(self, services: Services) -> None:
        """As the settings say.

        Raises:
            ConfigurationError: there is no WEBHOOK_SECRET.
        """
        self._services = services
        secret = services.settings.webhook_secret
        if secret is None or not secret.get_secret_value():
            raise ConfigurationError(
                "WEBHOOK_URL is set but WEBHOOK_SECRET is not; anybody could send updates"
            )
        self._secret = secret.get_secret_value()

    def routes(self) -> list[Route]:
        """POST on every path: the one in WEBHOOK_URL is the operator's choice."""
        return [Route("/{path:path}", self.receive, methods=["POST"])]

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

    async def tell(self, stopping: asyncio.Event) -> None:
        """Tell Telegram our address; every replica says the same, so it does not matter which is last."""
        telling = asyncio.create_task(self._set_webhook())
        await stopping.wait()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)

    async def _set_webhook(self) -> None:
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
