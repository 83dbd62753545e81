"""What is left of the play, looked at from outside and compared with what its people gave."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import psycopg

from devstack.demo.engine import get, running_instances
from devstack.demo.objects import check_objects, sha256
from devstack.demo.scene import Checks, Scene
from devstack.people import Person, captions, describe
from devstack.waiting import look_until

SETTLE_S = 60.0
"""Old messages lose their buttons by edits, which wait for the rate limits of a chat."""


async def until_settled(scene: Scene) -> None:
    """Wait until both instances have ended, no row waits and no button is left; SETTLE_S at most."""
    people = (scene.cast.ada, scene.cast.ben)
    async with await _connect(scene) as rows:

        async def left() -> int:
            waiting = await (await rows.execute(_WAITING)).fetchone() or (0,)
            buttons = [len(await _with_buttons(person)) for person in people]
            return await running_instances(scene.engine) + int(waiting[0]) + sum(buttons)

        await look_until(lambda count: count == 0, left, SETTLE_S)


_WAITING = """
    SELECT (SELECT count(*) FROM updates WHERE state = 'queued')
         + (SELECT count(*) FROM uploads WHERE state = 'queued')
         + (SELECT count(*) FROM prompts WHERE state IN ('queued', 'editing', 'retiring', 'deleting'))
         + (SELECT count(*) FROM pending_replies
            WHERE state IN ('parked', 'posted', 'undeliverable', 'answered'))
"""


async def check_all(scene: Scene, checks: Checks) -> None:
    """Compare everything; nothing should move any more."""
    variables = await _check_engine(scene, checks)
    await _check_rows(scene, checks)
    await asyncio.to_thread(check_objects, scene, checks, variables)
    await _check_chats(scene, checks)


async def _connect(scene: Scene) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    return await psycopg.AsyncConnection.connect(
        scene.env["DATABASE_URL"], autocommit=True, connect_timeout=10
    )


# The engine


async def _check_engine(scene: Scene, checks: Checks) -> dict[str, Any]:
    """Compare the history; the variables of Ada's instance."""
    cast = scene.cast
    for name, instance, end in (
        ("community_audit", scene.adas_instance, "audit_done"),
        ("hello_approval", scene.bens_instance, "decided"),
    ):
        history = await get(scene.engine, f"/history/process-instance/{instance}")
        checks.equal(f"engine: {name} has COMPLETED", "COMPLETED", history["state"])
        ends = await get(
            scene.engine, "/history/activity-instance", processInstanceId=instance, activityId=end
        )
        checks.equal(f"engine: it ended at {end}", 1, len(ends))
        incidents = await get(scene.engine, "/history/incident", processInstanceId=instance)
        messages = [incident["incidentMessage"] for incident in incidents]
        checks.equal("engine: it never had an incident", [], messages)
    given = {
        "group_id": cast.group_id,
        "group_name": cast.audit.group,
        "telegram_user_id": cast.ada.user_id,
        "action_continue": True,
        "action_cancel": False,
        "form_comment": cast.audit.comment,
        "form_publish": True,
        "action": "approve",
        "action_approve": True,
        "action_reupload": False,
        "export_problem": "",
    }
    adas = await _variables(scene.engine, scene.adas_instance)
    _compare(checks, "Ada's", given, adas)
    file = adas.get("s3_chatHistory_meta") or {}
    sent = {"name": "result.json", "size": len(cast.audit.export), "sha256": sha256(cast.audit.export)}
    checks.equal("engine: Ada's s3_chatHistory_meta", sent, {name: file.get(name) for name in sent})
    bens = {"action": "reject", "action_reject": True, "action_approve": False, "form_reason": cast.reason}
    _compare(checks, "Ben's", bens, await _variables(scene.engine, scene.bens_instance))
    return adas


def _compare(checks: Checks, whose: str, given: Mapping[str, object], found: Mapping[str, object]) -> None:
    for name, value in given.items():
        checks.equal(f"engine: {whose} {name} is {value!r}", value, found.get(name))


async def _variables(engine: httpx.AsyncClient, instance: str) -> dict[str, Any]:
    """The process variables at the end of an instance; Json ones are decoded."""
    query = {"processInstanceId": instance, "activityInstanceIdIn": instance, "deserializeValues": "false"}
    found = await get(engine, "/history/variable-instance", **query)
    return {
        each["name"]: json.loads(each["value"]) if each["type"] == "Json" else each["value"] for each in found
    }


# The rows


_ADAS_STEPS = ("confirm", "upload", "upload", "review")
_REPLIES = (
    "SELECT activity_id, state, answered_by FROM pending_replies WHERE process_instance_id = %s ORDER BY id"
)


async def _check_rows(scene: Scene, checks: Checks) -> None:
    ada, ben = scene.cast.ada.user_id, scene.cast.ben.user_id

    async with await _connect(scene) as rows:

        async def found(query: str, *values: object) -> list[tuple[Any, ...]]:
            return await (await rows.execute(query, values)).fetchall()

        for name, instance, expected in (
            ("Ada", scene.adas_instance, [*((step, ada) for step in _ADAS_STEPS), ("tell_end", None)]),
            ("Ben", scene.bens_instance, [("approval", ben), ("tell_decision", None)]),
        ):
            checks.equal(
                f"rows: {name}'s pending replies are completed, all but the notice answered by {name}",
                [(step, "completed", by) for step, by in expected],
                await found(_REPLIES, instance),
            )
        checks.equal("rows: there are no others", [(7,)], await found("SELECT count(*) FROM pending_replies"))
        checks.equal(
            "rows: every update is handled",
            [("handled",)],
            await found("SELECT DISTINCT state FROM updates"),
        )
        checks.equal(
            "rows: every prompt is sent, none failed and none waits",
            [],
            await found(
                "SELECT id, kind, state, last_error FROM prompts WHERE state NOT IN ('sent', 'retired')"
            ),
        )
        checks.equal(
            "rows: both uploads that were exports by their name are stored",
            [("result.json", "stored"), ("result.json", "stored")],
            await found("SELECT name, state FROM uploads ORDER BY id"),
        )
        checks.equal(
            "rows: one start, of Ada's instance",
            [(scene.adas_instance,)],
            await found("SELECT process_instance_id FROM process_starts"),
        )


# The chats


async def _check_chats(scene: Scene, checks: Checks) -> None:
    cast = scene.cast
    for person in (cast.ada, cast.ben):
        checks.equal(f"chats: no button is left for {person.name} to tap", [], await _with_buttons(person))
    group = await cast.ada.in_chat(cast.group_id).chat()
    bots = [describe(message) for message in group if message["from"].get("is_bot")]
    checks.equal("chats: the bot wrote nothing into the group", [], bots)


async def _with_buttons(person: Person) -> list[str]:
    return [describe(message) for message in await person.chat() if captions(message)]
