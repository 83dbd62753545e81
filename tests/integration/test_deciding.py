"""Steps that a group decides: one of its people takes a step, or several vote on it."""

import json
from typing import Any

import pytest

from shared import texts
from tests.fakes.conversation import Conversation, variables
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

SURE = {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}
CID = {"is_bot": False, "first_name": "Cid"}
CLAIM = {"claim": "true", "title": "It"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def three_in_a_group(talk: Conversation) -> tuple[int, int, int, int]:
    """Ann, who is the administrator, Bob, Cid, and their group."""
    people = [await talk.telegram.ann(name) for name in ("Ann", "Bob", "Cid")]
    group = await talk.telegram.group(*people[1:], admins=[people[0]])
    for person in people:
        await talk.say(person, "/start")
    return people[0], people[1], people[2], group


async def state(talk: Conversation, reply_id: int) -> str:
    return (await talk.reply(reply_id)).state


# one takes it


async def test_a_step_to_be_claimed_is_answered_by_who_took_it_and_by_nobody_else(talk: Conversation) -> None:
    ann, bob, cid, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, CLAIM)
    assert await talk.buttons(group) == [texts.say("button-claim")]
    await talk.tap(bob, texts.say("button-claim"), group)
    assert await talk.buttons(group) == ["Yes", "No", "Give it back (Bob)"]
    for other in (cid, ann):
        assert await talk.tap(other, "Yes", group) == "Bob has taken this."
    await talk.tap(bob, "No", group)
    assert variables(await talk.reply(reply_id))["action"] == "no"
    assert (await talk.reply(reply_id)).answered_by == bob


async def test_of_two_who_take_it_at_once_one_has_it(talk: Conversation) -> None:
    _, bob, cid, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, CLAIM)
    message = await talk.message_with(group, texts.say("button-claim"))
    await talk.telegram.press(bob, message, group, caption=texts.say("button-claim"))
    late = await talk.telegram.press(cid, message, group, caption=texts.say("button-claim"))
    await talk.turn()
    assert (await talk.reply(reply_id)).claimed_by == bob
    assert await talk.telegram.toast(late) == "Bob has taken this."


async def test_a_form_is_asked_of_who_took_it(talk: Conversation) -> None:
    _, bob, cid, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, {"form_a": None}, {**CLAIM, "form_a.required": "true"})
    assert await talk.buttons(group) == [texts.say("button-claim")]
    await talk.tap(bob, texts.say("button-claim"), group)
    await talk.tap(bob, texts.say("button-answer"), group)
    question = (await talk.telegram.last(group))["message_id"]
    await talk.say(cid, "mine", group, reply_to=question)
    await talk.say(bob, "one", group, reply_to=question)
    assert variables(await talk.reply(reply_id)) == {"form_a": "one"}


@pytest.mark.parametrize("who", ["owner", "administrator"])
async def test_what_was_taken_can_be_given_back_and_be_taken_by_another(talk: Conversation, who: str) -> None:
    ann, bob, cid, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, CLAIM)
    await talk.tap(bob, texts.say("button-claim"), group)
    assert await talk.tap(cid, "Give it back (Bob)", group) == "Bob has taken this."
    await talk.tap(bob if who == "owner" else ann, "Give it back (Bob)", group)
    assert await talk.buttons(group) == [texts.say("button-claim")]
    await talk.tap(cid, texts.say("button-claim"), group)
    await talk.tap(cid, "Yes", group)
    assert (await talk.reply(reply_id)).answered_by == cid


async def test_the_buttons_of_a_step_that_nobody_has_taken_decide_nothing(talk: Conversation) -> None:
    _, bob, _, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, CLAIM)
    await talk.tap(bob, texts.say("button-claim"), group)
    message = await talk.message_with(group, "Yes")
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await talk.tap(bob, "Give it back (Bob)", group)
    stale = await talk.telegram.press(bob, message, group, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(stale) == texts.say("claim-first")
    assert await state(talk, reply_id) == "posted"


async def test_an_administrator_assigns_a_step_to_whom_they_name(talk: Conversation) -> None:
    ann, bob, cid, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, CLAIM)
    prompt = (await talk.message_with(group, texts.say("button-claim")))["message_id"]
    named = [{"type": "bot_command", "offset": 0, "length": 7}]
    mention = {"type": "text_mention", "offset": 8, "length": 3, "user": CID | {"id": cid}}
    await talk.say(bob, "/assign Cid", group, reply_to=prompt, entities=[*named, mention])
    assert await talk.last(group) == texts.say("assign-admins")
    await talk.say(ann, "/assign @nobody_we_know", group, reply_to=prompt)
    assert await talk.last(group) == texts.say("assign-whom")
    await talk.say(ann, "/assign Cid", group, reply_to=prompt, entities=[*named, mention])
    assert (await talk.reply(reply_id)).claimed_by == cid
    prompt = (await talk.message_with(group, "Yes"))["message_id"]
    await talk.say(ann, "/assign @bob", group, reply_to=prompt)
    assert (await talk.reply(reply_id)).claimed_by == bob
    prompt = (await talk.message_with(group, "Yes"))["message_id"]
    await talk.say(ann, "/assign Cid", group, reply_to=prompt, entities=[*named, mention])
    assert await talk.buttons(group) == ["Yes", "No", "Give it back (Cid)"]
    await talk.tap(cid, "Yes", group)
    assert (await talk.reply(reply_id)).answered_by == cid


# several vote


async def test_a_step_is_decided_by_the_vote_that_was_needed(talk: Conversation) -> None:
    ann, bob, cid, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, {"votes": "2"})
    assert (await talk.tap(ann, "Yes", group)).startswith("Your vote: Yes.")
    await talk.tap(bob, "No", group)
    assert await talk.last(group) == "Sure?\n\nYes (1): Ann\nNo (1): Bob"
    await talk.tap(ann, "Yes", group)
    assert await state(talk, reply_id) == "posted", "one who taps twice has one vote"
    await talk.tap(cid, "No", group)
    told = variables(await talk.reply(reply_id))
    assert (told["action"], told["action_no"], told["action_yes"]) == ("no", True, False)
    assert json.loads(told["votes"]) == {str(ann): "yes", str(bob): "no", str(cid): "no"}
    assert (await talk.last(group)).endswith("✓ No · Bob, Cid")
    assert await talk.buttons(group) == []


async def test_a_vote_can_be_changed_until_the_step_is_decided(talk: Conversation) -> None:
    ann, bob, _, group = await three_in_a_group(talk)
    reply_id = await talk.ask(group, SURE, {"votes": "2"})
    await talk.tap(ann, "Yes", group)
    await talk.tap(ann, "No", group)
    assert await talk.last(group) == "Sure?\n\nNo (1): Ann"
    await talk.tap(bob, "No", group)
    assert variables(await talk.reply(reply_id))["action"] == "no"
    assert (await talk.tap_late(ann, "Yes", group)).startswith("Already answered by Ann, Bob")


@pytest.mark.parametrize(
    ("allow", "needed"), [("anyone", 2), ("admins", 1), ("group:board", 3), ("1,2,3", 2)]
)
async def test_a_majority_is_of_those_who_may_vote(talk: Conversation, allow: str, needed: int) -> None:
    ann, bob, cid, group = await three_in_a_group(talk)
    ids = ",".join(map(str, (ann, bob, cid)))
    for number in range(5):
        await talk.fakes.engine.add_to_group(f"tg_user_{(ann, bob, cid, 4, 5)[number]}", "board")
    reply_id = await talk.ask(group, SURE, {"votes": "majority", "allow": ids if "," in allow else allow})
    for number, person in enumerate((ann, bob, cid), 1):
        if number <= needed:
            assert await state(talk, reply_id) == "posted"
            await talk.tap(person, "Yes", group)
    assert await state(talk, reply_id) == "answered"


# who may


async def test_of_an_engine_group_only_its_members_may_answer(talk: Conversation) -> None:
    ann, bob, _, group = await three_in_a_group(talk)
    await talk.fakes.engine.add_to_group(f"tg_user_{bob}", "sales")
    reply_id = await talk.ask(group, SURE, {"allow": "group:sales"})
    assert await talk.tap(ann, "Yes", group) == texts.say("not-yours")
    await talk.tap(bob, "Yes", group)
    assert (await talk.reply(reply_id)).answered_by == bob


async def test_who_started_a_process_may_answer_for_the_group(talk: Conversation) -> None:
    ann, bob, _, group = await three_in_a_group(talk)
    started: dict[str, Any] = {"process_variables": {"telegram_user_id": ann}}
    reply_id = await talk.ask(group, SURE, {"allow": "starter"}, **started)
    assert await talk.tap(bob, "Yes", group) == texts.say("not-yours")
    await talk.tap(ann, "Yes", group)
    assert await state(talk, reply_id) == "answered"
