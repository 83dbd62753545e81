"""The group path: who sees which group, and who may start something for it."""

from devstack.people import Person, captions, describe
from tests.acceptance.test_bad_input import greeted
from tests.support.bpmn import external_task, process
from tests.support.world import World, until

GROUP = "Chess Club"


async def offered(person: Person) -> list[str]:
    """The groups that /groups offers a person."""
    await person.say("/groups")
    shown = await person.sees(where=lambda message: "group" in describe(message).lower())
    return captions(shown)


async def test_groups_lists_only_those_where_the_person_is_an_administrator(world: World) -> None:
    await world.start("bot1")
    ada, ben = await greeted(world, "Ada"), await greeted(world, "Ben")
    await world.town.group(GROUP, admins=[ada], members=[ben])
    await world.town.group("Bakers", admins=[ben], members=[ada])
    await until_known(world, 2)

    assert await offered(ada) == [GROUP]
    assert await offered(ben) == ["Bakers"]


async def until_known(world: World, groups: int) -> None:
    async def known() -> bool:
        return bool(await world.value("SELECT count(*) FROM chats WHERE is_member") == groups)

    await until(known, f"{groups} groups are known")


async def test_a_group_that_the_bot_has_left_is_no_longer_listed(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    group = await world.town.group(GROUP, admins=[ada], members=[])
    await until_known(world, 1)
    bot_id = world.sandbox.token.partition(":")[0]
    await world.town.call("PATCH", f"/chats/{group}/members/{bot_id}", {"status": "kicked"})
    await until_known(world, 0)
    assert await offered(ada) == []


async def test_a_group_can_be_picked_that_the_bot_had_forgotten(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    group = await world.town.group(GROUP, admins=[ada], members=[])
    await until_known(world, 1)
    await world.rows("DELETE FROM chats RETURNING chat_id")

    await ada.say("/groups")
    await ada.sees("Pick it with the button")
    await ada.share_chat(group, request_id=1)
    await ada.sees(GROUP, buttons=["Settings"])


async def test_a_member_who_picks_a_group_is_told_that_administrators_only_can(world: World) -> None:
    await world.start("bot1")
    ada, ben = await greeted(world, "Ada"), await greeted(world, "Ben")
    group = await world.town.group(GROUP, admins=[ada], members=[ben])
    await ben.share_chat(group, request_id=1)
    await ben.sees("Only administrators")


async def test_administrator_rights_are_checked_again_at_the_start(world: World) -> None:
    await world.deploy("bpmn/community_audit.bpmn")
    await world.start("bot1")
    ada, ben = await greeted(world, "Ada"), await greeted(world, "Ben")
    group = await world.town.group(GROUP, admins=[ada, ben], members=[])
    await until_known(world, 1)
    await ada.say("/groups")
    await ada.tap(GROUP)
    await ada.tap("Settings")
    await ada.tap("Import history")
    await ada.sees("Import the history", buttons=["Start"], old=True)
    await world.town.call("PATCH", f"/chats/{group}/members/{ada.user_id}", {"status": "member"})

    assert "Only administrators" in await ada.told(await ada.tap("Start"))
    assert await world.value("SELECT count(*) FROM process_starts") == 0


async def test_an_anonymous_administrator_is_told_why_not(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    group = await world.town.group(GROUP, admins=[ada], members=[])
    await ada.in_chat(group).say("/groups", anonymous=True)
    await ada.in_chat(group).sees("anonymous administrator")


async def test_a_group_is_asked_to_talk_in_private(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    group = await world.town.group(GROUP, admins=[ada], members=[])
    await ada.in_chat(group).say("/groups@stepgram_bot")
    await ada.in_chat(group).sees("private chat")


async def test_a_command_for_another_bot_is_left_alone(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    await ada.say("/help@another_bot")
    await ada.say("/help")
    await ada.sees("I bring you the steps")
    assert sum("/tasks shows what waits" in describe(each) for each in await ada.chat()) == 2


async def test_a_step_of_a_group_is_answered_by_whom_its_rule_allows(world: World) -> None:
    inputs = {"recipient": "${chat}", "allow": "admins", "text_a": "Shall we?", "action_yes": "Yes"}
    await world.deploy(process("vote", [external_task("ask", "render_task", inputs=inputs)]))
    await world.start("worker1", "bot1")
    ada, ben = await greeted(world, "Ada"), await greeted(world, "Ben")
    group = await world.town.group(GROUP, admins=[ada], members=[ben])
    instance = await world.start_process("vote", chat=group)

    prompt = await ben.in_chat(group).sees("Shall we", buttons=["Yes"])
    assert "somebody else" in await ben.told(await ben.in_chat(group).tap("Yes", message=prompt))
    await ada.in_chat(group).tap("Yes", message=prompt)
    assert await world.until_ended(instance) == "COMPLETED"
    assert await world.value("SELECT answered_by_name FROM pending_replies") == "Ada"


async def test_a_step_of_a_group_is_not_answered_from_outside_the_group(world: World) -> None:
    inputs = {"chat_id": "${chat}", "text_a": "Shall we?", "action_yes": "Yes"}
    await world.deploy(process("vote", [external_task("ask", "render_task", inputs=inputs)]))
    await world.start("worker1", "bot1")
    ada, eve = await greeted(world, "Ada"), await greeted(world, "Eve")
    group = await world.town.group(GROUP, admins=[ada], members=[])
    await world.start_process("vote", chat=group)
    prompt = await ada.in_chat(group).sees("Shall we", buttons=["Yes"])
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    elsewhere = await eve.sees("Hello", old=True)

    assert "somebody else" in await eve.told(await eve.press(elsewhere, data, stale=True))
    assert await world.value("SELECT state FROM pending_replies") == "posted"


async def test_a_group_step_is_posted_when_the_bot_comes_back_into_the_group(world: World) -> None:
    inputs = {"chat_id": "${chat}", "text_a": "Shall we?", "action_yes": "Yes"}
    await world.deploy(process("vote", [external_task("ask", "render_task", inputs=inputs)]))
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    group = await world.town.group(GROUP, admins=[ada], members=[])
    bot_id = world.sandbox.token.partition(":")[0]
    await until_known(world, 1)
    await world.town.call("PATCH", f"/chats/{group}/members/{bot_id}", {"status": "kicked"})
    instance = await world.start_process("vote", chat=group)
    await world.until_state("undeliverable")
    await world.town.call("PATCH", f"/chats/{group}/members/{bot_id}", {"status": "member"})
    await ada.in_chat(group).tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"


async def test_a_form_in_a_group_takes_the_reply_to_its_question_and_nothing_else(world: World) -> None:
    inputs = {"chat_id": "${chat}", "text_a": "A question"}
    properties = {"form_name.type": "string", "form_name.label": "Your name", "form_name.required": "true"}
    step = external_task("ask", "render_task", inputs=inputs, properties=properties)
    await world.deploy(process("vote", [step]))
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    group = await world.town.group(GROUP, admins=[ada], members=[])
    instance = await world.start_process("vote", chat=group)
    there = ada.in_chat(group)
    prompt = await there.sees("Your name")

    await there.say("just talking")
    await there.say("Ada Lovelace", reply_to=prompt["message_id"])
    assert await world.until_ended(instance) == "COMPLETED"
    assert (await world.variables(instance))["form_name"] == "Ada Lovelace"
