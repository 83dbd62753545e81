"""The example processes: they open in the Modeler, deploy, and never lose a flow or an error."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree

from shared.authoring import templates
from shared.steps.contract import read_step
from shared.steps.reading import Declared
from workers import registry

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "bpmn").glob("*.bpmn"))
TEMPLATES = json.loads((ROOT / "bpmn/element-templates/stepgram.json").read_text())

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
CAMUNDA = "{http://camunda.org/schema/1.0/bpmn}"

FLOW_NODES = ("Event", "Task", "task", "Gateway", "subProcess", "callActivity", "transaction")
ERROR_KEYS = {"on_cancel", "on_expire"}
ERRORS_OF_TOPICS = {"analyse_export": {"BAD_EXPORT"}}
"""BPMN error codes that a handler itself throws; the diagram does not show them."""


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def diagram(path: Path) -> etree._Element:
    return etree.parse(path).getroot()


def flow_nodes(diagram: etree._Element) -> list[etree._Element]:
    return [each for each in diagram.iter(f"{BPMN}*") if each.tag.endswith(FLOW_NODES) and each.get("id")]


def drawn(diagram: etree._Element, kind: str) -> list[str]:
    return [each.get("bpmnElement") for each in diagram.iter(DI + kind)]


def error_codes(diagram: etree._Element) -> dict[str, str]:
    return {each.get("id"): each.get("errorCode") for each in diagram.iter(f"{BPMN}error")}


def thrown(diagram: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    """Every place that can throw a BPMN error, with its code."""
    codes = error_codes(diagram)
    for end in diagram.iter(f"{BPMN}endEvent"):
        for definition in end.iter(f"{BPMN}errorEventDefinition"):
            yield end, codes[definition.get("errorRef")]
    for task in diagram.iter(f"{BPMN}serviceTask"):
        for code in ERRORS_OF_TOPICS.get(task.get(f"{CAMUNDA}topic"), ()):
            yield task, code
        for key in [*task.iter(f"{CAMUNDA}property"), *task.iter(f"{CAMUNDA}inputParameter")]:
            if key.get("name") in ERROR_KEYS:
                yield task, key.get("value") or key.text


def catches(diagram: etree._Element, event: etree._Element, code: str) -> bool:
    """Whether an event's error definition names the code, or none at all, which catches every code."""
    named = [each.get("errorRef") for each in event.iter(f"{BPMN}errorEventDefinition")]
    return any(ref is None or error_codes(diagram)[ref] == code for ref in named)


def is_caught(diagram: etree._Element, thrower: etree._Element, code: str) -> bool:
    """Whether a boundary event on the thrower or around it, or an event subprocess, takes the code."""
    for scope in [thrower, *thrower.iterancestors()]:
        boundaries = diagram.iterfind(f".//{BPMN}boundaryEvent[@attachedToRef='{scope.get('id')}']")
        starts = scope.iterfind(f"{BPMN}subProcess[@triggeredByEvent='true']/{BPMN}startEvent")
        if any(catches(diagram, event, code) for event in [*boundaries, *starts]):
            return True
    return False


def test_there_are_processes_to_check() -> None:
    assert {"community_audit", "hello_approval"} <= {path.stem for path in FILES}


def test_a_file_is_named_after_its_executable_process(path: Path, diagram: etree._Element) -> None:
    (process,) = diagram.iterfind(f"{BPMN}process")
    assert (process.get("id"), process.get("isExecutable")) == (path.stem, "true")
    assert process.get("name")


def test_a_process_says_how_long_its_history_lives(diagram: etree._Element) -> None:
    (process,) = diagram.iterfind(f"{BPMN}process")
    assert process.get(f"{CAMUNDA}historyTimeToLive")


def test_ids_are_unique(diagram: etree._Element) -> None:
    ids = [each.get("id") for each in diagram.iter() if each.get("id")]
    assert sorted(ids) == sorted(set(ids))


def test_every_flow_node_and_flow_is_drawn_once(diagram: etree._Element) -> None:
    flows = [flow.get("id") for flow in diagram.iter(f"{BPMN}sequenceFlow")]
    notes = [note.get("id") for note in diagram.iter(f"{BPMN}textAnnotation")]
    nodes = [node.get("id") for node in flow_nodes(diagram)]
    assert sorted(drawn(diagram, "BPMNShape")) == sorted(nodes + notes)
    assert sorted(drawn(diagram, "BPMNEdge")) == sorted(flows)


def test_every_flow_joins_two_nodes_that_know_it(diagram: etree._Element) -> None:
    nodes = {node.get("id"): node for node in flow_nodes(diagram)}
    for flow in diagram.iter(f"{BPMN}sequenceFlow"):
        leaves = [each.text for each in nodes[flow.get("sourceRef")].iterfind(f"{BPMN}outgoing")]
        enters = [each.text for each in nodes[flow.get("targetRef")].iterfind(f"{BPMN}incoming")]
        assert flow.get("id") in leaves
        assert flow.get("id") in enters


def test_an_exclusive_gateway_always_finds_a_way_on(diagram: etree._Element) -> None:
    flows = {flow.get("id"): flow for flow in diagram.iter(f"{BPMN}sequenceFlow")}
    for gateway in diagram.iter(f"{BPMN}exclusiveGateway"):
        outgoing = [each.text for each in gateway.iterfind(f"{BPMN}outgoing")]
        if len(outgoing) == 1:
            continue
        assert gateway.get("default") in outgoing, gateway.get("id")
        for flow_id in set(outgoing) - {gateway.get("default")}:
            assert flows[flow_id].findtext(f"{BPMN}conditionExpression"), flow_id


def test_every_error_thrown_is_caught(diagram: etree._Element) -> None:
    lost = [(place.get("id"), code) for place, code in thrown(diagram) if not is_caught(diagram, place, code)]
    assert lost == []


def test_every_service_task_is_an_external_task_with_a_topic(diagram: etree._Element) -> None:
    for task in diagram.iter(f"{BPMN}serviceTask"):
        assert task.get(f"{CAMUNDA}type") == "external", task.get("id")
        assert task.get(f"{CAMUNDA}topic"), task.get("id")


def test_a_text_is_the_authors_words_or_one_expression_so_no_value_stands_in_html(
    diagram: etree._Element,
) -> None:
    for given in diagram.iter(f"{CAMUNDA}inputParameter"):
        if given.get("name").startswith("text_") and "${" in given.text:
            assert given.text.startswith("${"), given.get("name")
            assert given.text.endswith("}"), given.get("name")
            assert given.text.count("${") == 1, given.get("name")


def test_every_process_has_its_picture(path: Path, diagram: etree._Element) -> None:
    """The picture shows exactly the elements of the file, so one that was forgotten is found."""
    picture = etree.parse(ROOT / "docs/images" / f"{path.stem}.svg")
    shown = {
        each.get("data-element-id").removesuffix("_label")
        for each in picture.iterfind(".//*[@data-element-id]")
    }
    assert shown == {*drawn(diagram, "BPMNShape"), *drawn(diagram, "BPMNEdge")}


def test_the_templates_are_those_of_the_code() -> None:
    assert (ROOT / "bpmn/element-templates/stepgram.json").read_text() == templates.written(), (
        "run `make docs`"
    )


def test_the_templates_are_valid_by_the_modelers_own_schema() -> None:
    """The schema is that of the npm package @camunda/element-templates-json-schema 0.22.1."""
    schema = json.loads((ROOT / "tests/data/element-templates.schema.json").read_text())
    jsonschema.validate(TEMPLATES, schema)


def test_every_built_in_topic_has_a_template() -> None:
    registry.load()
    topics = {topic.name for topic in registry.human_topics()}
    topics |= {
        topic.name
        for topic in registry.automated_topics()
        if topic.handler.__module__ in registry.BUILT_IN_MODULES
    }
    assert {template["id"].split(".")[1] for template in TEMPLATES} == topics


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["id"])
def test_an_element_template_makes_an_external_task_with_a_recipient(template: dict[str, Any]) -> None:
    bound = {each["binding"]["name"]: each for each in template["properties"]}
    assert bound["camunda:type"]["value"] == "external"
    assert bound["camunda:topic"]["value"] == template["id"].split(".")[1]
    assert bound["telegram_user_id"]["constraints"]["notEmpty"]


@pytest.mark.parametrize(
    "template",
    [each for each in TEMPLATES if "analyse" not in each["id"]],
    ids=lambda template: template["id"],
)
def test_what_a_template_makes_is_a_step_of_the_contract(template: dict[str, Any]) -> None:
    """Also where its author has left everything empty that may be."""
    inputs: dict[str, Any] = {}
    properties: dict[str, str] = {}
    for each in template["properties"]:
        kind, name = each["binding"]["type"], each["binding"]["name"]
        if kind == "camunda:inputParameter":
            inputs[name] = 7 if name == "telegram_user_id" else each.get("value") or "Words"
        elif kind == "camunda:property":
            properties[name] = each.get("value") or ""
    topic = registry.human_topics([template["id"].split(".")[1]])[0]
    declared = Declared("ask", tuple(inputs), inputs, properties)
    assert read_step(declared, needs_file=topic.needs_file, may_ask=topic.may_ask).recipient_id == 7
