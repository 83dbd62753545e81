"""Files that are no usable export, each in the way that people really send them."""

import json
from collections.abc import Callable

from devstack.exports import ExportPlan, export_bytes

SMALL = ExportPlan(size_bytes=20_000, people=10, days=10)


def broken_export(kind: str, plan: ExportPlan = SMALL) -> bytes:
    """A file of one of BROKEN_KINDS, made from the export of that plan.

    Raises:
        KeyError: an unknown kind.
    """
    return _MAKERS[kind](export_bytes(plan))


def _truncated(whole: bytes) -> bytes:
    return whole[: len(whole) * 2 // 3]


def _html(_: bytes) -> bytes:
    return b"<!DOCTYPE html>\n<html>\n <head>\n  <title>Exported Data</title>\n </head>\n <body/>\n</html>\n"


def _messages_only(whole: bytes) -> bytes:
    return json.dumps(json.loads(whole)["messages"]).encode()


def _no_messages(whole: bytes) -> bytes:
    return json.dumps({**json.loads(whole), "messages": []}).encode()


def _all_chats(whole: bytes) -> bytes:
    chats = {"about": "This page lists all chats from this export.", "list": [json.loads(whole)]}
    return json.dumps({"about": "Here is the data you requested.", "contacts": {}, "chats": chats}).encode()


_MAKERS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": _truncated,
    "html": _html,
    "archive": lambda _: b"PK\x03\x04\x14\x00\x00\x00\x08\x00result.json",
    "not_json": lambda _: b"name: Rust Berlin\nmessages: 12\n",
    "array": _messages_only,
    "other_json": lambda _: b'{"orders": [{"id": 1, "total": 9.5}], "page": 1}',
    "other_messages": lambda _: b'{"messages": [{"role": "user", "content": "hi"}]}',
    "no_messages": _no_messages,
    "all_chats": _all_chats,
}

BROKEN_KINDS = tuple(_MAKERS)
