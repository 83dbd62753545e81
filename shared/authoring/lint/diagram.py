"""A BPMN file as the rules see it: processes, and in each its nodes, flows and scopes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from shared.engine.bpmn import ActivityInfo, read_activities
from shared.engine.bpmn_xml import BPMN, VENDORS, extensions, parse, vendor_attribute
from shared.engine.errors import UnreadableDiagram

MAX_BYTES = 10_000_000
"""Of a file; diagrams have some hundred kilobytes."""

SUBPROCESSES = frozenset({"subProcess", "transaction", "adHocSubProcess"})
_NODES = ("Event", "Task", "Gateway")
_OTHER_NODES = SUBPROCESSES | {"task", "callActivity"}
_EXPRESSION = re.compile(r"[$#]\{")


@dataclass(frozen=True)
class Unknown:
    """A value that is computed when the process runs."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Flow:
    """A sequence flow; ``condition`` is its expression, ``scripted`` one in another language."""

    id: str
    source: str
    target: str
    condition: str | None
    scripted: bool
    is_default: bool


@dataclass(frozen=True)
class Node:
    """An event, activity or gateway; ``scope`` is the id of the subprocess or process around it."""

    id: str
    kind: str
    scope: str
    element: etree._Element
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    properties: Mapping[str, str]
    info: ActivityInfo | None

    @property
    def topic(self) -> str | None:
        """The topic of an external task."""
        return vendor_attribute(self.element, "topic") if self.is_external else None

    @property
    def is_external(self) -> bool:
        """Whether a worker does it."""
        return vendor_attribute(self.element, "type") == "external"

    @property
    def is_subprocess(self) -> bool:
        """Whether other nodes are inside it."""
        return self.kind in SUBPROCESSES

    @property
    def is_event_subprocess(self) -> bool:
        """Whether an event starts it, not a flow."""
        return bool(self.element.get("triggeredByEvent") == "true")

    @property
    def is_multi_instance(self) -> bool:
        """Whether it runs once for each of several things."""
        return self.element.find(f"{BPMN}multiInstanceLoopCharacteristics") is not None

    @property
    def runs_side_by_side(self) -> bool:
        """Whether several of its instances run at once."""
        loop = self.element.find(f"{BPMN}multiInstanceLoopCharacteristics")
        return loop is not None and loop.get("isSequential") != "true"

    def has_event(self, *kinds: str) -> bool:
        """Whether it is an event of one of these kinds, such as ``error``."""
        return any(self.element.find(f"{BPMN}{kind}EventDefinition") is not None for kind in kinds)


@dataclass(frozen=True)
class Process:
    """One process of a file."""

    id: str
    element: etree._Element
    nodes: Mapping[str, Node]
    flows: tuple[Flow, ...]

    def scopes_of(self, node: Node) -> Iterator[str]:
        """The ids of the subprocesses around a node, from the inside, and at last the process."""
        scope = node.scope
        while scope in self.nodes:
            yield scope
            scope = self.nodes[scope].scope
        yield scope

    def inside(self, scope: str) -> frozenset[str]:
        """The ids of all nodes in a subprocess, at any depth."""
        return frozenset(node.id for node in self.nodes.values() if scope in self.scopes_of(node))


def read(content: bytes) -> list[Process]:
    """The processes of a file that the engine would run.

    Raises:
        UnreadableDiagram: the file is too large, no XML, no BPMN, declares entities, or has an id twice.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableDiagram(f"the file has {len(content)} bytes; a diagram has at most {MAX_BYTES}")
    root = parse(content)
    if root.getroottree().docinfo.doctype:
        raise UnreadableDiagram("the file declares a document type; a diagram has none")
    if root.tag != f"{BPMN}definitions":
        raise UnreadableDiagram(f"the file is no BPMN: its root is {etree.QName(root).localname!r}")
    infos = read_activities(content)
    runs = (each for each in root.iterchildren(f"{BPMN}process") if each.get("isExecutable") != "false")
    return [_process(element, infos) for element in runs]


def is_expression(text: str) -> bool:
    """Whether a text holds something that the engine computes."""
    return _EXPRESSION.search(text) is not None


def external_topics(process: Process) -> Iterator[tuple[str, str]]:
    """Every external topic in a process: (element, topic); also those of message events."""
    for element in process.element.iter():
        topic = vendor_attribute(element, "topic")
        if topic and vendor_attribute(element, "type") == "external":
            owner = element.getparent() if element.tag == f"{BPMN}messageEventDefinition" else element
            yield owner.get("id") or process.id, topic


def _process(element: etree._Element, infos: Mapping[str, ActivityInfo]) -> Process:
    key = element.get("id") or ""
    nodes = dict(_unique(key, _nodes(element, key, infos)))
    defaults = {node.element.get("default") for node in nodes.values()} - {None}
    flows = [
        _flow(flow, defaults)
        for flow in element.iter(f"{BPMN}sequenceFlow")
        if flow.get("sourceRef") in nodes and flow.get("targetRef") in nodes
    ]
    return Process(key, element, nodes, tuple(flows))


def _unique(key: str, nodes: Iterator[Node]) -> Iterator[tuple[str, Node]]:
    seen = {key}
    for node in nodes:
        if node.id in seen:
            raise UnreadableDiagram(f"two elements have the id {node.id!r}")
        seen.add(node.id)
        yield node.id, node


def _nodes(scope: etree._Element, scope_id: str, infos: Mapping[str, ActivityInfo]) -> Iterator[Node]:
    for element in scope.iterchildren(f"{BPMN}*"):
        kind, id_ = etree.QName(element).localname, element.get("id")
        if not id_ or not (kind.endswith(_NODES) or kind in _OTHER_NODES):
            continue
        yield Node(
            id_,
            kind,
            scope_id,
            element,
            inputs=dict(_inputs(element)),
            outputs=tuple(_named(extensions(element, "inputOutput", "outputParameter"))),
            properties={
                name: (found.get("value") or "")
                for found in extensions(element, "properties", "property")
                if (name := found.get("name"))
            },
            info=infos.get(id_),
        )
        if kind in SUBPROCESSES:
            yield from _nodes(element, id_, infos)


def _flow(flow: etree._Element, defaults: set[str | None]) -> Flow:
    condition = flow.find(f"{BPMN}conditionExpression")
    text = (condition.text or "").strip() if condition is not None else None
    scripted = condition is not None and (
        bool(condition.get("language")) or not is_expression(text or "") or len(condition) > 0
    )
    return Flow(
        id=flow.get("id") or flow.get("sourceRef"),
        source=flow.get("sourceRef"),
        target=flow.get("targetRef"),
        condition=None if scripted else text,
        scripted=scripted,
        is_default=flow.get("id") in defaults,
    )


def _inputs(element: etree._Element) -> Iterator[tuple[str, Any]]:
    for parameter in extensions(element, "inputOutput", "inputParameter"):
        if name := parameter.get("name"):
            yield name, _value(parameter)


def _value(parameter: etree._Element) -> Any:
    """A parameter's value: a text, a list, a map, None where it is empty, or UNKNOWN."""
    children = list(parameter)
    if not children:
        text = (parameter.text or "").strip()
        return UNKNOWN if is_expression(text) else (text or None)
    (holder, *more) = children
    kind = etree.QName(holder).localname
    parts = list(holder)
    if (
        more
        or kind not in {"list", "map"}
        or any(len(part) or is_expression(part.text or "") for part in parts)
    ):
        return UNKNOWN
    if kind == "list":
        of_texts = all(part.tag in {f"{vendor}value" for vendor in VENDORS} for part in parts)
        return [(part.text or "").strip() for part in parts] if of_texts else UNKNOWN
    return {part.get("key") or "": (part.text or "").strip() for part in parts}


def _named(elements: Iterator[etree._Element]) -> Iterator[str]:
    return iter(dict.fromkeys(name for element in elements if (name := element.get("name"))))
