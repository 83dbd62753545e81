"""The main job on both engines, and with several processes of each kind."""

import hashlib
import json

from devstack.audit import PROCESS_FILE, Audit
from devstack.balancer import balancing
from devstack.parts.s3 import s3_client
from devstack.people import captions, describe
from devstack.ports import choose
from tests.support.world import World, until

GROUP = "Chess Club"
SENT_TWICE = "Ada:  [file result.json]"
"""The person herself sends a broken and a good export of one name."""


async def an_audit(world: World) -> Audit:
    ada, ben = await world.town.person("Ada"), await world.town.person("Ben")
    await world.town.group(GROUP, admins=[ada], members=[ben])
    return Audit(ada, GROUP)


async def the_instance(world: World) -> str:
    return str(await world.value("SELECT process_instance_id FROM process_starts"))


async def test_the_whole_audit_ends_as_its_person_decided(any_world: World) -> None:
    world = any_world
    await world.deploy(PROCESS_FILE)
    await world.start("worker1", "bot1")
    audit = await an_audit(world)

    await audit.start()
    await audit.upload_after_mistakes()
    await audit.review()

    instance = await the_instance(world)
    assert await world.until_ended(instance) == "COMPLETED"
    ends = [each.activity_id for each in await world.engine.history_activities(instance)]
    assert "audit_done" in ends
    variables = await world.variables(instance)
    assert variables["form_comment"] == audit.comment
    assert variables["form_publish"] is True
    assert variables["action"] == "approve"
    assert variables["action_approve"] is True
    assert variables["action_reupload"] is False
    assert variables["export_problem"] == ""
    await world.until_state("completed")
    assert await world.rows("SELECT DISTINCT state FROM updates") == [("handled",)]
    stored = read_object(world, variables["s3_chatHistory"])
    assert hashlib.sha256(stored).hexdigest() == variables["s3_chatHistory_meta"]["sha256"]
    assert stored == audit.export
    analysis = json.loads(read_object(world, variables["analysis_key"]))
    assert analysis["messages"] == variables["audit_messages"] > 1000
    await no_live_button_is_left(world, audit)


async def no_live_button_is_left(world: World, audit: Audit) -> None:
    async def none() -> bool:
        shown = [each for each in await audit.admin.chat() if "Which group" not in describe(each)]
        return not any(captions(each) for each in shown)

    await until(none, "no live button is left in the chat")


def read_object(world: World, key: str) -> bytes:
    env = world.product.env
    with s3_client(env) as client:
        return client.get_object(Bucket=env["R2_BUCKET_NAME"], Key=key)["Body"].read()


async def test_a_second_start_while_one_runs_offers_to_go_on_with_it(world: World) -> None:
    await world.deploy(PROCESS_FILE)
    await world.start("worker1", "bot1")
    audit = await an_audit(world)
    await audit.start()

    await audit.open_menu()
    await audit.admin.tap("Start")
    await audit.admin.sees("running already", buttons=["Go on with it"], old=True)
    await audit.admin.tap("Go on with it")
    await audit.admin.sees("Community audit", buttons=["Continue", "Cancel"])

    assert await world.value("SELECT count(*) FROM process_starts") == 1
    assert len(await world.engine.active_instances(await business_key(world), "community_audit")) == 1


async def business_key(world: World) -> str:
    return str(await world.value("SELECT business_key FROM process_starts"))


async def test_a_cancelled_audit_can_be_started_again(world: World) -> None:
    await world.deploy(PROCESS_FILE)
    await world.start("worker1", "bot1")
    audit = await an_audit(world)
    await audit.start()
    await audit.admin.tap("Cancel")
    assert await world.until_ended(await the_instance(world)) == "COMPLETED"

    await audit.open_menu()
    await audit.admin.tap("Start")
    await audit.admin.sees("Community audit", buttons=["Continue", "Cancel"])
    assert await world.value("SELECT count(*) FROM process_starts") == 2


async def test_an_abandoned_audit_retires_its_prompts(world: World) -> None:
    await world.deploy(PROCESS_FILE)
    await world.start("worker1", "bot1")
    ada = await world.town.person("Ada")
    await ada.say("/start")
    await ada.sees("Hello")

    instance = await world.start_process(
        "community_audit",
        telegram_user_id=ada.user_id,
        group_id=-100,
        group_name=GROUP,
        abandon_after="PT2S",
    )
    prompt = await ada.sees("Community audit", buttons=["Continue", "Cancel"])
    await ada.sees("closed because nobody went on")
    retired = await ada.sees_change(prompt, lambda message: not captions(message))
    assert retired is not None
    assert "taken back" in describe(retired)
    assert await world.until_ended(instance) == "COMPLETED"
    assert await world.value("SELECT state FROM pending_replies WHERE activity_id = 'confirm'") == "withdrawn"


async def test_two_workers_and_two_webhook_bots_give_the_same_conversation(world: World) -> None:
    await world.deploy(PROCESS_FILE)
    replicas = [choose(set()), choose(set())]
    async with balancing(replicas) as address:
        webhook = {"WEBHOOK_URL": f"{address}/telegram", "WEBHOOK_SECRET": "a-secret-token"}
        for name, port in zip(("bot1", "bot2"), replicas, strict=True):
            await world.start(name, settings={**webhook, "LISTEN_ADDRESS": f"127.0.0.1:{port}"})
        await world.start("worker1", "worker2")
        audit = await an_audit(world)

        await audit.start()
        await audit.upload_after_mistakes()
        await audit.review()

        instance = await the_instance(world)
        assert await world.until_ended(instance) == "COMPLETED"
        await world.until_state("completed")
        await world.until_tidy()
        texts = [describe(each) for each in await audit.admin.chat()]
        repeated = {text for text in texts if texts.count(text) > 1}
        assert repeated <= {SENT_TWICE}
        assert await completions_per_activity(world, instance) == {
            "confirm": 1,
            "upload": 2,
            "analyse": 1,
            "review": 1,
            "tell_end": 1,
        }


async def completions_per_activity(world: World, instance: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in await world.engine.history_activities(instance):
        if each.activity_type == "serviceTask" and not each.canceled:
            counts[each.activity_id] = counts.get(each.activity_id, 0) + 1
    return counts
