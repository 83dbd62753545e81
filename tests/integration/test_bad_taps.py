"""Taps that nobody was asked for: forged, cut off, repeated, of other people, chats, steps and bots.

Whoever runs a client of their own may send any data on any message of a chat that they are in. A step changes
by those who may answer it and once; every tap is answered, so that nothing goes on turning on a screen.
"""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from bot.dispatcher import Dispatcher
from shared import inbox, transitions
from shared.models import Chat, Json, PendingReply, Prompt, Update
from shared.signing import derive_key, sign
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, nothing_waits, snapshot
from tests.fakes.services import TOKEN, Fakes
from tests.fakes.telegram import Telegram
from tests.fakes.waiting import running, until

SURE = {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}
FORM = {"form_a": None, **SURE}
FORM_KEYS = {"form_a.type": "choice", "form_a.options": "red|blue", "form_a.required": "true"}
KEY = derive_key(TOKEN)

numbers = itertools.count(1)


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


def under(chat_id: int, message_id: int, **more: Any) -> Json:
    """The message under which a tap is."""
    kind = "private" if chat_id > 0 else "supergroup"
    chat = {"id": chat_id, "type": kind, "first_name" if chat_id > 0 else "title": "Place"}
    return {"message_id": message_id, "date": 1_700_000_000, "chat": chat, **more}


def tap(person: int, data: Any, message: Json | None, **more: Any) -> Json:
    """The update of a tap, as Telegram delivers it."""
    number = next(numbers)
    known: Json = {
        "id": f"tap-{number}",
        "from": {"id": person, "is_bot": False, "first_name": "Somebody"},
        "chat_instance": "1",
    }
    known |= {} if data is None else {"data": data}
    known |= {} if message is None else {"message": message}
    return {"update_id": number, "callback_query": known | more}


async def deliver(talk: Conversation, *updates: Json) -> None:
    """Store what Telegram delivered, and let the dispatcher work until nothing waits."""
    async with talk.db.begin() as tx:
        await inbox.store(tx, talk.telegram.bot_id, updates)

    async with running(Dispatcher(talk.fakes.services).loop().run):
        await until(lambda: nothing_waits(talk.db, inbox.UPDATES), "every tap is handled", 100)


async def data_of(talk: Conversation, chat_id: int, caption: str = "Yes") -> tuple[str, int]:
    """The data of the newest button of that caption, and its message."""
    message = await talk.message_with(chat_id, caption)
    rows = message["reply_markup"]["inline_keyboard"]
    data = next(each["callback_data"] for row in rows for each in row if each["text"] == caption)
    return data, message["message_id"]


async def unanswered(talk: Conversation, *updates: Json) -> list[Json]:
    """Those taps whose person Telegram was told nothing for."""
    calls = await talk.telegram.calls("answerCallbackQuery")
    answered = {call["params"]["callback_query_id"] for call in calls}
    return [each for each in updates if each["callback_query"]["id"] not in answered]


ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789_-.:ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def cut_off(data: str) -> list[Any]:
    """Every beginning and every end."""
    return [data[:at] for at in range(len(data))] + [data[at:] for at in range(1, len(data))]


def changed(data: str) -> list[Any]:
    """Every place with another character, doubled, and the whole in other letters."""
    others = random.Random(7)
    found = []
    for at, old in enumerate(data):
        new = others.choice(ALPHABET.replace(old, ""))
        found += [data[:at] + new + data[at + 1 :], data[:at] + old + data[at:]]
    return [*found, data.upper(), data[::-1], data + "\n", " " + data, data + data]


def renamed(data: str, other_reply: int) -> list[Any]:
    """A valid form, with the mark of another button."""
    scope, _, item, option, mac = data.split(".")
    named = sign(other_reply, "x", "", None, KEY).split(".")[1]
    bodies = [f"{scope}.{named}.{item}.{option}", f"{scope}.0.gs.-5", f"a.{named}.a1.", f"u.{named}.a0.1"]
    return [f"{body}.{mac}" for body in bodies]


def of_another_bot(reply_id: int, person: int) -> list[Any]:
    """Well signed, with a key that is not ours; and what other bots use."""
    foreign = derive_key("999:another-token")
    signed = [sign(reply_id, "a0", "", whom, foreign) for whom in (None, person)]
    label = derive_key(TOKEN, "another-purpose")
    return [
        *signed,
        sign(reply_id, "a0", "", None, label),
        '{"a":1}',
        "menu:1",
        "btn_yes",
        "yes",
        "1",
        "/start",
    ]


STRANGE: list[Any] = [
    "",
    *(
        character * 64
        for character in ("\0", " ", "\n", ".", "0", "9", "A", "_", "'", "\\", "\x7f", "%", "<")
    ),
    *("é" * 32, "€" * 21, "😀" * 16, "\u202e" * 21, "\u0660" * 32, "a.\u0661.a0.." + "A" * 16),
    "x" * 10_000,
    *(None, 5, -1, 1.5, True, [], {}, ["a"], {"a": 1}, 10**40),
]
"""Every class of characters at the full length, and what is no text."""


async def test_no_tap_but_that_of_whom_it_concerns_changes_anything(talk: Conversation) -> None:
    ann, bob, eve = [await talk.telegram.ann(name) for name in ("Ann", "Bob", "Eve")]
    group = await talk.telegram.group(ann, bob)
    other = await talk.telegram.group(bob, eve)
    anns, anns_form = await talk.ask(ann, SURE), await talk.ask(ann, FORM, FORM_KEYS)
    groups, anns_in_group = (
        await talk.ask(group, SURE),
        await talk.ask(group, FORM, FORM_KEYS | {"allow": str(ann)}),
    )
    anns_data, anns_message = await data_of(talk, ann)
    choice, question = await data_of(talk, ann, "red")
    groups_data, groups_message = await data_of(talk, group)
    hers, hers_message = await data_of(talk, group, "red")
    form_data = sign(anns_form, "q0", "0", ann, KEY)
    places = {
        ann: [under(ann, anns_message), under(ann, question), under(ann, 10**9, date=0)],
        bob: [under(bob, 2), under(group, groups_message), under(group, hers_message)],
        eve: [
            under(eve, 2),
            under(other, 3, message_thread_id=9, is_topic_message=True),
            under(other, groups_message),
        ],
    }
    genuine = [anns_data, choice, groups_data, hers]
    nobodys: list[Any] = list(STRANGE)
    for data in (anns_data, groups_data):
        nobodys += cut_off(data) + changed(data)
    for data in genuine:
        nobodys += renamed(data, groups) + renamed(data, anns)
    for reply_id in (anns, anns_form, groups, anns_in_group):
        nobodys += of_another_bot(reply_id, ann)
    nobodys = [each for each in nobodys if each not in genuine]
    where = itertools.cycle(
        [(person, message) for person, messages in places.items() for message in messages]
    )
    taps = [tap(person, data, message) for data, (person, message) in zip(nobodys, where, strict=False)]
    for person, foreign in {bob: [anns_data, choice, hers, form_data], eve: genuine}.items():
        taps += [tap(person, data, message) for data in foreign for message in places[person]]
    # A step is answered where it stands, also by whom it asks.
    taps += [tap(bob, groups_data, under(bob, 2)), tap(bob, groups_data, under(other, 3))]
    taps += [tap(ann, anns_data, under(group, groups_message)), tap(ann, hers, under(ann, question))]
    # Under no message of ours.
    taps += [tap(ann, data, None, inline_message_id="x") for data in (*genuine, "", "x", None)]
    before = await snapshot(talk.db, PendingReply, Prompt, Chat)

    await deliver(talk, *taps)

    assert await snapshot(talk.db, PendingReply, Prompt, Chat) == before
    assert {each.state for each in await all_of(talk.db, Update)} == {"handled"}
    assert await unanswered(talk, *taps) == []
    await deliver(
        talk,
        tap(ann, anns_data, under(ann, anns_message)),
        tap(bob, groups_data, under(group, groups_message)),
    )
    assert [(await talk.reply(each)).answered_by for each in (anns, groups)] == [ann, bob]


def nowhere(ann: int, bob: int) -> list[Json | None]:
    whole = under(bob, 5)
    return [
        {},
        whole | {"chat": {}},
        whole | {"chat": {"id": 10**30, "type": "private"}},
        whole | {"chat": {"id": str(bob), "type": "private"}},
        whole | {"message_id": 10**30},
        whole | {"message_id": None},
        under(ann, 5),
        whole | {"chat": {"id": ann, "type": "supergroup"}},
        whole | {"chat": {"id": -ann, "type": "private"}},
    ]


async def test_a_tap_on_what_is_no_message_of_theirs_is_set_aside(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.ask(ann, SURE)
    data, _ = await data_of(talk, ann)
    before = await snapshot(talk.db, PendingReply, Prompt)
    await deliver(talk, *(tap(bob, data, message) for message in nowhere(ann, bob)))
    updates = await all_of(talk.db, Update)
    assert {each.state for each in updates} == {"poison"}
    assert all(
        (each.last_error or "").startswith("Poison: not an update that can be read: ") for each in updates
    )
    assert await snapshot(talk.db, PendingReply, Prompt) == before


async def test_an_answer_is_taken_once_however_often_its_tap_is_repeated(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    reply_id = await talk.ask(group, SURE)
    (yes, message_id), (no, _) = await data_of(talk, group), await data_of(talk, group, "No")
    taps = [
        tap(who, data, under(group, message_id))
        for _ in range(10)
        for who in (ann, bob)
        for data in (yes, no)
    ]
    await asyncio.gather(deliver(talk, *taps[::2]), deliver(talk, *taps[1::2]))
    answered = await talk.reply(reply_id)
    assert answered.answered_by in {ann, bob}
    assert await unanswered(talk, *taps) == []
    await talk.complete()
    await talk.send()

    late = [tap(who, data, under(group, message_id)) for who in (ann, bob) for data in (yes, no)]
    before = await snapshot(talk.db, PendingReply, Prompt)
    await deliver(talk, *late)
    assert await snapshot(talk.db, PendingReply, Prompt) == before
    assert variables(await talk.reply(reply_id)) == variables(answered)
    assert [call for call, _ in talk.fakes.engine.calls].count("complete") == 1
    assert await unanswered(talk, *late) == []


async def test_a_choice_that_is_repeated_answers_its_own_question_only(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {
        f"form_{name}.{key}": value
        for name in "ab"
        for key, value in (("type", "choice"), ("options", "red|blue"), ("required", "true"))
    }
    reply_id = await talk.ask(ann, {"form_a": None, "form_b": None}, keys)
    data, message_id = await data_of(talk, ann, "red")
    await deliver(talk, *(tap(ann, data, under(ann, message_id)) for _ in range(5)))
    assert set((await talk.reply(reply_id)).answers) == {"form_a"}


def ended(talk: Conversation, kind: str) -> Callable[[int], Any]:
    async def end(reply_id: int) -> None:
        async with talk.db.begin() as tx:
            if kind == "answered":
                outcome: Json = {"kind": "complete", "variables": {}}
                await transitions.answer(tx, reply_id, outcome, 5, "Cid")
            else:
                await transitions.withdrawn(tx, reply_id)

    return end


@pytest.mark.parametrize("how", ["answered", "withdrawn"])
async def test_a_button_of_a_step_that_is_over_takes_no_other_steps_buttons_away(
    talk: Conversation, how: str
) -> None:
    """Its data can be sent on any message of the chat."""
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    over = await talk.ask(group, SURE)
    data, _ = await data_of(talk, group)
    await ended(talk, how)(over)
    await talk.send()
    waiting = await talk.ask(group, FORM, FORM_KEYS)
    _, question = await data_of(talk, group, "red")
    before = await snapshot(talk.db, PendingReply, Prompt)

    late = tap(bob, data, under(group, question))
    await deliver(talk, late)

    assert await snapshot(talk.db, PendingReply, Prompt) == before
    assert await unanswered(talk, late) == []
    assert await talk.tap(ann, "red", group) == ""
    assert (await talk.reply(waiting)).answers["form_a"]["value"] == "red"
