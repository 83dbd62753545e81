from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shared.engine.errors import NotFound
from shared.engine.values import from_engine, to_engine
from tests.support.bpmn import on_timer, parallel, process, user_task
from tests.support.engine_work import WORKER, Work
from tests.support.world import until

VALUES: list[object] = [
    None,
    "héllo 😀",
    "😀" * 2_000,
    "a" * 4_000,
    "a" * 4_001,
    "ä" * 100_000,
    "a\0b\ud800",
    True,
    0,
    -(2**31),
    2**31,
    2**63 - 1,
    2**63,
    0.1,
    float("inf"),
    Decimal("1000.10"),
    date(2026, 1, 2),
    datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
    [],
    {"a": [1, 2.5, None, "x\0"]},
]


async def test_every_value_comes_back_from_the_engine_as_it_was_sent(work: Work) -> None:
    await work.deploy(work.step("ask"), user_task("rest"))
    task = await work.started()
    sent = {f"v{number}": to_engine(value) for number, value in enumerate(VALUES)}
    await work.engine.complete(task.id, WORKER, sent)
    for name, raw in sent.items():
        got = await work.engine.process_instance_variable(task.process_instance_id, name)
        assert got == from_engine(raw), raw["type"]
    history = await work.engine.history_variables(task.process_instance_id)
    assert history == {name: from_engine(raw) for name, raw in sent.items()}


async def test_a_decimal_can_be_compared_in_a_condition(work: Work) -> None:
    await work.deploy(work.step("ask", inputs={"rich": "${amount > 1000}"}))
    task = await work.started(amount=Decimal("1000.10"))
    assert from_engine(task.variables["rich"]) is True


async def test_an_instance_is_found_by_its_business_key_while_it_runs(work: Work) -> None:
    await work.deploy(work.step("ask"))
    business_key = "import_-100 ö/?&_7"
    assert await work.engine.active_instances(business_key, work.key) == []
    instance = await work.engine.start_process(work.key, business_key)
    (found,) = await work.engine.active_instances(business_key, work.key)
    assert (found.id, found.business_key, found.definition_key) == (instance, business_key, work.key)
    assert await work.engine.process_instance(instance) == found
    await work.complete(await work.fetch_one())
    assert await work.engine.active_instances(business_key, work.key) == []
    assert await work.engine.process_instance(instance) is None


async def test_a_deleted_instance_keeps_the_reason_in_its_history(work: Work) -> None:
    await work.deploy(work.step("ask"))
    instance = await work.start()
    await work.engine.delete_process_instance(instance, "cancelled by Ann in Telegram 😀")
    await work.ended(instance)
    history = await work.engine.history_instance(instance)
    assert history is not None
    assert (history.state, history.delete_reason) == (
        "EXTERNALLY_TERMINATED",
        "cancelled by Ann in Telegram 😀",
    )
    assert history.ended_at is not None
    await work.engine.delete_process_instance(instance, "again")


async def test_the_withdrawal_feed_shows_steps_that_were_taken_back_and_no_others(work: Work) -> None:
    await work.deploy(work.step("ask", on=[on_timer("PT1S")]))
    before = datetime.now(UTC) - timedelta(seconds=5)
    completed = await work.started()
    await work.complete(completed)
    withdrawn = await work.started()
    await work.ended(withdrawn.process_instance_id)
    feed = {one.id: one for one in await work.engine.canceled_activities("serviceTask", before)}
    assert withdrawn.activity_instance_id in feed
    assert completed.activity_instance_id not in feed
    ended_at = feed[withdrawn.activity_instance_id].ended_at
    assert ended_at is not None
    again = await work.engine.canceled_activities("serviceTask", ended_at)
    assert withdrawn.activity_instance_id in {one.id for one in again}
    later = await work.engine.canceled_activities("serviceTask", ended_at + timedelta(milliseconds=1))
    assert withdrawn.activity_instance_id not in {one.id for one in later}


async def test_long_answers_are_read_page_by_page(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engine.history.PAGE", 2)
    await work.deploy(work.step("a"), work.step("b"), work.step("c"))
    instance = await work.start()
    for _ in range(3):
        await work.complete(await work.fetch_one())
    ran = [one.activity_id for one in await work.engine.history_activities(instance)]
    assert ran == [f"{work.key}_start", "a", "b", "c", f"{work.key}_start_end"]


async def test_a_tenants_process_is_started_by_its_tenant_only(work: Work) -> None:
    await work.engine._call("POST", "/tenant/create", json={"id": work.key, "name": "T"})
    xml = process(work.key, [work.step("ask")])
    (deployed,) = await work.engine.deploy(work.key, {"x.bpmn": xml}, tenant_id=work.key)
    assert deployed.tenant_id == work.key
    with pytest.raises(NotFound):
        await work.engine.start_process(work.key)
    await work.engine.start_process(work.key, tenant_id=work.key)
    assert (await work.fetch_one()).tenant_id == work.key


async def test_one_version_is_started_by_its_id_also_of_a_tenant(work: Work) -> None:
    await work.engine._call("POST", "/tenant/create", json={"id": work.key, "name": "T"})
    for tenant in (None, work.key):
        made = []
        for topic in ("first", "second"):
            xml = process(work.key, [work.step(topic)]).replace(
                b'isExecutable="true"', b'isExecutable="true" camunda:versionTag="stable"'
            )
            made += await work.engine.deploy(work.key, {"x.bpmn": xml}, tenant_id=tenant)
        first, second = made
        assert await work.engine.version_of(work.key, "1", tenant) == first
        assert await work.engine.version_of(work.key, "stable", tenant) == second
        assert await work.engine.version_of(work.key, "3", tenant) is None
        assert await work.engine.version_of(work.key, "other", tenant) is None
        instance = await work.engine.start_definition(first.id, "k")
        assert [each.id for each in await work.engine.active_instances("k", work.key, tenant)] == [instance]
        task = await work.fetch_one()
        assert (task.activity_id, task.tenant_id) == ("first", tenant)


async def test_what_a_user_may_start_is_listed_with_its_tenant_in_its_latest_version(work: Work) -> None:
    await work.engine._call("POST", "/tenant/create", json={"id": work.key, "name": "T"})
    xml = process(work.key, [work.step("ask")], name="A").replace(
        b'isExecutable="true"', b'isExecutable="true" camunda:candidateStarterUsers="u1"'
    )
    for number, tenant in enumerate((None, work.key, work.key)):
        files = {"x.bpmn": xml.replace(b'name="A"', f'name="A{number}"'.encode())}
        await work.engine.deploy(work.key, files, tenant_id=tenant)
    found = [each for each in await work.engine.startable("u1") if each.key == work.key]
    assert [(each.name, each.tenant_id, each.version) for each in found] == [
        ("A0", None, 1),
        ("A2", work.key, 2),
    ]
    assert [each for each in await work.engine.startable("u2") if each.key == work.key] == []


async def test_a_user_belongs_to_a_tenant_by_themselves_or_by_a_group(work: Work) -> None:
    engine, user = work.engine, f"u{work.key}"
    assert await engine.tenants_of(user) == frozenset()
    await engine.create_user(user, "U", "U", "Aa1!aaaaaaaaaaaa")
    await engine._call("POST", "/group/create", json={"id": f"g{work.key}", "name": "G", "type": "WORKFLOW"})
    await engine.add_to_group(user, f"g{work.key}")
    for name, members in ((f"a{work.key}", "user-members"), (f"b{work.key}", "group-members")):
        await engine._call("POST", "/tenant/create", json={"id": name, "name": "T"})
        whom = user if members == "user-members" else f"g{work.key}"
        await engine._call("PUT", f"/tenant/{name}/{members}/{whom}")
    assert await engine.tenants_of(user) == {f"a{work.key}", f"b{work.key}"}


async def test_what_never_was_is_not_found(work: Work) -> None:
    assert await work.engine.process_instance("nothing") is None
    assert await work.engine.history_instance("nothing") is None
    assert await work.engine.history_activities("nothing") == []
    with pytest.raises(NotFound):
        await work.engine.process_instance_variable("nothing", "x")


async def test_an_instance_stands_in_all_its_branches_until_it_has_ended(work: Work) -> None:
    await work.deploy(parallel("both", [work.step("ask")], [user_task("rest")]))
    instance = await work.engine.start_process(work.key)
    assert sorted(await work.engine.places(instance)) == ["ask", "rest"]
    await work.engine.delete_process_instance(instance, "over")

    async def is_over() -> bool:
        return await work.engine.process_instance(instance) is None

    await until(is_over, "it is deleted")
    assert await work.engine.places(instance) == []
