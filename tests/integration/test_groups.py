"""The group path: which groups are known, whose administrator one is, and what can be started for them."""

import pytest

from bot import groups
from bot.starter import EngineUsers, Starter
from shared import people, starts, texts
from shared.engine.errors import (
    FAULTS_BEFORE_GIVING_UP,
    EngineFault,
    EngineRejected,
    EngineUnavailable,
    NotFound,
    UserIdRefused,
)
from shared.errors import AuthorError, WorldError
from shared.models import Chat, Person, ProcessStart
from shared.queues import claim
from tests.fakes.conversation import Conversation
from tests.fakes.rows import all_of, change, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def known_group(talk: Conversation, *members: int, title: str = "Club", **options: object) -> int:
    """A group of which the bot has heard."""
    made = await talk.telegram.control(
        "POST", "/chats", type="supergroup", title=title, members=list(members), **options
    )
    await talk.turn()
    return int(made["chat"]["id"])


async def chats(talk: Conversation) -> dict[str, bool]:
    """The known groups by title, and whether the bot is in them."""
    from sqlalchemy import select

    async with talk.db.begin() as tx:
        return {chat.title: chat.is_member for chat in await tx.scalars(select(Chat))}


async def menu(talk: Conversation, person: int, *captions_to_tap: str) -> None:
    """Open /groups and tap one's way."""
    await talk.say(person, "/groups")
    for caption in captions_to_tap:
        await talk.tap(person, caption)


# known groups


async def test_a_group_is_known_from_the_moment_the_bot_is_in_it(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await known_group(talk, ann)
    assert await chats(talk) == {"Club": True}
    bot_id = talk.telegram.bot_id
    await talk.telegram.control("PATCH", f"/chats/{group}/members/{bot_id}", status="kicked")
    await talk.turn()
    assert await chats(talk) == {"Club": False}
    await talk.telegram.control("PATCH", f"/chats/{group}/members/{bot_id}", status="administrator")
    await talk.turn()
    assert await chats(talk) == {"Club": True}


async def test_a_group_is_known_by_a_message_from_it(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, privacy=False)
    assert await chats(talk) == {}
    await talk.say(ann, "hi", group)
    assert await chats(talk) == {"Group": True}


# /groups


async def test_groups_lists_those_where_one_is_an_administrator_now(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await known_group(talk, ann, title="Mine", admins=[ann])
    club = await known_group(talk, ann, title="Club", admins=[ann])
    await known_group(talk, ann, title="Not mine")
    await menu(talk, ann)
    assert await talk.buttons(ann) == ["Club", "Mine"]
    assert await talk.last(ann) == texts.say("or-pick-a-group")
    await talk.telegram.control("PATCH", f"/chats/{club}/members/{ann}", status="member")
    await menu(talk, ann)
    assert captions((await talk.telegram.shown(ann))[-2]) == ["Mine"]


async def test_groups_offers_to_pick_one_where_none_is_known(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await menu(talk, ann)
    assert texts.say("no-groups") in await talk.telegram.texts(ann)
    keyboard = (await talk.telegram.last(ann))["sandbox"]["reply_keyboard"]["keyboard"]
    assert keyboard[0][0]["text"] == texts.say("button-pick-group")


async def test_a_group_that_is_picked_becomes_known(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, admins=[ann], with_bot=False)
    await menu(talk, ann)
    await talk.telegram.send(ann, chat_shared={"request_id": 1, "chat_id": group})
    await talk.turn()
    assert await talk.last(ann) == "Group"
    assert captions(await talk.telegram.last(ann)) == [texts.say("button-settings")]
    assert (await chats(talk))["Group"]


async def test_a_picked_group_that_is_not_ones_own_is_refused(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    await talk.telegram.send(ann, chat_shared={"request_id": 1, "chat_id": group})
    await talk.turn()
    assert await talk.last(ann) == texts.say("not-an-admin")


async def test_a_picked_group_without_the_bot_is_told_so(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann, admins=[ann], with_bot=False)
    await talk.telegram.send(ann, chat_shared={"request_id": 9, "chat_id": group})
    await talk.turn()
    assert await talk.last(ann) == texts.say("not-a-member")


async def test_an_anonymous_administrator_is_told_why_not(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await known_group(talk, ann, admins=[ann])
    await talk.telegram.control(
        "PATCH", f"/chats/{group}/members/{ann}", status="administrator", is_anonymous=True
    )
    await talk.say(ann, "/groups@stepgram_bot", group, anonymous=True)
    assert await talk.last(group) == texts.say("anonymous-admin")


async def test_groups_in_a_group_points_to_the_private_chat(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await known_group(talk, ann, admins=[ann])
    await talk.say(ann, "/groups@stepgram_bot", group)
    assert await talk.last(group) == texts.say("groups-in-private")


# starting


async def test_an_audit_is_started_from_the_menu(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await known_group(talk, ann, title="Club <b>", admins=[ann])
    await menu(talk, ann, "Club <b>", texts.say("button-settings"), texts.say("button-import"))
    assert texts.say("button-cancel") in await talk.buttons(ann)
    assert any("Import the history of Club <b>" in text for text in await talk.telegram.texts(ann))
    await talk.tap(ann, texts.say("button-start"))
    assert texts.say("starting") in await talk.telegram.texts(ann)
    (row,) = await all_of(talk.db, ProcessStart)
    assert (row.definition_key, row.business_key) == (groups.PROCESS, f"import_{group}_{ann}")
    assert row.variables == {
        "group_id": {"value": group, "type": "Long"},
        "telegram_user_id": {"value": ann, "type": "Integer"},
        "group_name": {"value": "Club <b>", "type": "String"},
    }


async def test_a_start_can_be_thought_better_of(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await known_group(talk, ann, admins=[ann])
    await menu(talk, ann, "Club", texts.say("button-settings"))
    await talk.tap(ann, texts.say("button-back"))
    for caption in (texts.say("button-settings"), texts.say("button-import"), texts.say("button-cancel")):
        await talk.tap(ann, caption)
    assert texts.say("start-cancelled") in await talk.telegram.texts(ann)
    assert await all_of(talk.db, ProcessStart) == []


async def test_a_menu_is_one_message(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await known_group(talk, ann, admins=[ann])
    await talk.say(ann, "/groups")
    before = len(await talk.telegram.shown(ann))
    for caption in ("Club", texts.say("button-settings"), texts.say("button-import")):
        await talk.tap(ann, caption)
    assert len(await talk.telegram.shown(ann)) == before


async def test_rights_that_were_lost_meanwhile_end_the_menu(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await known_group(talk, ann, admins=[ann])
    await menu(talk, ann, "Club", texts.say("button-settings"), texts.say("button-import"))
    await talk.telegram.control("PATCH", f"/chats/{group}/members/{ann}", status="member")
    assert await talk.tap(ann, texts.say("button-start")) == texts.say("not-an-admin")
    assert await all_of(talk.db, ProcessStart) == []


async def start_once(talk: Conversation, ann: int) -> ProcessStart:
    """Start an audit and have it started."""
    await menu(
        talk, ann, "Club", texts.say("button-settings"), texts.say("button-import"), texts.say("button-start")
    )
    await run_start(talk)
    return (await all_of(talk.db, ProcessStart))[-1]


async def run_start(talk: Conversation) -> None:
    """Start what was asked for."""
    await lapse(talk.db, ProcessStart)
    async with talk.db.begin() as tx:
        (row,) = await claim(tx, starts.STARTS, 10, 60)
    await Starter(talk.fakes.services).start(row)


async def test_a_second_start_while_one_runs_offers_to_go_on_with_it(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await known_group(talk, ann, admins=[ann])
    await start_once(talk, ann)
    await menu(
        talk, ann, "Club", texts.say("button-settings"), texts.say("button-import"), texts.say("button-start")
    )
    assert texts.say("already-running") in await talk.telegram.texts(ann)
    await talk.tap(ann, texts.say("button-go-on"))
    assert texts.say("nothing-waits-there") in await talk.telegram.texts(ann)
    await talk.ask(ann, {"text_a": "Sure?", "action_yes": "Yes"}, business_key=f"import_{group}_{ann}")
    await talk.ask(ann, {"text_a": "Another process", "action_no": "No"})
    await menu(
        talk, ann, "Club", texts.say("button-settings"), texts.say("button-import"), texts.say("button-start")
    )
    await talk.tap(ann, texts.say("button-go-on"))
    assert await talk.last(ann) == "Sure?"
    assert len(await all_of(talk.db, ProcessStart)) == 1


async def test_two_taps_on_start_start_one(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await known_group(talk, ann, admins=[ann])
    await menu(talk, ann, "Club", texts.say("button-settings"), texts.say("button-import"))
    message = await talk.message_with(ann, texts.say("button-start"))
    for _ in range(2):
        await talk.telegram.press(ann, message, caption=texts.say("button-start"))
    await talk.turn()
    assert len(await all_of(talk.db, ProcessStart)) == 1


async def test_an_audit_that_has_ended_can_be_started_again(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await known_group(talk, ann, admins=[ann])
    first = await start_once(talk, ann)
    talk.fakes.engine.instances.clear()
    second = await start_once(talk, ann)
    assert first.id != second.id
    assert [row.state for row in await all_of(talk.db, ProcessStart)] == ["ended", "started"]


async def test_an_engine_that_cannot_say_is_taken_to_run_it_still(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await known_group(talk, ann, admins=[ann])
    await start_once(talk, ann)
    talk.fakes.engine.fail("active_instances", EngineUnavailable("away"))
    await menu(
        talk, ann, "Club", texts.say("button-settings"), texts.say("button-import"), texts.say("button-start")
    )
    assert texts.say("already-running") in await talk.telegram.texts(ann)


# the starter


async def asked(talk: Conversation) -> ProcessStart:
    """A start that waits, claimed."""
    async with talk.db.begin() as tx:
        await starts.request(tx, starts.Wish("audit", "import_1", {}, 7))
        (row,) = await claim(tx, starts.STARTS, 1, 60)
    return row


async def test_a_process_is_started_once_though_the_answer_was_lost(talk: Conversation) -> None:
    row = await asked(talk)
    talk.fakes.engine.fail("start_process", EngineUnavailable("no answer"), after=True)
    with pytest.raises(WorldError):
        await Starter(talk.fakes.services).start(row)
    await run_start(talk)
    (started,) = await all_of(talk.db, ProcessStart)
    assert started.state == "started"
    assert list(talk.fakes.engine.instances) == [started.process_instance_id]


@pytest.mark.parametrize("error", [NotFound("no such process"), EngineRejected("no", status=400, type_="X")])
async def test_a_process_that_cannot_be_started_is_told_to_who_asked(
    talk: Conversation, error: Exception
) -> None:
    ann = await talk.telegram.ann()
    row = await asked(talk)
    await change(talk.db, row, requested_by=ann)
    talk.fakes.engine.fail("start_process", error)
    starter = Starter(talk.fakes.services)
    with pytest.raises(AuthorError, match="process 'audit' cannot be started"):
        await starter.start(row)
    async with talk.db.begin() as tx:
        await starter._tell(tx, (await all_of(talk.db, ProcessStart))[0], "x")
    await talk.send()
    assert await talk.last(ann) == texts.say("cannot-start")


async def test_a_fault_behind_a_start_is_tried_a_few_times(talk: Conversation) -> None:
    row = await asked(talk)
    for tries in range(1, FAULTS_BEFORE_GIVING_UP + 1):
        row.attempts = tries
        talk.fakes.engine.fail("start_process", EngineFault("no flow matches", type_="X"))
        last = tries == FAULTS_BEFORE_GIVING_UP
        with pytest.raises(AuthorError if last else WorldError, match="no flow matches"):
            await Starter(talk.fakes.services).start(row)


# engine users


async def wanted_user(talk: Conversation) -> Person:
    """A person whose engine user is to be made, claimed."""
    async with talk.db.begin() as tx:
        await people.meet(tx, 7, "Ann", wants_engine_user=True)
        (row,) = await claim(tx, people.ENGINE_USERS, 1, 60)
    return row


async def test_a_person_gets_an_engine_user_with_a_strong_password_in_the_group(talk: Conversation) -> None:
    object.__setattr__(talk.fakes.settings, "engine_users_group_id", "telegram")
    await EngineUsers(talk.fakes.services).make(await wanted_user(talk))
    password = talk.fakes.engine.users["tg_user_7"]
    assert len(password) >= 40
    assert talk.fakes.engine.members == {("tg_user_7", "telegram")}
    (row,) = await all_of(talk.db, Person)
    assert row.state == "made"


async def test_without_a_group_the_engine_user_is_in_none(talk: Conversation) -> None:
    await EngineUsers(talk.fakes.services).make(await wanted_user(talk))
    assert talk.fakes.engine.members == set()


@pytest.mark.parametrize("error", [UserIdRefused("tg_user_7"), EngineRejected("no", status=400, type_="X")])
async def test_a_person_whose_engine_user_is_refused_is_served_all_the_same(
    talk: Conversation, error: Exception
) -> None:
    talk.fakes.engine.fail("create_user", error)
    await EngineUsers(talk.fakes.services).make(await wanted_user(talk))
    (row,) = await all_of(talk.db, Person)
    assert row.state == "refused"


async def test_an_engine_that_is_away_makes_its_users_later(talk: Conversation) -> None:
    talk.fakes.engine.fail("create_user", EngineUnavailable("away"))
    with pytest.raises(WorldError):
        await EngineUsers(talk.fakes.services).make(await wanted_user(talk))
    (row,) = await all_of(talk.db, Person)
    assert row.state == "queued"
