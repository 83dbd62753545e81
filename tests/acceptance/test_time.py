"""What happens by itself while a step waits, with real processes and a real engine."""

from devstack.people import captions, describe
from tests.acceptance.test_bad_input import DECISION, asked, greeted
from tests.support.bpmn import end, external_task, on_error, process
from tests.support.world import World, until

SOON = {"reminder_after": "PT2S", "expires_after": "PT6S", "on_expire": "TOO_LATE"}


async def reached(world: World, instance: str, activity: str) -> bool:
    """Whether an instance has come to an activity."""
    path = f"/history/activity-instance?processInstanceId={instance}&activityId={activity}"
    return len(await world.rest("GET", path)) == 1


async def test_a_step_that_nobody_answers_is_reminded_of_and_expires_into_its_boundary_event(
    world: World,
) -> None:
    late = on_error("TOO_LATE", [end("late")])
    steps = [external_task("decide", "render_task", name="Trip", inputs=DECISION, properties=SOON, on=[late])]
    ada, instance, prompt = await asked(world, process("decision", steps), "decision")
    assert "until " in describe(prompt)
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    reminder = await ada.sees("Trip still waits", buttons=["Show"])
    assert reminder["reply_to_message"]["message_id"] == prompt["message_id"]

    retired = await ada.sees_change(prompt, lambda message: not captions(message))
    assert retired is not None
    assert "The time for this is up" in describe(retired)
    assert await world.until_ended(instance) == "COMPLETED"
    assert await reached(world, instance, "late")
    await world.until_state("expired")
    assert "This has expired" in await ada.told(await ada.press(prompt, data, stale=True))

    async def is_gone() -> bool:
        return not any("still waits" in describe(each) for each in await ada.chat())

    await until(is_gone, "the reminder is taken away")
    assert "action" not in await world.variables(instance)


async def test_a_step_that_its_person_does_not_answer_is_handed_over_and_completed_by_another_one(
    world: World,
) -> None:
    inputs = DECISION | {"escalate_after": "${wait}", "escalate_to": "${deputy}"}
    await world.deploy(process("decision", [external_task("decide", "render_task", inputs=inputs)]))
    await world.start("worker1", "worker2", "bot1")
    ada, bob = await greeted(world), await greeted(world, "Bob")
    instance = await world.start_process(
        "decision", telegram_user_id=ada.user_id, deputy=f"tg_user_{bob.user_id}", wait="PT2S"
    )
    prompt = await ada.sees(buttons=["Yes", "No"])
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await bob.sees("Shall we?", buttons=["Yes", "No"])
    await ada.sees_change(prompt, lambda message: not captions(message))
    assert "handed over" in await ada.told(await ada.press(prompt, data, stale=True))
    await bob.tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"
    assert (await world.variables(instance))["action"] == "yes"


async def test_a_worker_that_dies_over_a_deadline_leaves_it_to_another_one(world: World) -> None:
    late = on_error("TOO_LATE", [end("late")])
    keys = {"expires_after": "PT3S", "on_expire": "TOO_LATE"}
    steps = [external_task("decide", "render_task", inputs=DECISION, properties=keys, on=[late])]
    _, instance, _ = await asked(world, process("decision", steps), "decision")
    async with world.holding("pending_replies"):
        await world.until_blocked("SELECT pending_replies")
        await world.stop("worker1", kill=True)
    assert await world.value("SELECT count(*) FROM deadlines") == 1
    await world.start("worker2")
    assert await world.until_ended(instance) == "COMPLETED"
    assert await reached(world, instance, "late")
    posts = await world.town.calls("sendMessage")
    assert sum("Shall we" in str(each["params"].get("text")) for each in posts) == 1
