"""What the world does to us: parts that die, stop or lie. Nothing is lost, nobody is asked twice."""

import asyncio

import pytest

from devstack.people import captions, describe
from tests.acceptance.test_bad_input import DECISION, asked, decision_process, greeted, upload_process
from tests.support.bpmn import external_task, process
from tests.support.world import World, until

ENGINE_USER_STATE = "SELECT state FROM people WHERE user_id = %s"


async def prompts_shown(world: World, chat_id: int) -> int:
    sent = await world.town.calls("sendMessage")
    mine = [each["params"] for each in sent if str(each["params"].get("chat_id")) == str(chat_id)]
    return sum("Shall we" in str(each.get("text")) for each in mine)


async def test_an_answer_given_while_the_engine_is_down_is_kept_and_completed_later(world: World) -> None:
    ada, instance, _ = await asked(world, decision_process(), "decision")
    await world.stack.stop_part("engine", kill=True)
    try:
        await ada.tap("Yes")
        await ada.sees("Your answer is saved")
        assert await world.value("SELECT state FROM pending_replies") == "answered"
    finally:
        await world.stack.start_part("engine")
    assert await world.until_ended(instance, patience_s=60) == "COMPLETED"
    assert (await world.variables(instance))["action"] == "yes"


async def test_a_worker_killed_after_fetch_and_before_its_row_costs_one_short_lock(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    async with world.holding("pending_replies"):
        instance = await world.start_process("decision", telegram_user_id=ada.user_id)
        await world.until_blocked("INSERT INTO pending_replies")
        await world.stop("worker1", kill=True)
    assert await world.value("SELECT count(*) FROM pending_replies") == 0

    await world.start("worker2")
    await ada.tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"


async def test_a_worker_killed_after_its_row_and_before_its_post_loses_nothing(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1")
    bot_settings = {"LOG_LEVEL": "INFO"}
    ada = await world.town.person("Ada")
    await ada.say("/start")
    # The only sender is the worker, and its call hangs until it dies.
    await world.town.fault("timeout", method="sendMessage", count=1, hold_s=30)
    instance = await world.start_process("decision", telegram_user_id=ada.user_id)

    async def hanging() -> bool:
        return bool(await world.town.calls("sendMessage"))  # claimed is not yet called

    await until(hanging, "the worker sends")
    await world.stop("worker1", kill=True)
    assert await world.value("SELECT message_id FROM prompts") is None

    await world.start("worker2", "bot1", settings=bot_settings)
    await ada.tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"
    assert await prompts_shown(world, ada.chat_id) <= 2


async def test_a_bot_killed_between_storing_and_handling_an_update_loses_nothing(world: World) -> None:
    await world.start("bot1")
    ada = await world.town.person("Ada")
    async with world.holding("people"):
        await ada.say("/start")
        await world.until_blocked("INSERT INTO people")
        await world.stop("bot1", kill=True)
    assert await world.value("SELECT state FROM updates") == "queued"

    await world.start("bot2")
    await ada.sees("Hello")
    assert await world.value("SELECT state FROM updates") == "handled"


async def test_a_cancelled_instance_retires_the_prompt_and_a_late_tap_is_told_so(world: World) -> None:
    ada, instance, prompt = await asked(world, decision_process(), "decision")
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await world.engine.delete_process_instance(instance, "no longer wanted")

    retired = await ada.sees_change(prompt, lambda message: not captions(message))
    assert retired is not None
    assert "taken back" in describe(retired)
    told = await ada.told(await ada.press(prompt, data, stale=True))
    assert "no longer needed" in told
    assert await world.value("SELECT state FROM pending_replies") == "withdrawn"


async def test_a_wrong_engine_password_is_said_and_not_hammered(world: World) -> None:
    await world.launch("worker1", settings={"ENGINE_PASSWORD": "wrong"})

    async def said() -> bool:
        return "ENGINE_PASSWORD" in world.log("worker1")

    await until(said, "the log names the setting")
    await asyncio.sleep(2)
    assert world.log("worker1").count("cannot fetch") < 8


async def test_a_process_waits_for_its_database_and_goes_on(world: World) -> None:
    port = world.stack.postgres.port
    await world.stack.stop_part("postgres", kill=True)
    try:
        await world.launch("bot1")

        async def waits() -> bool:
            return "waiting for the database" in world.log("bot1")

        await until(waits, "the log says that it waits")
    finally:
        await world.stack.start_part("postgres")
    assert world.stack.postgres.port == port
    ada = await world.town.person("Ada")
    await ada.say("/start")
    await ada.sees("Hello")


async def test_an_upload_while_the_store_is_away_is_kept_and_the_person_told(world: World) -> None:
    ada, instance, _ = await asked(world, upload_process(), "upload")
    await world.stack.stop_part("s3", kill=True)
    try:
        await ada.send("data.json", b'{"kept": true}')
        await ada.sees("I keep trying")
    finally:
        await world.stack.start_part("s3")
    await ada.sees("is stored", patience_s=40)
    assert await world.until_ended(instance) == "COMPLETED"
    told = [each for each in await ada.chat() if "I keep trying" in describe(each)]
    assert len(told) == 1


async def test_a_running_process_survives_a_restart_of_the_database(world: World) -> None:
    ada, instance, _ = await asked(world, decision_process(), "decision")
    await world.stack.stop_part("postgres", kill=True)
    await world.stack.start_part("postgres")
    await ada.tap("Yes")
    assert await world.until_ended(instance, patience_s=60) == "COMPLETED"


@pytest.mark.parametrize("kind", ["429", "500", "timeout", "lost_answer"])
async def test_a_prompt_arrives_although_telegram_fails_once(world: World, kind: str) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    await world.town.fault(kind, method="sendMessage", count=1, retry_after=1, hold_s=0.2)
    instance = await world.start_process("decision", telegram_user_id=ada.user_id)
    prompt = await ada.sees(buttons=["Yes", "No"])
    await ada.tap("Yes", message=prompt)
    assert await world.until_ended(instance) == "COMPLETED"
    shown = sum("Shall we" in describe(each) for each in await ada.chat())
    assert 1 <= shown <= (2 if kind == "lost_answer" else 1)


async def test_a_copy_whose_answer_was_lost_is_retired_when_it_is_touched(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    await world.town.fault("lost_answer", method="sendMessage", count=1)
    await world.start_process("decision", telegram_user_id=ada.user_id)

    async def both() -> bool:
        return sum("Shall we" in describe(each) for each in await ada.chat()) == 2

    await until(both, "the prompt was sent a second time")
    unknown, known = [each for each in await ada.chat() if "Shall we" in describe(each)]
    await ada.tap("Yes", message=known)
    await world.until_state("completed")

    await ada.tap("No", message=unknown)
    retired = await ada.sees_change(unknown, lambda message: not captions(message))
    assert retired is not None


async def test_an_answer_that_the_world_overtook_is_told_to_be_too_late(world: World) -> None:
    ada, instance, _ = await asked(world, decision_process(), "decision")
    await world.stack.stop_part("engine")
    try:
        await ada.tap("Yes")
        await ada.sees("Your answer is saved")
        await world.stop("bot1")
    finally:
        await world.stack.start_part("engine")
    await world.engine.delete_process_instance(instance, "no longer wanted")
    await world.until_ended(instance)
    await world.start("bot2")
    await ada.sees("too late")
    assert await world.value("SELECT state FROM pending_replies") == "withdrawn"


async def test_sigterm_ends_every_process_within_ten_seconds(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    loop = asyncio.get_running_loop()
    started = loop.time()
    await world.stop("worker1", "bot1")
    assert loop.time() - started < 10


async def test_a_task_handed_out_again_is_not_posted_again(world: World) -> None:
    ada, _, _ = await asked(world, decision_process(), "decision")
    task_id = await world.value("SELECT external_task_id FROM pending_replies")

    async def leased() -> bool:  # a lease taken after the unlocking would undo it
        return "lease=held" in world.log("worker1")

    await until(leased, "it is leased")
    await world.engine.unlock(task_id)

    async def leased_again() -> bool:  # the engine names its holder before that has looked
        return world.log("worker1").count("lease=") == 2

    await until(leased_again, "it is met and leased again")
    assert "task came again" in world.log("worker1")
    assert await prompts_shown(world, ada.chat_id) == 1


async def test_a_completion_that_the_next_step_refuses_is_an_incident_and_completes_when_mended(
    world: World,
) -> None:
    nodes = [
        external_task("decide", "render_task", inputs=DECISION),
        external_task("next", "nobody_serves_this", inputs={"needed": "${missing}"}),
    ]
    ada, instance, _ = await asked(world, process("decision", nodes), "decision")
    await ada.tap("Yes")

    async def raised() -> list[str]:
        return await world.engine.incidents(instance)

    assert "is kept" in (await until(raised, "an incident", 30))[0]
    await world.until_state("failed")
    task_id = await world.value("SELECT external_task_id FROM pending_replies")
    await world.set_variable(instance, "missing", "here")
    await world.engine.set_retries(task_id, 1)
    await world.until_state("completed")
    assert (await world.variables(instance))["action"] == "yes"


async def test_an_engine_that_refuses_the_user_id_is_explained_and_the_person_served(
    world: World, default_whitelist_stack: object
) -> None:
    env = default_whitelist_stack.env  # type: ignore[attr-defined]
    await world.start("bot1", settings={"ENGINE_URL": env["ENGINE_URL"]})
    ada = await greeted(world)

    async def refused() -> bool:
        return bool(await world.value(ENGINE_USER_STATE, ada.user_id) == "refused")

    await until(refused, "the row says so")
    assert "generalResourceWhitelistPattern" in world.log("bot1")


async def test_start_makes_the_engine_user_once(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    await ada.say("/start")

    async def made() -> bool:
        return bool(await world.value(ENGINE_USER_STATE, ada.user_id) == "made")

    await until(made, "the engine user is made")
