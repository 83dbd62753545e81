"""Starting processes from the chat: what a person may start, and the form of its start event."""

from collections.abc import Mapping

import pytest

from shared import texts
from shared.models import PendingReply, ProcessStart
from tests.fakes.conversation import Conversation
from tests.fakes.rows import all_of
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram
from tests.support.bpmn import end, process

FORM = {"form_amount.type": "integer", "form_amount.required": "true", "form_why.required": "true"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


def offer(
    talk: Conversation, *people: int, start: Mapping[str, str] = FORM, key: str = "expense", **more: str
) -> str:
    """Deploy a process that these people may start; the caption of its button."""
    xml = process(key, [end("done")], start=start)
    talk.fakes.engine.offer(key, xml, *people, name="An expense", **more)
    return "An expense · v1"


async def started(talk: Conversation) -> list[dict[str, object]]:
    """The variables of every instance, by name."""
    await talk.complete()
    await talk.start()
    await talk.send()
    engine = talk.fakes.engine
    return [
        {name: typed["value"] for name, typed in engine.process_variables[each].items()}
        for each in engine.instances
    ]


async def test_a_person_is_offered_what_they_may_start_and_nothing_else(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    caption = offer(talk, ann)
    await talk.say(ann, "/new")
    assert await talk.buttons(ann) == [caption]
    await talk.say(bob, "/new")
    assert await talk.last(bob) == texts.say("nothing-startable")


async def test_the_answers_of_a_start_form_are_the_first_variables(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann)
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    assert await talk.last(ann) == "An expense\n\n1 of 2: amount"
    await talk.say(ann, "much")
    assert await talk.last(ann) == texts.say("not-an-integer", example="42")
    await talk.say(ann, "12")
    await talk.say(ann, "Lunch")
    assert await started(talk) == [{"form_amount": 12, "form_why": "Lunch", "telegram_user_id": ann}]
    assert await talk.last(ann) == texts.say("starting")


async def test_a_process_without_a_form_starts_by_one_tap_once(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann, start={})
    await talk.say(ann, "/new")
    menu = await talk.message_with(ann, caption)
    for _ in range(2):
        await talk.tap(ann, caption, message=menu)
    assert await started(talk) == [{"telegram_user_id": ann}]
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    assert len(await started(talk)) == 2, "another wish is another instance"


async def test_a_form_that_is_opened_twice_by_one_button_is_one_form(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann)
    await talk.say(ann, "/new")
    menu = await talk.message_with(ann, caption)
    for _ in range(2):
        await talk.tap(ann, caption, message=menu)
    assert len(await all_of(talk.db, PendingReply)) == 1


async def test_what_one_may_start_no_more_is_not_started_by_an_old_button(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann)
    await talk.say(ann, "/new")
    talk.fakes.engine.startables.clear()
    assert await talk.tap(ann, caption) == texts.say("outdated")
    assert await all_of(talk.db, PendingReply) == []


async def test_while_an_instance_of_a_business_key_runs_no_other_is_started(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann, start={"form_a.required": "true", "business_key": "exp-${form_a}"})
    for count in (1, 1):
        await talk.say(ann, "/new")
        await talk.tap(ann, caption)
        await talk.say(ann, "7")
        assert len(await started(talk)) == count
    assert await talk.last(ann) == texts.say("runs-already", key="exp-7")
    assert [row.business_key for row in await all_of(talk.db, ProcessStart)] == ["exp-7"]
    talk.fakes.engine.instances.clear()  # it has ended
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    await talk.say(ann, "7")
    assert len(await started(talk)) == 1


async def test_a_start_form_can_be_left_and_cancelled(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann)
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    await talk.say(ann, "/cancel")
    await talk.tap(ann, "Cancel: An expense")
    await talk.tap(ann, texts.say("button-cancel-yes"))
    assert await started(talk) == []
    (row,) = await all_of(talk.db, PendingReply)
    assert row.state == "cancelled"


@pytest.mark.parametrize(
    "start",
    [
        {"form_a.type": "nmber"},
        {"action_x": "X"},
        {"s3_x": "X"},
        {"form_a.type": "string", "reminder_after": "P1D"},
    ],
)
async def test_a_start_form_with_a_mistake_is_told_to_be_out_of_order(
    talk: Conversation, start: Mapping[str, str]
) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann, start=start)
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    assert await talk.last(ann) == texts.say("cannot-start")


async def test_a_day_in_a_business_key_is_written_as_people_write_it(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    keys = {"form_d.type": "date", "form_d.required": "true", "business_key": "${form_d}-${telegram_user_id}"}
    caption = offer(talk, ann, start=keys)
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    await talk.say(ann, "2026-03-14")
    await started(talk)
    assert [row.business_key for row in await all_of(talk.db, ProcessStart)] == [f"2026-03-14-{ann}"]


# versions and tenants

ONE, NO_FORM = {"form_one.required": "true"}, {"title": "An expense"}


@pytest.mark.parametrize(
    ("version", "offered"),
    [
        (None, "An expense · v3"),
        ("", "An expense · v3"),
        ("latest", "An expense · v3"),
        ("3", "An expense · v3"),
        ("1", "An expense · v1"),
        (" 2 ", "An expense · v2"),
        ("stable", "An expense · v2"),
    ],
)
async def test_the_latest_version_says_which_one_is_offered_and_started(
    talk: Conversation, version: str | None, offered: str
) -> None:
    ann = await talk.telegram.ann()
    for tag in ("stable", "stable"):
        offer(talk, ann, start=NO_FORM, tag=tag)
    offer(talk, ann, start=NO_FORM | ({} if version is None else {"version": version}))
    await talk.say(ann, "/new")
    assert await talk.buttons(ann) == [offered]
    await talk.tap(ann, offered)
    assert len(await started(talk)) == 1
    assert talk.fakes.engine.started == [f"expense:{offered[-1]}:x"]


async def test_a_version_that_is_held_shows_its_own_form(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann, start=ONE)
    offer(talk, ann, start={"form_two.required": "true", "version": "1"})
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    await talk.say(ann, "x")
    assert await started(talk) == [{"form_one": "x", "telegram_user_id": ann}]


async def test_a_version_that_is_not_there_is_not_offered(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    offer(talk, ann, start={"version": "7"})
    await talk.say(ann, "/new")
    assert await talk.last(ann) == texts.say("nothing-startable")


async def test_an_instance_is_of_the_version_whose_form_was_filled_in(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    caption = offer(talk, ann, start=ONE)
    await talk.say(ann, "/new")
    await talk.tap(ann, caption)
    offer(talk, ann, start={"form_two.required": "true"})
    await talk.say(ann, "x")
    assert await started(talk) == [{"form_one": "x", "telegram_user_id": ann}]
    assert talk.fakes.engine.started == ["expense:1:x"]


async def test_a_tenants_process_is_offered_to_its_members_and_started_for_it(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    offer(talk, ann, bob, start=NO_FORM, tenant="acme")
    talk.fakes.engine.tenants[f"tg_user_{ann}"] = {"acme"}
    talk.fakes.engine.tenants[f"tg_user_{bob}"] = {"another"}
    await talk.say(bob, "/new")
    assert await talk.last(bob) == texts.say("nothing-startable")
    await talk.say(ann, "/new")
    await talk.tap(ann, "An expense · acme · v1")
    assert await started(talk) == [{"telegram_user_id": ann}]
    ((key, _, tenant),) = talk.fakes.engine.instances.values()
    assert (key, tenant) == ("expense", "acme")


async def test_a_business_key_runs_once_for_each_tenant(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    for tenant in ("acme", "other"):
        offer(talk, ann, start={"form_a.required": "true", "business_key": "exp-${form_a}"}, tenant=tenant)
        talk.fakes.engine.tenants[f"tg_user_{ann}"].add(tenant)
    for tenant, count in (("acme", 1), ("other", 2), ("acme", 2)):
        await talk.say(ann, "/new")
        await talk.tap(ann, f"An expense · {tenant} · v1")
        await talk.say(ann, "7")
        assert len(await started(talk)) == count
    assert await talk.last(ann) == texts.say("runs-already", key="exp-7")


async def test_where_nothing_is_a_tenants_nobody_asks_about_tenants(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    offer(talk, ann)
    await talk.say(ann, "/new")
    assert talk.fakes.engine.count("tenants_of") == 0
