"""The shape of a Telegram Desktop export: ``result.json`` of one chat, read as a stream.

The shape is what Telegram Desktop writes for "Machine-readable JSON" (its ``export_output_json.cpp``) and
what https://core.telegram.org/import-export describes; versions since 2018 are read.
"""

import re
from collections.abc import Callable, Generator
from typing import Any

import ijson

from shared.errors import StepgramError

Entry = dict[str, Any]
"""The ENTRY_FIELDS of one message or service message, ``members`` and ``reactions`` as lists; unchecked."""

ENTRY_FIELDS = frozenset(
    (
        "id",
        "type",
        "date",
        "from",
        "from_id",
        "actor",
        "actor_id",
        "action",
        "reply_to_message_id",
        "media_type",
        "photo",
        "file",
    )
)
CHAT_FIELDS = frozenset(("name", "type", "id"))
MAX_ENTRY_BYTES = 8_000_000
"""More input than this without the end of a message is no export; it also bounds what the parser holds."""

_OPENINGS = frozenset(("start_map", "start_array"))
_ENDINGS = frozenset(("end_map", "end_array"))
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)

HOW_TO_EXPORT = (
    "In Telegram Desktop open the group, choose ⋮ › Export chat history, set the format to "
    "“Machine-readable JSON”, and send the result.json that it writes."
)

NOT_AN_EXPORT = f"This file is JSON, but not the exported history of one chat. {HOW_TO_EXPORT}"
ALL_CHATS = f"This is the export of all your chats; only the one group is wanted. {HOW_TO_EXPORT}"
NO_MESSAGES = (
    "The export has no messages. Please export the history again and look at the dates that you choose there."
)


class ExportRefused(StepgramError):
    """The file is no usable export; the message is a sentence for the person who sent it.

    ``why`` is one of html, archive, no_json, empty, cut, not_one_chat, all_chats and no_messages.
    """

    def __init__(self, sentence: str, why: str = "not_one_chat") -> None:
        super().__init__(sentence)
        self.why = why


class ExportReader:
    """Takes the file in pieces and gives each message to ``on_entry``; ``chat`` holds the chat's own fields.

    Keys may come in any order. Memory stays constant: nothing is kept of a message but ENTRY_FIELDS.
    """

    def __init__(self, on_entry: Callable[[Entry], None]) -> None:
        self.chat: dict[str, Any] = {}
        self.entries = 0
        self._on_entry = on_entry
        assembler = self._assemble()
        next(assembler)
        self._parser = ijson.basic_parse_coro(assembler, use_float=True)
        self._beginning = b""
        self._held = b""
        self._silent_bytes = 0
        self._has_messages = False

    def feed(self, chunk: bytes) -> None:
        """Read the next piece of the file, of any length.

        Raises:
            ExportRefused: it is clear by now that this is no export.
        """
        if not self._beginning:
            chunk = chunk.removeprefix(_BYTE_ORDER_MARK).lstrip()
            self._beginning = chunk[:64]
        entries_before = self.entries
        text = self._mend_escapes(chunk)
        if not text:  # means "end of file" to the parser
            return
        try:
            self._parser.send(text)
        except (ijson.JSONError, ValueError) as error:
            raise ExportRefused(*self._not_json()) from error
        self._silent_bytes = 0 if self.entries > entries_before else self._silent_bytes + len(text)
        if self._silent_bytes > MAX_ENTRY_BYTES:
            raise ExportRefused(NOT_AN_EXPORT)

    def close(self) -> None:
        """Say that the file has ended.

        Raises:
            ExportRefused: it has ended too early, or has no messages.
        """
        if not self._beginning:
            raise ExportRefused(f"The file is empty. {HOW_TO_EXPORT}", "empty")
        try:
            self._parser.close()
        except (ijson.JSONError, ValueError) as error:
            raise ExportRefused(
                "The file stops in the middle, as if the export or the upload had been interrupted. "
                "Please export the history again, wait for its end, and send the whole result.json.",
                "cut",
            ) from error
        if not self.entries:
            if self._has_messages:
                raise ExportRefused(NO_MESSAGES, "no_messages")
            raise ExportRefused(NOT_AN_EXPORT)

    def _assemble(self) -> Generator[None, tuple[str, Any], None]:
        """Follow the parser's events; ``keys[n]`` is the key that is open at depth n.

        Depth 1 is the chat, 2 its messages, 3 the fields of one message, 4 the items of a field's list
        (names of members), 5 the fields of such an item (a reaction). Written for speed: one pass of the
        loop is one token of the file.
        """
        keys = [""] * 6
        depth = 0
        entry: Entry = {}
        while True:
            event, value = yield
            if event == "map_key":
                if depth < 6:
                    keys[depth] = value
            elif event in _OPENINGS:
                depth += 1
                if depth == 3:
                    entry = {}
                else:
                    self._open(event, depth, keys, entry)
            elif event in _ENDINGS:
                depth -= 1
                if depth == 2 and keys[1] == "messages":
                    self._finish(entry)
            elif depth == 3:
                if keys[3] in ENTRY_FIELDS:
                    entry[keys[3]] = value
            else:
                self._keep(depth, keys, entry, value)

    def _open(self, event: str, depth: int, keys: list[str], entry: Entry) -> None:
        """An object or list begins anywhere but as a message."""
        if depth == 1 and event != "start_map":
            raise ExportRefused(NOT_AN_EXPORT)
        if depth == 2 and keys[1] in {"chats", "left_chats"}:
            raise ExportRefused(ALL_CHATS, "all_chats")
        if depth == 2 and keys[1] == "messages":
            self._has_messages = event == "start_array"
        elif depth == 5 and keys[3] == "reactions":
            entry.setdefault("reactions", []).append({})
            keys[5] = ""

    def _keep(self, depth: int, keys: list[str], entry: Entry, value: object) -> None:
        """Keep a value that stands beside or below the fields of a message, if it is of use."""
        if depth == 1 and keys[1] in CHAT_FIELDS:
            self.chat[keys[1]] = value
        elif depth == 4 and keys[3] == "members":
            entry.setdefault("members", []).append(value)
        elif depth == 5 and keys[3] == "reactions":
            entry["reactions"][-1][keys[5]] = value

    def _finish(self, entry: Entry) -> None:
        looks_right = self._has_messages and "id" in entry and "type" in entry
        if not self.entries and not looks_right:
            raise ExportRefused(NOT_AN_EXPORT)
        self.entries += 1
        self._on_entry(entry)

    def _mend_escapes(self, chunk: bytes) -> bytes:
        """Make JSON of ``\\x0B``, which Telegram Desktop writes for control characters, also across chunks.

        https://github.com/telegramdesktop/tdesktop/issues/27571
        """
        chunk = self._held + chunk
        backslashes = len(chunk) - len(chunk.rstrip(b"\\"))
        self._held = b"\\" if backslashes % 2 else b""
        if self._held:
            chunk = chunk[:-1]
        if b"\\x" not in chunk:
            return chunk
        return _ESCAPE.sub(lambda escape: rb"\u00" if escape[1] == b"x" else escape[0], chunk)

    def _not_json(self) -> tuple[str, str]:
        if self._beginning.startswith(b"<"):
            return f"This is the HTML form of an export. {HOW_TO_EXPORT}", "html"
        if self._beginning.startswith(b"PK"):
            return "This is an archive. Please unpack it and send the result.json that is in it.", "archive"
        return f"The file is no valid JSON: it was changed or damaged on its way. {HOW_TO_EXPORT}", "no_json"
