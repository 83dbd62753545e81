"""Files that people send: accepted as rows, streamed into the bucket, checked on the way."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bot.uploader import Uploader
from shared import texts, transitions
from shared.errors import WorldError
from shared.files import sanitise_name
from shared.models import Upload
from shared.queues import LostClaim, claim
from shared.storage import StorageRefused, StorageUnavailable
from shared.telegram.client import TelegramFiles
from shared.uploads import UPLOADS
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

EXPORT = b'{"name": "Club", "messages": []}'
ASKED: dict[str, Any] = {"s3_export": "The export"}
JSON_ONLY = {"s3_export.accept": ".json", "s3_export.max_bytes": "1000"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def asked(talk: Conversation, ann: int, *more: Any) -> int:
    """A step that waits for a file."""
    inputs = dict(ASKED) | (more[0] if more else {})
    return await talk.ask(ann, inputs, JSON_ONLY, topic="await_upload")


async def send_file(
    talk: Conversation, person: int, name: str = "result.json", data: bytes = EXPORT, **more: Any
) -> None:
    """Somebody sends a document."""
    document = {"name": name, "content_base64": base64.b64encode(data).decode()} | more.pop("document", {})
    await talk.telegram.send(person, more.pop("chat", None), document=document, **more)


async def take(talk: Conversation) -> Upload:
    """Claim the one upload that waits."""
    await lapse(talk.db, Upload)
    async with talk.db.begin() as tx:
        (row,) = await claim(tx, UPLOADS, 10, 60)
    return row


async def state_of_upload(talk: Conversation) -> str:
    """The state of the one upload."""
    (row,) = await all_of(talk.db, Upload)
    return row.state


async def test_a_file_goes_into_the_bucket_and_answers_its_step(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.turn()
    row = await talk.reply(reply_id)
    (upload,) = await all_of(talk.db, Upload)
    assert (row.state, upload.state, row.answered_by) == ("answered", "stored", ann)
    told = variables(row)
    key = told["s3_export"]
    assert talk.fakes.bucket.objects == {key: EXPORT}
    assert key.startswith(f"tasks/{ann}/{row.external_task_id}/s3_export/")
    assert key.endswith("_result.json")
    meta = json.loads(told["s3_export_meta"])
    assert (meta["name"], meta["size"], meta["type"], meta["key"]) == (
        "result.json", len(EXPORT), "application/json", key,
    )  # fmt: skip
    assert len(meta["sha256"]) == 64
    assert "✓ result.json (32 bytes) is stored." in (await talk.last(ann)).replace("\u2060", "")


async def test_a_public_file_is_told_by_its_address(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, {"s3_export.public": "true"}, topic="await_upload")
    await send_file(talk, ann)
    await talk.turn()
    assert variables(await talk.reply(reply_id))["s3_export"].startswith("https://files.example.org/tasks/")


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("photo.png", b"\x89PNG", "I need a .json file"),
        ("result", EXPORT, "I need a .json file"),
        ("result.json.exe", EXPORT, "I need a .json file"),
        ("result.json", b"", "That file is empty"),
        ("result.json", b"x" * 1001, "That file is too large"),
        ("result.json", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "the content is not .json"),
    ],
)
async def test_a_file_that_does_not_fit_is_refused_with_the_reason_and_may_be_sent_again(
    talk: Conversation, name: str, data: bytes, sentence: str
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann, name, data)
    await talk.turn()
    assert sentence in (await talk.last(ann)).replace("\u2060", "")
    assert talk.fakes.bucket.objects == {}
    await send_file(talk, ann)
    await talk.turn()
    assert (await talk.reply(reply_id)).state == "answered"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.json", "a/b\\c.json", "x" * 300 + ".json", "\u202enosj.json"]
)
async def test_a_nasty_name_stays_within_its_folder(talk: Conversation, name: str) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann, name)
    await talk.turn()
    row = await talk.reply(reply_id)
    (key,) = talk.fakes.bucket.objects
    folder, _, last = key.rpartition("/")
    assert folder == f"tasks/{ann}/{row.external_task_id}/s3_export"
    assert ".." not in last.split("_", 1)[1].split(".json")[0]
    assert json.loads(variables(row)["s3_export_meta"])["name"] == sanitise_name(name)
    assert len(key.encode()) < 1024


@pytest.mark.parametrize("kind", ["photo", "video"])
async def test_a_picture_instead_of_a_document_gets_a_hint(talk: Conversation, kind: str, png: bytes) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    if kind == "photo":
        await talk.telegram.send(ann, photo={"content_base64": base64.b64encode(png).decode()})
    else:
        video = {"file_id": "v", "file_unique_id": "v", "width": 1, "height": 1, "duration": 1}
        await talk.telegram.send(ann, content={"video": video})
    await talk.turn()
    assert "Please send it as a file: tap the paper clip" in await talk.last(ann)
    assert (await talk.reply(reply_id)).state == "posted"


async def test_a_file_that_nobody_asked_for_is_told_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await send_file(talk, ann)
    await talk.turn()
    assert await talk.last(ann) == texts.say("file-not-expected")
    await talk.ask(ann, {"form_a": None})
    await send_file(talk, ann)
    await talk.turn()
    assert await talk.last(ann) == texts.say("file-not-expected")
    assert await all_of(talk.db, Upload) == []


async def test_a_file_finds_the_one_step_that_waits_for_one_though_its_form_is_not_open(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    async with talk.db.begin() as tx:
        await transitions.close_dialog(tx, reply_id)
    await send_file(talk, ann)
    await talk.turn()
    assert (await talk.reply(reply_id)).state == "answered"


async def test_a_file_that_might_be_for_two_steps_is_taken_for_neither(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    steps = [await asked(talk, ann), await asked(talk, ann)]
    for reply_id in steps:
        async with talk.db.begin() as tx:
            await transitions.close_dialog(tx, reply_id)
    await send_file(talk, ann)
    await talk.turn()
    assert await talk.last(ann) == texts.say("file-not-expected")


async def test_a_groups_file_is_sent_as_a_reply(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    reply_id = await asked(talk, group)
    prompt = await talk.telegram.last(group)
    await send_file(talk, ann, chat=group, reply_to=prompt["message_id"])
    await talk.turn()
    row = await talk.reply(reply_id)
    assert (row.state, row.answered_by) == ("answered", ann)


async def test_a_second_file_while_the_first_is_on_its_way_is_told_to_wait(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await asked(talk, ann)
    await send_file(talk, ann)
    await send_file(talk, ann, "other.json")
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await talk.send()
    assert await talk.last(ann) == texts.say("one-is-on-its-way")
    assert len(await all_of(talk.db, Upload)) == 1


async def test_an_upload_goes_on_to_the_next_question(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(
        ann, {**ASKED, "form_note": None}, {"form_note.required": "true"}, topic="await_upload"
    )
    await send_file(talk, ann)
    await talk.turn()
    assert await talk.last(ann) == "2 of 2: note"
    await talk.say(ann, "fine")
    assert variables(await talk.reply(reply_id))["form_note"] == "fine"


# the world


@pytest.mark.parametrize(
    "error", [StorageUnavailable("away"), StorageRefused("R2_BUCKET_NAME names no bucket")]
)
async def test_a_bucket_that_is_away_is_told_once_and_the_file_is_stored_later(
    talk: Conversation, error: Exception
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    talk.fakes.bucket.failures = [error] * 2
    for _ in range(2):
        with pytest.raises(type(error)):
            await Uploader(talk.fakes.services).handle(await take(talk))
    await talk.send()
    assert (await talk.telegram.texts(ann)).count(texts.say("storage-away")) == 1
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert (await talk.reply(reply_id)).state == "answered"


@pytest.mark.parametrize("method", ["getFile"])
async def test_a_telegram_that_is_away_is_asked_again(talk: Conversation, method: str) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await talk.telegram.fault("500", method)
    with pytest.raises(WorldError):
        await Uploader(talk.fakes.services).handle(await take(talk))
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert (await talk.reply(reply_id)).state == "answered"


async def test_a_file_that_telegram_no_longer_gives_is_asked_for_again(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    (row,) = await all_of(talk.db, Upload)
    await change(talk.db, row, file_id="gone")
    await talk.turn()
    assert await talk.last(ann) == texts.say("file-gone")
    assert await state_of_upload(talk) == "refused"


async def test_a_file_that_can_never_be_stored_is_told_to_its_sender(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    row = await take(talk)
    async with talk.db.begin() as tx:
        await Uploader(talk.fakes.services)._lost(tx, row, "RuntimeError")
    await talk.send()
    assert await talk.last(ann) == texts.say("file-lost")


async def test_a_crash_after_the_file_was_stored_stores_it_under_the_same_key(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()

    async def crash(*_: Any) -> None:
        raise SystemError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(Uploader, "_keep", crash)
        with pytest.raises(SystemError):
            await Uploader(talk.fakes.services).handle(await take(talk))
    (key,) = talk.fakes.bucket.objects
    assert (await all_of(talk.db, Upload))[0].object_key == key, "the object is known before it exists"
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert list(talk.fakes.bucket.objects) == [key]
    assert variables(await talk.reply(reply_id))["s3_export"] == key


# steps that end meanwhile


async def test_the_file_of_a_step_that_ended_meanwhile_goes_as_well(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    put = talk.fakes.bucket.put

    async def put_and_end(*args: Any, **values: Any) -> Any:
        stored = await put(*args, **values)
        async with talk.db.begin() as tx:
            await transitions.withdrawn(tx, reply_id)
        return stored

    monkeypatch.setattr(talk.fakes.bucket, "put", put_and_end)
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert await state_of_upload(talk) == "abandoned"
    assert talk.fakes.bucket.objects == {}
    assert len(talk.fakes.bucket.deleted) == 1


async def test_the_file_of_a_step_that_is_over_is_not_fetched(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    async with talk.db.begin() as tx:
        await transitions.withdrawn(tx, reply_id)
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert await state_of_upload(talk) == "abandoned"
    assert await talk.telegram.calls("getFile") == []


async def test_a_late_holder_does_not_take_away_what_the_other_has_stored(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    late = await take(talk)
    put = talk.fakes.bucket.put

    async def overtaken(*args: Any, **values: Any) -> Any:
        stored = await put(*args, **values)
        monkeypatch.undo()
        await Uploader(talk.fakes.services).handle(await take(talk))
        return stored

    monkeypatch.setattr(talk.fakes.bucket, "put", overtaken)
    with pytest.raises(LostClaim):
        await Uploader(talk.fakes.services).handle(late)
    key = variables(await talk.reply(reply_id))["s3_export"]
    assert list(talk.fakes.bucket.objects) == [key]
    assert (await get(talk.db, Upload, late.id)).state == "stored"


async def test_what_a_try_that_died_has_begun_is_removed_before_the_next_one(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    talk.fakes.bucket.failures.append(SystemError("the process died here"))
    with pytest.raises(SystemError):
        await Uploader(talk.fakes.services).handle(await take(talk))
    assert talk.fakes.bucket.cleared == []
    await Uploader(talk.fakes.services).handle(await take(talk))
    (upload,) = await all_of(talk.db, Upload)
    assert upload.state == "stored"
    assert talk.fakes.bucket.cleared == [upload.object_key]


# a Bot API server of one's own


async def test_what_a_local_server_put_on_the_disk_is_cleared_away_once_it_is_in_the_bucket(
    talk: Conversation, tmp_path: Path
) -> None:
    local_server(talk, tmp_path)
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.turn()
    assert (await talk.reply(reply_id)).state == "answered"
    assert on_disk(tmp_path) == []


async def test_what_a_process_that_died_left_on_the_disk_is_cleared_away_by_the_next(
    talk: Conversation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_server(talk, tmp_path)
    ann = await talk.telegram.ann()
    await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()

    async def crash(*_: Any) -> None:
        raise SystemError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr("bot.uploader.discard_local", crash)
        with pytest.raises(SystemError):
            await Uploader(talk.fakes.services).handle(await take(talk))
    assert len(on_disk(tmp_path)) == 1
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert on_disk(tmp_path) == []
    assert len(await talk.telegram.calls("getFile")) == 1, "what is in the bucket is not fetched again"


async def test_a_full_disk_of_the_local_server_is_waited_for(talk: Conversation, tmp_path: Path) -> None:
    local_server(talk, tmp_path)
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await talk.telegram.fault("500", "getFile")
    with pytest.raises(WorldError):
        await Uploader(talk.fakes.services).handle(await take(talk))
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert (await talk.reply(reply_id)).state == "answered"


def on_disk(tmp_path: Path) -> list[Path]:
    """What lies where the local server puts files."""
    return [path for path in (tmp_path / "local").rglob("*") if path.is_file()]


def local_server(talk: Conversation, tmp_path: Path) -> None:
    """Let Telegram's part be played by a Bot API server with --local."""
    talk.telegram.running.sandbox.downloads.local_dir = tmp_path / "local"
    talk.fakes.settings.__dict__["telegram_local_files"] = True
    talk.fakes.files = TelegramFiles(talk.fakes.settings, talk.fakes.services.bot)


# what comes and what was said of it


async def test_a_file_of_which_telegram_gives_an_expired_path_is_asked_for_once_more(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    files = talk.fakes.services.files
    locate = files.locate

    async def late(file_id: str) -> Any:
        located = await locate(file_id)
        if len(await talk.telegram.calls("getFile")) == 1:
            await talk.telegram.control("POST", "/clock", advance_s=3601)
        return located

    monkeypatch.setattr(files, "locate", late)
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert (await talk.reply(reply_id)).state == "answered"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
async def test_a_download_that_breaks_off_is_begun_again_and_leaves_nothing_of_the_first(
    talk: Conversation, share: float
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, topic="await_upload")
    data = b"x" * 1_000_000
    await send_file(talk, ann, "a.txt", data)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await talk.telegram.control("POST", "/downloads", cuts=[share])
    with pytest.raises(WorldError):
        await Uploader(talk.fakes.services).handle(await take(talk))
    assert talk.fakes.bucket.objects == {}
    await Uploader(talk.fakes.services).handle(await take(talk))
    assert list(talk.fakes.bucket.objects.values()) == [data]
    assert (await talk.reply(reply_id)).state == "answered"


async def test_a_size_that_was_a_lie_is_found_out_on_the_way(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann, data=EXPORT + b" " * 1000)
    (update,) = [each for each in await talk.telegram.updates_that_wait() if "document" in each["message"]]
    update["message"]["document"]["file_size"] = 10
    await talk.turn()
    assert texts.file_refused("too_large", (".json",), 1000) in await talk.telegram.texts(ann)
    assert talk.fakes.bucket.objects == {}
    assert (await talk.reply(reply_id)).state == "posted"


async def test_a_caption_of_any_length_changes_nothing(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await asked(talk, ann)
    await send_file(talk, ann, caption="a")
    (update,) = [each for each in await talk.telegram.updates_that_wait() if "document" in each["message"]]
    update["message"]["caption"] = "<b>&</b>" * 1250
    await talk.turn()
    assert (await talk.reply(reply_id)).state == "answered"


async def test_a_long_transfer_says_how_far_it_is_in_one_message_that_goes_at_its_end(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.uploader.PROGRESS_AFTER_S", 0.0)
    monkeypatch.setattr("bot.uploader.PROGRESS_EVERY_S", 0.0)
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, topic="await_upload")
    await send_file(talk, ann, "a.txt", b"x" * 1_200_000)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    seen: list[list[str]] = []
    put = talk.fakes.bucket.put

    async def watched(key: str, chunks: Any, **more: Any) -> Any:
        async def each() -> Any:
            async for chunk in chunks:
                yield chunk
                await talk.send()
                seen.append([text for text in await talk.telegram.texts(ann) if text.startswith("⏳")])

        return await put(key, each(), **more)

    monkeypatch.setattr(talk.fakes.bucket, "put", watched)
    await Uploader(talk.fakes.services).handle(await take(talk))
    await talk.send()
    assert max(len(each) for each in seen) == 1
    assert len({text for each in seen for text in each}) > 1, "it is edited"
    assert [text for text in await talk.telegram.texts(ann) if text.startswith("⏳")] == []
