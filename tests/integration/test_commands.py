"""The commands and the menus that they open."""

import asyncio
from typing import Any

import pytest

from bot import commands
from shared import texts
from shared.models import Person
from tests.fakes.conversation import Conversation
from tests.fakes.rows import all_of
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions
from tests.fakes.waiting import running, until

SURE = {"text_a": "Sure?", "action_yes": "Yes"}
FORM: dict[str, Any] = {"form_a": None, "form_b": None}
FORM_KEYS = {"title": "The form", "form_a.required": "true", "form_b.required": "true"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def test_start_greets_and_has_an_engine_user_made(talk: Conversation) -> None:
    ann = await talk.telegram.ann("Ann <3")
    await talk.say(ann, "/start")
    assert (await talk.last(ann)).startswith("Hello Ann <3. I bring you")
    (row,) = await all_of(talk.db, Person)
    assert (row.user_id, row.first_name, row.username, row.state) == (ann, "Ann <3", "ann <3", "queued")


async def test_help_tells_every_command(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/help")
    text = await talk.last(ann)
    assert all(f"/{name}" in text for name in commands.COMMANDS if name != "start")


@pytest.mark.parametrize("text", ["/nonsense", "/", "/Start_", "/tasksx"])
async def test_an_unknown_command_is_told_so(talk: Conversation, text: str) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, text)
    assert await talk.last(ann) == (
        texts.say("unknown-command") if len(text) > 1 else texts.say("nothing-open")
    )


@pytest.mark.parametrize("text", ["/HELP", "/help@stepgram_bot", "/help@STEPGRAM_BOT more words"])
async def test_a_command_is_known_in_any_case_and_by_the_bots_name(talk: Conversation, text: str) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, text)
    assert "I bring you" in await talk.last(ann)


async def test_a_command_to_another_bot_is_not_for_us(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, privacy=False)
    await talk.say(ann, "/help@another_bot", group)
    await talk.say(ann, "/nonsense", group)
    assert await talk.telegram.texts(group) == [], "and a group hears of no unknown command"


async def test_a_command_within_a_text_is_an_answer(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, FORM, FORM_KEYS)
    await talk.say(ann, "see /help for that")
    assert (await talk.reply(reply_id)).answers["form_a"]["value"] == "see /help for that"


@pytest.mark.parametrize("text", ["/tasks", "/cancel", "/start"])
async def test_what_is_personal_is_told_in_private(talk: Conversation, text: str) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    await talk.say(ann, f"{text}@stepgram_bot", group)
    message = await talk.telegram.last(group)
    assert message["text"] == texts.say("groups-in-private")
    assert message["reply_to_message"]["from"]["id"] == ann


# /tasks


async def test_tasks_shows_what_waits_and_shows_it_again(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/tasks")
    assert await talk.last(ann) == texts.say("no-tasks")
    await talk.ask(ann, SURE, {"title": "Approval of a very long title that goes on and on"})
    first = await talk.message_with(ann, "Yes")
    await talk.say(ann, "/tasks")
    (caption,) = captions(await talk.telegram.last(ann))
    assert caption.startswith("Show: Approval of a very long title")
    assert len(caption) <= 46
    await talk.tap(ann, caption)
    again = await talk.message_with(ann, "Yes")
    assert again["message_id"] != first["message_id"]
    shown = {each["message_id"]: each for each in await talk.telegram.shown(ann)}
    assert captions(shown[first["message_id"]]) == [], "the older copy has lost its buttons"
    await talk.tap(ann, "Yes")
    await talk.say(ann, "/tasks")
    assert await talk.last(ann) == texts.say("no-tasks")


async def test_tasks_shows_a_form_at_the_question_where_it_stands(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, {"text_a": "Hello", **FORM}, FORM_KEYS)
    await talk.say(ann, "one")
    await talk.say(ann, "/tasks")
    await talk.tap(ann, "Show: The form")
    assert (await talk.telegram.texts(ann))[-2:] == ["The form\n\nHello", "2 of 2: b"]


async def test_tasks_of_a_step_that_is_over_says_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, {"title": "T"})
    await talk.say(ann, "/tasks")
    await talk.tap(ann, "Yes")
    assert await talk.tap(ann, "Show: T") == texts.say("outdated")


# /cancel


async def test_cancel_with_nothing_to_cancel_says_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE)
    await talk.say(ann, "/cancel")
    assert await talk.last(ann) == texts.say("cancel-nothing")


async def test_a_form_can_be_left_and_gone_on_with(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, FORM, FORM_KEYS)
    await talk.say(ann, "one")
    await talk.say(ann, "/cancel")
    await talk.tap(ann, "Leave: The form")
    assert await talk.last(ann) == "You left “The form”. Your answers so far are kept."
    await talk.say(ann, "to nobody")
    assert await talk.last(ann) == texts.say("nothing-open")
    await talk.tap(ann, "Answer")
    assert await talk.last(ann) == "2 of 2: b"
    await talk.say(ann, "two")
    row = await talk.reply(reply_id)
    assert {name: kept["value"] for name, kept in row.answers.items()} == {"form_a": "one", "form_b": "two"}


@pytest.mark.parametrize("code", [None, "GIVEN_UP"])
async def test_a_step_that_may_be_cancelled_is_cancelled_after_a_question(
    talk: Conversation, code: str | None
) -> None:
    ann = await talk.telegram.ann()
    keys = {"title": "T", "cancellable": "true"} | ({"on_cancel": code} if code else {})
    reply_id = await talk.ask(ann, SURE, keys, catches=[code] if code else [])
    await talk.say(ann, "/cancel")
    await talk.tap(ann, "Cancel: T")
    assert await talk.last(ann) == "Really cancel “T”?"
    await talk.tap(ann, texts.say("button-cancel-no"))
    assert (await talk.reply(reply_id)).state == "posted"
    await talk.say(ann, "/cancel")
    await talk.tap(ann, "Cancel: T")
    await talk.tap(ann, texts.say("button-cancel-yes"))
    row = await talk.reply(reply_id)
    assert row.outcome is not None
    assert row.outcome["kind"] == ("bpmn_error" if code else "cancel_instance")
    assert row.outcome.get("code") == code
    assert f"tg_user_{ann}" in str(row.outcome)
    assert texts.say("cancel-done") in await talk.telegram.texts(ann)
    assert await talk.buttons(ann) == []


async def test_nobody_cancels_for_somebody_else(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, SURE, {"cancellable": "true", "title": "T"})
    await talk.say(ann, "/cancel")
    menu = await talk.message_with(ann, "Cancel: T")
    data = menu["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await talk.say(bob, "/help")
    tap = await talk.telegram.press(bob, await talk.telegram.last(bob), data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("outdated")
    assert (await talk.reply(reply_id)).state == "posted"


# people


async def test_a_tap_on_a_menu_forgets_nothing_of_a_person(talk: Conversation) -> None:
    user = await talk.telegram.control(
        "POST", "/users", first_name="Ann", last_name="Lee", username="ann", language_code="de"
    )
    await talk.telegram.say(user["id"], "/start")
    await talk.ask(user["id"], SURE, {"title": "T"})
    await talk.say(user["id"], "/tasks")
    await talk.tap(user["id"], "Show: T")
    (row,) = await all_of(talk.db, Person)
    assert (row.last_name, row.username, row.language_code, row.state) == ("Lee", "ann", "de", "queued")


# registration


async def test_the_commands_are_registered_until_telegram_listens(talk: Conversation) -> None:
    await talk.telegram.fault("500", "setMyCommands")
    part = commands.registration(talk.fakes.services)

    async def registered() -> bool:
        calls = await talk.telegram.calls("setMyCommands")
        return bool(calls) and calls[-1]["ok"]

    async with running(part):
        await until(registered, "the commands are registered")
    names = [each["command"] for each in await talk.telegram.call("getMyCommands")]
    assert names == list(commands.COMMANDS)


async def test_a_registration_that_fails_can_be_stopped(talk: Conversation) -> None:
    await talk.telegram.fault("500", "setMyCommands", count=100)
    async with running(commands.registration(talk.fakes.services)):
        await asyncio.sleep(0.1)
