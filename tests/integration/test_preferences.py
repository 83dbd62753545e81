"""How a person or a group wishes to be spoken to, and that whatever is said to them follows it."""

from datetime import UTC, datetime, timedelta

import pytest

from bot import preferences
from shared import texts
from shared.models import Deadline, Person
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, time_passes
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions

SURE = {"text_a": "Sure?", "text_a.ru": "Точно?", "action_yes": "Yes", "action_yes.label.ru": "Да"}
FORM = {
    "form_place.type": "choice",
    "form_place.label": "Where?",
    "form_place.label.ru": "Где?",
    "form_place.options": "park=A bench|thai=The Thai",
    "form_place.options.ru": "park=Скамейка|thai=Тайская кухня",
    "form_sum.type": "decimal",
    "form_sum.currency": "EUR",
    "form_when.type": "datetime",
}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def russian(talk: Conversation, name: str = "Ann") -> int:
    """Somebody whose Telegram speaks Russian."""
    who = {"first_name": name, "username": name.lower(), "language_code": "ru"}
    user = await talk.telegram.control("POST", "/users", **who)
    await talk.say(user["id"], "/start")
    return int(user["id"])


async def test_who_has_chosen_nothing_is_spoken_to_in_the_language_of_their_telegram(
    talk: Conversation,
) -> None:
    ann = await russian(talk)
    assert (await talk.last(ann)).startswith("Здравствуйте, Ann. Я приношу вам шаги")
    await talk.ask(ann, SURE)
    assert (await talk.last(ann), await talk.buttons(ann)) == ("Точно?", ["Да"])
    await talk.tap(ann, "Да")
    assert await talk.last(ann) == "Точно?\n\n✓ Да · Ann"


async def test_a_choice_holds_against_telegrams_language_and_for_the_next_message(talk: Conversation) -> None:
    ann = await russian(talk)
    await talk.say(ann, "/settings")
    assert (await talk.last(ann)).startswith("Язык: Русский\nЧасовой пояс: UTC")
    await talk.tap(ann, "English")
    assert (await talk.last(ann)).startswith("Language: English")
    await talk.ask(ann, SURE)
    assert (await talk.last(ann), (await talk.buttons(ann))[-1]) == ("Sure?", "Yes")


async def test_a_step_that_waits_is_shown_anew_in_the_language_that_was_chosen_meanwhile(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, SURE, {"title": "Trip", "title.ru": "Поездка"})
    await talk.say(ann, "/settings Русский")
    await talk.say(ann, "/tasks")
    await talk.tap(ann, "Показать: Поездка")
    assert (await talk.last(ann), (await talk.buttons(ann))[-1]) == ("Поездка\n\nТочно?", "Да")


async def test_the_answers_of_every_language_are_the_same_variables(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/settings ru")
    await talk.say(ann, "/settings Europe/Moscow")
    reply_id = await talk.ask(ann, {"text_a": "A form"}, FORM)
    assert await talk.last(ann) == "A form\n\n1 из 3: Где?"
    await talk.tap(ann, "Тайская кухня")
    await talk.say(ann, "1 250,50 €")
    await talk.say(ann, "14 мар. 2026 г., 15:30")
    found = variables(await talk.reply(reply_id))
    when = found.pop("form_when")
    assert found == {"form_place": "thai", "form_sum": 1250.5}
    assert when == "2026-03-14T12:30:00.000+0000", "the clock of Moscow is three hours ahead"


async def test_a_wrong_answer_is_told_in_the_language_of_the_chat(talk: Conversation) -> None:
    ann = await russian(talk)
    await talk.ask(ann, {"text_a": "A form"}, {"form_n.type": "integer", "form_n.max": "12000"})
    await talk.say(ann, "много")
    assert await talk.last(ann) == "Здесь нужно целое число, например 42."
    await talk.say(ann, "20000")
    assert await talk.last(ann) == "Это число не подходит, нужно: не больше 12\u00a0000."


async def test_a_line_has_the_figures_of_the_language(talk: Conversation) -> None:
    ann = await russian(talk)
    day = datetime(2026, 3, 14, tzinfo=UTC)
    inputs = {"Sum": 12345.5, "Day": day, "Ready": True, "action_ok": "OK"}
    await talk.ask(ann, inputs, {"Sum.currency": "EUR", "Sum.label.ru": "Сумма"})
    told = (await talk.last(ann)).replace("\u00a0", " ").replace("\u202f", " ")
    assert told == "Сумма: 12 345,50 €\nDay: 14 мар. 2026 г.\nReady: Да"


async def test_a_time_zone_is_chosen_by_region_and_place(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/settings")
    for caption in ("Time zone", "Asia", "›", "‹", "« Back", "Europe", "Berlin"):
        while caption not in await talk.buttons(ann):
            await talk.tap(ann, "›")
        await talk.tap(ann, caption)
    assert "Time zone: Europe/Berlin" in await talk.last(ann)
    (person,) = await all_of(talk.db, Person)
    assert person.time_zone == "Europe/Berlin"


async def test_every_zone_has_a_button_of_its_own() -> None:
    tokens = [preferences._token(zone) for zone in preferences.zones()]
    assert len(set(tokens)) == len(tokens) > 400


@pytest.mark.parametrize(
    ("chosen", "asleep"), [("{0:%H:%M}-{1:%H:%M}", True), (None, False)], ids=["own hours", "none at all"]
)
async def test_a_persons_own_quiet_hours_hold_instead_of_everybodys(
    talk: Conversation, chosen: str | None, asleep: bool
) -> None:
    ann = await talk.telegram.ann()
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    settings = talk.fakes.settings
    if chosen:
        await talk.say(ann, f"/settings {hours}")
    else:
        talk.fakes.settings = settings.model_copy(update={"quiet_hours": hours})
        await talk.say(ann, "/settings")
        await talk.tap(ann, "Quiet hours")
        await talk.tap(ann, "None")
    await talk.ask(ann, SURE, {"reminder_after": "PT1H", "title": "Trip"})
    await time_passes(talk.db, 3601)
    await talk.meet_deadlines()
    assert ("still waits" in await talk.last(ann)) is not asleep
    (row,) = await all_of(talk.db, Deadline)
    assert row.done == (0 if asleep else 1)


@pytest.mark.parametrize(
    "words", ["Klingon", "Europe/Atlantis", "25:00-26:00", "22:00", "-", "/../etc", "ä" * 500]
)
async def test_words_that_mean_no_setting_are_told_so_and_change_nothing(
    talk: Conversation, words: str
) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, f"/settings {words}")
    assert await talk.last(ann) == texts.say("settings-unknown")
    assert all(
        each.language is None and each.time_zone is None and each.quiet_hours is None
        for each in await all_of(talk.db, Person)
    )


async def test_a_groups_language_is_its_administrators_to_choose(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    group = await talk.telegram.group(bob, admins=[ann])
    await talk.say(bob, "/settings ru", group)
    assert await talk.last(group) == texts.say("settings-admins")
    await talk.say(ann, "/settings", group)
    menu = await talk.telegram.last(group)
    assert "Quiet hours" not in captions(menu), "a group has none of its own"
    assert await talk.tap(bob, "Русский", group) == texts.say("outdated")
    await talk.tap(ann, "Русский", group)
    await talk.ask(group, SURE)
    assert (await talk.last(group), (await talk.buttons(group))[-1]) == ("Точно?", "Да")
    assert await talk.tap(bob, "Да", group) == ""
    assert await talk.last(group) == "Точно?\n\n✓ Да · Bob"


async def test_a_setting_that_somebody_forges_is_refused(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.say(ann, "/settings")
    message = await talk.telegram.last(ann)
    data = message["reply_markup"]["inline_keyboard"][0][1]["callback_data"]
    await talk.say(bob, "/settings")
    tap = await talk.telegram.press(bob, await talk.telegram.last(bob), data=data, stale=True)
    await talk.turn()
    assert await talk.telegram.toast(tap) == texts.say("outdated")
    assert {each.language for each in await all_of(talk.db, Person)} == {None}


async def test_a_step_that_is_handed_over_speaks_to_whom_it_is_handed(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await russian(talk, "Bob")
    await talk.ask(ann, SURE, {"escalate_after": "PT1H", "escalate_to": str(bob)})
    await time_passes(talk.db, 3601)
    await talk.meet_deadlines()
    assert (await talk.last(bob), await talk.buttons(bob)) == ("Точно?", ["Да"])
    assert await talk.last(ann) == f"Sure?\n\n{texts.say('handed-over-note')}"
