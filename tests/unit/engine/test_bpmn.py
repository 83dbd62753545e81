import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

import pytest

from shared.engine.bpmn import read_activities
from shared.engine.client import EngineClient
from shared.engine.definitions import Definitions
from shared.engine.errors import NotFound, UnreadableDiagram
from tests.fakes.web import Request, Response, serving
from tests.support.bpmn import (
    Each,
    call,
    event_subprocess,
    external_task,
    on_error,
    on_timer,
    process,
    subprocess,
    user_task,
)


@pytest.mark.parametrize("vendor", ["camunda", "operaton"])
def test_names_come_in_the_order_of_the_diagram(vendor: str) -> None:
    xml = process(
        "audit",
        [
            external_task(
                "ask",
                "render_task",
                name="Ask",
                inputs={"text_z": "z", "text_a": "a", "list": ["1"]},
                outputs={"y": "${y}", "b": "${b}"},
                properties={"title": "T", "action_x.label": "X"},
                each=Each("${people}", "person"),
            ),
            user_task("rest"),
        ],
        name="Audit",
        vendor=vendor,
    )
    activities = read_activities(xml)
    ask = activities["ask"]
    assert (ask.name, ask.topic, ask.process_key, ask.process_name) == (
        "Ask",
        "render_task",
        "audit",
        "Audit",
    )
    assert ask.input_names == ("text_z", "text_a", "list")
    assert ask.output_names == ("y", "b")
    assert ask.property_names == ("title", "action_x.label")
    assert ask.multi_instance
    assert not activities["rest"].multi_instance
    assert activities["rest"].topic is None


def test_an_activity_of_a_subprocess_does_not_inherit_its_parameters() -> None:
    xml = process(
        "p", [subprocess("s", [external_task("a", "t")], inputs={"action": None}, outputs={"o": "1"})]
    )
    activities = read_activities(xml)
    assert activities["s"].input_names == ("action",)
    assert activities["a"].input_names == activities["a"].output_names == ()


def test_an_error_is_caught_on_the_edge_around_it_and_further_out() -> None:
    xml = process(
        "p",
        [
            subprocess(
                "outer",
                [
                    subprocess(
                        "inner",
                        [
                            external_task("a", "t", on=[on_error("EDGE"), on_timer("PT1H")]),
                            external_task("beside", "t", on=[on_error("NOT_MINE")]),
                        ],
                        on=[on_error("INNER")],
                    ),
                    event_subprocess("handler", on_error("HANDLED")),
                ],
                on=[on_error("OUTER")],
            ),
            event_subprocess("last", on_error("LAST", [external_task("rescue", "t")])),
            event_subprocess("nightly", on_timer("PT1H", interrupting=False)),
        ],
    )
    a = read_activities(xml)["a"]
    assert a.caught_error_codes == {"EDGE", "INNER", "HANDLED", "OUTER", "LAST"}
    assert not a.catches_all
    assert a.catches("OUTER")
    assert not a.catches("NOT_MINE")


def test_an_event_subprocess_does_not_catch_what_is_thrown_inside_it() -> None:
    xml = process(
        "p",
        [
            user_task("u"),
            event_subprocess("one", on_error("ONE", [external_task("a", "t")])),
            event_subprocess("two", on_error("TWO")),
        ],
    )
    assert read_activities(xml)["a"].caught_error_codes == {"TWO"}


def test_an_event_without_a_code_catches_all() -> None:
    xml = process("p", [external_task("a", "t", on=[on_error(None)])])
    a = read_activities(xml)["a"]
    assert a.catches_all
    assert a.catches("WHATEVER")


def test_an_error_without_a_code_catches_all_and_an_unknown_reference_is_the_code() -> None:
    xml = process(
        "p", [external_task("a", "t", on=[on_error("X")]), external_task("b", "t", on=[on_error("Y")])]
    )
    xml = xml.replace(b' errorCode="X"', b"").replace(b'errorRef="error_2"', b'errorRef="Z"')
    activities = read_activities(xml)
    assert activities["a"].catches_all
    assert activities["b"].caught_error_codes == {"Z"}


def test_what_a_caller_catches_at_its_call_activity_is_seen_there_only() -> None:
    activities = read_activities(process("p", [call("c", "other", on=[on_error("X")])]))
    assert activities["c"].caught_error_codes == {"X"}


def test_a_broken_file_is_the_authors_error() -> None:
    with pytest.raises(UnreadableDiagram):
        read_activities(b"<definitions>")


def test_entities_are_not_followed() -> None:
    xml = process("p", [external_task("a", "t", name="NAME")])
    bomb = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    head, body = xml.split(b"?>", 1)
    activities = read_activities(head + b"?>" + bomb + body.replace(b'topic="t"', b'topic="t"'))
    assert activities["a"].name == "NAME"


class TestDefinitions:
    """The cache in front of the engine."""

    @staticmethod
    @asynccontextmanager
    async def serving(asked: list[str]) -> AsyncIterator[EngineClient]:
        def respond(request: Request) -> Response:
            definition_id = unquote(request.path.split("/")[-2])
            asked.append(definition_id)
            if definition_id == "gone":
                return Response(404, {"type": "InvalidRequestException", "message": "No matching"})
            xml = process("p", [external_task("a", "t", name=definition_id)])
            return Response(200, {"id": definition_id, "bpmn20Xml": xml.decode()})

        async with serving(respond) as url, EngineClient(url) as client:
            yield client

    async def test_many_tasks_of_a_new_definition_read_it_once(self) -> None:
        asked: list[str] = []
        async with self.serving(asked) as client:
            definitions = Definitions(client)
            found = await asyncio.gather(*(definitions.activity("p:1:x", "a") for _ in range(10)))
        assert asked == ["p:1:x"]
        assert {activity.name for activity in found} == {"p:1:x"}

    async def test_the_least_used_definition_is_forgotten(self) -> None:
        asked: list[str] = []
        async with self.serving(asked) as client:
            definitions = Definitions(client, cache_size=2)
            for definition_id in ("1", "2", "1", "3", "1", "2"):
                await definitions.activity(definition_id, "a")
        assert asked == ["1", "2", "3", "2"]

    async def test_an_unknown_definition_or_activity_is_not_found(self) -> None:
        async with self.serving([]) as client:
            definitions = Definitions(client)
            with pytest.raises(NotFound, match="'b'"):
                await definitions.activity("1", "b")
            with pytest.raises(NotFound):
                await definitions.activity("gone", "a")
