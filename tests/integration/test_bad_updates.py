"""Ten thousand updates that nobody could have made; of all they are mixed with, people's answers count."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram.constants import UpdateType

from bot.dispatcher import Dispatcher
from bot.receiver import Poller
from devstack.sandbox.serve import serving
from shared import metrics
from shared.inbox import UPDATES
from shared.models import Chat, Json, PendingReply, Person, ProcessStart, Prompt, Update, Upload
from tests.fakes.bad_updates import MESSAGE_ATTRIBUTES, BadUpdates
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, nothing_waits, snapshot
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram
from tests.fakes.waiting import running, until

COUNT = 10_000
SEED = 20_260_101
FIRST_NUMBER = 500_000_000
PATIENCE_S = 500
TABLES = (PendingReply, Prompt, Person, Chat, ProcessStart, Upload)
SURE = {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}
NAMED = {"form_name": None, **SURE}
NAMED_KEYS = {"form_name.required": "true"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


class Feed:
    """A Bot API that knows getUpdates alone, and delivers whatever it is given, as it is."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, bytes]] = []
        self._next = FIRST_NUMBER

    @property
    def is_read(self) -> bool:
        return not self._waiting

    def give(self, update: Any) -> None:
        """Let it be delivered; an update without a number gets the next one."""
        if isinstance(update, dict) and "update_id" not in update:
            update = {"update_id": self._next, **update}
        self._waiting.append((self._next, json.dumps(update).encode()))
        self._next += 1

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{token}/getUpdates", self._updates, methods=["POST"])])

    async def _updates(self, request: Request) -> Response:
        offset = (await request.json()).get("offset", 0)
        while self._waiting and self._waiting[0][0] < offset:
            self._waiting.pop(0)
        if self.is_read:
            await asyncio.sleep(0.1)
        bodies = b",".join(body for _, body in self._waiting[:100])
        return Response(b'{"ok": true, "result": [' + bodies + b"]}", media_type="application/json")


async def people_answer(talk: Conversation, number: int) -> tuple[list[int], list[int], list[Json]]:
    """The steps that people are asked, half of them by a button and half by a question, and their answers."""
    tapped: list[int] = []
    named: list[int] = []
    answers: list[Json] = []
    for at in range(number):
        person = await talk.telegram.ann(f"Person {at}")
        tapped.append(await talk.ask(person, SURE))
        prompt = await talk.message_with(person, "Yes")
        await talk.telegram.press(person, prompt, caption="No" if at % 2 else "Yes")
        answers += await talk.telegram.updates()
        another = await talk.telegram.ann(f"Another {at}")
        named.append(await talk.ask(another, NAMED, NAMED_KEYS))
        await talk.telegram.say(another, f"I am {at}")
        answers += await talk.telegram.updates()
    for each in answers:
        del each["update_id"]  # the feed has numbers of its own
    return tapped, named, answers


async def victims(talk: Conversation) -> tuple[list[int], list[int], list[str]]:
    """People who do nothing, their groups, and the data of their buttons; something waits everywhere."""
    people = [await talk.telegram.ann(name) for name in ("Ann", "Bob", "Cid")]
    ann, bob, _ = people
    group = await talk.telegram.group(*people)
    for chat_id in (ann, bob, group):
        keys = {"allow": str(ann)} if chat_id == group else {}
        await talk.ask(chat_id, SURE, keys)
        await talk.ask(chat_id, NAMED, NAMED_KEYS | keys)
    shown = [message for chat_id in (ann, bob, group) for message in await talk.telegram.shown(chat_id)]
    rows = [row for each in shown for row in each.get("reply_markup", {}).get("inline_keyboard", [])]
    return people, [group], [button["callback_data"] for row in rows for button in row]


def fill(feed: Feed, bad: Sequence[Json], good: Sequence[Json]) -> int:
    """Mix what is good, in its order, into what is bad, and junk without a number; how many have one."""
    at = sorted(random.Random(SEED).sample(range(len(bad)), len(good)))
    places = dict(zip(at, good, strict=True))
    for number, each in enumerate(bad):
        feed.give(each)
        if number in places:
            feed.give(places[number])
        if number % 500 == 0:
            junk: Any
            for junk in (None, 5, "x", [], {"update_id": None}, {"update_id": "7"}, {"update_id": 2**70}):
                feed.give(junk)
    feed.give({"message": None})
    return len(bad) + len(good) + 1


def set_aside() -> float:
    return metrics.REGISTRY.get_sample_value("stepgram_rows_set_aside_total", {"queue": "updates"}) or 0


@pytest.mark.timeout(600)  # half a minute on an idle machine
async def test_of_ten_thousand_bad_updates_none_changes_anything_and_every_answer_among_them_counts(
    talk: Conversation, database_url: str
) -> None:
    people, groups, data = await victims(talk)
    tapped, named, answers = await people_answer(talk, 15)
    await talk.turn()
    bad = BadUpdates(SEED, people, groups, data).make(COUNT)
    before, aside = await snapshot(talk.db, *TABLES), set_aside()

    feed = Feed()
    count = fill(feed, bad, answers)
    async with serving(feed.app()) as url:
        told = {"telegram_api_url": url, "database_url": database_url}
        talk.fakes.settings = talk.fakes.settings.model_copy(update=told)
        services = talk.fakes.services
        async with running(Poller(services).run, Dispatcher(services).loop().run):
            await until(lambda: feed.is_read, "everything is received", PATIENCE_S)
            await until(lambda: nothing_waits(talk.db, UPDATES), "everything is handled", PATIENCE_S)

    updates = await all_of(talk.db, Update)
    reasons = [each.last_error or "" for each in updates if each.state == "poison"]
    assert len(updates) == count
    assert {each.state for each in updates} == {"handled", "poison"}
    assert all(reason.startswith("Poison: not an update that can be read: ") for reason in reasons)
    assert set_aside() - aside == len(reasons) > COUNT / 5

    for at, (by_button, by_word) in enumerate(zip(tapped, named, strict=True)):
        assert variables(await talk.reply(by_button))["action"] == ("no" if at % 2 else "yes")
        assert (await talk.reply(by_word)).answers["form_name"]["value"] == f"I am {at}"
    after = await snapshot(talk.db, *TABLES)
    answered = {*tapped, *named}
    for (table, key), row in before.items():
        if not {row.get("pending_reply_id"), key if table == "pending_replies" else None} & answered:
            assert after[table, key] == row
    new = {each: row for each, row in after.items() if each not in before}
    assert {table for table, _ in new} == {"people", "chats", "prompts"}
    assert not [row for row in new.values() if row.get("user_id", row.get("chat_id")) in people]


def test_the_bad_updates_are_of_every_kind_and_of_every_part_of_a_message() -> None:
    makers = [BadUpdates(SEED, [5], [-5], ["u.1.a0..AAAAAAAAAAAAAAAA"]) for _ in range(2)]
    made, again = makers[0].make(COUNT), makers[1].make(100)
    assert {kind.value for kind in UpdateType} <= {name for each in made for name in each}
    messages = [each["message"] for each in made if isinstance(each.get("message"), dict)]
    parts = {"from" if name == "from_user" else name for name in MESSAGE_ATTRIBUTES}
    assert parts <= {name for each in messages for name in each}
    assert json.dumps(made[:100]) == json.dumps(again)
