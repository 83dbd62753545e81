"""The commands, and the conversation of one person with several steps."""

from bot.commands import COMMANDS
from devstack.people import captions, describe
from tests.acceptance.test_bad_input import asked, decision_process, greeted
from tests.support.bpmn import external_task, process
from tests.support.world import World, until

FORM = {
    "form_name.type": "string",
    "form_name.label": "Your name",
    "form_name.required": "true",
    "form_age.type": "integer",
    "form_age.label": "Your age",
    "form_age.required": "true",
}


def form_process(**properties: str) -> bytes:
    inputs = {"telegram_user_id": "${telegram_user_id}", "text_a": "Who are you?"}
    return process("form", [external_task("who", "render_task", inputs=inputs, properties=FORM | properties)])


async def test_the_commands_are_registered_with_telegram(world: World) -> None:
    await world.start("bot1")

    async def registered() -> set[str]:
        known = (await world.town.call("GET", "/commands"))["commands"]
        return {each["command"] for scope in known for each in scope["commands"]}

    assert await until(registered, "commands") == set(COMMANDS)


async def test_help_and_an_unknown_command_are_answered(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    await ada.say("/nonsense")
    await ada.sees("do not know that command")
    await ada.say("/help")
    await ada.sees("/tasks shows what waits")


async def test_tasks_lists_what_waits_and_shows_it_again(world: World) -> None:
    ada, instance, first = await asked(world, decision_process(), "decision")
    await ada.say("/tasks")
    listed = await ada.sees("waits for you")
    await ada.tap(captions(listed)[0])
    again = await ada.sees("Shall we", buttons=["Yes", "No"])
    old = await ada.sees_change(first, lambda message: not captions(message))
    assert old is not None
    await ada.tap("Yes", message=again)
    assert await world.until_ended(instance) == "COMPLETED"
    await ada.say("/tasks")
    await ada.sees("Nothing waits")


async def test_a_second_form_waits_behind_a_button_and_never_steals_an_answer(world: World) -> None:
    await world.deploy(form_process())
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    first = await world.start_process("form", telegram_user_id=ada.user_id)
    await ada.sees("Your name")
    second = await world.start_process("form", telegram_user_id=ada.user_id)
    waiting = await ada.sees("Who are you", buttons=["Answer"])

    assert "answering something else" in await ada.told(await ada.tap("Answer", message=waiting))
    await ada.say("Ada")
    await ada.sees("Your age")
    await ada.say("not a number")
    await ada.sees("whole number")
    await ada.say("36")
    assert await world.until_ended(first) == "COMPLETED"
    assert (await world.variables(first))["form_age"] == 36

    await ada.tap("Answer", message=waiting)
    await ada.sees("Your name")
    await ada.say("Ada again")
    await ada.sees("Your age")
    await ada.say("37")
    assert await world.until_ended(second) == "COMPLETED"
    assert (await world.variables(second))["form_name"] == "Ada again"


async def test_a_dialog_survives_a_restart_of_every_process_at_its_question(world: World) -> None:
    ada, instance, _ = await asked(world, form_process(), "form")
    await ada.say("Ada")
    await ada.sees("Your age")
    await world.stop("worker1", "bot1", kill=True)
    await ada.say("36")
    await world.start("worker2", "bot2")
    assert await world.until_ended(instance) == "COMPLETED"
    variables = await world.variables(instance)
    assert (variables["form_name"], variables["form_age"]) == ("Ada", 36)


async def test_cancel_ends_a_cancellable_step_with_its_reason_in_the_history(world: World) -> None:
    ada, instance, _ = await asked(world, form_process(cancellable="true", title="Who"), "form")
    await ada.say("/cancel")
    await ada.tap("Cancel: Who")
    await ada.tap("Yes, cancel it")
    assert await world.until_ended(instance) == "EXTERNALLY_TERMINATED"
    found = await world.engine.history_instance(instance)
    assert found is not None
    assert f"tg_user_{ada.user_id}" in str(found.delete_reason)
    await ada.sees("Cancelled", old=True)


async def test_cancel_can_be_thought_over(world: World) -> None:
    ada, _, _ = await asked(world, form_process(cancellable="true", title="Who"), "form")
    await ada.say("/cancel")
    await ada.tap("Cancel: Who")
    await ada.tap("No, keep it")
    await ada.sees("nothing was cancelled", old=True)
    await ada.say("Ada")
    await ada.sees("Your age")


async def test_cancel_says_when_nothing_can_be_cancelled(world: World) -> None:
    ada, _, _ = await asked(world, decision_process(), "decision")
    await ada.say("/cancel")
    await ada.sees("Nothing that waits for you can be cancelled")


async def test_a_left_form_keeps_its_answers_and_can_be_taken_up_again(world: World) -> None:
    ada, instance, _ = await asked(world, form_process(title="Who"), "form")
    await ada.say("Ada")
    await ada.sees("Your age")
    await ada.say("/cancel")
    await ada.tap("Leave: Who")
    await ada.say("36")
    await ada.sees("Nothing is waiting")
    await ada.tap("Answer")
    await ada.sees("Your age")
    await ada.say("36")
    assert await world.until_ended(instance) == "COMPLETED"
    assert (await world.variables(instance))["form_name"] == "Ada"


async def test_a_notice_is_shown_and_completed_at_once(world: World) -> None:
    inputs = {"telegram_user_id": "${telegram_user_id}", "text_a": "It is done."}
    await world.deploy(process("notice", [external_task("tell", "send_message", inputs=inputs)]))
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    instance = await world.start_process("notice", telegram_user_id=ada.user_id)
    assert await world.until_ended(instance) == "COMPLETED"
    await ada.sees("It is done")
    assert sum("It is done" in describe(each) for each in await ada.chat()) == 1


async def test_whoever_may_start_a_process_fills_in_its_form_and_gets_its_first_step(
    any_world: World,
) -> None:
    world = any_world
    group = world.product.env["ENGINE_USERS_GROUP_ID"]
    step = external_task(
        "look",
        "render_task",
        inputs={"text_a": "For ${form_amount}?", "action_yes": "Yes", "action_no": "No"},
    )
    form = {
        "form_amount.type": "integer",
        "form_amount.required": "true",
        "business_key": "exp-${form_amount}",
    }
    await world.deploy(process("own", [step], name="An expense", start=form, starters=group))
    await world.start("worker1", "bot1")
    ada = await world.town.person("Ada")
    await ada.say("/start")
    await ada.sees("Hello")
    await until(lambda: _is_engine_user(world), "the engine knows them")

    await ada.say("/new")
    await ada.tap("An expense · v1")
    await ada.sees("amount")
    await ada.say("12")

    await ada.sees("For 12?")
    await ada.tap("Yes")
    instance = await world.value(
        "SELECT process_instance_id FROM process_starts WHERE business_key = 'exp-12'"
    )
    assert await world.until_ended(instance) == "COMPLETED"
    variables = await world.variables(instance)
    assert (variables["form_amount"], variables["action"]) == (12, "yes")


async def _is_engine_user(world: World) -> bool:
    return bool(await world.value("SELECT count(*) FROM people WHERE state = 'made'"))
