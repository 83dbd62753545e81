"""People of the sandbox, played by a program: they write, tap, send files, and wait for what they expect."""

import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from devstack.waiting import POLL_S, look_until

PATIENCE_S = 20.0

Shown = Mapping[str, Any]
"""A message as a chat of the sandbox shows it."""

OnTap = Callable[["Person", Shown, str], Awaitable[None]]
"""Awaited before a person taps the button of that caption on a message."""


class Unexpected(AssertionError):
    """A person did not see what they should have; the message tells what the chat shows instead."""


@dataclass(frozen=True)
class Wait:
    """How long a person waited for what they saw after what they did.

    `step` names the step of a process that came into sight by it; it is empty for any other answer.
    """

    person: str
    step: str
    waited_s: float


class Town:
    """A sandbox by its control API: makes people and groups, looks at calls, makes faults.

    `waits` holds what its people have waited for, in the order in which they saw it. They look at a chat
    `looks_every_s` while they wait.
    """

    def __init__(self, url: str, on_tap: OnTap | None = None) -> None:
        self.url = url
        self.on_tap = on_tap
        self.looks_every_s = POLL_S
        self.waits: list[Wait] = []
        self._calls_before = 0
        # A proxy that is configured for the world does not lead to this machine, and nothing here is TLS.
        self.http = httpx.AsyncClient(base_url=url, timeout=40, trust_env=False, verify=False)  # noqa: S501

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def call(self, verb: str, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Any:
        """Call the control API; raises Unexpected with its answer when it refuses."""
        response = await self.http.request(verb, f"/sandbox{path}", json=body, params=params)
        if response.status_code >= 400:
            raise Unexpected(f"{verb} {path}: {response.text}")
        return response.json()

    async def person(self, first_name: str, **details: Any) -> "Person":
        """Make somebody; their private chat with the bot is theirs until they /start it."""
        user = await self.call("POST", "/users", {"first_name": first_name, **details})
        return Person(self, user["id"], user["id"], first_name)

    async def group(
        self, title: str, *, admins: list["Person"], members: list["Person"], **details: Any
    ) -> int:
        """Make a supergroup with the bot in it; its chat id."""
        body = {
            "type": "supergroup",
            "title": title,
            "members": [each.user_id for each in members],
            "admins": [each.user_id for each in admins],
            **details,
        }
        return int((await self.call("POST", "/chats", body))["chat"]["id"])

    async def calls(self, method: str) -> list[dict[str, Any]]:
        """The Bot API calls of a method."""
        found = await self.call("GET", "/calls", method=method, since=self._calls_before)
        return list(found["calls"])

    async def forget_calls(self) -> None:
        """From now on know later calls only."""
        if calls := (await self.call("GET", "/calls"))["calls"]:
            self._calls_before = calls[-1]["n"]

    async def fault(self, kind: str, *, method: str = "*", count: int = 1, **details: Any) -> None:
        """Spoil the next calls."""
        await self.call("POST", "/faults", {"kind": kind, "method": method, "count": count, **details})


class Person:
    """Somebody in a chat, who remembers how far they have read it."""

    def __init__(self, town: Town, user_id: int, chat_id: int, name: str) -> None:
        self.town = town
        self.user_id = user_id
        self.chat_id = chat_id
        self.name = name
        self.read = 0
        self._acted_at = 0.0
        self._was_answered = True

    def in_chat(self, chat_id: int) -> "Person":
        """The same person in another chat."""
        return Person(self.town, self.user_id, chat_id, self.name)

    def begin_to_wait(self) -> None:
        """Count the waiting from now on; by itself it is counted from what the person did last."""
        self._acted_at, self._was_answered = time.monotonic(), False

    def _note_wait(self, step: str) -> None:
        """Note a wait, that for a step or for the first answer to what the person did."""
        if step or not self._was_answered:
            self.town.waits.append(Wait(self.name, step, time.monotonic() - self._acted_at))
        self._was_answered = True

    async def _post(self, body: Mapping[str, Any]) -> Shown:
        path = f"/chats/{self.chat_id}/messages"
        self.begin_to_wait()
        answer = await self.town.call("POST", path, {"from": self.user_id, **body})
        message: Shown = answer["message"]
        return message

    async def say(self, text: str, **details: Any) -> Shown:
        """Write a text; `reply_to` names the message that it replies to."""
        return await self._post({"text": text, **details})

    async def send(
        self, name: str, content: bytes, mime_type: str = "application/json", **details: Any
    ) -> Shown:
        """Send a file as a document."""
        encoded = base64.b64encode(content).decode()
        document = {"name": name, "content_base64": encoded, "mime_type": mime_type}
        return await self._post({"document": document, **details})

    async def send_photo(self, content: bytes) -> Shown:
        """Send a picture as a photo."""
        return await self._post({"photo": {"content_base64": base64.b64encode(content).decode()}})

    async def share_chat(self, chat_id: int, request_id: int) -> Shown:
        """Pick a group by a button that asks for one."""
        return await self._post({"chat_shared": {"request_id": request_id, "chat_id": chat_id}})

    async def tap(self, caption: str, *, message: Shown | None = None) -> str:
        """Tap the newest button of that caption; the id of the tap.

        Waits until such a button is shown. Raises Unexpected when none appears.
        """
        shown = message or await self.sees(buttons=[caption], old=True)
        path = f"/chats/{self.chat_id}/messages/{shown['message_id']}/press"
        if self.town.on_tap is not None:
            await self.town.on_tap(self, shown, caption)
        self.begin_to_wait()
        answer = await self.town.call("POST", path, {"from": self.user_id, "caption": caption})
        return str(answer["callback_query_id"])

    async def press(self, message: Shown, data: str, **details: Any) -> str:
        """Tap by callback data, true or forged, on a message; the id of the tap."""
        path = f"/chats/{self.chat_id}/messages/{message['message_id']}/press"
        body = {"from": self.user_id, "data": data, **details}
        return str((await self.town.call("POST", path, body))["callback_query_id"])

    async def told(self, tap_id: str, wait_s: float = PATIENCE_S) -> str:
        """The words with which a tap was answered."""
        answer = await self.town.call("GET", f"/callbacks/{tap_id}", wait_s=wait_s)
        return str(answer.get("text") or "")

    async def chat(self) -> list[Shown]:
        """What the chat shows now."""
        found = await self.town.call("GET", f"/chats/{self.chat_id}/messages", viewer=self.user_id)
        messages: list[Shown] = found["messages"]
        return messages

    async def sees(
        self,
        text: str = "",
        *,
        buttons: list[str] | None = None,
        where: Callable[[Shown], bool] | None = None,
        old: bool = False,
        step: str = "",
        patience_s: float = PATIENCE_S,
    ) -> Shown:
        """Wait for a message of the bot that contains `text` and has these buttons; the newest such one.

        Only messages behind those already seen count, unless `old`. `step` says which step of a process comes
        into sight by it. Raises Unexpected with what is shown.
        """

        def wanted(messages: list[Shown]) -> Shown | None:
            for message in reversed(messages):
                fresh = old or message["message_id"] > self.read
                if fresh and _is_the_bots(message) and _fits(message, text, buttons or [], where):
                    return message
            return None

        messages = await look_until(wanted, self.chat, patience_s, self.town.looks_every_s)
        found = wanted(messages)
        if found is None:
            shown = "\n".join(f"  {describe(message)}" for message in messages[-8:])
            what = f"{text!r}" + (f" with {buttons}" if buttons else "")
            raise Unexpected(f"{self.name} should see {what}, but the chat shows:\n{shown}")
        self.read = max(self.read, found["message_id"])
        self._note_wait(step)
        return found

    async def sees_change(
        self, message: Shown, fits: Callable[[Shown], bool], patience_s: float = PATIENCE_S
    ) -> Shown | None:
        """Wait until a message that was seen has become what `fits`, or is gone (then None)."""

        def as_it_is(messages: list[Shown]) -> Shown | None:
            same = (each for each in messages if each["message_id"] == message["message_id"])
            return next(same, None)

        def is_done(messages: list[Shown]) -> bool:
            now = as_it_is(messages)
            return now is None or fits(now)

        messages = await look_until(is_done, self.chat, patience_s, self.town.looks_every_s)
        now = as_it_is(messages)
        if now is not None and not fits(now):
            raise Unexpected(f"{self.name} waited for a change of: {describe(now)}")
        return now


def words(message: Shown) -> str:
    """The text of a message, or its caption."""
    return str(message.get("text") or message.get("caption") or "").replace("\u2060", "")


def captions(message: Shown) -> list[str]:
    """The captions of a message's buttons."""
    rows = (message.get("reply_markup") or {}).get("inline_keyboard") or []
    return [button["text"] for row in rows for button in row]


def describe(message: Shown) -> str:
    """A message in one line."""
    sender = (message.get("from") or {}).get("first_name", "?")
    document = (message.get("document") or {}).get("file_name")
    extra = " [picture]" if message.get("photo") else f" [file {document}]" if document else ""
    buttons = "".join(f" [{caption}]" for caption in captions(message))
    return f"{sender}: {words(message)}{extra}{buttons}"


def _is_the_bots(message: Shown) -> bool:
    return bool((message.get("from") or {}).get("is_bot"))


def _fits(message: Shown, text: str, buttons: list[str], where: Callable[[Shown], bool] | None) -> bool:
    shown = captions(message)
    return (
        text in words(message)
        and all(caption in shown for caption in buttons)
        and (where is None or where(message))
    )
