"""A text answers a question however it comes: plain, as a reply, forwarded, or corrected afterwards."""

import pytest

from shared import texts
from tests.fakes.conversation import Conversation, variables
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

ASKED = {"form_a": None, "form_b": None}
KEYS = {"form_a.required": "true", "form_b.required": "true", "form_a.type": "integer"}
WAYS = ["plain", "reply", "reply to the step's first message", "forwarded", "edited"]


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def answer(talk: Conversation, way: str, person: int, text: str) -> None:
    """Somebody answers the newest question of their private chat."""
    shown = await talk.telegram.shown(person)
    mine = [message for message in shown if message["from"]["id"] == talk.telegram.bot_id]
    if way == "plain":
        await talk.say(person, text)
    elif way == "reply":
        await talk.say(person, text, reply_to=mine[-1]["message_id"])
    elif way == "reply to the step's first message":
        await talk.say(
            person, text, reply_to=next(m["message_id"] for m in mine if m["text"] == "Look here.")
        )
    elif way == "forwarded":
        await talk.say(person, text, forward_from=await talk.telegram.person("Zoe"))
    else:
        await talk.say(person, "not a number")
        await talk.edit(person, text)


@pytest.mark.parametrize("second", WAYS[:-1])
@pytest.mark.parametrize("first", WAYS)
async def test_a_text_is_the_answer_however_it_comes(
    talk: Conversation, png: bytes, first: str, second: str
) -> None:
    ann = await talk.telegram.ann()
    talk.fakes.bucket.objects["x.png"] = png
    picture = {"text_a": "Look here.", "photo_x": "x.png"}
    reply_id = await talk.ask(ann, {**picture, **ASKED}, KEYS)
    await answer(talk, first, ann, "7")
    assert (await talk.reply(reply_id)).answers["form_a"]["value"] == 7
    await answer(talk, second, ann, "Seven")
    assert variables(await talk.reply(reply_id)) == {"form_a": 7, "form_b": "Seven"}


async def test_a_forwarded_text_is_the_answer_of_who_forwards_it(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, {"form_a": None}, {"form_a.required": "true"})
    await talk.say(bob, "Not mine", forward_from=ann)
    assert await talk.last(bob) == texts.say("nothing-open")
    await talk.say(ann, "<b>His</b> words", forward_from=bob)
    row = await talk.reply(reply_id)
    assert (variables(row), row.answered_by) == ({"form_a": "<b>His</b> words"}, ann)


async def test_a_reply_in_a_group_is_the_answer_and_so_is_its_correction(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    # With privacy, Telegram is silent about the correction of a reply to a message that is gone.
    group = await talk.telegram.group(ann, bob, privacy=False)
    reply_id = await talk.ask(group, ASKED, KEYS | {"allow": str(ann)})
    asked = (await talk.telegram.last(group))["message_id"]
    sent = await talk.telegram.say(ann, "many", group, reply_to=asked)
    await talk.turn()
    assert (await talk.reply(reply_id)).answers == {}
    await talk.telegram.send(ann, group, edit=sent["message_id"], text="7")
    await talk.turn()
    assert (await talk.reply(reply_id)).answers["form_a"]["value"] == 7
    await talk.telegram.send(ann, group, edit=sent["message_id"], text="8")
    await talk.turn()
    shown = await talk.telegram.shown(group)
    second = next(each["message_id"] for each in shown if each.get("text", "").startswith("2 of 2"))
    await talk.say(ann, "Eight", group, reply_to=second)
    assert variables(await talk.reply(reply_id)) == {"form_a": 8, "form_b": "Eight"}
