"""What a person can look up: what waits for them, where their processes stand, what they answered."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from shared import texts
from tests.fakes.conversation import Conversation
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions

SURE = {"text_a": "Sure?", "action_yes": "Yes, sure"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def test_tasks_says_what_waits_by_title_process_and_time_and_turns_pages(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    for number in range(11):
        await talk.ask(ann, SURE, {"title": f"Step {number}"})
    await talk.say(ann, "/tasks")
    heading, *lines = (await talk.last(ann)).splitlines()
    assert heading == "This waits for you (1 to 8 of 11):"
    assert [line.split(" — ")[0] for line in lines] == [f"• Step {number}" for number in range(8)]
    assert ", since " in lines[0]
    await talk.tap(ann, "›")
    assert (await talk.last(ann)).splitlines()[0] == "This waits for you (9 to 11 of 11):"
    await talk.tap(ann, "Show: Step 10")
    assert (await talk.last(ann)).startswith("Step 10")


async def test_tasks_says_when_a_step_is_due(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    timed = {"escalate_after": "PT2H", "escalate_to": str(bob), "reminder_after": "PT1H"}
    await talk.ask(
        ann,
        SURE,
        {"title": "Both", "expires_after": "P1D", "on_expire": "LATE", **timed},
        catches=["LATE"],
    )
    await talk.ask(ann, SURE, {"title": "Handed over", **timed})
    await talk.ask(ann, SURE, {"title": "Reminded", "reminder_after": "PT1H"})
    await talk.say(ann, "/tasks")
    now = datetime.now(UTC)
    soon = [f"{now + timedelta(hours=2, minutes=by):%d.%m. %H:%M}" for by in (-1, 0)]
    late = [f"{now + timedelta(days=1, minutes=by):%d.%m. %H:%M}" for by in (-1, 0)]
    both, handed_over, reminded = (await talk.last(ann)).splitlines()[1:]
    assert both.partition(", due ")[2] in late
    assert handed_over.partition(", due ")[2] in soon
    assert "due" not in reminded


async def test_nothing_in_the_list_of_tasks_is_tappable_but_its_buttons(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, {"title": "/cancel @ann https://evil.example <a href='https://e.org'>x</a>"})
    await talk.say(ann, "/tasks")
    shown = await talk.telegram.last(ann)
    assert {entity["type"] for entity in shown["entities"]} == {"bold"}
    assert len(captions(shown)) == 1


@pytest.mark.parametrize("thread", [None, 7])
async def test_a_button_of_the_tasks_leads_to_a_groups_message(
    talk: Conversation, thread: int | None
) -> None:
    bob = await talk.telegram.ann("Bob")
    group = await talk.telegram.group(bob, forum=thread is not None)
    keys = {"title": "Ours", "claim": "true"}
    if thread is not None:
        made = await talk.telegram.control("POST", f"/chats/{group}/topics", **{"from": bob}, name="T")
        thread = made["message_thread_id"]
        keys["thread"] = str(thread)
    await talk.ask(group, SURE, keys)
    await talk.tap(bob, texts.say("button-claim"), group)
    message = await talk.telegram.last(group)
    await talk.say(bob, "/tasks")
    ((button,),) = (await talk.telegram.last(bob))["reply_markup"]["inline_keyboard"]
    place = f"{-group - 10**12}" + (f"/{thread}" if thread else "")
    assert button == {"text": "Show: Ours", "url": f"https://t.me/c/{place}/{message['message_id']}"}


async def test_a_step_of_a_group_without_addresses_is_said_to_be_there(talk: Conversation) -> None:
    bob = await talk.telegram.ann("Bob")
    group = await talk.telegram.group(bob, type="group")
    await talk.ask(group, SURE, {"title": "Ours", "claim": "true"})
    await talk.tap(bob, texts.say("button-claim"), group)
    await talk.say(bob, "/tasks")
    await talk.tap(bob, "Show: Ours")
    assert await talk.last(bob) == texts.say("answer-in-group")
    assert len(await talk.telegram.texts(group)) == 1


async def test_a_groups_step_waits_for_who_took_it(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(ann, bob)
    await talk.ask(group, SURE, {"title": "Ours", "claim": "true"})
    await talk.tap(bob, texts.say("button-claim"), group)
    await talk.say(ann, "/tasks")
    assert await talk.last(ann) == texts.say("no-tasks")
    await talk.say(bob, "/tasks")
    assert "Ours" in await talk.last(bob)


async def test_history_says_what_was_answered_newest_first(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/history")
    assert await talk.last(ann) == texts.say("no-history")
    await talk.ask(ann, {"form_a": None, **SURE}, {"title": "First <b>", "form_a.required": "true"})
    await talk.say(ann, "One")
    await talk.tap(ann, "Yes, sure")
    await talk.ask(ann, SURE, {"title": "Second"})
    await talk.tap(ann, "Yes, sure")
    await talk.say(ann, "/history")
    told = [line.split(" ", 3)[-1] for line in (await talk.last(ann)).splitlines()[1:]]
    assert told == ["Second: Yes, sure", "First <b>: One, Yes, sure"]


async def test_status_shows_where_a_running_instance_stands(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/status")
    assert await talk.last(ann) == texts.say("no-status")
    await talk.ask(ann, SURE, {"title": "It"})
    await talk.say(ann, "/status")
    await talk.tap(ann, "audit")
    assert await talk.last(ann) == "audit stands at: ask", "in words where the file has no diagram"
    await talk.tap(ann, "Yes, sure")
    await talk.complete()
    await talk.say(ann, "/status")
    assert await talk.last(ann) == texts.say("no-status")


@pytest.mark.parametrize("command", ["/status", "/history", "/new"])
async def test_what_is_personal_is_told_in_private(talk: Conversation, command: str) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    await talk.say(ann, f"{command}@stepgram_bot", group)
    assert await talk.last(group) == texts.say("groups-in-private")


async def test_nobody_sees_where_anothers_instance_stands(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.ask(ann, SURE, {"title": "It"})
    await talk.say(ann, "/status")
    menu = await talk.message_with(ann, "audit")
    data = menu["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await talk.say(bob, "/status")
    own = await talk.telegram.last(bob)
    tap = await talk.telegram.press(bob, own, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("outdated")


async def test_the_diagram_is_sent_as_a_picture(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await talk.telegram.ann()
    target = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(target, "PNG")
    monkeypatch.setattr("bot.overview.draw", lambda xml, here, done: target.getvalue())
    await talk.ask(ann, SURE, {"title": "It"})
    await talk.say(ann, "/status")
    await talk.tap(ann, "audit")
    shown = await talk.telegram.last(ann)
    assert shown["caption"] == "audit stands at: ask"
    assert shown["photo"]
