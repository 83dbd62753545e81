"""Handling updates: one transaction with the mark, in order, and whatever cannot be handled is set aside."""

import asyncio
from typing import Any

import pytest

from bot import dispatcher
from bot.context import Context
from bot.dispatcher import Dispatcher
from shared import metrics, people, texts
from shared.db import Database
from shared.errors import WorldError
from shared.inbox import UPDATES
from shared.models import Json, PendingReply, Person, Prompt, Update
from shared.queues import Loop, LostClaim, claim
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, an_update, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram
from tests.fakes.waiting import running, until

SURE = {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def take(db: Database) -> Update:
    """Claim the one update that waits."""
    await lapse(db, Update)
    async with db.begin() as tx:
        (row,) = await claim(tx, UPDATES, 10, 60)
    return row


def set_aside() -> float:
    """The updates that this process has set aside."""
    return metrics.REGISTRY.get_sample_value("stepgram_rows_set_aside_total", {"queue": "updates"}) or 0


async def all_handled(db: Database) -> bool:
    """Whether nothing waits."""
    return all(row.state != "queued" for row in await all_of(db, Update))


# poison


def written(**changes: Any) -> Json:
    """An update with a message of a person in their private chat, but for some of it."""
    whole: Json = {
        "message_id": 1,
        "date": 1_700_000_000,
        "chat": {"id": 1, "type": "private", "first_name": "Ann"},
        "from": {"id": 1, "is_bot": False, "first_name": "Ann"},
        "text": "/start",
    }
    return {"update_id": 1, "message": whole | changes}


@pytest.mark.parametrize(
    "payload",
    [
        {"update_id": 1, "message": {"nothing": "that fits"}},
        {"update_id": 1, "message": 5},
        {"update_id": 1, "callback_query": {"id": "x"}},
        {"update_id": 1, "my_chat_member": {"chat": {"id": "x"}}},
        {"update_id": 1, "message": {"message_id": 1, "date": "soon", "chat": {"id": 1, "type": "private"}}},
        written(chat={"id": "1", "type": "private"}),
        written(chat={"id": -1, "type": "private"}),
        written(chat={"id": 1, "type": "supergroup"}),
        written(chat={"id": 2, "type": "private"}),
        written(chat={"id": 10**30, "type": "private"}),
        written(message_id=True),
        written(text=["/start"]),
        written(entities=[{"type": "bot_command", "offset": "0", "length": 6}]),
        written(document={"file_id": "x", "file_unique_id": "x", "file_size": 10**30}),
        written(reply_to_message={"message_id": 10**30}),
        written(chat_shared={"request_id": 1, "chat_id": 10**30}),
        written(**{"from": {"id": 1, "is_bot": False, "first_name": {}}}),
        written() | {"callback_query": {"id": "1", "from": {"id": 2, "is_bot": False, "first_name": "Eve"}}},
    ],
)
async def test_an_update_that_cannot_be_read_is_poison_and_the_queue_goes_on(
    talk: Conversation, payload: Json
) -> None:
    ann = await talk.telegram.ann()
    key = f"chat:{ann}"
    await an_update(talk.db, key, payload=payload)
    await talk.telegram.say(ann, "/help")
    await talk.telegram.receive(talk.db)
    async with running(Dispatcher(talk.fakes.services).loop().run):
        await until(lambda: all_handled(talk.db), "the queue is empty")
    bad, good = await all_of(talk.db, Update)
    assert (bad.state, good.state) == ("poison", "handled")
    assert (bad.last_error or "").startswith("Poison: not an update that can be read: ")
    assert await all_of(talk.db, Person, Person.user_id != ann) == []


@pytest.mark.parametrize(
    "payload",
    [
        {"update_id": 1},
        {"update_id": 1, "poll": {"id": "1", "question": "?", "options": [], "total_voter_count": 0}},
        {"update_id": 1, "a_kind_of_next_year": {"x": 1}},
        {"update_id": 1, "edited_message": None},
        {"update_id": 1, "message": None, "edited_channel_post": {"text": 5}, "channel_post": []},
        written(text=None, entities=[{"type": "bot_command", "offset": 0, "length": 6}]),
        written(text="x", **{"from": None}),
        written(chat={"id": -1, "type": "channel", "title": "News"}),
    ],
)
async def test_an_update_that_means_nothing_to_us_is_handled(talk: Conversation, payload: Json) -> None:
    await an_update(talk.db, payload=payload)
    row = await take(talk.db)
    await Dispatcher(talk.fakes.services).handle(row)
    assert (await get(talk.db, Update, row.id)).state == "handled"
    assert await all_of(talk.db, Prompt) == []


async def test_an_unexpected_error_is_tried_again_and_then_poison(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def broken(context: Context) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("broken")

    monkeypatch.setattr(dispatcher, "route", broken)
    await an_update(talk.db)

    async def tried_out() -> bool:
        await lapse(talk.db, Update)
        return await all_handled(talk.db)

    handle = Dispatcher(talk.fakes.services).handle
    async with running(Loop(UPDATES, handle, talk.db, talk.fakes.wakeups, poll_s=0.02).run):
        await until(tried_out, "it is set aside")
    assert tries == UPDATES.max_attempts


@pytest.mark.parametrize("name", ["an id", "a text"])
async def test_a_value_that_the_database_does_not_take_is_poison_at_once(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Trying again would only hold up the chat."""
    tries = 0

    async def meet(context: Context) -> None:
        nonlocal tries
        if context.message.text == "bad":
            tries += 1
            await people.meet(context.tx, *((10**30, "Ann") if name == "an id" else (1, "A\0nn")))

    monkeypatch.setattr(dispatcher, "route", meet)
    aside = set_aside()
    ann = await talk.telegram.ann()
    await talk.telegram.say(ann, "bad")
    await talk.telegram.say(ann, "good")
    await talk.telegram.receive(talk.db)
    async with running(Dispatcher(talk.fakes.services).loop().run):
        await until(lambda: all_handled(talk.db), "the queue is empty")
    bad, good = await all_of(talk.db, Update)
    assert (bad.state, good.state, tries) == ("poison", "handled", 1)
    assert (bad.last_error or "").startswith("NotStorable: the database does not take a value: ")
    assert "Ann" not in (bad.last_error or "")
    assert set_aside() == aside + 1


# one transaction


async def test_a_crash_between_handling_and_mark_handles_it_once(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a handler wrote and the mark are committed together or not at all."""
    ann = await talk.telegram.ann()
    await talk.telegram.say(ann, "/help")
    await talk.telegram.receive(talk.db)
    row = await take(talk.db)

    async def crash(*args: Any, **values: Any) -> None:
        raise SystemError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "settle", crash)
        with pytest.raises(SystemError):
            await Dispatcher(talk.fakes.services).handle(row)
    assert await all_of(talk.db, Prompt) == []
    assert await all_of(talk.db, Person) == []
    await Dispatcher(talk.fakes.services).handle(await take(talk.db))
    assert len(await all_of(talk.db, Prompt)) == 1


async def test_a_holder_that_lost_its_claim_says_nothing(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.say(ann, "/help")
    await talk.telegram.receive(talk.db)
    late = await take(talk.db)
    holder = await take(talk.db)
    with pytest.raises(LostClaim):
        await Dispatcher(talk.fakes.services).handle(late)
    await Dispatcher(talk.fakes.services).handle(holder)
    assert len(await all_of(talk.db, Prompt)) == 1


async def test_the_same_update_delivered_twice_is_handled_once(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.fault("duplicate_update", "message")
    await talk.say(ann, "/help")
    await talk.turn()
    assert len([text for text in await talk.telegram.texts(ann) if "I bring you" in text]) == 1


@pytest.mark.parametrize("kind", ["message", "tap"])
async def test_when_the_world_fails_the_person_is_told_and_the_queue_goes_on(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)

    async def fail(context: Context) -> None:
        await context.say("this must be rolled back")
        raise WorldError("the engine is away")

    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "route", fail)
        if kind == "message":
            await talk.say(ann, "hello")
            assert await talk.last(ann) == texts.say("try-again")
        else:
            assert await talk.tap(ann, "Yes") == texts.say("try-again")
    assert "this must be rolled back" not in await talk.telegram.texts(ann)
    assert await all_handled(talk.db)
    assert (await talk.reply(reply_id)).state == "posted"


@pytest.mark.parametrize(
    ("kind", "more"), [("500", {}), ("429", {"retry_after": 3}), ("timeout", {"hold_s": 0.1})]
)
async def test_a_telegram_that_fails_a_handler_is_of_the_world(
    talk: Conversation, kind: str, more: dict[str, Any]
) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.group(ann, admins=[ann])
    await talk.turn()
    await talk.telegram.call("sendMessage", chat_id=await talk.telegram.group(ann), text="x")
    await talk.telegram.say(ann, "hi", await talk.telegram.group(ann, admins=[ann], privacy=False))
    await talk.turn()
    await talk.telegram.fault(kind, "getChatAdministrators", **more)
    await talk.say(ann, "/groups")
    assert await talk.last(ann) == texts.say("try-again")
    assert await all_handled(talk.db)


# order


async def test_the_messages_of_a_chat_are_handled_in_order_however_many_work(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await talk.telegram.ann(name) for name in ("Ann", "Bob", "Cid")]
    for number in range(12):
        for person in people:
            await talk.telegram.say(person, str(number))
    await talk.telegram.receive(talk.db)
    seen: dict[int, list[str]] = {person: [] for person in people}
    now: set[int] = set()
    overlapped = False

    async def note(context: Context) -> None:
        nonlocal overlapped
        person = context.user.id
        assert person not in now, "two messages of one chat at once"
        overlapped = overlapped or bool(now)
        now.add(person)
        await asyncio.sleep(0.002)
        seen[person].append(context.message.text or "")
        now.remove(person)

    monkeypatch.setattr(dispatcher, "route", note)
    loops = [Dispatcher(talk.fakes.services).loop().run for _ in range(3)]
    async with running(*loops):
        await until(lambda: all_handled(talk.db), "all are handled")
    assert seen == {person: [str(number) for number in range(12)] for person in people}
    assert overlapped, "different chats are handled side by side"


async def test_an_answer_race_of_two_people_has_one_winner(talk: Conversation) -> None:
    people = [await talk.telegram.ann(name) for name in ("Ann", "Bob", "Cid", "Dan")]
    group = await talk.telegram.group(*people)
    reply_id = await talk.ask(group, SURE)
    message = await talk.message_with(group, "Yes")
    taps = [
        await talk.telegram.press(person, message, group, caption=caption)
        for person, caption in zip(people, ["Yes", "No", "Yes", "No"], strict=True)
    ]
    await talk.telegram.receive(talk.db)
    async with running(Dispatcher(talk.fakes.services).loop().run):
        await until(lambda: all_handled(talk.db), "all taps are handled")
    row = await talk.reply(reply_id)
    toasts = [await talk.telegram.toast(tap) for tap in taps]
    assert toasts.count("") == 1
    assert sum(toast.startswith(f"Already answered by {row.answered_by_name} at ") for toast in toasts) == 3
    winner = toasts.index("")
    assert row.answered_by == people[winner]
    assert variables(row)["action"] == ["yes", "no"][winner % 2]
    assert len(await all_of(talk.db, PendingReply)) == 1


async def test_a_double_tap_counts_once(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    message = await talk.message_with(ann, "Yes")
    first = await talk.telegram.press(ann, message, caption="Yes")
    second = await talk.telegram.press(ann, message, caption="No")
    await talk.turn()
    assert await talk.telegram.toast(first) == ""
    assert (await talk.telegram.toast(second)).startswith("Already answered by Ann at ")
    assert variables(await talk.reply(reply_id))["action"] == "yes"
