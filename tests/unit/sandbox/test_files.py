"""Photos, documents, albums and downloads."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.unit.sandbox.conftest import SECOND_TOKEN
from tests.unit.sandbox.lab import Lab

MB = 1024 * 1024


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def picture(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("L", (width, height)).save(target, "PNG")
    return target.getvalue()


async def test_a_document_keeps_name_type_and_bytes(lab: Lab) -> None:
    ann = await lab.person()
    files = {"document": ("report.json", b'{"a": 1}', "application/json")}
    sent = await lab.call("sendDocument", files, chat_id=ann, caption="<i>c</i>", parse_mode="HTML")
    document = sent["document"]
    assert (document["file_name"], document["mime_type"]) == ("report.json", "application/json")
    assert (document["file_size"], sent["caption"]) == (8, "c")
    path = (await lab.call("getFile", file_id=document["file_id"]))["file_path"]
    assert path.startswith("documents/")
    assert path.endswith(".json")
    response = await lab.client.get(f"/file/bot{lab.running.token}/{path}")
    assert response.content == b'{"a": 1}'


async def test_a_download_gives_byte_ranges(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.send(ann, document={"name": "a.bin", "content_base64": base64_of(b"0123456789")})
    path = (await lab.call("getFile", file_id=said["document"]["file_id"]))["file_path"]
    url = f"/file/bot{lab.running.token}/{path}"
    part = await lab.client.get(url, headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"345", "bytes 3-5/10")


async def test_a_file_path_works_for_an_hour(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.send(ann, document={"name": "a.txt", "content_base64": base64_of(b"a")})
    path = (await lab.call("getFile", file_id=said["document"]["file_id"]))["file_path"]
    url = f"/file/bot{lab.running.token}/{path}"
    await lab.advance(3599 - 1)
    assert (await lab.client.get(url)).status_code == 200
    await lab.advance(2)
    assert (await lab.client.get(url)).json()["error_code"] == 404
    await lab.call("getFile", file_id=said["document"]["file_id"])
    assert (await lab.client.get(url)).status_code == 200


async def test_files_above_20_mb_cannot_be_downloaded(lab: Lab) -> None:
    ann = await lab.person()
    body = {"json": f'{{"from": {ann}}}'}
    upload = {"document": ("big.bin", b"\0" * (20 * MB + 1))}
    response = await lab.client.post(f"/sandbox/chats/{ann}/messages", data=body, files=upload)
    file_id = response.json()["message"]["document"]["file_id"]
    assert await lab.refused("getFile", file_id=file_id) == "Bad Request: file is too big"


async def test_bots_send_at_most_50_mb(lab: Lab) -> None:
    ann = await lab.person()
    response = await lab.answer("sendDocument", {"document": ("big.bin", b"\0" * (50 * MB + 1))}, chat_id=ann)
    assert (response.status_code, response.json()["description"]) == (413, "Request Entity Too Large")


async def test_a_photo_comes_in_growing_sizes_with_its_shape(lab: Lab, png: bytes) -> None:
    ann = await lab.person()
    sent = await lab.call("sendPhoto", {"photo": ("chart.png", png)}, chat_id=ann, caption="c")
    sizes = [(size["width"], size["height"]) for size in sent["photo"]]
    assert sizes == [(90, 54), (320, 192), (800, 480), (1000, 600)]
    assert len({size["file_id"] for size in sent["photo"]}) == 4
    shown = (await lab.shown(ann))[-1]
    largest = await lab.client.get(shown["sandbox"]["file_urls"]["photo"])
    assert largest.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(largest.content)) as opened:
        assert opened.size == (1000, 600)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "file must be non-empty"),
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (b"\0" * (10 * MB + 1), "PHOTO_SAVE_FILE_INVALID"),
        (picture(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (picture(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
    ],
    ids=["empty", "no picture", "too big", "too long", "too large"],
)
async def test_what_is_no_photo_is_refused(lab: Lab, content: bytes, words: str) -> None:
    ann = await lab.person()
    assert (
        await lab.refused("sendPhoto", {"photo": ("p.png", content)}, chat_id=ann) == f"Bad Request: {words}"
    )


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("sendDocument", {}, "there is no document in the request"),
        ("sendPhoto", {"photo": "attach://nothing"}, "there is no photo in the request"),
        ("sendDocument", {"document": "https://x.org/a.pdf"}, "failed to get HTTP URL content"),
        ("sendDocument", {"document": "abc"}, "wrong remote file identifier specified: can't unserialize it"),
        ("sendDocument", {"document": "abc", "caption": "x" * 1025}, "message caption is too long"),
        ("getFile", {"file_id": ""}, "file_id not specified"),
        ("getFile", {"file_id": "abc"}, "wrong remote file identifier specified: can't unserialize it"),
    ],
)
async def test_files_that_are_not_there_are_refused(
    lab: Lab, method: str, params: dict[str, str], words: str
) -> None:
    ann = await lab.person()
    assert await lab.refused(method, chat_id=ann, **params) == f"Bad Request: {words}"


async def test_a_file_id_can_be_sent_again_as_the_same_kind_by_the_same_bot(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendDocument", {"document": ("a.txt", b"a")}, chat_id=ann)
    file_id = sent["document"]["file_id"]
    again = await lab.call("sendDocument", chat_id=ann, document=file_id)
    assert again["document"] == sent["document"]
    as_photo = await lab.refused("sendPhoto", chat_id=ann, photo=file_id)
    assert as_photo == "Bad Request: can't use file of type Document as Photo"
    foreign = await lab.client.post(f"/bot{SECOND_TOKEN}/getFile", data={"file_id": file_id})
    words = "Bad Request: wrong file_id or the file is temporarily unavailable"
    assert foreign.json()["description"] == words


async def test_a_caption_of_1024_utf16_units_is_taken(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendDocument", {"document": ("a.txt", b"a")}, chat_id=ann, caption="😀" * 512)
    assert len(sent["caption"]) == 512


async def test_a_bot_s_file_name_loses_its_folders_and_a_person_s_keeps_what_it_is(lab: Lab) -> None:
    ann = await lab.person()
    files = {"document": ("../../etc/passwd", b"a")}
    assert (await lab.call("sendDocument", files, chat_id=ann))["document"]["file_name"] == "passwd"
    name = "../../" + "x" * 300 + "?#.json"
    said = await lab.send(ann, document={"name": name, "content_base64": base64_of(b"{}")})
    assert said["document"]["file_name"] == name
    assert (await lab.client.get(said["sandbox"]["file_urls"]["document"])).content == b"{}"
    assert (await lab.call("getFile", file_id=said["document"]["file_id"]))["file_path"].endswith(".json")


async def test_an_album_is_several_messages_of_one_group(lab: Lab, png: bytes) -> None:
    ann = await lab.person()
    media = [
        {"type": "photo", "media": "attach://one", "caption": "first"},
        {"type": "photo", "media": "attach://two"},
    ]
    sent = await lab.call(
        "sendMediaGroup", {"one": ("1.png", png), "two": ("2.png", png)}, chat_id=ann, media=media
    )
    assert len({message["media_group_id"] for message in sent}) == 1
    assert sent[0]["caption"] == "first"
    assert sent[1]["message_id"] == sent[0]["message_id"] + 1


@pytest.mark.parametrize(
    ("media", "words"),
    [
        ([], "there are no messages to send"),
        ({"type": "photo"}, "expected an Array of InputMedia"),
        ([{"type": "document", "media": "attach://x"}] * 11, "too many messages to send as an album"),
        ([{"type": "video", "media": "attach://x"}], 'can\'t parse InputMedia: type "video" is unsupported'),
        ([{"type": "document", "media": "attach://y"}], "can't parse InputMedia: media not found"),
        (
            [{"type": "document", "media": "attach://x"}, {"type": "photo", "media": "attach://p"}],
            "document can't be mixed with other media types",
        ),
    ],
)
async def test_an_album_that_cannot_be_is_refused(lab: Lab, png: bytes, media: Any, words: str) -> None:
    ann = await lab.person()
    files = {"x": ("x.txt", b"x"), "p": ("p.png", png)}
    refused = await lab.refused("sendMediaGroup", files, chat_id=ann, media=media)
    assert refused == f"Bad Request: {words}"


async def test_a_person_s_album_arrives_as_several_updates(lab: Lab) -> None:
    ann = await lab.person()
    one = {"document": {"name": "1.txt", "content_base64": base64_of(b"1")}, "caption": "both"}
    two = {"document": {"name": "2.txt", "content_base64": base64_of(b"2")}}
    await lab.send(ann, album=[one, two])
    first, second = (update["message"] for update in await lab.updates())
    assert first["media_group_id"] == second["media_group_id"]
    assert (first["caption"], second["document"]["file_name"]) == ("both", "2.txt")


async def test_people_may_send_what_bots_may_not(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.send(ann, document={"name": "empty.json", "content_base64": ""})
    assert said["document"]["file_size"] == 0
    path = (await lab.call("getFile", file_id=said["document"]["file_id"]))["file_path"]
    assert (await lab.client.get(f"/file/bot{lab.running.token}/{path}")).content == b""
