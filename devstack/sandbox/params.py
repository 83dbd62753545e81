"""The parameters of a Bot API call: query, form, multipart and JSON, all alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.requests import Request

from devstack.sandbox.errors import bad_request
from devstack.sandbox.files import FileStore, Upload
from devstack.sandbox.values import TRUE_WORDS, Json, JsonValue

LOGGED_CHARS = 8_000
PART_BYTES = 2 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024


class Params:
    """Values by name; a nested value may come as JSON or as its text."""

    def __init__(self, values: Mapping[str, JsonValue], uploads: Mapping[str, Upload] | None = None) -> None:
        self.values = values
        self.uploads = uploads or {}

    def has(self, name: str) -> bool:
        """Whether it was given and is not empty."""
        return self.values.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """The text, empty when it is missing."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, dict | list):
            return json.dumps(value)
        return "" if value is None else str(value)

    def required(self, name: str) -> str:
        """The text; raises ApiError when it is missing or empty."""
        text = self.text(name)
        if not text:
            raise bad_request(f'Parameter "{name}" is required')
        return text

    def flag(self, name: str) -> bool:
        """The truth value; missing is false."""
        return self.text(name).strip().lower() in TRUE_WORDS

    def integer(self, name: str, default: int = 0) -> int:
        """The integer; what is none counts as 0, as Telegram reads it."""
        text = self.text(name).strip()
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            return 0

    def within(self, name: str, default: int, low: int, high: int) -> int:
        """The integer, pulled into the range."""
        return min(max(self.integer(name, default), low), high)

    def json(self, name: str, what: str) -> JsonValue:
        """The nested value, None when it is missing; raises ApiError "can't parse WHAT JSON object"."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            decoded: JsonValue = json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {what} JSON object") from None
        return decoded

    def logged(self) -> Json:
        """What the log of calls shows: long texts cut, files by name and size."""
        out: Json = {}
        for name, value in self.values.items():
            decoded = _decoded(value)
            cut = isinstance(decoded, str) and len(decoded) > LOGGED_CHARS
            out[name] = f"{decoded[:LOGGED_CHARS]}…" if cut and isinstance(decoded, str) else decoded
        for name, upload in self.uploads.items():
            out[name] = {"file": upload.name, "size": upload.size_bytes}
        return out


def _decoded(value: JsonValue) -> JsonValue:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            decoded: JsonValue = json.loads(value)
        except ValueError:
            return value
        return decoded
    return value


async def read_params(request: Request, files: FileStore) -> Params:
    """Read the whole request; uploads go to the store's directory. Raises ApiError for a broken JSON body."""
    values: Json = dict(request.query_params)
    uploads: dict[str, Upload] = {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()
        try:
            decoded: JsonValue = json.loads(body) if body else {}
        except ValueError:
            raise bad_request("can't parse JSON object") from None
        if isinstance(decoded, dict):
            values.update(decoded)
    elif kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        async with request.form(max_part_size=PART_BYTES) as form:
            for name, part in form.multi_items():
                if isinstance(part, UploadFile):
                    uploads[name] = await _spool(part, files)
                else:
                    values[name] = part
    return Params(values, uploads)


async def _spool(part: UploadFile, files: FileStore) -> Upload:
    path = files.new_path()

    def copy(source: BinaryIO) -> int:
        with path.open("wb") as target:
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)
            return target.tell()

    size = await asyncio.to_thread(copy, part.file)
    return Upload(part.filename or "file", part.content_type or "", size, path)
