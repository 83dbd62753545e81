"""Many buttons are shown by pages, to one person and to a group that claims or votes."""

import pytest

from shared import texts
from tests.fakes.conversation import Conversation, variables
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

MANY = {"text_a": "Which?", **{f"action_{number}": f"B{number}" for number in range(25)}}
FIRST = [*(f"B{number}" for number in range(10)), "‹", "1 / 3", "›"]
SECOND = [*(f"B{number}" for number in range(10, 20)), "‹", "2 / 3", "›"]
LAST = [*(f"B{number}" for number in range(20, 25)), "‹", "3 / 3", "›"]


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def test_a_button_of_the_last_page_ends_the_step(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {**MANY, "action_back": "Back"})
    assert await talk.buttons(ann) == [*FIRST, "Back"]
    for caption, shown in [("›", SECOND), ("›", LAST), ("›", LAST), ("3 / 3", LAST), ("‹", SECOND)]:
        assert await talk.tap(ann, caption) == ""
        assert await talk.buttons(ann) == [*shown, "Back"]
    await talk.tap(ann, "›")
    await talk.tap(ann, "B24")
    told = variables(await talk.reply(reply_id))
    assert (told["action"], told["action_24"], told["action_back"]) == ("24", True, False)
    assert await talk.buttons(ann) == []


async def test_whoever_may_not_answer_turns_no_page(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    await talk.ask(group, MANY, {"allow": str(ann)})
    assert await talk.tap(bob, "›", group) == texts.say("not-yours")
    assert await talk.buttons(group) == FIRST
    await talk.tap(ann, "›", group)
    assert await talk.buttons(group) == SECOND


async def test_a_vote_stays_on_the_page_of_the_button_that_was_tapped(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    reply_id = await talk.ask(group, MANY, {"votes": "2"})
    await talk.tap(ann, "›", group)
    await talk.tap(ann, "B13", group)
    assert await talk.buttons(group) == SECOND
    assert "B13 (1): Ann" in await talk.last(group)
    await talk.tap(bob, "›", group)
    assert "B13 (1): Ann" in await talk.last(group), "turning a page loses no vote"
    await talk.tap(bob, "‹", group)
    await talk.tap(bob, "B13", group)
    assert variables(await talk.reply(reply_id))["action"] == "13"


async def test_the_pages_of_a_step_that_was_taken_keep_release(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    reply_id = await talk.ask(group, MANY, {"claim": "true"})
    await talk.tap(ann, texts.say("button-claim"), group)
    release = texts.say("button-release", name="Ann")
    assert await talk.buttons(group) == [*FIRST, release]
    assert await talk.tap(bob, "›", group) == texts.say("claimed-by", name="Ann")
    await talk.tap(ann, "›", group)
    assert await talk.buttons(group) == [*SECOND, release]
    await talk.tap(ann, "B10", group)
    assert variables(await talk.reply(reply_id))["action"] == "10"


async def test_a_form_ends_with_its_buttons_by_pages_and_edit_on_each(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"form_a": None, **MANY})
    await talk.say(ann, "One")
    edit = texts.say("button-edit")
    assert await talk.buttons(ann) == [*FIRST, edit]
    old = await talk.message_with(ann, "›")
    await talk.tap(ann, "›")
    assert await talk.buttons(ann) == [*SECOND, edit]
    await talk.tap(ann, edit)
    await talk.tap(ann, next(each for each in await talk.buttons(ann) if each.startswith("a: ")))
    tap = await talk.telegram.press(
        ann, old, data=old["reply_markup"]["inline_keyboard"][5][2]["callback_data"], stale=True
    )
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("already-here"), "while a question is open"
    await talk.say(ann, "Two")
    await talk.tap(ann, "B3")
    told = variables(await talk.reply(reply_id))
    assert (told["action"], told["form_a"]) == ("3", "Two")


async def test_buttons_beside_a_question_are_turned_without_the_options(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {f"action_{number}.without_form": "true" for number in range(25)}
    keys |= {"form_c.type": "choice", "form_c.options": "red|blue", "form_c.required": "true"}
    reply_id = await talk.ask(ann, {"form_c": None, **MANY}, keys)
    assert await talk.buttons(ann) == ["red", "blue", *FIRST]
    await talk.tap(ann, "›")
    assert await talk.buttons(ann) == ["red", "blue", *SECOND]
    await talk.tap(ann, "B11")
    assert variables(await talk.reply(reply_id))["action"] == "11"


async def test_buttons_have_their_authors_order_and_style(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"action_no.style": "danger", "action_no.order": "1"}
    await talk.ask(ann, {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}, keys)
    (row,) = (await talk.telegram.last(ann))["reply_markup"]["inline_keyboard"]
    assert [(button["text"], button.get("style")) for button in row] == [("No", "danger"), ("Yes", None)]
