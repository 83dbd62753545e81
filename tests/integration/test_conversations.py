"""What people and the bot say to each other about a step: taps, questions, strangers, old buttons."""

import json
from typing import Any

import pytest

from shared import outbox, people, texts, transitions
from shared.errors import AuthorError
from shared.models import Json, PendingReply, Prompt
from shared.queues import claim
from shared.signing import derive_key, sign
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, lapse
from tests.fakes.services import TOKEN, Fakes
from tests.fakes.telegram import Telegram, captions

SURE = {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}
FORM: dict[str, Any] = {"text_a": "Please tell.", "form_name": None, "form_age": None, "form_sure": None}
FORM_KEYS = {
    "form_name.label": "Your name",
    "form_name.required": "true",
    "form_age.type": "integer",
    "form_age.max": "150",
    "form_sure.type": "boolean",
    "form_sure.required": "true",
}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def state(talk: Conversation, reply_id: int) -> str:
    """The state of a step."""
    return (await talk.reply(reply_id)).state


async def groups_of(talk: Conversation) -> dict[int, bool]:
    """The groups that the bot is known to be in."""
    async with talk.db.begin() as tx:
        return {chat.chat_id: chat.is_member for chat in await people.groups(tx)}


# buttons


async def test_a_tap_answers_a_step_and_the_decision_is_shown(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    assert await talk.tap(ann, "Yes") == ""
    row = await talk.reply(reply_id)
    assert (row.state, row.answered_by, row.answered_by_name) == ("answered", ann, "Ann")
    assert variables(row) == {"action_yes": True, "action_no": False, "action": "yes"}
    assert await talk.telegram.texts(ann) == ["Sure?\n\n✓ Yes · Ann"]
    assert await talk.buttons(ann) == []


async def test_a_stranger_who_taps_is_told_so_and_nothing_changes(talk: Conversation) -> None:
    """A button of a step with one recipient was signed for them alone."""
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    reply_id = await talk.ask(group, SURE, {"allow": str(ann)})
    assert await talk.tap(bob, "Yes", group) == texts.say("not-yours")
    assert await state(talk, reply_id) == "posted"
    assert await talk.tap(ann, "Yes", group) == ""
    assert await state(talk, reply_id) == "answered"


async def test_only_administrators_may_answer_where_the_step_says_so(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob, admins=[ann])
    reply_id = await talk.ask(group, SURE, {"allow": "admins"})
    assert await talk.tap(bob, "Yes", group) == texts.say("not-yours")
    assert await talk.tap(ann, "Yes", group) == ""
    assert (await talk.reply(reply_id)).answered_by == ann


async def test_a_tap_on_an_old_button_says_how_it_ended(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE)
    message = await talk.message_with(ann, "Yes")
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await talk.tap(ann, "Yes")
    tap = await talk.telegram.press(ann, message, data=data, stale=True)
    await talk.turn()
    assert (await talk.telegram.toast(tap)).startswith("Already answered by Ann at ")


async def test_a_tap_on_a_step_that_was_taken_back_says_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    message = await talk.message_with(ann, "Yes")
    tap = await talk.telegram.press(ann, message, caption="Yes")
    async with talk.db.begin() as tx:
        await transitions.withdrawn(tx, reply_id)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("withdrawn")
    assert "taken back" in await talk.last(ann)
    assert await talk.buttons(ann) == []


async def test_a_tap_on_a_message_that_telegram_no_longer_gives_is_believed_by_the_rows(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    message = await talk.message_with(ann, "Yes")
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await talk.telegram.press(ann, message, data=data, inaccessible=True)
    await talk.turn()
    assert await state(talk, reply_id) == "answered"


@pytest.mark.parametrize("data", ["x", "1.a0..AAAAAAAAAAAAAAAA", "0.gs.-5.AAAAAAAAAAAAAAAA", "{}", "9" * 60])
async def test_a_forged_tap_changes_nothing_and_is_answered_politely(talk: Conversation, data: str) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    message = await talk.message_with(ann, "Yes")
    tap = await talk.telegram.press(ann, message, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("outdated")
    assert await state(talk, reply_id) == "posted"


async def test_a_button_of_one_step_does_not_answer_another(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    first = await talk.ask(ann, {"text_a": "First", "action_go": "Go"})
    second = await talk.ask(ann, {"text_a": "Second", "action_go": "Go"})
    await talk.tap(ann, "Go")
    assert (await state(talk, first), await state(talk, second)) == ("posted", "answered")


async def test_both_copies_of_a_prompt_whose_answer_was_lost_work_and_lose_their_buttons(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.fault("lost_answer", "sendMessage")
    with pytest.raises(Exception, match="does not answer"):
        await talk.ask(ann, SURE)
    await lapse(talk.db, Prompt)
    await talk.send()
    first, second = [each for each in await talk.telegram.shown(ann) if captions(each)]
    assert await talk.tap(ann, "Yes", message=first) == ""
    (row,) = await all_of(talk.db, PendingReply)
    assert row.state == "answered"
    assert await talk.buttons(ann) == []
    assert second["message_id"] > first["message_id"]


async def test_a_tap_that_comes_before_the_sender_has_recorded_its_message_counts(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.fault("lost_answer", "sendMessage")  # stands for the moment before the commit
    with pytest.raises(Exception, match="does not answer"):
        await talk.ask(ann, SURE)
    (prompt,) = await all_of(talk.db, Prompt)
    shown = await talk.telegram.last(ann)
    tap = await talk.telegram.press(ann, shown, caption="Yes")
    await talk.telegram.receive(talk.db)
    await talk.handle()
    async with talk.db.begin() as tx:
        await outbox.record_sent(tx, prompt, shown["message_id"])
    await talk.send()
    assert await talk.telegram.toast(tap) == ""
    assert await talk.buttons(ann) == []
    assert await talk.telegram.texts(ann) == ["Sure?\n\n✓ Yes · Ann"]


# questions


async def test_a_form_is_asked_one_question_at_a_time(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, FORM, FORM_KEYS)
    assert await talk.last(ann) == "Please tell.\n\n1 of 3: Your name"
    await talk.say(ann, "Ann <b>")
    assert await talk.last(ann) == "2 of 3: age"
    await talk.say(ann, "200")
    assert await talk.last(ann) == "That is out of range; at most 150 is expected."
    await talk.say(ann, "old")
    assert await talk.last(ann) == texts.say("not-an-integer", example="42")
    await talk.say(ann, "41")
    assert await talk.last(ann) == "3 of 3: sure"
    await talk.tap(ann, "Yes")
    row = await talk.reply(reply_id)
    assert (row.state, row.dialog_open) == ("answered", False)
    assert variables(row) == {"form_name": "Ann <b>", "form_age": 41, "form_sure": True}
    assert await talk.buttons(ann) == []


async def test_a_form_with_actions_ends_with_its_answers_and_the_buttons(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"form_name": None, **SURE}, {"form_name.required": "true"})
    assert await talk.buttons(ann) == []
    await talk.say(ann, "Ann")
    assert await talk.last(ann) == "name: Ann\nYour decision?"
    await talk.say(ann, "hm")
    assert await talk.last(ann) == texts.say("nothing-open")
    await talk.tap(ann, "No")
    assert variables(await talk.reply(reply_id)) == {
        "form_name": "Ann",
        "action_yes": False,
        "action_no": True,
        "action": "no",
    }


async def test_a_question_can_be_skipped_by_its_button(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(
        ann, {"form_a": None, "form_b": None}, {"form_b.type": "integer", "form_b.default": "7"}
    )
    await talk.tap(ann, "Skip")
    await talk.tap(ann, "Skip")
    assert variables(await talk.reply(reply_id)) == {"form_a": None, "form_b": 7}


async def test_a_choice_is_made_by_button_or_by_its_words(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.type": "choice", "form_b.type": "choice"}
    options = {"form_a.options": "r=Red|b=Blue", "form_b.options": {"1": "2", "2": "1"}}
    reply_id = await talk.ask(ann, {"form_a": None, "form_b": None, **options}, keys)
    await talk.say(ann, "green")
    assert await talk.last(ann) == texts.say("not-a-choice")
    await talk.say(ann, "blue")
    await talk.tap(ann, "1")
    assert variables(await talk.reply(reply_id)) == {"form_a": "b", "form_b": "2"}


async def test_a_tap_on_a_question_that_was_answered_changes_nothing(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.type": "boolean", "form_b.type": "boolean"}
    reply_id = await talk.ask(ann, {"form_a": None, "form_b": None}, keys)
    first = await talk.message_with(ann, "Yes")
    data = first["reply_markup"]["inline_keyboard"][0][1]["callback_data"]
    await talk.tap(ann, "Yes")
    tap = await talk.telegram.press(ann, first, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("already-here")
    assert (await talk.reply(reply_id)).answers["form_a"]["value"] is True


async def test_an_action_that_needs_no_form_ends_it_early(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"action_no.without_form": "true", "form_name.required": "true"}
    reply_id = await talk.ask(ann, {"form_name": None, **SURE}, keys)
    await talk.tap(ann, "No")
    row = await talk.reply(reply_id)
    assert (row.state, row.dialog_open) == ("answered", False)
    assert variables(row) == {"action_yes": False, "action_no": True, "action": "no"}


async def test_an_action_does_not_end_a_form_with_open_questions(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"form_name": None, **SURE})
    await talk.tap(ann, "Skip")
    closing = await talk.message_with(ann, "Yes")
    data = closing["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    async with talk.db.begin() as tx:
        await transitions.keep_answers(tx, reply_id, {})
    tap = await talk.telegram.press(ann, closing, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("questions-first")
    assert await state(talk, reply_id) == "posted"


async def test_one_answer_of_a_review_is_changed_and_the_others_stay(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"review": "true", "form_a.required": "true", "form_b.required": "true"}
    reply_id = await talk.ask(ann, {"form_a": None, "form_b": None}, keys)
    await talk.say(ann, "Wrong")
    await talk.say(ann, "Two")
    await talk.tap(ann, "Edit")
    assert await talk.buttons(ann) == ["a: Wrong", "b: Two", texts.say("button-back")]
    await talk.tap(ann, "a: Wrong")
    assert await talk.buttons(ann) == ["Keep: Wrong"]
    await talk.say(ann, "Right")
    assert await talk.last(ann) == "a: Right\nb: Two\nYour decision?"
    await talk.tap(ann, "Submit")
    assert variables(await talk.reply(reply_id)) == {"form_a": "Right", "form_b": "Two"}


async def test_whoever_edits_nothing_after_all_comes_back_to_the_review(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"form_a": None}, {"review": "true", "form_a.required": "true"})
    await talk.say(ann, "One")
    await talk.tap(ann, "Edit")
    await talk.tap(ann, texts.say("button-back"))
    assert await talk.buttons(ann) == ["Submit", "Edit"]
    await talk.tap(ann, "Edit")
    await talk.tap(ann, "a: One")
    await talk.tap(ann, "Keep: One")
    await talk.tap(ann, "Submit")
    assert variables(await talk.reply(reply_id)) == {"form_a": "One"}


async def test_back_asks_the_question_before_and_forgets_no_later_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.required": "true", "form_b.type": "multichoice", "form_b.options": "x|y"}
    reply_id = await talk.ask(ann, {"form_a": None, "form_b": None}, keys)
    await talk.say(ann, "One")
    await talk.tap(ann, "x")
    await talk.tap(ann, texts.say("button-back"))
    assert await talk.buttons(ann) == ["Keep: One"]
    await talk.say(ann, "Two")
    assert "✓ x" in await talk.buttons(ann)
    await talk.tap(ann, "Done (1)")
    assert variables(await talk.reply(reply_id)) == {"form_a": "Two", "form_b": '["x"]'}


async def test_a_tick_is_taken_back_by_another_tap(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_b.type": "multichoice", "form_b.options": "x|y|z", "form_b.max": "2", "form_b.min": "1"}
    reply_id = await talk.ask(ann, {"form_b": None}, {**keys, "form_b.required": "true"})
    assert await talk.tap(ann, "Done (0)") == "You chose 0; 1 to 2 are expected."
    for caption in ("x", "y", "z"):
        await talk.tap(ann, caption)
    assert await talk.tap(ann, "Done (3)") == "You chose 3; 1 to 2 are expected."
    await talk.tap(ann, "✓ y")
    await talk.tap(ann, "Done (2)")
    assert variables(await talk.reply(reply_id)) == {"form_b": '["x", "z"]'}


async def test_a_long_list_is_turned_by_pages_and_searched_by_words(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    options = "|".join(f"{n}=Place {n}" for n in range(37))
    reply_id = await talk.ask(ann, {"form_c": None}, {"form_c.type": "choice", "form_c.options": options})
    assert "Place 10" not in await talk.buttons(ann)
    await talk.tap(ann, "›")
    assert "2 / 4" in await talk.buttons(ann)
    assert "Place 10" in await talk.buttons(ann)
    await talk.tap(ann, "2 / 4")
    await talk.say(ann, "place 3")
    assert variables(await talk.reply(reply_id)) == {"form_c": "3"}, "a whole caption chooses"
    reply_id = await talk.ask(ann, {"form_c": None}, {"form_c.type": "choice", "form_c.options": options})
    await talk.say(ann, "36")
    assert variables(await talk.reply(reply_id)) == {"form_c": "36"}, "so does a value"
    reply_id = await talk.ask(ann, {"form_c": None}, {"form_c.type": "choice", "form_c.options": options})
    await talk.say(ann, "pla 3")
    assert await talk.last(ann) == texts.say("which-option")
    await talk.tap(ann, "Place 35")
    assert variables(await talk.reply(reply_id)) == {"form_c": "35"}
    assert not await talk.buttons(ann)


async def test_a_day_is_picked_from_a_calendar_within_its_bounds(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_d.type": "date", "form_d.min": "2099-12-30", "form_d.max": "2100-01-02"}
    reply_id = await talk.ask(ann, {"form_d": None}, {**keys, "form_d.required": "true"})
    assert "December 2099" in await talk.buttons(ann)
    await talk.tap(ann, "‹")
    assert "December 2099" in await talk.buttons(ann), "there is nothing before"
    await talk.tap(ann, "›")
    assert [each for each in await talk.buttons(ann) if each.isdigit()] == ["1", "2"]
    await talk.say(ann, "2100-02-01")
    assert "a day from Dec 30, 2099 to Jan 2, 2100 is expected" in await talk.last(ann)
    await talk.tap(ann, "2")
    assert variables(await talk.reply(reply_id)) == {"form_d": "2100-01-02T00:00:00.000+0000"}


@pytest.mark.parametrize(
    ("type_name", "kind", "shared", "value"),
    [
        ("phone", "contact", {"contact": {"phone_number": "4930123456", "first_name": "Ann"}}, "+4930123456"),
        (
            "location",
            "location",
            {"location": {"latitude": 52.52, "longitude": 13.405}},
            '{"latitude": 52.52, "longitude": 13.405}',
        ),
        ("user", "users", {"content": {"users_shared": {"request_id": 1, "users": [{"user_id": 77}]}}}, 77),
    ],
)
async def test_a_key_that_shares_something_answers_the_question(
    talk: Conversation, type_name: str, kind: str, shared: dict[str, Any], value: Any
) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.type": type_name, "form_a.required": "true"}
    reply_id = await talk.ask(ann, {"form_a": None}, keys)
    asked = (await talk.telegram.calls("sendMessage"))[-1]
    assert f'"request_{kind}"' in json.dumps(asked["params"]).replace("\\", "")
    await talk.telegram.send(ann, **shared)
    await talk.turn()
    assert variables(await talk.reply(reply_id)) == {"form_a": value}


async def test_on_a_keyboard_of_its_own_a_question_is_skipped_and_left_by_words(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    asks = {"form_a": None, "form_b": None, **SURE}
    reply_id = await talk.ask(ann, asks, {"form_a.required": "true", "form_b.type": "phone"})
    await talk.say(ann, "One")
    await talk.say(ann, texts.say("button-back"))
    await talk.say(ann, "Two")
    await talk.say(ann, texts.say("button-skip"))
    await talk.tap(ann, "Yes")
    told = variables(await talk.reply(reply_id))
    assert (told["form_a"], told["form_b"]) == ("Two", None)


@pytest.mark.parametrize("after", ["keep", "summarise", "delete"])
async def test_what_is_left_of_a_step_is_what_its_author_says(talk: Conversation, after: str) -> None:
    ann = await talk.telegram.ann()
    asks = {"text_a": "Look.", "form_a": None, "form_b": None, "action_yes": "Yes"}
    await talk.ask(ann, asks, {"form_a.required": "true", "title": "It", "after": after})
    await talk.say(ann, "One")
    await talk.say(ann, "Two")
    await talk.tap(ann, "Yes")
    decision = "a: One\nb: Two\nYour decision?\n\n✓ Yes · Ann"
    left = {
        "keep": ["It\n\nLook.\n\n1 of 2: a", "2 of 2: b\n\n✓ Two", decision],
        "summarise": ["It\n✓ Yes · Ann"],
        "delete": [],
    }
    assert await talk.telegram.texts(ann) == left[after]


@pytest.mark.parametrize("after", ["summarise", "delete"])
async def test_what_telegram_no_longer_deletes_says_how_the_step_ended(
    talk: Conversation, after: str
) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, {"form_a": None, **SURE}, {"form_a.required": "true", "title": "It", "after": after})
    await talk.say(ann, "One")
    await talk.telegram.advance(49 * 3600)
    await talk.tap(ann, "Yes")
    assert await talk.telegram.texts(ann) == ["It\n✓ Yes · Ann"] * 2


async def test_a_message_that_is_edited_changes_the_answer_that_it_was(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.type": "integer", "form_a.required": "true"}
    reply_id = await talk.ask(ann, {"form_a": None, **SURE}, keys)
    await talk.say(ann, "many")
    await talk.edit(ann, "7")
    assert (await talk.reply(reply_id)).answers["form_a"]["value"] == 7, "it was refused, and is corrected"
    await talk.edit(ann, "8")
    assert await talk.last(ann) == "a: 8\nYour decision?"
    await talk.edit(ann, "none")
    assert await talk.last(ann) == texts.say("not-an-integer", example="42")
    await talk.tap(ann, "Yes")
    assert variables(await talk.reply(reply_id))["form_a"] == 8
    await talk.edit(ann, "9")
    assert variables(await talk.reply(reply_id))["form_a"] == 8, "what is told is told"


async def test_an_answer_that_looks_like_markup_stays_what_it_is(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"form_name": None, **SURE}, {"form_name.required": "true"})
    await talk.say(ann, "<a href='https://evil.example'>x</a> @admin /start https://evil.example")
    message = await talk.telegram.last(ann)
    kinds = {entity["type"] for entity in message.get("entities", [])}
    assert kinds <= {"bold", "italic", "code"}
    await talk.tap(ann, "Yes")
    assert variables(await talk.reply(reply_id))["form_name"].startswith("<a href=")


# two at once


async def test_a_second_form_waits_behind_a_button_and_never_steals_an_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    first = await talk.ask(ann, {"form_a": None}, {"form_a.required": "true"})
    second = await talk.ask(ann, {"text_a": "Second", "form_b": None}, {"form_b.required": "true"})
    assert await talk.tap(ann, "Answer") == texts.say("busy-with-another")
    await talk.say(ann, "one")
    assert (await state(talk, first), await state(talk, second)) == ("answered", "posted")
    await talk.tap(ann, "Answer")
    assert await talk.last(ann) == "b"
    await talk.say(ann, "two")
    assert variables(await talk.reply(second)) == {"form_b": "two"}


async def test_a_second_tap_on_answer_does_not_ask_the_open_question_again(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, {"form_a": None}, {"form_a.required": "true"})
    await talk.ask(ann, {"text_a": "Second", "form_b": None}, {"form_b.required": "true"})
    button = await talk.message_with(ann, "Answer")
    await talk.say(ann, "one")
    data = button["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await talk.tap(ann, "Answer")
    tap = await talk.telegram.press(ann, button, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == ""
    assert (await talk.telegram.texts(ann)).count("b") == 1


async def test_a_reply_goes_to_the_question_that_it_replies_to(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(
        ann, {"form_a": None, "form_b": None}, {"form_a.required": "true", "form_b.required": "true"}
    )
    question = await talk.telegram.last(ann)
    await talk.say(ann, "one")
    await talk.say(ann, "again", reply_to=question["message_id"])
    assert await talk.last(ann) == texts.say("already-here")
    await talk.say(ann, "two", reply_to=(await talk.telegram.shown(ann))[0]["message_id"])
    assert variables(await talk.reply(reply_id)) == {"form_a": "one", "form_b": "two"}


async def test_a_reply_to_a_step_that_is_over_is_told_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, {"form_a": None}, {"form_a.required": "true"})
    question = await talk.telegram.last(ann)
    await talk.say(ann, "one")
    await talk.say(ann, "more", reply_to=question["message_id"])
    assert await talk.last(ann) == texts.say("already-here")


async def test_free_text_with_nothing_open_gets_a_hint(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "hello?")
    assert await talk.last(ann) == texts.say("nothing-open")
    await talk.ask(ann, SURE)
    await talk.say(ann, "yes")
    assert await talk.last(ann) == texts.say("nothing-open"), "a button wants a tap"


async def test_text_where_a_file_is_asked_for_gets_a_hint(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, {"s3_f": "The export"}, {"s3_f.accept": ".json"}, topic="await_upload")
    await talk.say(ann, "here it is")
    assert "tap the paper clip, choose File, and pick" in await talk.last(ann)


@pytest.mark.parametrize(
    "content",
    [{"sticker": {"file_id": "x", "file_unique_id": "y", "type": "regular", "width": 1, "height": 1,
                  "is_animated": False, "is_video": False}}, {"dice": {"emoji": "🎲", "value": 3}}],
)  # fmt: skip
async def test_what_is_neither_text_nor_file_changes_nothing(talk: Conversation, content: Json) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"form_a": None})
    await talk.telegram.send(ann, content=content)
    await talk.turn()
    assert (await talk.reply(reply_id)).answers == {}


# groups


async def test_a_groups_question_is_answered_by_a_reply_to_it(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    keys = {"form_a.required": "true", "form_b.required": "true"}
    reply_id = await talk.ask(group, {"form_a": None, "form_b": None}, keys)
    question = await talk.telegram.last(group)
    assert question["sandbox"]["force_reply"]
    await talk.say(bob, "one", group, reply_to=question["message_id"])
    second = await talk.telegram.last(group)
    assert second["text"] == "2 of 2: b"
    assert second["reply_to_message"]["from"]["id"] == bob
    await talk.say(ann, "two", group, reply_to=second["message_id"])
    row = await talk.reply(reply_id)
    assert (variables(row), row.answered_by) == ({"form_a": "one", "form_b": "two"}, ann)


async def test_other_talk_in_a_group_is_no_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, privacy=False)
    reply_id = await talk.ask(group, {"form_a": None}, {"form_a.required": "true"})
    before = len(await talk.telegram.texts(group))
    await talk.say(ann, "lunch?", group)
    assert (await talk.reply(reply_id)).answers == {}
    assert len(await talk.telegram.texts(group)) == before, "and the bot keeps quiet"


async def test_somebody_who_may_not_answer_a_groups_question_is_not_heard(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    keys = {"form_a.required": "true", "allow": str(ann)}
    reply_id = await talk.ask(group, {"form_a": None}, keys)
    question = await talk.telegram.last(group)
    await talk.say(bob, "me!", group, reply_to=question["message_id"])
    assert (await talk.reply(reply_id)).answers == {}
    await talk.say(ann, "mine", group, reply_to=question["message_id"])
    assert variables(await talk.reply(reply_id)) == {"form_a": "mine"}


# people who were away


async def test_what_could_not_be_delivered_is_posted_on_start(talk: Conversation) -> None:
    ann = await talk.telegram.person(started=False)
    reply_id = await talk.ask(ann, SURE)
    assert await state(talk, reply_id) == "undeliverable"
    await talk.say(ann, "/start")
    assert await state(talk, reply_id) == "posted"
    assert "Sure?" in await talk.telegram.texts(ann)
    await talk.tap(ann, "Yes")
    assert await state(talk, reply_id) == "answered"


async def test_what_could_not_be_delivered_is_posted_when_the_bot_is_unblocked(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.control("PATCH", f"/users/{ann}", blocked_bot=True)
    await talk.turn()
    reply_id = await talk.ask(ann, SURE)
    assert await state(talk, reply_id) == "undeliverable"
    await talk.telegram.control("PATCH", f"/users/{ann}", blocked_bot=False)
    await talk.turn()
    assert await state(talk, reply_id) == "posted"


async def test_the_engine_learns_the_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    await talk.tap(ann, "Yes")
    await talk.complete()
    assert await state(talk, reply_id) == "completed"
    (held,) = talk.fakes.engine.held.values()
    assert held.variables["action"] == {"value": "yes", "type": "String"}


async def test_nothing_waits_after_a_whole_conversation(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, FORM, FORM_KEYS)
    for text in ("Ann", "41"):
        await talk.say(ann, text)
    await talk.tap(ann, "No")
    async with talk.db.begin() as tx:
        assert not await claim(tx, outbox.SENDING, 10, 60)
        assert not await claim(tx, outbox.CHANGES, 10, 60)
    assert {prompt.state for prompt in await all_of(talk.db, Prompt)} <= {"sent", "retired"}


# genuine buttons that no longer mean anything


async def tap_signed(
    talk: Conversation, person: int, reply_id: int, item: str, option: str = "", *, menu: bool = False
) -> str:
    """Tap a button that we once made, whatever is shown now; what pops up."""
    key = derive_key(TOKEN)
    data = sign(reply_id, item, option, person if menu else None, key)
    tap = await talk.telegram.press(person, await talk.telegram.last(person), data=data, stale=True)
    await talk.turn()
    return await talk.telegram.toast(tap)


@pytest.mark.parametrize(
    ("item", "option"),
    [("z", ""), ("q9", "0"), ("a9", ""), ("a", ""), ("q", "0"), ("ax", ""), ("q0", "99"), ("q0", "s")],
)
async def test_a_button_that_means_nothing_in_its_step_changes_nothing(
    talk: Conversation, item: str, option: str
) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.type": "boolean", "form_a.required": "true"}
    reply_id = await talk.ask(ann, {"form_a": None, **SURE}, keys)
    toast = await tap_signed(talk, ann, reply_id, item, option)
    assert toast in {texts.say("outdated"), texts.say("already-here")}
    row = await talk.reply(reply_id)
    assert (row.state, row.answers) == ("posted", {})


@pytest.mark.parametrize("item", ["zz", "ts", "cl", "gs"])
async def test_a_menu_button_that_means_nothing_changes_nothing(talk: Conversation, item: str) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/help")
    toast = await tap_signed(talk, ann, 0, item, "4711", menu=True)
    assert toast in {texts.say("outdated"), texts.say("not-an-admin")}


async def test_a_button_of_a_step_that_was_forgotten_is_out_of_date(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/help")
    assert await tap_signed(talk, ann, 4711, "a0") == texts.say("outdated")


async def test_a_button_of_a_step_that_became_an_incident_is_out_of_date(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    async with talk.db.begin() as tx:
        await transitions.give_up(tx, reply_id, "no such picture")
    assert await tap_signed(talk, ann, reply_id, "a0") == texts.say("outdated")


async def test_a_step_is_answered_in_its_own_chat(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    reply_id = await talk.ask(group, SURE)
    await talk.say(ann, "/help")
    assert await tap_signed(talk, ann, reply_id, "a0") == texts.say("not-yours")
    assert await state(talk, reply_id) == "posted"


async def test_a_choice_of_a_form_that_is_not_open_waits_for_the_open_one(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_a.type": "boolean", "form_b.type": "boolean"}
    first = await talk.ask(ann, {"form_a": None, "form_b": None}, keys)
    second = await talk.ask(ann, {"form_c": None})
    async with talk.db.begin() as tx:
        await transitions.close_dialog(tx, first)
        await transitions.open_dialog(tx, second, ann)
    assert await talk.tap(ann, "Yes") == texts.say("busy-with-another")
    assert (await talk.reply(first)).answers == {}


async def test_a_review_is_not_submitted_early_nor_edited_under_another_form(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"review": "true", "form_name.required": "true"}
    reply_id = await talk.ask(ann, {"form_name": None}, keys)
    assert await tap_signed(talk, ann, reply_id, "r", "1") == texts.say("already-here")
    assert await tap_signed(talk, ann, reply_id, "e", "0") == texts.say("already-here")
    await talk.say(ann, "Ann")
    await talk.ask(ann, {"form_other": None}, {"form_other.required": "true"})
    await talk.tap(ann, "Edit")
    assert await talk.tap(ann, "name: Ann") == texts.say("busy-with-another")
    await talk.tap(ann, texts.say("button-back"))
    await talk.tap(ann, "Submit")
    assert await state(talk, reply_id) == "answered"


async def test_an_address_is_given_to_telegram_and_one_that_it_cannot_fetch_is_the_authors_error(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    with pytest.raises(AuthorError, match="Failed to get http url content"):
        await talk.ask(ann, {"photo_x": "https://example.org/x.png"})
    (call,) = await talk.telegram.calls("sendPhoto")
    assert call["params"]["photo"] == "https://example.org/x.png"


# groups: copies, anonymity, moving house


async def test_a_reply_to_a_copy_of_a_groups_question_whose_answer_was_lost_counts(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    await talk.telegram.fault("lost_answer", "sendMessage")
    with pytest.raises(Exception, match="does not answer"):
        await talk.ask(group, {"form_a": None}, {"form_a.required": "true"})
    await lapse(talk.db, Prompt)
    await talk.send()
    first, *_ = [
        each for each in await talk.telegram.shown(group) if each["from"]["id"] == talk.telegram.bot_id
    ]
    await talk.say(ann, "one", group, reply_to=first["message_id"])
    (row,) = await all_of(talk.db, PendingReply)
    assert variables(row) == {"form_a": "one"}


async def unknown_copy(talk: Conversation, chat_id: int, label: str) -> tuple[int, Json]:
    """A question in a chat that was accepted twice; the step, and the copy that no row knows."""
    with_label = {"form_a.required": "true", "form_a.label": label}
    await talk.telegram.fault("lost_answer", "sendMessage")
    with pytest.raises(Exception, match="does not answer"):
        await talk.ask(chat_id, {"form_a": None}, with_label)
    await lapse(talk.db, Prompt)
    await talk.send()
    copies = [each for each in await talk.telegram.shown(chat_id) if label in each.get("text", "")]
    rows = [row for row in await all_of(talk.db, PendingReply) if row.state == "posted"]
    return rows[-1].id, copies[0]


async def test_a_reply_to_a_copy_of_an_answered_question_does_not_answer_another_one(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    first, copy = await unknown_copy(talk, group, "How many?")
    known = await talk.telegram.last(group)
    await talk.say(ann, "one", group, reply_to=known["message_id"])
    second = await talk.ask(group, {"form_b": None}, {"form_b.required": "true", "form_b.label": "Why?"})
    await talk.say(ann, "two", group, reply_to=copy["message_id"])
    assert variables(await talk.reply(first)) == {"form_a": "one"}
    assert await state(talk, second) == "posted"


async def test_in_private_too_a_reply_to_a_copy_answers_what_the_copy_asked(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    first, copy = await unknown_copy(talk, ann, "How many?")
    await talk.say(ann, "one")
    second = await talk.ask(ann, {"form_b": None}, {"form_b.required": "true", "form_b.label": "Why?"})
    await talk.say(ann, "two", reply_to=copy["message_id"])
    assert variables(await talk.reply(first)) == {"form_a": "one"}
    assert await state(talk, second) == "posted"
    assert await talk.last(ann) == texts.say("already-here")


@pytest.mark.parametrize("place", ["private", "group"])
async def test_a_reply_to_a_copy_that_two_steps_may_have_asked_is_asked_for_again(
    talk: Conversation, place: str
) -> None:
    ann = await talk.telegram.ann()
    chat_id = ann if place == "private" else await talk.telegram.group(ann)
    first, copy = await unknown_copy(talk, chat_id, "How many?")
    await talk.say(ann, "one", chat_id, reply_to=(await talk.telegram.last(chat_id))["message_id"])
    again = {"form_a.required": "true", "form_a.label": "How many?"}
    second = await talk.ask(chat_id, {"form_a": None}, again)
    await talk.say(ann, "two", chat_id, reply_to=copy["message_id"])
    assert [await state(talk, each) for each in (first, second)] == ["answered", "posted"]
    assert await talk.last(chat_id) == texts.say("which-question")


async def test_an_anonymous_administrator_is_not_taken_for_an_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, admins=[ann])
    await talk.telegram.control(
        "PATCH", f"/chats/{group}/members/{ann}", status="administrator", is_anonymous=True
    )
    reply_id = await talk.ask(group, {"form_a": None, "s3_f": "F"}, {"form_a.required": "true"})
    question = await talk.telegram.last(group)
    await talk.say(ann, "secretly", group, reply_to=question["message_id"], anonymous=True)
    assert await talk.last(group) == texts.say("anonymous-admin")
    document = {"name": "a.txt", "content_base64": "YQ=="}
    await talk.telegram.send(ann, group, document=document, reply_to=question["message_id"], anonymous=True)
    await talk.turn()
    assert await talk.last(group) == texts.say("anonymous-admin")
    assert (await talk.reply(reply_id)).answers == {}


async def test_a_step_moves_with_its_group(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, type="group", privacy=False)
    await talk.say(ann, "hi", group)
    reply_id = await talk.ask(group, {"form_a": None}, {"form_a.required": "true"})
    moved = await talk.telegram.control("POST", f"/chats/{group}/migrate")
    await talk.turn()
    new_id = moved["migrate_to_chat_id"]
    assert (await talk.reply(reply_id)).chat_id == new_id
    assert await groups_of(talk) == {new_id: True}


@pytest.mark.parametrize("place", ["private", "supergroup"])
async def test_only_a_group_becomes_a_supergroup(talk: Conversation, place: str) -> None:
    """Telegram says so in a group; anywhere else it would carry a person's steps away."""
    ann = await talk.telegram.ann()
    chat_id = ann if place == "private" else await talk.telegram.group(ann, privacy=False)
    await talk.say(ann, "hi", chat_id)
    reply_id = await talk.ask(chat_id, SURE)
    asked, known = await talk.reply(reply_id), await groups_of(talk)
    for service in ({"migrate_to_chat_id": -1009999999999}, {"migrate_from_chat_id": -9999}):
        await talk.telegram.send(ann, chat_id, content=service)
        await talk.turn()
    assert (await talk.reply(reply_id)).chat_id == asked.chat_id
    assert await groups_of(talk) == known


async def test_what_is_neither_text_nor_file_gets_a_hint_in_private(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.telegram.send(ann, contact={"phone_number": "+1", "first_name": "Bob"})
    await talk.turn()
    assert await talk.last(ann) == texts.say("send-something-else")
    before = await talk.telegram.texts(ann)
    await talk.telegram.send(ann, content={"pinned_message": None, "delete_chat_photo": True})
    await talk.turn()
    assert await talk.telegram.texts(ann) == before, "news of the chat are nobody's words"
