import pytest

from shared.engine.client import EngineClient
from shared.engine.definitions import Definitions
from shared.engine.errors import EngineRejected, NotFound
from tests.support.bpmn import (
    call,
    event_subprocess,
    external_task,
    on_error,
    process,
    subprocess,
    user_task,
)
from tests.support.engine_work import WORKER, Work


async def test_what_the_deployed_xml_says_of_an_activity_is_read_by_its_task(work: Work) -> None:
    await work.deploy(work.step("ask", name="Ask", inputs={"text_z": "1", "text_a": "2"}, outputs={"o": "1"}))
    task = await work.started()
    activity = await Definitions(work.engine).activity(task.process_definition_id, task.activity_id)
    assert (activity.name, activity.topic, activity.process_key) == ("Ask", work.key, work.key)
    assert (activity.input_names, activity.output_names) == (("text_z", "text_a"), ("o",))


@pytest.mark.parametrize("code", ["EDGE", "INNER", "HANDLED", "LAST", "NOT_MINE", "UNKNOWN"])
async def test_the_xml_tells_which_bpmn_errors_the_engine_will_catch(work: Work, code: str) -> None:
    await work.deploy(
        subprocess(
            "s",
            [
                work.step("a", on=[on_error("EDGE", [user_task("caught_EDGE")])]),
                external_task("beside", "nobody", on=[on_error("NOT_MINE", [user_task("caught_NOT_MINE")])]),
                event_subprocess("es", on_error("HANDLED", [user_task("caught_HANDLED")])),
            ],
            on=[on_error("INNER", [user_task("caught_INNER")])],
        ),
        event_subprocess("last", on_error("LAST", [user_task("caught_LAST")])),
    )
    task = await work.started()
    activity = await Definitions(work.engine).activity(task.process_definition_id, "a")
    await work.engine.bpmn_error(task.id, WORKER, code)
    ran = {one.activity_id for one in await work.engine.history_activities(task.process_instance_id)}
    assert activity.catches(code) is (f"caught_{code}" in ran)


async def test_an_event_subprocess_does_not_catch_its_own_errors(work: Work) -> None:
    await work.deploy(
        external_task("first", f"{work.key}_first"),
        event_subprocess("es", on_error("AGAIN", [work.step("rescue"), user_task("caught")])),
    )
    instance = await work.start()
    first = await Work(work.engine, f"{work.key}_first").fetch_one()
    await work.engine.bpmn_error(first.id, WORKER, "AGAIN")
    rescue = await work.fetch_one()
    activity = await Definitions(work.engine).activity(rescue.process_definition_id, "rescue")
    assert not activity.catches("AGAIN")
    await work.engine.bpmn_error(rescue.id, WORKER, "AGAIN")
    assert await work.engine.process_instance(instance) is None


async def test_a_caller_catches_errors_that_the_called_process_does_not_show(work: Work) -> None:
    await work.deploy(work.step("ask"))
    caller = Work(work.engine, f"{work.key}_caller")
    await caller.deploy(call("c", work.key, on=[on_error("X", [user_task("caught")])]))
    instance = await caller.start()
    task = await work.fetch_one()
    assert not (await Definitions(work.engine).activity(task.process_definition_id, "ask")).catches("X")
    await work.engine.bpmn_error(task.id, WORKER, "X")
    ran = {one.activity_id for one in await work.engine.history_activities(instance)}
    assert "caught" in ran


async def test_deploying_the_same_again_gives_the_same_definition(work: Work) -> None:
    files = {"x.bpmn": process(work.key, [user_task("u")], name="The name")}
    first = await work.engine.deploy(work.key, files)
    second = await work.engine.deploy(work.key, files)
    assert first == second
    assert [(one.key, one.version, one.name, one.resource) for one in first] == [
        (work.key, 1, "The name", "x.bpmn")
    ]
    forced = await work.engine.deploy(work.key, files, enable_duplicate_filtering=False)
    assert [one.version for one in forced] == [2]


async def test_only_what_changed_gets_a_new_version(work: Work) -> None:
    other = f"{work.key}_other"
    files = {"a.bpmn": process(work.key, [user_task("u")]), "b.bpmn": process(other, [user_task("u")])}
    assert len(await work.engine.deploy(work.key, files, deploy_changed_only=True)) == 2
    files["b.bpmn"] = process(other, [user_task("changed")])
    changed = await work.engine.deploy(work.key, files, deploy_changed_only=True)
    assert [(one.key, one.version) for one in changed] == [(other, 2)]


async def test_a_file_that_the_engine_cannot_parse_is_rejected_with_its_reason(work: Work) -> None:
    xml = process(work.key, [external_task("a", "t")]).replace(b' camunda:topic="t"', b"")
    with pytest.raises(EngineRejected, match="topic"):
        await work.engine.deploy(work.key, {"x.bpmn": xml})


async def test_an_unknown_definition_is_not_found(engine: EngineClient) -> None:
    with pytest.raises(NotFound):
        await engine.definition_xml("nothing")
    with pytest.raises(NotFound):
        await engine.start_process("nothing")


@pytest.mark.parametrize("vendor", ["camunda", "operaton"])
async def test_operaton_reads_both_namespaces_as_we_do(work: Work, vendor: str) -> None:
    if vendor == "operaton" and (await work.engine.version()).startswith("7."):
        pytest.skip("Camunda knows its own namespace only")
    nodes = [work.step("ask", inputs={"text_q": "1"}, properties={"title": "T"})]
    await work.engine.deploy(work.key, {"x.bpmn": process(work.key, nodes, vendor=vendor)})
    task = await work.started()
    activity = await Definitions(work.engine).activity(task.process_definition_id, "ask")
    assert activity.topic == task.topic == work.key
    assert set(activity.input_names) == set(task.variables) == {"text_q"}
    assert task.extension_properties == {"title": "T"}
    assert activity.property_names == ("title",)
