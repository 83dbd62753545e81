"""Short words for what bots and people do in a sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from devstack.sandbox.serve import RunningSandbox


@dataclass
class Lab:
    """A running sandbox with a client."""

    running: RunningSandbox
    client: httpx.AsyncClient

    @property
    def bot_id(self) -> int:
        return self.running.sandbox.bot.id

    async def answer(self, method: str, files: Any = None, **params: Any) -> httpx.Response:
        """The raw answer of the Bot API; nested values go as JSON text, as libraries send them."""
        data = {
            name: json.dumps(value) if isinstance(value, dict | list) else value
            for name, value in params.items()
        }
        return await self.client.post(f"/bot{self.running.token}/{method}", data=data, files=files)

    async def call(self, method: str, files: Any = None, **params: Any) -> Any:
        """The result of a call that must succeed."""
        body = (await self.answer(method, files, **params)).json()
        assert body["ok"], body
        return body["result"]

    async def in_progress(self, method: str) -> None:
        """Wait until such a call has come and is not answered yet."""
        calls = self.running.sandbox.calls
        await eventually(lambda: any(call["duration_ms"] is None for call in calls.since(0, method)))

    async def refused(self, method: str, files: Any = None, **params: Any) -> str:
        """The description of a call that must fail; the status and error_code agree."""
        response = await self.answer(method, files, **params)
        body = response.json()
        assert not body["ok"], body
        assert body["error_code"] == response.status_code
        return str(body["description"])

    async def control(self, verb: str, path: str, **body: Any) -> Any:
        """The answer of a control call that must succeed."""
        response = await self.client.request(verb, f"/sandbox{path}", json=body or None)
        assert response.status_code == 200, response.text
        return response.json()

    async def control_error(self, verb: str, path: str, **body: Any) -> str:
        """The reason of a control call that must fail."""
        response = await self.client.request(verb, f"/sandbox{path}", json=body or None)
        assert response.status_code in (400, 404), response.text
        return str(response.json()["error"])

    async def person(self, name: str = "Ann", *, started: bool = True) -> int:
        """A person, whose chat with the bot is started unless said otherwise; no updates are left."""
        user = await self.control("POST", "/users", first_name=name, username=name.lower())
        if started:
            await self.say(user["id"], "/start")
            await self.updates()
        return int(user["id"])

    async def group(self, *members: int, type: str = "supergroup", **options: Any) -> int:  # noqa: A002
        """A group with the bot; updates so far are confirmed."""
        made = await self.control(
            "POST", "/chats", type=type, title="Group", members=list(members), **options
        )
        await self.updates()
        return int(made["chat"]["id"])

    async def say(self, user: int, text: str, chat: int | None = None, **more: Any) -> Any:
        """Somebody writes, privately unless a chat is named."""
        return await self.send(user, chat, text=text, **more)

    async def send(self, user: int, chat: int | None = None, **message: Any) -> Any:
        """Somebody sends anything; gives the message, for an album the list of them."""
        path = f"/chats/{chat or user}/messages"
        sent = await self.control("POST", path, **{"from": user}, **message)
        return sent.get("message") or sent["messages"]

    async def press(self, user: int, message: Any, chat: int | None = None, **button: Any) -> str:
        """Somebody taps; gives the id of the callback query."""
        path = f"/chats/{chat or user}/messages/{message['message_id']}/press"
        tapped = await self.control("POST", path, **{"from": user}, **button)
        return str(tapped["callback_query_id"])

    async def updates(self) -> Any:
        """Fetch what is there and confirm it."""
        found = await self.call("getUpdates")
        if found:
            await self.call("getUpdates", offset=found[-1]["update_id"] + 1)
        return found

    async def shown(self, chat: int, **query: Any) -> Any:
        """What the chat shows."""
        response = await self.client.get(f"/sandbox/chats/{chat}/messages", params=query)
        return response.json()["messages"]

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        await self.control("POST", "/clock", advance_s=seconds)

    async def unlimited(self) -> None:
        """Switch the token buckets off."""
        await self.control("POST", "/limits", enforce=False)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something elsewhere has happened."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it happens elsewhere, there is no event
            await asyncio.sleep(0.002)


def inline(*captions: str) -> dict[str, Any]:
    """An inline keyboard of one row whose data are the captions."""
    return {"inline_keyboard": [[{"text": caption, "callback_data": caption} for caption in captions]]}
