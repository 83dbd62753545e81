"""What happens by itself while a step waits: reminders, escalation, expiry; each once, and never too late."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, text

from shared import outbox, texts, transitions
from shared.deadlines import DEADLINES, MAX_REMINDERS
from shared.models import Deadline, PendingReply, Prompt
from shared.queues import LostClaim, claim
from shared.telegram.sender import Sender
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, change, get, lapse, nothing_waits, time_passes
from tests.fakes.services import Fakes, settings_with
from tests.fakes.telegram import Telegram, captions
from tests.fakes.waiting import running, until
from workers import registry
from workers.deadlines import Deadlines
from workers.parker import Parker

SURE = {"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"}
FORM: dict[str, Any] = {"text_a": "Please tell.", "form_name": None, "form_town": None}
FORM_KEYS = {
    "form_name.label": "Your name",
    "form_name.required": "true",
    "form_town.label": "Your town",
    "form_town.required": "true",
}
HOUR = 3600
REMIND = {"title": "Trip", "reminder_after": "PT1H"}
NO_KEYS: dict[str, str] = {}
EXPIRE = {"title": "Trip", "expires_after": "PT1H", "on_expire": "LATE"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


def escalate_to(chat_id: int) -> dict[str, str]:
    return {"title": "Trip", "escalate_after": "PT1H", "escalate_to": str(chat_id)}


async def expiring(talk: Conversation, chat: int, inputs: Any = SURE, keys: Any = NO_KEYS) -> int:
    """A step that expires after an hour."""
    return await talk.ask(chat, inputs, {**EXPIRE, **keys}, catches=["LATE"])


async def hours_pass(talk: Conversation, hours: float) -> int:
    """Let time pass and do what has come due; how many deadlines that were."""
    await time_passes(talk.db, hours * HOUR)
    return await talk.meet_deadlines()


async def state(talk: Conversation, reply_id: int) -> str:
    return (await talk.reply(reply_id)).state


async def reminders(talk: Conversation, chat_id: int) -> list[str]:
    """The reminders that a chat shows."""
    return [words for words in await talk.telegram.texts(chat_id) if "still waits" in words]


async def reminders_sent(talk: Conversation) -> int:
    return len(await all_of(talk.db, Prompt, Prompt.kind == "reminder"))


async def held(talk: Conversation) -> Deadline:
    """The one deadline, come and claimed."""
    async with talk.db.begin() as tx:
        (row,) = await claim(tx, DEADLINES, 10, 60)
    return row


# rows


async def statements_of_parking(talk: Conversation, properties: dict[str, str]) -> int:
    """How many statements it takes to park one step of somebody new."""
    ann = await talk.telegram.ann()
    task = talk.fakes.engine.give({"telegram_user_id": ann, **SURE}, properties, catches=["LATE"])
    await talk.fakes.engine.lock(task.id, talk.fakes.settings.worker_id, 30)
    seen: list[str] = []

    def see(_0: Any, _1: Any, statement: str, *_2: Any) -> None:
        seen.append(statement)

    event.listen(talk.db.engine.sync_engine, "before_cursor_execute", see)
    try:
        await Parker(talk.fakes.services, registry.human_topics()).park(task)
    finally:
        event.remove(talk.db.engine.sync_engine, "before_cursor_execute", see)
    return len(seen)


async def test_all_deadlines_of_a_step_cost_one_statement_and_none_where_it_has_none(
    talk: Conversation,
) -> None:
    plain = await statements_of_parking(talk, {})
    assert await all_of(talk.db, Deadline) == []
    timed = {**REMIND, **EXPIRE, **escalate_to(7)}
    assert await statements_of_parking(talk, timed) == plain + 1
    kinds = {row.kind: row.every_s for row in await all_of(talk.db, Deadline)}
    assert kinds == {"remind": HOUR, "escalate": HOUR, "expire": HOUR}


async def test_a_deadline_of_a_step_that_is_over_does_nothing_and_goes(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    reply_id = await expiring(talk, ann, keys=REMIND | escalate_to(bob))
    await talk.tap(ann, "Yes")
    await talk.complete()
    before = await talk.telegram.texts(ann)
    assert await hours_pass(talk, 100) == 3
    assert await state(talk, reply_id) == "completed"
    assert await talk.telegram.texts(ann) == before
    assert await all_of(talk.db, Deadline) == []


async def test_deadlines_go_with_their_step(talk: Conversation) -> None:
    await expiring(talk, await talk.telegram.ann())
    async with talk.db.begin() as tx:
        await tx.execute(text("DELETE FROM pending_replies"))
    assert await all_of(talk.db, Deadline) == []


async def test_a_claim_that_lapsed_lets_another_one_do_it_and_the_late_holder_changes_nothing(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann)
    await time_passes(talk.db, HOUR)
    late = await held(talk)  # its process stands still
    assert await talk.meet_deadlines() == 0
    await lapse(talk.db, Deadline)
    assert await talk.meet_deadlines() == 1
    assert await state(talk, reply_id) == "answered"
    with pytest.raises(LostClaim):
        await Deadlines(talk.fakes.services).meet(late)
    assert await talk.meet_deadlines() == 0


async def test_a_worker_meets_deadlines_that_come(talk: Conversation) -> None:
    reply_id = await expiring(talk, await talk.telegram.ann())
    await time_passes(talk.db, HOUR)

    async def is_over() -> bool:
        return await state(talk, reply_id) == "answered"

    async with running(Deadlines(talk.fakes.services).loop().run):
        await until(is_over, "it has expired")
    assert await nothing_waits(talk.db, DEADLINES)


# reminders


async def test_nobody_is_reminded_before_the_time(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    assert await hours_pass(talk, 0.99) == 0
    assert await reminders(talk, ann) == []


async def test_a_reminder_replies_to_its_prompt_and_shows_the_step_anew(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE, REMIND)
    prompt = await talk.message_with(ann, "Yes")
    assert await hours_pass(talk, 1) == 1
    reminder = await talk.telegram.last(ann)
    assert reminder["text"] == "Trip still waits for an answer."
    assert reminder["reply_to_message"]["message_id"] == prompt["message_id"]
    assert captions(reminder) == [texts.say("button-show-step")]
    (row,) = await all_of(talk.db, Prompt, Prompt.kind == "reminder")
    assert (row.pending_reply_id, row.priority) == (reply_id, outbox.REMINDER)

    assert await talk.tap(ann, texts.say("button-show-step")) == ""
    assert await talk.buttons(ann) == ["Yes", "No"]
    assert await reminders(talk, ann) == []
    await talk.tap(ann, "Yes")
    assert await state(talk, reply_id) == "answered"


async def test_reminders_come_at_doubling_intervals_a_bounded_number_of_times(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    came = []
    for hour in range(1, 80):
        came += [hour] * await hours_pass(talk, 1)
        assert len(await reminders(talk, ann)) == min(len(came), 1), "the one before is taken away"
    assert came == [1, 3, 7, 15, 31]
    assert len(came) == MAX_REMINDERS
    assert await all_of(talk.db, Deadline) == []


async def test_of_processes_that_race_one_reminds(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    await time_passes(talk.db, HOUR)
    await asyncio.gather(*(talk.meet_deadlines() for _ in range(4)))
    assert await reminders_sent(talk) == 1


async def test_of_two_holders_of_one_deadline_one_reminds(talk: Conversation) -> None:
    """The claim of the first has lapsed while it worked."""
    await talk.ask(await talk.telegram.ann(), SURE, REMIND)
    await time_passes(talk.db, HOUR)
    first = await held(talk)
    await lapse(talk.db, Deadline)
    second = await held(talk)
    meets = Deadlines(talk.fakes.services)
    done = await asyncio.gather(meets.meet(first), meets.meet(second), return_exceptions=True)
    assert [type(each) for each in done] == [LostClaim, type(None)]
    assert await reminders_sent(talk) == 1


async def test_a_reminder_goes_when_its_step_is_answered(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    await hours_pass(talk, 1)
    await talk.tap(ann, "Yes")
    assert await reminders(talk, ann) == []
    assert await hours_pass(talk, 100) == 1
    assert await reminders(talk, ann) == []


async def test_a_reminder_that_is_not_yet_sent_is_not_sent_when_its_step_is_over(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    await time_passes(talk.db, HOUR)
    await Deadlines(talk.fakes.services).meet(await held(talk))
    await talk.tap(ann, "Yes")
    assert await reminders(talk, ann) == []
    (row,) = await all_of(talk.db, Prompt, Prompt.kind == "reminder")
    assert (row.state, row.message_id) == ("retired", None)


async def test_a_reminder_on_its_way_when_its_step_ends_is_taken_away(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE, REMIND)
    await time_passes(talk.db, HOUR)
    await Deadlines(talk.fakes.services).meet(await held(talk))
    sent = asyncio.Event()
    send = talk.fakes.services.bot.send_message

    async def slow(*given: Any, **more: Any) -> Any:
        message = await send(*given, **more)
        async with talk.db.begin() as tx:
            await transitions.withdrawn(tx, reply_id)
        sent.set()
        return message

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(talk.fakes.services.bot), "send_message", lambda bot, *a, **k: slow(*a, **k))
        await talk.send()
    assert sent.is_set()
    await lapse(talk.db, Prompt)
    await talk.send()
    assert await reminders(talk, ann) == []


async def test_a_reminder_that_nobody_knows_to_be_sent_goes_when_it_is_touched(talk: Conversation) -> None:
    """Its sender died before it could note that, and the step was answered before another one tried."""
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    await time_passes(talk.db, HOUR)
    await Deadlines(talk.fakes.services).meet(await held(talk))
    await talk.telegram.fault("lost_answer", "sendMessage")
    with pytest.raises(Exception, match="does not answer"):
        await talk.send()
    await talk.tap(ann, "Yes")
    await lapse(talk.db, Prompt)
    await talk.send()
    assert await talk.buttons(ann) == [texts.say("button-show-step")]
    assert (await talk.tap(ann, texts.say("button-show-step"))).startswith("Already answered by Ann")
    assert await talk.buttons(ann) == []


async def test_a_reminder_that_is_too_old_to_delete_loses_its_button(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND | {"reminder_after": "P3D"})
    await hours_pass(talk, 72)
    await talk.telegram.advance(49 * HOUR)
    await talk.tap(ann, "Yes")
    assert len(await reminders(talk, ann)) == 1
    assert await talk.buttons(ann) == []


async def test_nobody_is_reminded_in_quiet_hours(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    talk.fakes.settings = talk.fakes.settings.model_copy(update={"quiet_hours": hours})
    await talk.ask(ann, SURE, REMIND)
    assert await hours_pass(talk, 1) == 1
    assert await reminders(talk, ann) == []
    (row,) = await all_of(talk.db, Deadline)
    end = (now + timedelta(hours=2)).replace(second=0, microsecond=0)
    assert (row.done, row.due_at) == (0, end)
    talk.fakes.settings = settings_with(telegram_api_url=talk.fakes.settings.telegram_api_url)
    assert await hours_pass(talk, 2) == 1
    assert len(await reminders(talk, ann)) == 1


async def test_who_has_just_had_the_step_shown_is_reminded_later(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND)
    await time_passes(talk.db, 0.5 * HOUR)
    await talk.say(ann, "/tasks")
    await talk.tap(ann, "Show: Trip")
    assert await hours_pass(talk, 0.6) == 1
    assert await reminders(talk, ann) == []
    assert await hours_pass(talk, 0.3) == 0
    assert await hours_pass(talk, 0.2) == 1
    assert len(await reminders(talk, ann)) == 1


async def test_who_cannot_be_reached_is_not_reminded_until_they_are_back(talk: Conversation) -> None:
    ann = await talk.telegram.person("Ann", started=False)
    reply_id = await talk.ask(ann, SURE, REMIND)
    assert await state(talk, reply_id) == "undeliverable"
    for _ in range(3):
        assert await hours_pass(talk, 1) == 1
    assert await reminders_sent(talk) == 0
    await talk.say(ann, "/start")
    assert await hours_pass(talk, 1) == 1
    assert len(await reminders(talk, ann)) == 1


async def test_a_step_that_is_held_back_is_not_reminded_of(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    talk.fakes.settings = talk.fakes.settings.model_copy(update={"chat_prompts_at_once": 1})
    await talk.ask(ann, SURE)
    await talk.ask(ann, SURE, REMIND)
    assert await hours_pass(talk, 1) == 1
    assert await reminders_sent(talk) == 0


async def test_a_reply_to_a_reminder_answers_the_question_that_is_open(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    reply_id = await talk.ask(group, FORM, FORM_KEYS | REMIND)
    await hours_pass(talk, 1)
    reminder = await talk.telegram.last(group)
    assert captions(reminder) == []
    await talk.say(ann, "Ann", group, reply_to=reminder["message_id"])
    assert (await talk.reply(reply_id)).answers["form_name"]["value"] == "Ann"
    assert await reminders(talk, group) == []


async def test_a_reminder_in_the_middle_of_a_form_leaves_its_question_open(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, FORM, FORM_KEYS | REMIND)
    await talk.say(ann, "Ann")
    await hours_pass(talk, 1)
    await talk.tap(ann, texts.say("button-show-step"))
    assert "Your town" in await talk.last(ann)
    await talk.say(ann, "Bern")
    assert variables(await talk.reply(reply_id)) == {"form_name": "Ann", "form_town": "Bern"}


# expiry


async def test_a_step_that_expires_says_until_when(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/settings Asia/Tokyo")
    reply_id = await expiring(talk, ann)
    until = datetime.fromisoformat((await talk.reply(reply_id)).step["until"])
    (row,) = await all_of(talk.db, Deadline)
    assert abs(row.due_at - until) < timedelta(seconds=5)
    with texts.speaking(texts.Voice(zone=ZoneInfo("Asia/Tokyo"))):
        told = texts.formats.moment(until)
    assert await talk.last(ann) == f"Trip\nuntil {told} Asia/Tokyo\n\nSure?"


async def test_a_step_whose_time_is_up_is_over_and_the_engine_gets_its_error(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann)
    assert await hours_pass(talk, 1) == 1
    assert (await talk.telegram.texts(ann))[0].endswith(texts.say("time-is-up-note"))
    assert await talk.buttons(ann) == []
    await talk.complete()
    row = await talk.reply(reply_id)
    assert (row.state, row.answered_by) == ("expired", None)
    assert talk.fakes.engine.held[row.external_task_id].error_code == "LATE"
    assert await talk.meet_deadlines() == 0
    await talk.complete()
    assert talk.fakes.engine.count("bpmn_error") == 1


@pytest.mark.parametrize("in_group", [False, True], ids=["private", "group"])
async def test_a_chat_without_buttons_is_told_by_a_message_that_the_time_is_up(
    talk: Conversation, in_group: bool
) -> None:
    ann = await talk.telegram.ann()
    chat = await talk.telegram.group(ann) if in_group else ann
    await expiring(talk, chat, FORM, FORM_KEYS)
    await hours_pass(talk, 1)
    assert await talk.last(chat) == f"Trip\n{texts.say('time-is-up-note')}"


async def test_who_never_saw_a_step_is_not_told_that_its_time_is_up(talk: Conversation) -> None:
    ann = await talk.telegram.person("Ann", started=False)
    await expiring(talk, ann, FORM, FORM_KEYS)
    await hours_pass(talk, 1)
    await talk.say(ann, "/start")
    assert not any(texts.say("time-is-up-note") in words for words in await talk.telegram.texts(ann))


async def test_of_processes_that_race_one_lets_a_step_expire(talk: Conversation) -> None:
    reply_id = await expiring(talk, await talk.telegram.ann())
    await time_passes(talk.db, HOUR)
    await asyncio.gather(*(talk.meet_deadlines() for _ in range(4)))
    await asyncio.gather(*(talk.complete() for _ in range(2)))
    assert await state(talk, reply_id) == "expired"
    assert talk.fakes.engine.count("bpmn_error") == 1


async def test_an_answer_before_the_expiry_counts(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann)
    await talk.tap(ann, "Yes")
    assert await hours_pass(talk, 1) == 1
    await talk.complete()
    assert await state(talk, reply_id) == "completed"
    assert talk.fakes.engine.count("bpmn_error") == 0


async def test_an_answer_after_the_expiry_is_told_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann)
    prompt = await talk.message_with(ann, "Yes")
    tap = await talk.telegram.press(ann, prompt, caption="Yes")
    await hours_pass(talk, 1)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("time-is-up")
    await talk.complete()
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    again = await talk.telegram.press(ann, prompt, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(again) == texts.say("time-is-up")
    assert await state(talk, reply_id) == "expired"


async def test_of_an_answer_and_an_expiry_at_once_one_wins_and_the_person_is_told_which(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    for _ in range(5):
        reply_id = await expiring(talk, ann)
        tap = await talk.telegram.press(ann, await talk.message_with(ann, "Yes"), caption="Yes")
        await time_passes(talk.db, HOUR)
        deadline = await held(talk)
        await asyncio.gather(talk.turn(), Deadlines(talk.fakes.services).meet(deadline))
        row = await talk.reply(reply_id)
        has_won = row.answered_by == ann
        assert transitions.has_expired(row) is not has_won
        assert await talk.telegram.toast(tap) == ("" if has_won else texts.say("time-is-up"))
        await talk.complete()
        assert await state(talk, reply_id) == ("completed" if has_won else "expired")
        await talk.send()
        assert await talk.buttons(ann) == []


@pytest.mark.parametrize("is_reply", [False, True], ids=["plain", "reply"])
async def test_words_after_the_expiry_are_told_so(talk: Conversation, is_reply: bool) -> None:
    ann = await talk.telegram.ann()
    await expiring(talk, ann, FORM, FORM_KEYS)
    asked = await talk.telegram.last(ann)
    await hours_pass(talk, 1)
    await talk.say(ann, "Ann", **({"reply_to": asked["message_id"]} if is_reply else {}))
    assert await talk.last(ann) == texts.say("time-is-up")


async def test_words_long_after_the_expiry_are_told_that_nothing_waits(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann, FORM, FORM_KEYS)
    await hours_pass(talk, 1)
    await change(talk.db, PendingReply, reply_id, answered_at=datetime.now(UTC) - timedelta(minutes=5))
    await talk.say(ann, "Ann")
    assert await talk.last(ann) == texts.say("nothing-open")


async def test_a_file_on_its_way_when_its_step_expires_goes_and_its_person_is_told(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann, {"s3_data": "The data"})
    document = {"name": "a.json", "content_base64": "e30=", "mime_type": "application/json"}
    await talk.telegram.send(ann, document=document)
    await talk.telegram.receive(talk.db)
    await talk.handle()
    await hours_pass(talk, 1)
    await talk.turn()
    assert texts.say("time-is-up") in await talk.telegram.texts(ann)
    assert (await talk.reply(reply_id)).answers == {}


async def test_who_cannot_be_reached_does_not_keep_a_step_from_expiring(talk: Conversation) -> None:
    ann = await talk.telegram.person("Ann", started=False)
    reply_id = await expiring(talk, ann)
    await hours_pass(talk, 1)
    await talk.complete()
    assert await state(talk, reply_id) == "expired"
    await talk.say(ann, "/start")
    assert not any("Sure?" in words for words in await talk.telegram.texts(ann))


async def test_an_engine_that_hands_out_an_expired_step_again_gets_its_error_again(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    reply_id = await expiring(talk, ann)
    await hours_pass(talk, 1)
    await talk.complete()
    before = await talk.telegram.texts(ann)
    task = talk.fakes.engine.held[(await talk.reply(reply_id)).external_task_id].task
    await Parker(talk.fakes.services, registry.human_topics()).park(task)
    assert await state(talk, reply_id) == "answered"
    await talk.complete()
    assert await state(talk, reply_id) == "expired"
    assert await talk.telegram.texts(ann) == before


async def test_a_step_that_is_opened_again_has_new_deadlines(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE, REMIND)
    await hours_pass(talk, 1)
    async with talk.db.begin() as tx:
        await transitions.withdrawn(tx, reply_id)
    task = talk.fakes.engine.held[(await talk.reply(reply_id)).external_task_id].task
    await Parker(talk.fakes.services, registry.human_topics()).park(task)
    (row,) = await all_of(talk.db, Deadline)
    assert (row.done, row.claim) == (0, None)
    left = row.due_at - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    await talk.send()
    assert await hours_pass(talk, 1) == 1
    assert len(await reminders(talk, ann)) == 1


# escalation


async def test_a_step_is_handed_over_and_answered_by_whom_it_went_to(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, SURE, escalate_to(bob))
    prompt = await talk.message_with(ann, "Yes")
    assert await hours_pass(talk, 1) == 1
    assert (await talk.telegram.texts(ann))[0].endswith(texts.say("handed-over-note"))
    assert (await talk.buttons(ann), await talk.buttons(bob)) == ([], ["Yes", "No"])
    row = await talk.reply(reply_id)
    assert (row.state, row.chat_id, row.recipient_id) == ("posted", bob, bob)

    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    tap = await talk.telegram.press(ann, prompt, data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("handed-over")
    assert await state(talk, reply_id) == "posted"
    assert await talk.tap(bob, "Yes") == ""
    assert (await talk.reply(reply_id)).answered_by == bob
    assert await hours_pass(talk, 100) == 0


async def test_answers_so_far_are_kept_for_whom_a_step_is_handed_over_to(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, FORM, FORM_KEYS | escalate_to(bob))
    await talk.say(ann, "Ann")
    await hours_pass(talk, 1)
    assert [words for words in await talk.telegram.texts(bob) if "Your town" in words]
    await talk.say(ann, "Rome")
    assert await talk.last(ann) == texts.say("nothing-open")
    await talk.say(bob, "Bern")
    assert variables(await talk.reply(reply_id)) == {"form_name": "Ann", "form_town": "Bern"}


async def test_a_correction_in_the_new_chat_does_not_meet_a_message_of_the_old_one(
    talk: Conversation,
) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, FORM, FORM_KEYS | escalate_to(bob))
    await talk.say(ann, "Ann")
    assert "message" in (await talk.reply(reply_id)).answers["form_name"]
    await hours_pass(talk, 1)
    assert "message" not in (await talk.reply(reply_id)).answers["form_name"]


async def test_a_reply_of_the_first_person_is_told_that_it_was_handed_over(talk: Conversation) -> None:
    """Also where anybody of the other chat may answer."""
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(bob)
    reply_id = await talk.ask(ann, FORM, FORM_KEYS | escalate_to(group))
    asked = await talk.telegram.last(ann)
    await hours_pass(talk, 1)
    await talk.say(ann, "Ann", reply_to=asked["message_id"])
    assert await talk.last(ann) == texts.say("handed-over")
    assert (await talk.reply(reply_id)).answers == {}


@pytest.mark.parametrize("to_group", [True, False], ids=["group", "person"])
async def test_what_somebody_of_a_group_has_taken_is_taken_from_them(
    talk: Conversation, to_group: bool
) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    first, second = await talk.telegram.group(ann), await talk.telegram.group(bob)
    chat = second if to_group else bob
    reply_id = await talk.ask(first, FORM, FORM_KEYS | escalate_to(chat) | {"claim": "true"})
    await talk.tap(ann, texts.say("button-claim"), first)
    await hours_pass(talk, 1)
    row = await talk.reply(reply_id)
    assert (row.claimed_by, row.claimed_by_name, row.dialog_open) == (None, None, not to_group)
    assert await talk.buttons(first) == []
    assert await talk.buttons(chat) == ([texts.say("button-claim")] if to_group else [])


async def test_votes_begin_anew_in_the_other_group(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    first, second = await talk.telegram.group(ann), await talk.telegram.group(ann, bob)
    reply_id = await talk.ask(first, SURE, escalate_to(second) | {"votes": "2"})
    await talk.tap(ann, "Yes", first)
    await hours_pass(talk, 1)
    await talk.tap(bob, "No", second)
    assert await state(talk, reply_id) == "posted"
    await talk.tap(ann, "No", second)
    assert variables(await talk.reply(reply_id))["action"] == "no"


@pytest.mark.parametrize("after", ["summarise", "delete"])
async def test_a_reminder_goes_whatever_is_to_be_left_of_a_step(talk: Conversation, after: str) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, REMIND | {"after": after})
    await hours_pass(talk, 1)
    await talk.tap(ann, "Yes")
    left = [words for words in await talk.telegram.texts(ann) if "Trip" in words]
    assert left == (["Trip\n✓ Yes · Ann"] if after == "summarise" else [])


async def test_of_processes_that_race_one_hands_over(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.ask(ann, SURE, escalate_to(bob))
    await time_passes(talk.db, HOUR)
    await asyncio.gather(*(talk.meet_deadlines() for _ in range(4)))
    assert len([words for words in await talk.telegram.texts(bob) if "Sure?" in words]) == 1


async def test_whom_a_step_was_handed_over_to_is_reminded_as_if_it_were_new(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    keys = escalate_to(bob) | {"escalate_after": "PT2H", "reminder_after": "PT1H"}
    await talk.ask(ann, SURE, keys)
    assert await hours_pass(talk, 1) == 1
    assert await hours_pass(talk, 1) == 1
    assert (await reminders(talk, ann), await reminders(talk, bob)) == ([], [])
    assert await hours_pass(talk, 1) == 1
    assert (await reminders(talk, ann), len(await reminders(talk, bob))) == ([], 1)


async def test_a_step_of_somebody_who_cannot_be_reached_is_handed_over(talk: Conversation) -> None:
    ann, bob = await talk.telegram.person("Ann", started=False), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, SURE, escalate_to(bob))
    await hours_pass(talk, 1)
    row = await talk.reply(reply_id)
    assert (row.state, row.undeliverable_since) == ("posted", None)
    await talk.say(ann, "/start")
    assert not any("Sure?" in words for words in await talk.telegram.texts(ann))
    await talk.tap(bob, "Yes")
    assert await state(talk, reply_id) == "answered"


async def test_the_first_person_does_not_make_a_step_undeliverable_that_they_no_longer_have(
    talk: Conversation,
) -> None:
    """Their prompt was on its way when the step was handed over."""
    ann, bob = await talk.telegram.person("Ann", started=False), await talk.telegram.ann("Bob")
    reply_id = await talk.ask(ann, SURE, escalate_to(bob))
    async with talk.db.begin() as tx:
        await outbox.reachable_again(tx, ann)
        (in_hand,) = await claim(tx, outbox.SENDING, 1, 60)
    await hours_pass(talk, 1)
    assert await state(talk, reply_id) == "posted"
    services = talk.fakes.services
    sender = Sender(services.db, services.bot, services.storage, services.governor)
    await sender.send(in_hand)
    assert await state(talk, reply_id) == "posted"
    async with talk.db.begin() as tx:
        await sender.incident(tx, in_hand, "Telegram refused it")
    assert await state(talk, reply_id) == "posted"


async def test_a_step_that_is_handed_over_frees_its_place_and_takes_one(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    talk.fakes.settings = talk.fakes.settings.model_copy(update={"chat_prompts_at_once": 1})
    await talk.ask(bob, {"text_a": "First?", "action_go": "Go"})
    await talk.ask(ann, SURE, escalate_to(bob) | {"escalate_after": "PT30M"})
    await talk.ask(ann, {"text_a": "Next?", "action_next": "Next"})
    assert await talk.buttons(ann) == ["Yes", "No"]
    await hours_pass(talk, 0.5)
    assert await talk.buttons(bob) == ["Go"]
    assert await talk.last(bob) == texts.say("held-back", count=1)
    async with talk.db.begin() as tx:
        (woken,) = await claim(tx, outbox.HELD, 10, 60)
    assert woken.chat_id == ann


async def test_a_step_is_not_handed_over_to_whom_it_asks(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, escalate_to(ann))
    assert await all_of(talk.db, Deadline) == []


async def test_a_step_that_was_handed_over_can_expire(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    keys = EXPIRE | escalate_to(bob) | {"expires_after": "PT2H"}
    reply_id = await talk.ask(ann, SURE, keys, catches=["LATE"])
    assert await hours_pass(talk, 1) == 1
    assert await hours_pass(talk, 1) == 2, "its last quarter of an hour, and its end"
    await talk.complete()
    assert (await get(talk.db, PendingReply, reply_id)).state == "expired"
    assert await talk.buttons(bob) == []


# the time that is left


async def test_a_prompt_says_how_long_its_step_still_waits_when_that_grows_short(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, {**EXPIRE, "expires_after": "P2D"}, catches=["LATE"])
    head, until_when, *rest = (await talk.last(ann)).split("\n")
    told = []
    for hours in (44, 1.1, 0.4, 1, 0.8, 0.4):
        await hours_pass(talk, hours)
        found = (await talk.last(ann)).split("\n")
        assert [found[0], *found[2:]] == [head, *rest]
        told.append(found[1].removeprefix(until_when))
    assert told == [
        "",
        *(f" · {each} left" for each in ("3 hours", "3 hours", "3 hours", "42 minutes", "42 minutes")),
    ]
    assert await talk.buttons(ann) == ["Yes", "No"]
    assert [row.kind for row in await all_of(talk.db, Deadline)] == ["expire", "count"]
    await hours_pass(talk, 0.25)
    assert " · 3 minutes left" in await talk.last(ann)
    assert [row.kind for row in await all_of(talk.db, Deadline)] == ["expire"]


async def test_formatting_stays_where_it_was_when_the_time_that_is_left_is_said(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {**EXPIRE, "expires_after": "PT2H"}
    await talk.ask(ann, {"text_a": "A <b>bold</b> one", "action_yes": "Yes"}, keys, catches=["LATE"])
    await hours_pass(talk, 1.76)
    message = await talk.telegram.last(ann)
    units = message["text"].encode("utf-16-le")
    said = {
        units[2 * each["offset"] : 2 * (each["offset"] + each["length"])].decode("utf-16-le"): each["type"]
        for each in message["entities"]
    }
    assert said.pop("bold") == "bold"
    assert said.pop("Trip") == "bold"
    ((words, kind),) = said.items()
    assert (kind, words.endswith(" UTC")) == ("italic", True)
    assert " UTC · 14 minutes left" in message["text"]


async def test_a_form_that_stands_at_its_second_question_is_left_alone_by_the_countdown(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, FORM, {**EXPIRE, **FORM_KEYS, "expires_after": "PT2H"}, catches=["LATE"])
    before = await talk.telegram.texts(ann)
    await talk.say(ann, "Lisbon")
    asked = await talk.last(ann)
    await hours_pass(talk, 1.8)
    assert await talk.last(ann) == asked
    assert "left" in (await talk.telegram.texts(ann))[len(before) - 1]


async def test_a_countdown_of_a_step_that_is_over_edits_nothing(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, {**EXPIRE, "expires_after": "PT2H"}, catches=["LATE"])
    await talk.tap(ann, "Yes")
    before = await talk.telegram.texts(ann)
    await hours_pass(talk, 1.8)
    assert await talk.telegram.texts(ann) == before
