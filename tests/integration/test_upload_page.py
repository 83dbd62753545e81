"""The upload page over a real bucket and database: one browser, one person, one question."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from bot.web.routes import SESSION_HEADER
from bot.web.sending import Sending
from devstack.stack import Stack
from shared import texts, transitions, upload_pages
from shared.models import Upload, UploadPage
from shared.queues import claim
from shared.settings import Settings
from shared.storage import Storage
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions
from tests.support.upload_page import JSON_FILE, Pages, client_of, init_data, with_page

ASKED: dict[str, Any] = {"s3_export": "The export"}
JSON_ONLY = {"s3_export.accept": ".json", "s3_export.max_bytes": "20000000"}
LARGE = b'["' + b"x" * 11_000_000 + b'"]'
"""A file of three parts."""


@pytest_asyncio.fixture(loop_scope="session")
async def storage(stack: Stack) -> AsyncIterator[Storage]:
    values = {name.lower(): value for name, value in stack.env.items() if name.startswith("R2_")}
    storage = Storage.from_settings(Settings.model_validate(values))
    await empty(storage)
    yield storage
    await storage.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def pages(fakes: Fakes, telegram: Telegram, storage: Storage) -> AsyncIterator[Pages]:
    with_page(fakes, storage)
    async with client_of(fakes) as client:
        yield Pages(Conversation(fakes, telegram), client)


async def asked(pages: Pages, properties: dict[str, str] | None = None) -> tuple[int, int]:
    """Ann, and her step that waits for a file."""
    ann = await pages.talk.telegram.ann()
    return ann, await pages.talk.ask(ann, ASKED, JSON_ONLY | (properties or {}), topic="await_upload")


async def empty(storage: Storage) -> None:
    """Take away what earlier tests have left: the people of each have the same ids."""
    for key in await keys_in(storage, "tasks/"):
        await storage.delete(key)
        await storage.abort_unfinished(key)


async def objects(pages: Pages, user_id: int) -> list[str]:
    """What of a person lies in the bucket, parts included."""
    return await keys_in(pages.talk.fakes.services.storage, f"tasks/{user_id}/")


async def keys_in(storage: Storage, prefix: str) -> list[str]:
    listed = storage._client.list_objects_v2(Bucket=storage.bucket, Prefix=prefix)
    begun = storage._client.list_multipart_uploads(Bucket=storage.bucket).get("Uploads", [])
    keys = [each["Key"] for each in listed.get("Contents", [])]
    return keys + [each["Key"] for each in begun if each["Key"].startswith(prefix)]


async def close_what_is_due(pages: Pages) -> None:
    """As the loop does."""
    async with pages.talk.db.begin() as tx:
        rows = await claim(tx, upload_pages.PAGES, 10, 60)
    for row in rows:
        await Sending(pages.talk.fakes.services).close(row)


async def test_a_file_sent_by_a_browser_answers_its_step_and_the_chat_shows_it(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    number = await browser.send("../result.json", LARGE)
    assert await browser.said("finish", file=number) == {"missing": []}
    await pages.talk.turn()
    row = await pages.talk.reply(reply_id)
    meta = json.loads(variables(row)["s3_export_meta"])
    assert (row.state, row.answered_by, row.answered_by_name) == ("answered", ann, "Ann")
    assert (meta["name"], meta["size"], meta["type"]) == ("result.json", len(LARGE), "application/json")
    async with pages.talk.fakes.services.storage.open(meta["key"]) as stored:
        assert b"".join([chunk async for chunk in stored]) == LARGE
    assert "result.json (11.0 MB) is stored" in (await pages.talk.last(ann)).replace("\u2060", "")
    (told,) = (await browser.said("status"))["files"]
    assert (told["file"], told["state"]) == (number, "stored")
    assert await objects(pages, ann) == [meta["key"]]


async def test_a_link_works_in_the_first_browser_that_begins_and_only_looking_spends_nothing(
    pages: Pages,
) -> None:
    ann, reply_id = await asked(pages)
    page = await pages.page(reply_id, ann)
    first, second = pages.browser(page), pages.browser(page)
    for _ in range(3):
        assert (await pages.client.get(first.path)).status_code == 200
        assert (await pages.client.head(first.path)).status_code == 200
        assert (await second.said("status"))["page"] == "open"
    number = await first.send("a.json", JSON_FILE)
    for word in ("begin", "parts", "finish", "drop", "done", "status"):
        said = {"file": number, "numbers": [1], "name": "b.json", "size": 3}
        assert await second.refused(word, **said) == (409, texts.say("page-used"))
    await first.said("finish", file=number)
    await pages.talk.turn()
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_after_a_reload_only_missing_parts_are_sent(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    number = await browser.send("result.json", LARGE, but=(2,))
    assert await browser.said("finish", file=number) == {"missing": [2]}
    (told,) = (await browser.said("status"))["files"]
    assert (told["state"], told["present"]) == ("sending", [1, 3])
    begun = await browser.said("begin", name="result.json", size=len(LARGE), type="")
    assert (begun["file"], begun["present"]) == (number, [1, 3])
    await browser.send("result.json", LARGE)
    assert await browser.said("finish", file=number) == {"missing": []}
    await pages.talk.turn()
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_a_part_takes_exactly_its_bytes(pages: Pages) -> None:
    import httpx

    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    begun = await browser.said("begin", name="a.json", size=100, type="")
    (url,) = (await browser.said("parts", file=begun["file"], numbers=[1]))["urls"].values()
    async with httpx.AsyncClient(trust_env=False) as bucket:
        assert (await bucket.put(url, content=b"x" * 99)).status_code == 403
    assert (await browser.ask("parts", file=begun["file"], numbers=[2])).status_code == 400
    assert (await browser.ask("parts", file=begun["file"], numbers=[1] * 51)).status_code == 400


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("a.png", 10, "I need a .json file"),
        ("a.json", 0, "That file is empty"),
        ("a.json", 20_000_001, "That file is too large"),
    ],
)
async def test_what_does_not_fit_is_refused_before_a_byte_is_sent(
    pages: Pages, name: str, size: int, sentence: str
) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    status, told = await browser.refused("begin", name=name, size=size, type="")
    assert (status, sentence in told) == (422, True)
    assert await all_of(pages.talk.db, Upload) == []


async def test_what_is_another_thing_in_truth_is_refused_and_deleted(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    number = await browser.send("a.json", b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    await browser.said("finish", file=number)
    await pages.talk.turn()
    (told,) = (await browser.said("status"))["files"]
    assert told["state"] == "refused"
    assert told["sentence"] in (await pages.talk.last(ann)).replace("\u2060", "")
    assert await objects(pages, ann) == []
    again = await browser.send("a.json", JSON_FILE)
    await browser.said("finish", file=again)
    await pages.talk.turn()
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_a_step_that_ends_meanwhile_leaves_nothing_in_the_bucket(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    number = await browser.send("result.json", LARGE, but=(3,))
    async with pages.talk.db.begin() as tx:
        await transitions.withdrawn(tx, reply_id)
    assert await browser.refused("finish", file=number) == (410, texts.say("withdrawn"))
    await close_what_is_due(pages)
    (upload,) = await all_of(pages.talk.db, Upload)
    assert upload.state == "abandoned"
    assert await objects(pages, ann) == []
    assert (await pages.client.get(browser.path)).status_code == 410


async def test_a_file_that_was_sent_for_a_step_that_is_over_is_removed(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    await browser.said("finish", file=await browser.send("result.json", LARGE))
    async with pages.talk.db.begin() as tx:
        await transitions.withdrawn(tx, reply_id)
    await pages.talk.turn()
    assert await objects(pages, ann) == []


async def test_a_page_that_nobody_came_back_to_is_closed_with_what_it_had_begun(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    page = await pages.page(reply_id, ann)
    browser = pages.browser(page)
    await browser.send("result.json", LARGE, but=(1,))
    await close_what_is_due(pages)
    assert (await get(pages.talk.db, UploadPage, page.id)).state == "taken"
    await lapse(pages.talk.db, UploadPage)
    await close_what_is_due(pages)
    assert (await get(pages.talk.db, UploadPage, page.id)).state == "closed"
    assert await objects(pages, ann) == []
    assert await browser.refused("begin", name="a.json", size=1, type="") == (410, texts.say("page-over"))


async def test_a_link_that_has_expired_cannot_be_taken_but_whoever_had_taken_it_goes_on(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    late, taken = await pages.page(reply_id, ann), await pages.page(reply_id, ann)
    browser = pages.browser(taken)
    await browser.said("begin", name="a.json", size=3, type="")
    past = datetime.now(UTC) - timedelta(seconds=1)
    for page in (late, taken):
        await change(pages.talk.db, page, until=past)
        page.until = past
    answer = await pages.client.get(pages.browser(late).path)
    assert (answer.status_code, texts.say("page-expired") in answer.text) == (410, True)
    stranger = pages.browser(late)
    assert (await stranger.refused("begin", name="a.json", size=3, type=""))[0] == 410
    assert (await pages.client.get(pages.browser(taken).path)).status_code == 200
    assert (await pages.browser(taken, session=browser.session).said("status"))["page"] == "taken"


@pytest.mark.parametrize("token", ["x", "b.1.1.1." + "A" * 24, "static", "b.1.1.1", "%2e%2e", "b" * 5000])
async def test_an_address_that_is_not_ours_gets_one_polite_sentence(pages: Pages, token: str) -> None:
    answer = await pages.client.get(f"/files/upload/{token}")
    assert (answer.status_code, texts.say("page-unknown") in answer.text) == (404, True)
    posted = await pages.client.post(f"/files/upload/{token}/begin", json={"name": "a.json", "size": 3})
    assert posted.status_code == 404


# Web Apps


@pytest.mark.parametrize("kind", ["none", "forged", "stranger", "old", "other bot", "changed"])
async def test_a_web_app_is_only_for_whom_telegram_names(pages: Pages, kind: str) -> None:
    ann, reply_id = await asked(pages)
    given = {
        "none": "",
        "forged": init_data(ann).replace("hash=", "hash=0"),
        "stranger": init_data(ann + 1),
        "old": init_data(ann, age_s=4000),
        "other bot": init_data(ann, token="1:other"),
        "changed": init_data(ann) + "&more=1",
    }[kind]
    browser = pages.browser(await pages.page(reply_id, ann), "webapp", init_data=given)
    for word in ("status", "begin"):
        assert await browser.refused(word, name="a.json", size=3) == (403, texts.say("page-in-telegram"))
    assert await all_of(pages.talk.db, Upload) == []


async def test_a_web_app_of_its_person_takes_a_file(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    data = init_data(ann, signature="abc")
    browser = pages.browser(await pages.page(reply_id, ann), "webapp", init_data=data)
    await browser.said("finish", file=await browser.send("a.json", JSON_FILE))
    await pages.talk.turn()
    assert (await pages.talk.reply(reply_id)).state == "answered"


# what is shown


async def test_the_page_keeps_to_itself_and_escapes_what_people_write(pages: Pages) -> None:
    nasty = '"><script>alert(1)</script>'
    ann = await pages.talk.telegram.ann()
    reply_id = await pages.talk.ask(
        ann, {"s3_export": nasty}, {"s3_export.help": nasty, "title": nasty}, topic="await_upload"
    )
    page = await pages.page(reply_id, ann)
    answer = await pages.client.get(pages.browser(page).path)
    assert nasty not in answer.text
    assert answer.text.count("<script") == 1
    assert answer.text.count("&lt;script&gt;") == 4
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    origin = await pages.talk.fakes.services.storage.multipart.origin()
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' {origin}",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    framed = await pages.client.get(pages.browser(page, "webapp").path)
    assert "frame-ancestors https://web.telegram.org" in framed.headers["content-security-policy"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"name": 5, "size": 1}', b'{"name": "a", "size": "1"}', b"x" * 20_000]
)
async def test_what_is_no_request_of_the_page_changes_nothing(pages: Pages, body: bytes) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    headers = {SESSION_HEADER: browser.session, "content-type": "application/json"}
    answer = await pages.client.post(f"{browser.path}/begin", content=body, headers=headers)
    assert answer.status_code in {400, 413}
    assert (await pages.client.post(f"{browser.path}/begin", content=b"{}")).status_code == 415
    assert (await pages.client.post(f"{browser.path}/nonsense", json={})).status_code == 404
    assert (await all_of(pages.talk.db, UploadPage))[0].state == "open"


# the chat


async def test_a_question_for_a_file_offers_the_page_in_a_message_for_its_person(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    await pages.talk.tap(ann, texts.say("button-upload-page"))
    message = await pages.talk.telegram.last(ann)
    (open_, copy) = [row[0] for row in message["reply_markup"]["inline_keyboard"]]
    (page,) = await all_of(pages.talk.db, UploadPage)
    assert (page.user_id, page.pending_reply_id, page.variable) == (ann, reply_id, "s3_export")
    assert open_["web_app"]["url"].startswith("https://bot.example.org/files/upload/w.")
    browser = pages.browser(page)
    assert copy["copy_text"]["text"].endswith(browser.path)
    await browser.said("finish", file=await browser.send("a.json", JSON_FILE))
    await pages.talk.turn()
    assert [captions(each) for each in await pages.talk.telegram.shown(ann)] == [[]] * 4


async def test_a_document_that_telegram_does_not_give_is_answered_with_the_page(pages: Pages) -> None:
    ann, _ = await asked(pages, {"s3_export.max_bytes": "900000000"})
    content = {
        "document": {"file_id": "x", "file_unique_id": "x", "file_name": "a.json", "file_size": 300_000_000}
    }
    await pages.talk.telegram.send(ann, content=content)
    await pages.talk.turn()
    assert texts.say("button-open-page") in captions(await pages.talk.telegram.last(ann))


async def test_in_a_group_the_way_to_the_page_leads_through_the_private_chat(pages: Pages) -> None:
    talk = pages.talk
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    reply_id = await talk.ask(
        group, ASKED, JSON_ONLY | {"s3_export.max_bytes": "900000000"}, topic="await_upload"
    )
    prompt = await talk.telegram.last(group)
    content = {
        "document": {"file_id": "x", "file_unique_id": "x", "file_name": "a.json", "file_size": 300_000_000}
    }
    await talk.telegram.send(ann, group, content=content, reply_to=prompt["message_id"])
    await talk.turn()
    await talk.tap(ann, texts.say("button-upload-page"), group)
    (call,) = [each for each in await talk.telegram.calls("answerCallbackQuery") if each["params"].get("url")]
    token = call["params"]["url"].partition("?start=")[2]
    await talk.say(bob, f"/start {token}")
    assert await talk.last(bob) == texts.say("link-not-valid")
    await talk.say(ann, f"/start {token}")
    assert texts.say("button-open-page") in captions(await talk.telegram.last(ann))
    (page,) = await all_of(talk.db, UploadPage)
    browser = pages.browser(page)
    await browser.said("finish", file=await browser.send("a.json", JSON_FILE))
    await talk.turn()
    assert (await talk.reply(reply_id)).answered_by == ann


# several files


async def test_several_files_are_sent_on_one_page_and_done_ends_them(pages: Pages) -> None:
    ann, reply_id = await asked(pages, {"s3_export.max_files": "2"})
    browser = pages.browser(await pages.page(reply_id, ann))
    assert (await browser.refused("done"))[0] == 422
    for name in ("a.json", "b.json"):
        data = json.dumps({"name": name}).encode()
        await browser.said("finish", file=await browser.send(name, data))
        await pages.talk.turn()
    assert (await browser.refused("begin", name="c.json", size=3, type=""))[0] == 422
    await browser.said("done")
    await pages.talk.turn()
    assert len(json.loads(variables(await pages.talk.reply(reply_id))["s3_export"])) == 2


async def test_a_file_that_is_dropped_makes_room_and_leaves_nothing(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    browser = pages.browser(await pages.page(reply_id, ann))
    number = await browser.send("a.json", LARGE, but=(1,))
    assert (await browser.refused("begin", name="b.json", size=3, type=""))[0] == 422
    await browser.said("drop", file=number)
    assert await objects(pages, ann) == []
    await browser.said("finish", file=await browser.send("b.json", JSON_FILE))
    await pages.talk.turn()
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_a_newer_page_takes_the_place_of_what_an_older_one_was_sending(pages: Pages) -> None:
    ann, reply_id = await asked(pages)
    older = pages.browser(await pages.page(reply_id, ann))
    await older.send("a.json", LARGE, but=(1,))
    newer = pages.browser(await pages.page(reply_id, ann))
    await newer.said("finish", file=await newer.send("a.json", JSON_FILE))
    await pages.talk.turn()
    assert (await pages.talk.reply(reply_id)).state == "answered"
    assert len(await objects(pages, ann)) == 1
