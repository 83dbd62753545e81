"""What befalls the steps in the scenes in which processes are killed, beside what their people do."""

from devstack.people import captions
from tests.support.bpmn import process, user_task
from tests.support.crash_lanes import until, until_none
from tests.support.crash_plays import IN_PARTS, SMALL, YES, decided, one_incident, send_data
from tests.support.crash_stage import Stage


async def abandoned(stage: Stage) -> None:
    """While a file is on its way, which the first death interrupts, its step is taken back."""
    await stage.start()
    await send_data(stage, SMALL if "s3 PutObject" in stage.points else IN_PARTS)
    await stage.until_died()
    await stage.world.town.fault("timeout", method="getFile", hold_s=3)
    await _take_back(stage)
    await stage.until_states("withdrawn")
    await stage.world.town.call("DELETE", "/faults")


async def _take_back(stage: Stage) -> None:
    """The engine takes the step back, and that is looked for at once."""
    await stage.world.engine.delete_process_instance(stage.instance, "no longer wanted")
    await stage.until_ended()
    await stage.lane.rows("UPDATE chores SET due_at = now() WHERE name = 'withdrawal_feed'")
    await stage.lane.wake("chores")


async def withdrawn(stage: Stage) -> None:
    """The engine takes a step back while it is shown."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    stage.arm()
    await _take_back(stage)
    retired = await stage.person.sees_change(asked, lambda message: not captions(message), 30)
    assert retired is not None
    assert "taken back" in str(retired["text"])


async def too_late(stage: Stage) -> None:
    """An answer waits for a suspended instance, which is then deleted."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    path = f"/process-instance/{stage.instance}/suspended"
    await stage.world.rest("PUT", path, {"suspended": True})
    stage.arm()
    await stage.person.tap(YES, message=asked)
    query = "SELECT last_error FROM pending_replies WHERE process_instance_id = %s"

    async def waits() -> bool:
        return "suspended" in str(await stage.lane.value(query, stage.instance))

    await until(waits, "the answer waits")
    await stage.world.engine.delete_process_instance(stage.instance, "no longer wanted")
    await stage.until_ended()
    await make_due(stage)
    await stage.sees("too late")


async def make_due(stage: Stage) -> None:
    """What was put off of the person's steps is done now."""
    query = "UPDATE pending_replies SET due_at = now() WHERE process_instance_id = %s"
    await stage.lane.rows(query, stage.instance)
    await stage.lane.wake("completions", "leases")


async def _leased(stage: Stage) -> None:
    """Wait until the parker is done with the step: it has the last word on when its lease is due."""
    query = "SELECT due_at > now() + interval '1 hour' FROM pending_replies WHERE process_instance_id = %s"

    async def leased() -> bool:
        return bool(await stage.lane.value(query, stage.instance))

    await until(leased, "the step is leased for long")


async def given_up(stage: Stage) -> None:
    """Somebody cannot be reached for too long: the step is one incident."""
    await stage.start()
    await stage.until_states("undeliverable")
    await _leased(stage)
    stage.arm()
    await stage.lane.rows(
        "UPDATE pending_replies SET undeliverable_since = now() - interval '8 days', due_at = now()"
        " WHERE process_instance_id = %s",
        stage.instance,
    )
    await stage.lane.wake("leases")
    await one_incident(stage, "cannot be reached")
    await stage.until_states("failed")
    await stage.world.engine.delete_process_instance(stage.instance, "nobody is there")


async def lease(stage: Stage) -> None:
    """The lease of a step is renewed while it waits."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    await _leased(stage)
    stage.arm()
    await make_due(stage)
    await stage.until_died(len(stage.points))
    await stage.person.tap(YES, message=asked)
    decided(stage)


async def swept_answer(stage: Stage) -> None:
    """Our row says that the engine knows the answer, and it does not: the sweep finds that out."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    for _ in range(100):
        stage.lane.gateway.say("/complete", 503)
    await stage.person.tap(YES, message=asked)
    await stage.sees("Your answer is saved")
    await stage.lane.rows(
        "UPDATE pending_replies SET state = 'completed', claim = NULL, closed_at = now()"
        " WHERE process_instance_id = %s",
        stage.instance,
    )
    stage.lane.gateway.said.clear()
    stage.arm()
    await _sweep(stage)
    decided(stage)


async def swept_task(stage: Stage) -> None:
    """A task is leased and has no row: the sweep hands it out again."""
    await stage.start()
    await stage.sees("Shall we?", buttons=[YES])
    await stage.lane.until_at_rest()
    query = "DELETE FROM pending_replies WHERE process_instance_id = %s"
    await stage.lane.rows(query, stage.instance)
    stage.arm()
    await _sweep(stage)
    await stage.taps("Shall we?", YES)
    decided(stage)


async def asked_again(stage: Stage) -> None:
    """A task is leased and its row says that it was taken back: it is handed out and asked again."""
    await stage.start()
    await stage.sees("Shall we?", buttons=[YES])
    await stage.lane.until_at_rest()
    await stage.lane.rows(
        "UPDATE pending_replies SET state = 'withdrawn', closed_at = now() WHERE process_instance_id = %s",
        stage.instance,
    )
    stage.arm()
    await _sweep(stage)
    await stage.taps("Shall we?", YES)
    decided(stage)


async def _sweep(stage: Stage) -> None:
    query = "UPDATE chores SET due_at = now() WHERE name = 'sweep'"
    await stage.lane.rows(query)
    await stage.lane.wake("chores")


async def started(stage: Stage) -> None:
    """A wish to start a process, as the menu of a group makes it, becomes one instance."""
    key = f"crash_started{stage.lane.number}"
    if not await stage.world.rest("GET", f"/process-definition?key={key}"):
        await stage.world.deploy(process(key, [user_task("rest")]))
    wish = f"wish{stage.person.user_id}"
    await stage.lane.rows(
        "INSERT INTO process_starts (definition_key, business_key, variables, requested_by, state)"
        " VALUES (%s, %s, '{}', %s, 'queued')",
        key, wish, stage.person.user_id,
    )  # fmt: skip
    await stage.lane.wake("process_starts")

    async def is_started() -> bool:
        query = "SELECT state FROM process_starts WHERE business_key = %s"
        return bool(await stage.lane.value(query, wish) == "started")

    await until(is_started, "it is started")
    assert len(await stage.world.engine.active_instances(wish, key)) == 1


async def pruned(stage: Stage) -> None:
    """What is over for long is taken away: steps, messages, updates, starts, and the budgets of chats."""
    for age in AGED:
        await stage.lane.rows(age, stage.person.chat_id)

    async def old() -> list[str]:
        # What shows a button goes the next time, when it has lost it.
        await stage.lane.rows("UPDATE chores SET due_at = now() WHERE name = 'pruning' AND claim IS NULL")
        await stage.lane.wake("chores")
        return [name for name, query in OLD.items() if await stage.lane.value(query, stage.person.chat_id)]

    await until_none(old, "everything old is gone")


AGED = (
    "INSERT INTO pending_replies (external_task_id, topic, activity_id, activity_instance_id,"
    " process_instance_id, execution_id, process_definition_id, process_definition_key, step, chat_id, state,"
    " closed_at) SELECT 'old' || id, 'old', 'old', 'old', 'old', 'old', 'old', 'old', '{}', id, 'withdrawn',"
    " now() - interval '40 days' FROM (SELECT %s::bigint AS id) AS old",
    # A message of the closed step that shows a button still.
    "INSERT INTO prompts (pending_reply_id, chat_id, kind, state, content, message_id)"
    " SELECT id, chat_id, 'notice', 'sent', '{\"reply_markup\": {\"inline_keyboard\": []}}', 999999"
    " FROM pending_replies WHERE chat_id = %s",
    "UPDATE prompts SET created_at = now() - interval '40 days' WHERE chat_id = %s",
    "UPDATE updates SET created_at = now() - interval '5 days' WHERE order_key = 'chat:' || %s",
    "INSERT INTO updates (bot_id, update_id, order_key, payload, state, created_at)"
    " VALUES (1, %s, 'poison', '{}', 'poison', now() - interval '400 days')",
    "INSERT INTO process_starts (definition_key, business_key, variables, requested_by, state, due_at)"
    " VALUES ('old', 'old', '{}', %s, 'ended', now() - interval '400 days')",
    # A file whose retention is over, and one that was refused long ago.
    "INSERT INTO uploads (variable, chat_id, user_id, user_name, source, name, state, object_key, delete_at)"
    " SELECT 's3_x', id, id, 'old', 'page', 'kept', 'stored', 'tasks/old/' || id, now() - interval '1 day'"
    " FROM (SELECT %s::bigint AS id) AS old",
    "INSERT INTO uploads (variable, chat_id, user_id, user_name, source, name, state, created_at)"
    " VALUES ('s3_x', %s, 1, 'old', 'page', 'refused', 'refused', now() - interval '400 days')",
    "INSERT INTO sent_files (bot_id, kind, object_key, etag, file_id, used_at)"
    " VALUES (1, 'document', 'old/' || %s, 'etag', 'id', now() - interval '400 days')",
    "INSERT INTO rate_buckets (key, arrival_at) VALUES ('old:' || %s, now() - interval '1 day')",
)


OLD = {
    "step": "SELECT count(*) FROM pending_replies WHERE chat_id = %s",
    "message": "SELECT count(*) FROM prompts WHERE chat_id = %s",
    "update": "SELECT count(*) FROM updates WHERE order_key = 'chat:' || %s",
    "poison": "SELECT count(*) FROM updates WHERE order_key = 'poison' AND update_id = %s",
    "start": "SELECT count(*) FROM process_starts WHERE definition_key = 'old' AND requested_by = %s",
    "file": "SELECT count(*) FROM uploads WHERE chat_id = %s AND name = 'kept' AND state <> 'removed'",
    "refused": "SELECT count(*) FROM uploads WHERE chat_id = %s AND name = 'refused'",
    "file_id": "SELECT count(*) FROM sent_files WHERE object_key = 'old/' || %s",
    "budget": "SELECT count(*) FROM rate_buckets WHERE key = 'old:' || %s",
}
