"""Updates by webhook: secret, order, retries, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devstack.sandbox.serve import serving
from tests.unit.sandbox.lab import Lab, inline


@dataclass
class Hook:
    """A bot's webhook that notes what comes and answers as told."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    secrets: list[str | None] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    before_answer: Callable[[Any], Awaitable[None]] | None = None

    async def receive(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.secrets.append(request.headers.get("x-telegram-bot-api-secret-token"))
        async with self.arrived:
            self.arrived.notify_all()
        if self.before_answer is not None:
            await self.before_answer(body)
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    async def wait_for(self, count: int) -> list[Any]:
        async with self.arrived, asyncio.timeout(5):
            await self.arrived.wait_for(lambda: len(self.bodies) >= count)
        return self.bodies

    def texts(self) -> list[str]:
        return [body["message"]["text"] for body in self.bodies]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    async with serving(Starlette(routes=[Route("/hook", made.receive, methods=["POST"])])) as url:
        made.url = f"{url}/hook"
        yield made


async def pending(lab: Lab, count: int) -> Any:
    """Wait until so many updates are pending; gives getWebhookInfo."""
    return await info_when(lab, lambda info: info["pending_update_count"] == count)


async def info_when(lab: Lab, condition: Callable[[Any], bool]) -> Any:
    """getWebhookInfo as soon as the condition holds."""
    async with asyncio.timeout(5):
        while not condition(info := await lab.call("getWebhookInfo")):  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.01)
    return info


async def test_updates_come_with_the_secret_token(lab: Lab, hook: Hook) -> None:
    ann = await lab.person()
    await lab.call("setWebhook", url=hook.url, secret_token="s3cret_A-1")
    await lab.say(ann, "hello")
    await hook.wait_for(1)
    assert (hook.texts(), hook.secrets) == (["hello"], ["s3cret_A-1"])
    await pending(lab, 0)


async def test_what_waited_before_is_delivered_unless_it_is_dropped(lab: Lab, hook: Hook) -> None:
    ann = await lab.person()
    await lab.say(ann, "old")
    await lab.call("setWebhook", url=hook.url, drop_pending_updates=True)
    await lab.say(ann, "new")
    await hook.wait_for(1)
    assert hook.texts() == ["new"]


async def test_a_failed_delivery_comes_again_and_the_error_is_shown(lab: Lab, hook: Hook) -> None:
    ann = await lab.person()
    hook.answers = [500, 503]
    await lab.call("setWebhook", url=hook.url)
    await lab.say(ann, "hello")
    await hook.wait_for(2)  # the first retry comes at once
    info = await info_when(lab, lambda info: "503" in info.get("last_error_message", ""))
    assert info["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"
    assert info["pending_update_count"] == 1
    await lab.advance(2)  # the next one after two seconds
    await hook.wait_for(3)
    await pending(lab, 0)


async def test_a_webhook_that_does_not_listen_is_shown_as_error(lab: Lab) -> None:
    ann = await lab.person()
    await lab.call("setWebhook", url="http://127.0.0.1:9/hook")
    await lab.say(ann, "hello")
    info = await info_when(lab, lambda info: "last_error_message" in info)
    assert (info["last_error_message"], info["pending_update_count"]) == ("Connection refused", 1)


async def test_a_chat_s_messages_keep_their_order_even_through_failures(lab: Lab, hook: Hook) -> None:
    ann = await lab.person()
    hook.answers = [500]
    await lab.call("setWebhook", url=hook.url)
    for text in "abc":
        await lab.say(ann, text)
    await hook.wait_for(4)
    assert hook.texts() == ["a", "a", "b", "c"]


async def test_another_chat_does_not_wait_for_a_slow_one(lab: Lab, hook: Hook) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    release = asyncio.Event()

    async def slow_for_ann(body: Any) -> None:
        if body["message"]["chat"]["id"] == ann:
            await release.wait()

    hook.before_answer = slow_for_ann
    await lab.call("setWebhook", url=hook.url)
    await lab.say(ann, "a1")
    await lab.say(ann, "a2")
    await lab.say(bob, "b1")
    await hook.wait_for(2)
    assert hook.texts() == ["a1", "b1"]
    release.set()
    await hook.wait_for(3)


async def test_no_more_than_max_connections_are_used(lab: Lab, hook: Hook) -> None:
    people = [await lab.person(name) for name in ("Ann", "Bob", "Cid")]
    running = [0]
    most = [0]

    async def count(body: Any) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.05)
        running[0] -= 1

    hook.before_answer = count
    await lab.call("setWebhook", url=hook.url, max_connections=2)
    for person in people:
        await lab.say(person, "x")
    await hook.wait_for(3)
    await pending(lab, 0)
    assert most[0] == 2


async def test_undelivered_updates_are_there_for_polling_after_the_webhook_is_deleted(lab: Lab) -> None:
    ann = await lab.person()
    await lab.call("setWebhook", url="http://127.0.0.1:9/hook")
    await lab.say(ann, "hello")
    assert (await lab.answer("deleteWebhook")).json()["description"] == "Webhook was deleted"
    assert [update["message"]["text"] for update in await lab.updates()] == ["hello"]
    assert (await lab.answer("deleteWebhook")).json()["description"] == "Webhook is already deleted"


async def test_setting_the_same_webhook_again_changes_nothing(lab: Lab) -> None:
    assert (await lab.answer("setWebhook", url="https://x.org/h")).json()["description"] == "Webhook was set"
    await lab.advance(2)
    again = (await lab.answer("setWebhook", url="https://x.org/h")).json()
    assert again["description"] == "Webhook is already set"
    info = await lab.call("getWebhookInfo")
    assert (info["url"], info["max_connections"]) == ("https://x.org/h", 40)


async def test_webhooks_are_set_once_a_second(lab: Lab) -> None:
    await lab.call("setWebhook", url="https://x.org/h")
    response = await lab.answer("setWebhook", url="https://x.org/i")
    assert (response.status_code, response.json()["parameters"]) == (429, {"retry_after": 1})


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"url": "http://x.org/h"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        ({"url": "ftp://x.org/h"}, "invalid webhook URL specified"),
        ({"url": "https://x.org", "secret_token": "a b"}, "secret token contains unallowed characters"),
        ({"url": "https://x.org", "secret_token": "a" * 257}, "secret token is too long"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(lab: Lab, params: dict[str, str], words: str) -> None:
    assert await lab.refused("setWebhook", **params) == f"Bad Request: {words}"


async def test_setting_a_webhook_ends_a_waiting_poll(lab: Lab) -> None:
    poll = asyncio.create_task(lab.refused("getUpdates", timeout=10))
    await lab.in_progress("getUpdates")
    await lab.call("setWebhook", url="https://x.org/h")
    assert await poll == "Conflict: terminated by setWebhook request"


async def test_an_update_that_became_too_old_is_never_delivered(lab: Lab, hook: Hook) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    await lab.press(ann, sent, caption="Yes")
    await lab.advance(151)
    await lab.call("setWebhook", url=hook.url)
    await lab.say(ann, "hello")
    await hook.wait_for(1)
    assert hook.texts() == ["hello"]


async def test_a_duplicated_update_is_posted_twice(lab: Lab, hook: Hook) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", kind="duplicate_update", count=1)
    await lab.call("setWebhook", url=hook.url)
    await lab.say(ann, "once")
    first, second = await hook.wait_for(2)
    assert first == second
    await pending(lab, 0)
