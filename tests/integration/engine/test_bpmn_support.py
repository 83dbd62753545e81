from tests.support.bpmn import (
    Each,
    call,
    end,
    end_all,
    end_error,
    event_subprocess,
    exclusive,
    goto,
    on_error,
    on_timer,
    parallel,
    subprocess,
    user_task,
    wait,
)
from tests.support.engine_work import Work


async def test_every_node_that_tests_are_written_with_is_taken_by_the_engine(work: Work) -> None:
    await work.deploy(
        work.step(
            "ask",
            name="Ask",
            inputs={"text": "a <b> ${1 + 1}", "list": ["x", "y"], "map": {"a": "1"}, "none": None},
            outputs={"r": "${text}"},
            properties={"title": "T"},
            priority=3,
            async_before=True,
            on=[
                on_timer("PT1H", [end("late")], interrupting=False),
                on_error("A", [goto("ask")]),
                on_error(None),
            ],
        ),
        exclusive(
            "way", {"${r == 'a'}": [subprocess("s", [work.step("inside")])], "${r == 'b'}": []}, [goto("ask")]
        ),
        parallel("p", [work.step("left")], [wait("w", "PT1H"), call("c", work.key)], [end_all("all")]),
        subprocess(
            "m", [work.step("each")], inputs={"action": None}, each=Each("${list}", "x", sequential=True)
        ),
        event_subprocess("es", on_error("E", [user_task("u", on=[on_timer("PT1H")])])),
        event_subprocess("nightly", on_timer("PT1H", interrupting=False)),
        end_error("bad", "X"),
    )


async def test_branches_jumps_and_blocks_run_as_they_are_written(work: Work) -> None:
    await work.deploy(
        work.step("ask", inputs={"text": "a <b> ${1 + 1}"}),
        exclusive("way", {"${again}": [goto("ask")], "${!again}": []}),
        parallel("p", [work.step("left")], [work.step("right")]),
        user_task("rest"),
    )
    task = await work.started()
    assert task.variables["text"]["value"] == "a <b> 2"
    await work.complete(task, again=True)
    await work.complete(await work.fetch_one(), again=False)
    left, right = await work.fetch()
    await work.complete(left)
    await work.complete(right)
    ran = await work.engine.history_activities(task.process_instance_id)
    order = [activity.activity_id for activity in ran]
    assert order.count("ask") == 2
    assert order[-1] == "rest"
