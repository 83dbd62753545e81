"""What the sandbox shows, as lines of the transcript: from its WebSocket, as a browser would get it."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from rich.text import Text
from websockets.asyncio.client import connect

from devstack.demo.transcript import Line, Transcript
from devstack.people import Person, Shown, captions, words
from devstack.waiting import beside

Json = Mapping[str, Any]
CATCH_UP_S = 2.0
_QUOTED_CHARACTERS = 30
_HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_HOLE = "\u2060"
_STYLES = {"bold": "bold", "italic": "italic", "code": "cyan", "pre": "cyan", "underline": "underline"}


class ChatFeed:
    """Turns the sandbox's events into lines; remembers how every message looked, to tell what changed."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._shown: dict[tuple[int, int], Shown] = {}
        self._names: dict[int, str] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def following(self, url: str) -> AsyncIterator[None]:
        """Follow the sandbox at `url` as long as the block runs."""
        address = url.replace("http", "ws", 1) + "/sandbox/ws"
        async with connect(address, proxy=None, max_size=None) as socket:

            async def listen() -> None:
                async for event in socket:
                    await self.take(json.loads(event))

            async with beside(listen()):
                yield

    async def take(self, event: Json) -> None:
        """Take one event of the WebSocket."""
        kind = event["event"]
        if kind in {"message", "edit"}:
            message = event["message"]
            key = (event["chat_id"], message["message_id"])
            before = self._shown.get(key)
            body = posted(message) if kind == "message" or before is None else changed(before, message)
            async with self._changed:
                self._shown[key] = message
                self._changed.notify_all()
            self._tell(direction(message), body)
        elif kind == "delete":
            gone = self._shown.pop((event["chat_id"], event["message_id"]), None)
            if gone is not None:
                self._tell(direction(gone), Text(f"(takes away {quoted(gone)})", style="dim"))
        elif kind == "callback_answer" and event.get("text"):
            to = self._names.get(event["user_id"], "?")
            self._tell(f"Stepgram > {to}", Text(f"(pops up) {event['text']}"))
        elif kind == "user":
            self._names[event["user"]["id"]] = event["user"]["first_name"]

    async def tapped(self, person: Person, message: Shown, caption: str) -> None:
        """Tell that somebody taps a button, after the line on which that button came."""
        key = (person.chat_id, message["message_id"])
        async with self._changed:
            try:
                async with asyncio.timeout(CATCH_UP_S):
                    await self._changed.wait_for(lambda: caption in captions(self._shown.get(key, {})))
            except TimeoutError:
                pass  # the transcript is late, and the person need not wait for it
        to = message["from"]["first_name"]
        self._tell(f"{person.name} > {to}", Text.assemble("taps ", (f"[{caption}]", "bold")))

    def _tell(self, who: str, body: Text | None) -> None:
        if body is not None:
            self._transcript.add(Line(time.time(), who, body))


def direction(message: Shown) -> str:
    """Who writes to whom: "Ada > Stepgram", "Stepgram > Ada", "Ben > Chess Club"."""
    sender, chat = message["from"], message["chat"]
    if chat["type"] != "private":
        to = chat["title"]
    else:
        to = chat["first_name"] if sender.get("is_bot") else "Stepgram"
    return f"{sender['first_name']} > {to}"


def posted(message: Shown) -> Text:
    """A message as a person sees it when it comes."""
    parts = [_attachment(message), _styled(message), _keyboard(message)]
    if event := _event(message):
        parts.insert(0, Text(f"({event})", style="dim"))
    if replied := message.get("reply_to_message"):
        parts.insert(0, Text(f"(on {quoted(replied)})", style="dim"))
    return _lines(parts)


def changed(before: Shown, now: Shown) -> Text | None:
    """What became of a message, marked by a pencil; None where nothing that shows did."""
    old, new = words(before), words(now)
    buttons = Text("(no buttons any more)", style="dim") if captions(before) else Text()
    if captions(now):
        buttons = _keyboard(now)
    if old == new and captions(before) == captions(now):
        return None
    if new.startswith(old):
        parts = [
            Text(quoted(before), style="dim"),
            Text(_HIDDEN.sub("", new[len(old) :]).strip()),
            buttons,
        ]
    else:
        parts = [_styled(now), buttons]
    return Text.assemble(("✎ ", "dim"), _lines(parts))


def _lines(parts: list[Text]) -> Text:
    return Text("\n").join(part for part in parts if part)


def _event(message: Shown) -> str:
    """What happened to a group, where a message says that."""
    if message.get("group_chat_created") or message.get("supergroup_chat_created"):
        return "makes the group"
    if new := message.get("new_chat_members"):
        return "brings " + ", ".join(member["first_name"] for member in new)
    if gone := message.get("left_chat_member"):
        return f"{gone['first_name']} leaves"
    return ""


def quoted(message: Shown) -> str:
    """A message by its first words."""
    document = (message.get("document") or {}).get("file_name")
    text = (
        document or words(message).split("\n")[0] or ("the picture" if message.get("photo") else "a message")
    )
    return f"“{text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + '…'}”"


def _attachment(message: Shown) -> Text:
    if sizes := message.get("photo"):
        return Text(f"▣ a picture, {sizes[-1]['width']} × {sizes[-1]['height']}", style="green")
    if document := message.get("document"):
        return Text(f"▤ {document['file_name']}, {_size(document['file_size'])}", style="green")
    return Text()


def _size(size_bytes: int) -> str:
    if size_bytes >= 100_000:
        return f"{size_bytes / 1_000_000:.1f} MB"
    return f"{size_bytes / 1000:.1f} kB" if size_bytes >= 1000 else f"{size_bytes} bytes"


def _keyboard(message: Shown) -> Text:
    """The buttons below a message, row by row, and those that take the place of the person's keyboard."""
    rows = (message.get("reply_markup") or {}).get("inline_keyboard") or []
    lines = [" ".join(f"[{button['text']}]" for button in row) for row in rows]
    keyboard = (message.get("sandbox") or {}).get("reply_keyboard") or {}
    for row in keyboard.get("keyboard", []):
        lines.append("⌨ " + " ".join(f"[{button['text']}]" for button in row))
    return Text("\n".join(lines), style="bold blue")


def _styled(message: Shown) -> Text:
    """The text or caption with its entities, without what could steer a terminal or has no width there."""
    raw = str(message.get("text") or message.get("caption") or "")
    text = Text(_HIDDEN.sub(_HOLE, raw))  # which keeps every place in the text
    for entity in message.get("entities") or message.get("caption_entities") or []:
        if style := _STYLES.get(entity["type"]):
            begin = _index(raw, entity["offset"])
            text.stylize(style, begin, _index(raw, entity["offset"] + entity["length"]))
    return Text("").join(text.split(_HOLE, allow_blank=True))


def _index(text: str, units: int) -> int:
    """Where so many UTF-16 units of a text end."""
    return len(text.encode("utf-16-le")[: units * 2].decode("utf-16-le", errors="ignore"))
