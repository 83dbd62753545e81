"""sendPhoto, sendDocument, sendMediaGroup, getFile."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

from devstack.sandbox import render
from devstack.sandbox.errors import ApiError, bad_request
from devstack.sandbox.files import check_upload, link_or_copy
from devstack.sandbox.limits import ALBUM_MAX, DOWNLOAD_BYTES, LOCAL_DOWNLOAD_BYTES
from devstack.sandbox.methods.common import Call, charge, post, target_of
from devstack.sandbox.methods.texts import caption_content
from devstack.sandbox.model import Markup, StoredFile
from devstack.sandbox.params import Params
from devstack.sandbox.values import Json, JsonValue

ATTACH = "attach://"
NO_NETWORK = "failed to get HTTP URL content"
Media = tuple[Json, list[StoredFile]]


async def send_photo(call: Call) -> JsonValue:
    """Send a picture of at most 10 MB."""
    return await _send_one(call, "photo")


async def send_document(call: Call) -> JsonValue:
    """Send a file of at most 50 MB."""
    return await _send_one(call, "document")


async def send_media_group(call: Call) -> JsonValue:
    """Send an album: several messages with one media_group_id, which cost as many as they are."""
    given = call.params.json("media", "media")
    if not isinstance(given, list):
        raise bad_request("expected an Array of InputMedia")
    if len(given) > ALBUM_MAX:
        raise bad_request("too many messages to send as an album")
    if not given:
        raise bad_request("there are no messages to send")
    target = target_of(call)
    album = [await input_media(call, item, prefix="can't parse InputMedia: ") for item in given]
    if len({"photo" in content for content, _ in album}) > 1:
        raise bad_request("document can't be mixed with other media types")
    charge(call, target.chat, len(album))
    album_id = str(random.getrandbits(53))
    plain = replace(target, markup=Markup())
    return [render.message(post(call, plain, content, files, album_id)) for content, files in album]


async def get_file(call: Call) -> JsonValue:
    """A path to download the file by, for an hour; files above 20 MB cannot be had.

    A local server gives the path of a copy on its disk, up to 2 GB, and never deletes it
    (https://core.telegram.org/bots/api#using-a-local-bot-api-server).
    """
    file_id = call.params.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    file = known_file(call, file_id)
    local_dir = call.sandbox.downloads.local_dir
    if file.size_bytes > (DOWNLOAD_BYTES if local_dir is None else LOCAL_DOWNLOAD_BYTES):
        raise bad_request("file is too big")
    if local_dir is not None:
        return {**render.file_ids(file), "file_path": await _on_disk(file, local_dir / call.bot.token)}
    return {**render.file_ids(file), "file_path": call.sandbox.files.path_of(file, call.bot.id)}


async def _on_disk(file: StoredFile, folder: Path) -> str:
    path = folder / f"{file.kind}s" / f"file_{file.number}{Path(file.name).suffix}"

    def put() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            link_or_copy(file.path, path)

    try:
        await asyncio.to_thread(put)
    except OSError as error:
        raise ApiError(500, f"Internal Server Error: {error.strerror}") from error
    return str(path)


async def input_media(call: Call, item: JsonValue, prefix: str = "") -> Media:
    """One InputMedia of a photo or document: content with caption, and its files."""
    if not isinstance(item, dict):
        raise bad_request(f"{prefix}expected an Object")
    values = Params(item)
    kind = values.text("type")
    if kind not in ("photo", "document"):
        raise bad_request(f'{prefix}type "{kind}" is unsupported')
    content, files = await _media(call, kind, values.text("media"), f"{prefix}media not found")
    return content | caption_content(call, values), files


async def _send_one(call: Call, kind: str) -> JsonValue:
    caption = caption_content(call, call.params)
    target = target_of(call)
    given = call.params.text(kind) or (ATTACH + kind if kind in call.params.uploads else "")
    content, files = await _media(call, kind, given, f"there is no {kind} in the request")
    charge(call, target.chat)
    return render.message(post(call, target, content | caption, files))


async def _media(call: Call, kind: str, given: str, missing: str) -> Media:
    """The photo or document that an upload, a file_id or a URL stands for."""
    if given.startswith(ATTACH):
        upload = call.params.uploads.get(given.removeprefix(ATTACH))
        if upload is None:
            raise bad_request(missing)
        check_upload(upload)
        if kind == "photo":
            return photo_content(await call.sandbox.files.photo(upload))
        name = upload.name.replace("\\", "/").rpartition("/")[2] or "file"
        return document_content(call.sandbox.files.document(replace(upload, name=name)))
    if not given:
        raise bad_request(missing)
    if given.startswith(("http://", "https://")):
        raise bad_request(NO_NETWORK)
    file = known_file(call, given)
    if file.kind != kind:
        raise bad_request(f"can't use file of type {file.kind.title()} as {kind.title()}")
    return photo_content([file]) if kind == "photo" else document_content(file)


def known_file(call: Call, file_id: str) -> StoredFile:
    """The file, which this bot must have seen; raises ApiError."""
    file = call.sandbox.files.find(file_id)
    if file is None:
        raise bad_request("wrong remote file identifier specified: can't unserialize it")
    if call.bot.id not in file.bot_ids:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    return file


def photo_content(files: list[StoredFile]) -> Media:
    """A photo in its sizes."""
    return {"photo": [render.photo_size(file) for file in files]}, files


def document_content(file: StoredFile) -> Media:
    """A document."""
    return {"document": render.document(file)}, [file]
