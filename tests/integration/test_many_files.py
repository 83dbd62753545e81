"""Several files for one question: gathered, listed, taken away again, and done with by Done."""

import base64
import json
from typing import Any

import pytest

from bot.uploader import Uploader
from shared import texts, transitions
from shared.models import Upload
from shared.queues import claim
from shared.uploads import ALBUM_QUIET_S, UPLOADS
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

ASKED: dict[str, Any] = {"s3_papers": "The papers"}
THREE = {"s3_papers.max_files": "3"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


def document(name: str, content: bytes | None = None) -> dict[str, Any]:
    """A document of its own content."""
    return {"name": name, "content_base64": base64.b64encode(content or name.encode()).decode()}


async def send(talk: Conversation, person: int, *names: str, chat: int | None = None, **more: Any) -> None:
    """Somebody sends documents, one by one; then the bot has its turn."""
    for name in names:
        await talk.telegram.send(person, chat, document=document(name), **more)
    await talk.turn()


async def send_album(talk: Conversation, person: int, *names: str) -> None:
    """Somebody sends documents as an album, and it has been quiet since."""
    await talk.telegram.send(person, album=[{"document": document(name)} for name in names])
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await lapse(talk.db, Upload)
    await talk.store()
    await talk.send()


async def listed(talk: Conversation, chat: int) -> str:
    """What the newest list of files says."""
    lists = [text for text in await talk.telegram.texts(chat) if text.startswith(("Your files", "No file"))]
    return lists[-1].replace("\u2060", "")


def told(row: Any) -> tuple[list[str], list[str]]:
    """The names in the process's metadata, and the keys."""
    found = variables(row)
    return [each["name"] for each in json.loads(found["s3_papers_meta"])], json.loads(found["s3_papers"])


async def test_files_sent_one_by_one_are_listed_and_done_makes_them_the_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    assert "You can send up to 3 files, one by one or together; then tap Done." in await talk.last(ann)
    await send(talk, ann, "a.txt", "b.txt")
    assert await listed(talk, ann) == (
        "Your files so far:\n1. a.txt (5 bytes)\n2. b.txt (5 bytes)\nYou can send one more, or tap Done."
    )
    assert (await talk.reply(reply_id)).state == "posted"
    await talk.tap(ann, "Done (2)")
    row = await talk.reply(reply_id)
    assert row.state == "answered"
    names, keys = told(row)
    assert names == ["a.txt", "b.txt"]
    assert set(keys) == set(talk.fakes.bucket.objects)


async def test_one_message_lists_the_files_and_is_edited(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt", "b.txt", "c.txt")
    lists = [text for text in await talk.telegram.texts(ann) if text.startswith("Your files")]
    assert len(lists) == 1
    assert "That is as many as can be taken; tap Done." in lists[0]


async def test_the_list_of_a_later_file_stands_below_it_and_the_older_list_goes(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt")
    await send(talk, ann, "b.txt")
    shown = await talk.telegram.texts(ann)
    assert [text.startswith("Your files") for text in shown].count(True) == 1
    assert shown[-1].startswith("Your files")


async def test_an_album_is_one_answer_however_its_updates_come(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    await send_album(talk, ann, "a.txt", "b.txt", "c.txt")
    await talk.tap(ann, "Done (3)")
    assert told(await talk.reply(reply_id))[0] == ["a.txt", "b.txt", "c.txt"]


async def test_an_album_is_fetched_only_when_nothing_more_of_it_has_come_for_a_while(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, THREE)
    await talk.telegram.send(ann, album=[{"document": document(name)} for name in ("a.txt", "b.txt")])
    await talk.telegram.receive(talk.db)
    await talk.handle()
    rows = await all_of(talk.db, Upload)
    assert len({row.due_at for row in rows}) == 1, "each member puts all of them off"
    assert ALBUM_QUIET_S - 1 < (rows[-1].due_at - rows[-1].created_at).total_seconds() <= ALBUM_QUIET_S
    async with talk.db.begin() as tx:
        assert await claim(tx, UPLOADS, 10, 60) == []


async def test_an_album_where_one_file_is_asked_for_is_told_once_and_nothing_is_kept(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED)
    await send_album(talk, ann, "a.txt", "b.txt", "c.txt")
    assert (await talk.telegram.texts(ann)).count(texts.say("file-one-only")) == 1
    assert talk.fakes.bucket.objects == {}
    await send(talk, ann, "b.txt")
    assert (await talk.reply(reply_id)).state == "answered"


async def test_a_file_is_taken_away_before_done_and_its_object_with_it(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt", "b.txt")
    await talk.tap(ann, "✕ a.txt")
    assert "a.txt" not in await listed(talk, ann)
    await talk.tap(ann, "Done (1)")
    names, keys = told(await talk.reply(reply_id))
    assert names == ["b.txt"]
    assert set(talk.fakes.bucket.objects) == set(keys)
    assert sorted(row.state for row in await all_of(talk.db, Upload)) == ["removed", "stored"]


async def test_more_files_than_are_allowed_are_left_out(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt", "b.txt", "c.txt", "d.txt")
    assert texts.file_refused("too_many", (), most=3) in await talk.telegram.texts(ann)
    await talk.tap(ann, "Done (3)")
    assert told(await talk.reply(reply_id))[0] == ["a.txt", "b.txt", "c.txt"]


async def test_done_asks_for_as_many_files_as_are_needed(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, {**THREE, "s3_papers.min_files": "2"})
    await send(talk, ann, "a.txt")
    assert await talk.tap(ann, "Done (1)") == texts.say("files-too-few", count=2)
    await send(talk, ann, "b.txt")
    await talk.tap(ann, "Done (2)")
    assert (await talk.reply(reply_id)).state == "answered"


async def test_done_waits_for_what_is_on_its_way(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt")
    await talk.telegram.send(ann, document=document("b.txt"))
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await talk.send()
    assert "⏳ b.txt" in await listed(talk, ann)
    message = await talk.message_with(ann, "Done (1)")
    tap = await talk.telegram.press(ann, message, ann, caption="Done (1)")
    await talk.telegram.receive(talk.db)
    await talk.handle()
    assert await talk.telegram.toast(tap) == texts.say("files-on-their-way")
    assert (await talk.reply(reply_id)).state == "posted"


async def test_the_same_file_twice_is_noticed_by_its_content(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    for name in ("a.txt", "another name.txt"):
        await talk.telegram.send(ann, document=document(name, b"the same"))
    await talk.turn()
    assert texts.say("file-twice") in await talk.telegram.texts(ann)
    assert len(talk.fakes.bucket.objects) == 1
    await talk.tap(ann, "Done (1)")
    assert told(await talk.reply(reply_id))[0] == ["a.txt"]


async def test_the_same_document_sent_five_times_at_once_answers_once(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED)
    await send(talk, ann, *["a.txt"] * 5)
    row = await talk.reply(reply_id)
    assert row.state == "answered"
    assert list(talk.fakes.bucket.objects) == [variables(row)["s3_papers"]]
    assert [each.state for each in await all_of(talk.db, Upload)] == ["stored"]


async def test_an_edited_answer_begins_with_the_files_that_are_there(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, {**THREE, "review": "true"})
    await send(talk, ann, "a.txt", "b.txt")
    await talk.tap(ann, "Done (2)")
    await talk.tap(ann, "Edit")
    await talk.tap(ann, "The papers: a.txt, b.txt")
    assert await listed(talk, ann) == (
        "Your files so far:\n1. a.txt (5 bytes)\n2. b.txt (5 bytes)\nYou can send one more, or tap Done."
    )
    await talk.tap(ann, "✕ a.txt")
    await send(talk, ann, "c.txt")
    await talk.tap(ann, "Done (2)")
    await talk.tap(ann, "Submit")
    await talk.complete()
    await talk.store()
    names, keys = told(await talk.reply(reply_id))
    assert names == ["b.txt", "c.txt"]
    assert set(talk.fakes.bucket.objects) == set(keys)


async def test_a_single_file_that_is_replaced_leaves_nothing_behind(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, {"review": "true"})
    await send(talk, ann, "a.txt")
    await talk.tap(ann, "Edit")
    await talk.tap(ann, "The papers: a.txt")
    await send(talk, ann, "b.txt")
    await talk.tap(ann, "Submit")
    await talk.complete()
    await talk.store()
    row = await talk.reply(reply_id)
    assert row.state == "completed"
    assert list(talk.fakes.bucket.objects) == [variables(row)["s3_papers"]]


async def test_an_optional_question_without_files_is_done_or_skipped(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    optional = {**THREE, "s3_papers.required": "false"}
    first, second = await talk.ask(ann, ASKED, optional), await talk.ask(ann, ASKED, optional)
    await talk.tap(ann, "Skip")
    await talk.tap(ann, "Answer")
    await send(talk, ann, "a.txt")
    await talk.tap(ann, "✕ a.txt")
    await talk.tap(ann, "Done (0)")
    assert [(await talk.reply(each)).state for each in (first, second)] == ["answered"] * 2


async def test_files_of_a_step_that_is_taken_back_leave_the_bucket(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt", "b.txt")
    assert len(talk.fakes.bucket.objects) == 2
    async with talk.db.begin() as tx:
        await transitions.withdrawn(tx, reply_id)
    await talk.store()
    assert talk.fakes.bucket.objects == {}
    assert {row.state for row in await all_of(talk.db, Upload)} == {"removed"}


async def test_the_list_of_files_says_how_far_each_is(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.uploader.PROGRESS_AFTER_S", 0.0)
    monkeypatch.setattr("bot.uploader.PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr("shared.telegram.client.CHUNK_BYTES", 65536)
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, THREE)
    await talk.telegram.send(ann, document=document("a.txt", b"x" * 300_000))
    await talk.telegram.receive(talk.db)
    await talk.handle()
    seen = []
    put = talk.fakes.bucket.put

    async def watched(key: str, chunks: Any, **more: Any) -> Any:
        async def each() -> Any:
            async for chunk in chunks:
                yield chunk
                await talk.send()
                seen.append(await listed(talk, ann))

        return await put(key, each(), **more)

    monkeypatch.setattr(talk.fakes.bucket, "put", watched)
    await lapse(talk.db, Upload)
    async with talk.db.begin() as tx:
        (row,) = await claim(tx, UPLOADS, 1, 60)
    await Uploader(talk.fakes.services).handle(row)
    assert any(" %" in text for text in seen)


@pytest.mark.parametrize("kind", ["photo", "voice", "video", "audio"])
async def test_whatever_the_author_allows_is_taken_as_it_comes(
    talk: Conversation, kind: str, png: bytes
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, ASKED, {"s3_papers.types": "document,photo,voice,video,audio"})
    content = {
        "voice": b"OggS" + bytes(60),
        "video": b"\0\0\0\x20ftypisom" + bytes(60),
        "audio": b"ID3" + bytes(60),
    }
    if kind == "photo":
        await talk.telegram.send(ann, photo=document("x.png", png))
    else:
        other = await talk.telegram.ann("Bob")
        stored = await talk.telegram.send(other, document=document("x.bin", content[kind]))
        file = {
            "file_id": stored["document"]["file_id"],
            "file_unique_id": "u",
            "duration": 1,
            "file_size": 64,
        }
        file |= {"width": 1, "height": 1} if kind == "video" else {}
        await talk.telegram.send(ann, content={kind: file})
    await talk.turn()
    row = await talk.reply(reply_id)
    assert row.state == "answered"
    ending = {"photo": ".jpg", "voice": ".ogg", "video": ".mp4", "audio": ".mp3"}[kind]
    meta = json.loads(variables(row)["s3_papers_meta"])
    assert (meta["name"].startswith(f"{kind}_"), meta["name"].endswith(ending)) == (True, True)


async def test_what_the_author_does_not_allow_is_told_with_what_is(talk: Conversation, png: bytes) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, {"s3_papers.types": "photo,voice"})
    await send(talk, ann, "a.txt")
    assert await talk.last(ann) == "I am waiting for a photo or a voice message here."


async def test_a_person_and_a_group_may_send_so_much_a_day(talk: Conversation) -> None:
    talk.fakes.settings.__dict__.update(person_files_a_day=2, group_bytes_a_day=12)
    ann = await talk.telegram.ann()
    await talk.ask(ann, ASKED, THREE)
    await send(talk, ann, "a.txt", "b.txt", "c.txt")
    assert texts.say("file-enough-for-today") in await talk.telegram.texts(ann)
    assert len(await all_of(talk.db, Upload)) == 2
    bob = await talk.telegram.ann("Bob")
    group = await talk.telegram.group(bob)
    await talk.ask(group, ASKED, THREE)
    prompt = await talk.telegram.last(group)
    await send(talk, bob, "a.txt", "b.txt", "c.txt", chat=group, reply_to=prompt["message_id"])
    assert texts.say("file-enough-for-today") in await talk.telegram.texts(group)
    assert len(await all_of(talk.db, Upload)) == 4
