"""Sending against Telegram as it is: limits, refusals, lost answers, and messages that change."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text, update

from shared import endings, outbox, transitions
from shared.db import Database
from shared.errors import AuthorError, WorldError
from shared.markup import Rich
from shared.models import Json, PendingReply, Prompt, SentFile
from shared.queues import Later, claim
from shared.service import Services
from shared.steps.conversation import Draft
from shared.storage import StorageUnavailable, object_key
from shared.telegram.sender import Sender
from tests.fakes.rows import a_prompt, a_reply, all_of, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.steps import read
from tests.fakes.telegram import Telegram, captions
from tests.fakes.waiting import running, until

BUTTONS: Json = {"inline_keyboard": [[{"text": "Yes", "callback_data": "x"}]]}
FORCED: Json = {"force_reply": True, "selective": True}
QUESTION: Json = {"text": "Sure?", "reply_markup": BUTTONS}


@pytest.fixture
def services(fakes: Fakes) -> Services:
    return fakes.services


def sender_of(services: Services) -> Sender:
    """The handlers of the outbox."""
    return Sender(services.db, services.bot, services.storage, services.governor)


async def send(services: Services, prompt_id: int) -> Prompt:
    """Send one message; its row afterwards."""
    await lapse(services.db, Prompt)
    async with services.db.begin() as tx:
        rows = await claim(tx, outbox.SENDING, 100, 60)
    (prompt,) = [row for row in rows if row.id == prompt_id]
    await sender_of(services).send(prompt)
    return await get(services.db, Prompt, prompt_id)


async def make_change(services: Services, prompt_id: int) -> Prompt:
    """Make the change that is due; the row afterwards."""
    await lapse(services.db, Prompt)
    async with services.db.begin() as tx:
        (prompt,) = await claim(tx, outbox.CHANGES, 100, 60)
    assert prompt.id == prompt_id
    await sender_of(services).change(prompt)
    return await get(services.db, Prompt, prompt_id)


async def shown(services: Services, ann: int, content: Json) -> Prompt:
    """A message that is shown."""
    return await send(services, await a_prompt(services.db, ann, content=content))


# sending


async def test_a_message_is_sent_as_it_was_written(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    content = {**QUESTION, "entities": [{"type": "bold", "offset": 0, "length": 4}]}
    prompt = await shown(services, ann, content)
    message = await telegram.last(ann)
    assert (prompt.state, prompt.message_id) == ("sent", message["message_id"])
    assert (message["text"], captions(message)) == ("Sure?", ["Yes"])
    assert message["entities"] == content["entities"]
    (call,) = await telegram.calls("sendMessage")
    assert "is_disabled" in str(call["params"]["link_preview_options"])


async def test_a_step_whose_message_is_shown_is_posted(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    reply_id = await a_reply(services.db, read({"action_a": "A"}, recipient=ann), state="undeliverable")
    await send(services, await a_prompt(services.db, ann, pending_reply_id=reply_id))
    assert (await get(services.db, PendingReply, reply_id)).state == "posted"


async def test_a_message_of_an_answered_step_does_not_move_it_back(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    reply_id = await a_reply(services.db, state="answered")
    await send(services, await a_prompt(services.db, ann, pending_reply_id=reply_id))
    assert (await get(services.db, PendingReply, reply_id)).state == "answered"


async def test_a_groups_message_is_a_forced_reply_to_the_one_it_answers(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    group = await telegram.group(ann)
    asked = await telegram.say(ann, "/start@stepgram_bot", group)
    await shown(services, group, {"text": "Name?", "reply_markup": FORCED, "reply_to": asked["message_id"]})
    message = await telegram.last(group)
    assert message["reply_to_message"]["message_id"] == asked["message_id"]
    assert message["sandbox"]["force_reply"]["selective"] is True


async def test_a_reply_to_a_message_that_is_gone_is_sent_all_the_same(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    await shown(services, ann, {"text": "Thanks.", "reply_to": 4711})
    assert await telegram.texts(ann) == ["Thanks."]


@pytest.mark.parametrize(
    "keyboard",
    [{"keyboard": [[{"text": "Pick"}]], "resize_keyboard": True}, {"remove_keyboard": True}, BUTTONS, FORCED],
)
async def test_every_kind_of_keyboard_is_sent(services: Services, telegram: Telegram, keyboard: Json) -> None:
    ann = await telegram.ann()
    await shown(services, ann, {"text": "x", "reply_markup": keyboard})
    (call,) = await telegram.calls("sendMessage")
    assert next(iter(keyboard)) in str(call["params"]["reply_markup"])


async def test_a_picture_is_sent_from_the_bucket(
    fakes: Fakes, services: Services, telegram: Telegram, png: bytes
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["charts/1.png"] = png
    await shown(services, ann, {"text": "The chart", "photo": "charts/1.png", "reply_markup": BUTTONS})
    message = await telegram.last(ann)
    assert (message["caption"], captions(message)) == ("The chart", ["Yes"])
    assert message["photo"]


async def test_a_picture_that_is_too_large_for_a_photo_is_sent_as_a_file(
    fakes: Fakes, services: Services, telegram: Telegram, png: bytes
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["a.png"] = png + b"\0" * 10_000_001
    await shown(services, ann, {"text": "", "photo": "a.png"})
    assert (await telegram.last(ann))["document"]["file_name"] == "a.png"


async def test_a_file_is_sent_from_the_bucket_under_its_own_name(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["reports/2026/report.pdf"] = b"%PDF-1.4"
    await shown(services, ann, {"text": "", "document": "reports/2026/report.pdf"})
    assert (await telegram.last(ann))["document"]["file_name"] == "report.pdf"


async def uploads(telegram: Telegram) -> list[str]:
    """How each document and photo went to Telegram so far: as bytes, or by a file_id."""
    calls = [*await telegram.calls("sendDocument"), *await telegram.calls("sendPhoto")]
    given = [each["params"].get("document") or each["params"].get("photo") for each in calls]
    return ["bytes" if isinstance(each, dict) else "file_id" for each in given]


@pytest.mark.parametrize("kind", ["document", "photo"])
async def test_a_second_persons_copy_needs_no_upload(
    fakes: Fakes, services: Services, telegram: Telegram, png: bytes, kind: str
) -> None:
    fakes.bucket.objects["a.png"] = png
    for name in ("Ann", "Bob"):
        person = await telegram.ann(name)
        await shown(services, person, {"text": "The chart", kind: "a.png"})
        message = await telegram.last(person)
        assert (message["caption"], bool(message[kind])) == ("The chart", True)
    assert await uploads(telegram) == ["bytes", "file_id"]


async def test_an_object_that_was_replaced_is_uploaded_anew(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    for content in (b"%PDF-1.4 a", b"%PDF-1.4 b"):
        fakes.bucket.objects["a.pdf"] = content
        await shown(services, ann, {"text": "", "document": "a.pdf"})
    assert await uploads(telegram) == ["bytes", "bytes"]


async def test_a_file_id_that_telegram_does_not_know_any_more_is_forgotten_and_the_file_uploaded(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["a.pdf"] = b"%PDF-1.4"
    await shown(services, ann, {"text": "", "document": "a.pdf"})
    async with services.db.begin() as tx:
        await tx.execute(update(SentFile).values(file_id="forged"))
    for _ in range(2):
        await shown(services, ann, {"text": "", "document": "a.pdf"})
    assert await uploads(telegram) == ["bytes", "file_id", "bytes", "file_id"]


async def test_a_persons_file_is_sent_under_the_name_that_they_gave_it(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    key = object_key(ann, "task", "s3_x", datetime.now(UTC), "Мой отчёт 1.pdf")
    fakes.bucket.objects[key] = b"%PDF-1.4"
    await shown(services, ann, {"text": "", "document": key})
    assert (await telegram.last(ann))["document"]["file_name"] == "Мой отчёт 1.pdf"


async def test_a_local_path_is_never_opened(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    prompt_id = await a_prompt(services.db, ann, content={"text": "", "document": "/etc/passwd"})
    with pytest.raises(AuthorError, match="/etc/passwd"):
        await send(services, prompt_id)
    assert await telegram.texts(ann) == []


async def test_a_file_that_is_not_there_makes_the_step_an_incident(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    reply_id = await a_reply(services.db, read({"photo_p": "gone.png", "action_a": "A"}, recipient=ann))
    await a_prompt(services.db, ann, content={"text": "", "photo": "gone.png"}, pending_reply_id=reply_id)
    row = await until_answered(services, reply_id)
    assert row.outcome is not None
    assert row.outcome["kind"] == "incident"
    assert "a file that is not in the bucket" in row.outcome["message"]
    assert "gone.png" in row.outcome["message"]


async def test_a_file_that_telegram_would_not_take_makes_the_step_an_incident(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["big.zip"], fakes.bucket.sizes["big.zip"] = b"PK", 50_000_001
    prompt_id = await a_prompt(services.db, ann, content={"text": "", "document": "big.zip"})
    with pytest.raises(AuthorError, match="at most 50 MB"):
        await send(services, prompt_id)


async def test_a_bucket_that_is_away_is_asked_again(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["a.pdf"] = b"%PDF"
    fakes.bucket.failures = [StorageUnavailable("away")]
    prompt_id = await a_prompt(services.db, ann, content={"text": "", "document": "a.pdf"})
    with pytest.raises(WorldError):
        await send(services, prompt_id)
    assert (await send(services, prompt_id)).state == "sent"


# refusals


async def until_answered(services: Services, reply_id: int) -> PendingReply:
    """Run the senders until the step has an outcome."""

    async def found() -> PendingReply | None:
        row = await get(services.db, PendingReply, reply_id)
        return row if row.state == "answered" else None

    async with running(*(loop.run for loop in services.senders())):
        row = await until(found, "the step has an outcome")
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"text": ""}, "empty"),
        ({"text": "x" * 4097}, "too long"),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "A", "callback_data": "x" * 65}]]}},
            "",
        ),
    ],
)
async def test_a_message_that_telegram_refuses_makes_the_step_an_incident(
    services: Services, telegram: Telegram, content: Json, reason: str
) -> None:
    ann = await telegram.ann()
    reply_id = await a_reply(services.db, read({"action_a": "A"}, recipient=ann))
    prompt_id = await a_prompt(services.db, ann, content=content, pending_reply_id=reply_id)
    later = await a_prompt(services.db, ann, content={"text": "later"})
    row = await until_answered(services, reply_id)
    assert row.outcome is not None
    assert row.outcome["kind"] == "incident"
    assert row.outcome["message"].startswith("Telegram refused the message: ")
    assert reason in row.outcome["message"]
    assert (await get(services.db, Prompt, prompt_id)).state == "failed"

    async def sent() -> bool:
        return (await get(services.db, Prompt, later)).state == "sent"

    async with running(*(loop.run for loop in services.senders())):
        await until(sent, "the chat goes on")


@pytest.mark.parametrize("why", ["never started", "blocked"])
async def test_a_person_who_cannot_be_reached_has_the_step_wait(
    services: Services, telegram: Telegram, why: str
) -> None:
    ann = await telegram.person(started=why == "blocked")
    if why == "blocked":
        await telegram.control("PATCH", f"/users/{ann}", blocked_bot=True)
    reply_id = await a_reply(services.db, read({"action_a": "A"}, recipient=ann))
    first = await a_prompt(services.db, ann, content=QUESTION, pending_reply_id=reply_id)
    second = await a_prompt(services.db, ann, content={"text": "Second"}, pending_reply_id=reply_id)
    assert [(await send(services, each)).state for each in (first, second)] == ["undeliverable"] * 2
    row = await get(services.db, PendingReply, reply_id)
    assert (row.state, row.undeliverable_since is not None) == ("undeliverable", True)
    await telegram.say(ann, "/start")
    async with services.db.begin() as tx:
        await outbox.reachable_again(tx, ann)
    assert [(await send(services, each)).state for each in (first, second)] == ["sent"] * 2
    assert await telegram.texts(ann) == ["Sure?", "Second"]
    assert (await get(services.db, PendingReply, reply_id)).state == "posted"


async def test_a_refused_token_loses_nothing(
    fakes: Fakes, services: Services, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await telegram.ann()
    prompt_id = await a_prompt(services.db, ann)
    sandbox = telegram.running.sandbox
    monkeypatch.setattr(sandbox, "bots", {})
    with pytest.raises(WorldError, match="BOT_TOKEN"):
        await send(services, prompt_id)
    monkeypatch.undo()
    await _end_halts(services.db)
    assert (await send(services, prompt_id)).state == "sent"


async def _end_halts(db: Database) -> None:
    async with db.begin() as tx:
        await tx.execute(text("TRUNCATE rate_buckets"))


# the world


async def test_a_429_halts_the_chat_and_nothing_is_lost(services: Services, telegram: Telegram) -> None:
    ann, bob = await telegram.ann(), await telegram.ann("Bob")
    await telegram.fault("429", "sendMessage", chat_id=ann, retry_after=30)
    first = await a_prompt(services.db, ann, content={"text": "1"})
    await a_prompt(services.db, ann, content={"text": "2"})
    with pytest.raises(Later) as denied:
        await send(services, first)
    assert denied.value.retry_after_s == 30
    with pytest.raises(Later):
        await services.governor.take(ann)
    await send(services, await a_prompt(services.db, bob, content={"text": "other chat"}))
    await _end_halts(services.db)
    await lapse(services.db, Prompt)
    async with running(*(loop.run for loop in services.senders())):
        await until(lambda: _said(telegram, ann, ["1", "2"]), "both arrive, in order")


async def _said(telegram: Telegram, chat_id: int, texts: list[str]) -> bool:
    return await telegram.texts(chat_id) == texts


@pytest.mark.parametrize("kind", ["500", "timeout"])
async def test_a_call_that_failed_is_made_again(services: Services, telegram: Telegram, kind: str) -> None:
    ann = await telegram.ann()
    await telegram.fault(kind, "sendMessage", hold_s=0.1)
    prompt_id = await a_prompt(services.db, ann)
    with pytest.raises(WorldError):
        await send(services, prompt_id)
    assert (await send(services, prompt_id)).state == "sent"
    assert await telegram.texts(ann) == ["Hello"]


async def test_a_lost_answer_may_post_twice_and_the_second_copy_is_known(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    await telegram.fault("lost_answer", "sendMessage")
    prompt_id = await a_prompt(services.db, ann, content=QUESTION)
    async with running(*(loop.run for loop in services.senders())):

        async def sent() -> bool:
            return (await get(services.db, Prompt, prompt_id)).state == "sent"

        await until(sent, "the message is sent")
    messages = [each for each in await telegram.shown(ann) if each["from"]["id"] == telegram.bot_id]
    assert len(messages) == 2
    assert (await get(services.db, Prompt, prompt_id)).message_id == messages[1]["message_id"]


async def test_a_message_waits_while_the_budget_is_used_up(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    await services.governor.halt(ann, 60)
    prompt_id = await a_prompt(services.db, ann)
    with pytest.raises(Later):
        await send(services, prompt_id)
    assert await telegram.calls("sendMessage") == []


async def test_a_message_that_was_passed_over_goes_among_the_prompts(
    services: Services, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: list[int] = []

    async def take(chat_id: int, *, lane: int) -> None:
        lanes.append(lane)

    monkeypatch.setattr(services.governor, "take", take)
    sender = sender_of(services)
    for handle in (sender.send, sender.send_overdue):
        await a_prompt(services.db, await telegram.ann(), priority=outbox.BULK)
        async with services.db.begin() as tx:
            (prompt,) = await claim(tx, outbox.SENDING, 1, 60)
        await handle(prompt)
    assert lanes == [outbox.BULK, outbox.PROMPT]


async def test_a_burst_to_one_chat_arrives_whole_and_in_order(fakes: Fakes, telegram: Telegram) -> None:
    """Telegram's own limits are on, and ours are below them."""
    telegram.running.sandbox.limits.rates.enforce = True
    object.__setattr__(fakes.settings, "messages_per_s", 30.0)
    object.__setattr__(fakes.settings, "chat_burst", 15)
    services = fakes.services
    ann = await telegram.ann()
    for number in range(15):
        await a_prompt(services.db, ann, content={"text": str(number)})
    async with running(*(loop.run for loop in services.senders())):
        await until(lambda: _said(telegram, ann, [str(n) for n in range(15)]), "all arrive in order")
    assert all(call["ok"] for call in await telegram.calls("sendMessage"))


async def test_two_processes_send_every_message_once_and_in_order(
    services: Services, telegram: Telegram
) -> None:
    people = [await telegram.ann(name) for name in ("Ann", "Bob", "Cid")]
    for number in range(10):
        for person in people:
            await a_prompt(services.db, person, content={"text": str(number)})
    loops = [loop.run for _ in range(2) for loop in services.senders()]
    wanted = [str(number) for number in range(10)]
    async with running(*loops):
        for person in people:
            await until(partial(_said, telegram, person, wanted), "all arrive in order")


async def test_a_group_that_became_a_supergroup_gets_its_messages_there(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    group = await telegram.group(ann, type="group")
    reply_id = await a_reply(services.db, read({"action_a": "A"}, recipient=group))
    prompt_id = await a_prompt(services.db, group, pending_reply_id=reply_id)
    moved = await telegram.control("POST", f"/chats/{group}/migrate")
    new_id = moved["migrate_to_chat_id"]
    with pytest.raises(Later):
        await send(services, prompt_id)
    await send(services, prompt_id)
    assert await telegram.texts(new_id) == ["Hello"]
    assert (await get(services.db, PendingReply, reply_id)).chat_id == new_id


# changes


async def test_an_edited_message_is_shown_anew(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, QUESTION)
    async with services.db.begin() as tx:
        await outbox.edit(tx, prompt, Draft("notice", Rich("Really?"), rows=((("No", "n"),),)))
    assert (await make_change(services, prompt.id)).state == "sent"
    message = await telegram.last(ann)
    assert (message["text"], captions(message)) == ("Really?", ["No"])


async def retired(services: Services, prompt: Prompt, note: str = "✓ Yes") -> Prompt:
    """Retire a message and make the change."""
    async with services.db.begin() as tx:
        await endings.retire(tx, [await get(services.db, Prompt, prompt.id)], Rich(note))
    return await make_change(services, prompt.id)


async def test_a_retired_message_loses_its_buttons_and_says_why(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    assert (await retired(services, await shown(services, ann, QUESTION))).state == "retired"
    message = await telegram.last(ann)
    assert (message["text"], captions(message)) == ("Sure?\n\n✓ Yes", [])


async def test_a_retired_picture_loses_its_buttons_and_says_why(
    fakes: Fakes, services: Services, telegram: Telegram, png: bytes
) -> None:
    ann = await telegram.ann()
    fakes.bucket.objects["p.png"] = png
    prompt = await shown(services, ann, {"text": "", "photo": "p.png", "reply_markup": BUTTONS})
    await retired(services, prompt)
    message = await telegram.last(ann)
    assert (message["caption"], captions(message), bool(message["photo"])) == ("✓ Yes", [], True)


async def test_a_forced_reply_is_taken_away(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, {"text": "Name?", "reply_markup": FORCED})
    assert (await retired(services, prompt)).state == "retired"
    assert await telegram.texts(ann) == []


async def test_a_forced_reply_that_is_too_old_to_be_deleted_is_left(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, {"text": "Name?", "reply_markup": FORCED})
    await telegram.advance(49 * 3600)
    assert (await retired(services, prompt)).state == "retired"
    assert await telegram.texts(ann) == ["Name?"]


async def test_a_message_that_is_gone_needs_no_change(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, QUESTION)
    await telegram.control("DELETE", f"/chats/{ann}/messages/{prompt.message_id}")
    assert (await retired(services, prompt)).state == "retired"


async def test_a_message_that_shows_the_change_already_needs_none(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, {"text": "Same"})
    await change(services.db, prompt, state="editing")
    assert (await make_change(services, prompt.id)).state == "sent"


async def test_an_unknown_copy_that_was_touched_loses_its_buttons(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "x"}]]}
    copy = await telegram.call("sendMessage", chat_id=ann, text="Sure?", reply_markup=markup)
    async with services.db.begin() as tx:
        await outbox.adopt(tx, ann, copy["message_id"], None)
    (row,) = await all_of(services.db, Prompt)
    assert (await make_change(services, row.id)).state == "retired"
    message = await telegram.last(ann)
    assert (message["text"], captions(message)) == ("Sure?", [])


@pytest.mark.parametrize(("kind", "more"), [("500", {}), ("429", {"retry_after": 7})])
async def test_a_change_that_failed_is_made_again(
    services: Services, telegram: Telegram, kind: str, more: dict[str, Any]
) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, QUESTION)
    await telegram.fault(kind, "editMessageText", **more)
    with pytest.raises(WorldError):
        await retired(services, prompt)
    await _end_halts(services.db)
    assert (await make_change(services, prompt.id)).state == "retired"
    assert captions(await telegram.last(ann)) == []


async def test_a_change_after_the_person_has_blocked_the_bot_is_given_up(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, QUESTION)
    await telegram.control("PATCH", f"/users/{ann}", blocked_bot=True)
    assert (await retired(services, prompt)).state == "retired"


async def test_the_next_message_goes_before_the_last_one_is_tidied_up(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    prompt = await shown(services, ann, QUESTION)
    waiting = await a_prompt(services.db, ann, content={"text": "Next"})
    with pytest.raises(Later, match="a new message goes first"):
        await retired(services, prompt)
    await send(services, waiting)
    assert (await make_change(services, prompt.id)).state == "retired"


async def test_what_was_retired_before_anybody_knew_its_id_is_retired_in_the_row(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    prompt_id = await a_prompt(services.db, ann, state="retiring", content={"text": "x"})
    assert (await make_change(services, prompt_id)).state == "retired"
    assert await telegram.calls("editMessageText") == []


async def test_an_answer_while_its_prompt_is_sent_leaves_no_live_button(
    services: Services, telegram: Telegram
) -> None:
    """The tap can come before the sender's commit."""
    ann = await telegram.ann()
    reply_id = await a_reply(services.db, read({"action_a": "A"}, recipient=ann))
    await a_prompt(services.db, ann, content=QUESTION, pending_reply_id=reply_id)
    async with services.db.begin() as tx:
        (prompt,) = await claim(tx, outbox.SENDING, 1, 60)
        await transitions.answer(tx, reply_id, {"kind": "complete", "variables": {}}, ann, "Ann")
        await endings.retire_all(tx, reply_id, Rich("✓ A"))
    await sender_of(services).send(prompt)
    assert (await make_change(services, prompt.id)).state == "retired"
    message = await telegram.last(ann)
    assert (message["text"], captions(message)) == ("Sure?\n\n✓ A", [])
