"""Updates to a webhook: in order within a lane, lanes side by side, tried again until too old."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from devstack.sandbox.clock import Clock
from devstack.sandbox.updates import Lane, QueuedUpdate, UpdateQueue

REQUEST_TIMEOUT_S = 60.0
MAX_RETRY_DELAY_S = 60.0
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What setWebhook said."""

    url: str
    secret_token: str = ""
    max_connections: int = 40


@dataclass(slots=True)
class _Retry:
    failures: int = 0
    delay_s: float = 1.0
    due_at: float = 0.0


class Webhook:
    """Delivers one bot's queue while the webhook is set."""

    def __init__(self, settings: WebhookSettings, updates: UpdateQueue, clock: Clock) -> None:
        self.settings = settings
        self.last_error = ""
        self.last_error_at: int | None = None
        self._updates = updates
        self._clock = clock
        self._retries: dict[int, _Retry] = {}
        self._in_flight: dict[Lane, asyncio.Task[None]] = {}
        self._loop = asyncio.create_task(self._deliver(), name=f"webhook {settings.url}")

    async def stop(self) -> None:
        """End all deliveries; what was not answered stays in the queue."""
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    async def _deliver(self) -> None:
        client = httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, verify=False, trust_env=False)  # noqa: S501
        async with client:
            try:
                while True:
                    changes = {self._updates.changed.next(), self._clock.moved.next()}
                    next_due = self._launch(client)
                    wait_s = None if next_due is None else max(0.0, next_due - self._clock.now())
                    waiting: set[asyncio.Future[None]] = {*changes, *self._in_flight.values()}
                    await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                    for change in changes:
                        change.cancel()
            finally:
                running = list(self._in_flight.values())
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    def _launch(self, client: httpx.AsyncClient) -> float | None:
        """Send what may go now; gives the time when the next one that has to wait is due."""
        self._in_flight = {lane: task for lane, task in self._in_flight.items() if not task.done()}
        waits = []
        for update in self._updates.heads():
            due_at = self._retries.get(update.id, _Retry()).due_at
            if due_at > self._clock.now():
                waits.append(due_at)
            elif update.lane not in self._in_flight and len(self._in_flight) < self.settings.max_connections:
                self._in_flight[update.lane] = asyncio.create_task(self._send(client, update))
        return min(waits, default=None)

    async def _send(self, client: httpx.AsyncClient, update: QueuedUpdate) -> None:
        secret = self.settings.secret_token
        try:
            response = await client.post(
                self.settings.url, json=update.body, headers={SECRET_HEADER: secret} if secret else {}
            )
        except httpx.TimeoutException:
            self._failed(update, "Read timeout expired")
        except httpx.ConnectError:
            self._failed(update, "Connection refused")
        except httpx.HTTPError:
            self._failed(update, "Webhook connection closed")
        else:
            if response.is_success:
                self._retries.pop(update.id, None)
                self._updates.remove(update)
            else:
                status = f"{response.status_code} {response.reason_phrase}"
                wait = response.headers.get("retry-after", "")
                self._failed(
                    update,
                    f"Wrong response from the webhook: {status}",
                    retry_after_s=int(wait) if wait.isdigit() else 0,
                )

    def _failed(self, update: QueuedUpdate, reason: str, retry_after_s: int = 0) -> None:
        """Once more at once, then after 2, 4, 8 … seconds; Retry-After is obeyed."""
        self.last_error, self.last_error_at = reason, self._clock.unix()
        retry = self._retries.setdefault(update.id, _Retry())
        delay_s: float = retry_after_s
        if retry_after_s == 0 and retry.failures > 0:
            delay_s = retry.delay_s = min(MAX_RETRY_DELAY_S, retry.delay_s * 2)
        retry.failures += 1
        retry.due_at = self._clock.now() + delay_s
