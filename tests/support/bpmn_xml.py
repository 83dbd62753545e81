"""The XML side of :mod:`tests.support.bpmn`: elements, sequence flows and extension elements."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
VENDORS = {"camunda": "http://camunda.org/schema/1.0/bpmn", "operaton": "http://operaton.org/schema/1.0/bpmn"}

Content = str | None | Sequence[str] | Mapping[str, str]
"""Of an input or output parameter: a text or expression, or a list or map of them."""


@dataclass(frozen=True)
class Tail:
    """A loose end: where a sequence flow will start, and on which condition."""

    source: ET.Element
    condition: str | None = None
    is_default: bool = False


Node = Callable[["Writer", ET.Element, list[Tail]], list[Tail]]
"""Writes itself into a scope behind the loose ends it is given, and gives its own loose ends."""


class Writer:
    """One ``definitions`` element while it grows."""

    def __init__(self, vendor: str) -> None:
        self._vendor = VENDORS[vendor]
        ET.register_namespace("bpmn", BPMN)
        ET.register_namespace(vendor, self._vendor)
        self.root = ET.Element(f"{{{BPMN}}}definitions", targetNamespace="urn:stepgram:test")
        self._jumps: list[tuple[ET.Element, list[Tail], str]] = []
        self._errors: dict[str, str] = {}
        self._elements: dict[str, ET.Element] = {}
        self._flows = 0

    def add(self, parent: ET.Element, tag: str, id_: str, **attributes: str | None) -> ET.Element:
        """Add a BPMN element; an attribute of None is left out, one named ``vendor_x`` is the engine's."""
        if id_ in self._elements:
            raise ValueError(f"two nodes are called {id_!r}")
        element = ET.SubElement(parent, f"{{{BPMN}}}{tag}", id=id_)
        for name, value in attributes.items():
            if value is not None:
                vendor_name = name.removeprefix("vendor_")
                element.set(name if vendor_name == name else f"{{{self._vendor}}}{vendor_name}", value)
        self._elements[id_] = element
        return element

    def connect(self, scope: ET.Element, tails: list[Tail], target: ET.Element) -> None:
        """Draw a sequence flow from every loose end to the target."""
        for tail in tails:
            self._flows += 1
            flow = self.add(
                scope,
                "sequenceFlow",
                f"flow_{self._flows}",
                sourceRef=tail.source.get("id"),
                targetRef=target.get("id"),
            )
            if tail.condition is not None:
                condition = ET.SubElement(flow, f"{{{BPMN}}}conditionExpression")
                condition.set(f"{{{XSI}}}type", "bpmn:tFormalExpression")
                condition.text = tail.condition
            if tail.is_default:
                tail.source.set("default", flow.get("id", ""))

    def sequence(self, scope: ET.Element, nodes: Sequence[Node], tails: list[Tail]) -> list[Tail]:
        """Write nodes one behind the other."""
        for node in nodes:
            tails = node(self, scope, tails)
        return tails

    def path(self, scope: ET.Element, nodes: Sequence[Node], start: ET.Element) -> None:
        """Write nodes behind a start or boundary event, and an end event if their flow needs one."""
        tails = self.sequence(scope, nodes, [Tail(start)])
        if tails:
            self.connect(scope, tails, self.add(scope, "endEvent", f"{start.get('id')}_end"))

    def body(self, scope: ET.Element, nodes: Sequence[Node], start: Mapping[str, str] | None = None) -> None:
        """Fill a process or subprocess: start event, with properties, nodes, end event."""
        event = self.add(scope, "startEvent", f"{scope.get('id')}_start")
        self.extensions(event, {}, {}, start or {})
        self.path(scope, nodes, event)

    def jump(self, scope: ET.Element, tails: list[Tail], target: str) -> None:
        """Draw these loose ends to a node that may not be there yet."""
        self._jumps.append((scope, tails, target))

    def event(self, event: ET.Element, kind: str, value: str | None) -> None:
        """Define an event: ``timer`` with a duration, ``error`` with a code or None for any."""
        definition = ET.SubElement(event, f"{{{BPMN}}}{kind}EventDefinition")
        if kind == "timer":
            duration = ET.SubElement(definition, f"{{{BPMN}}}timeDuration")
            duration.set(f"{{{XSI}}}type", "bpmn:tFormalExpression")
            duration.text = value
        elif kind == "error" and value is not None:
            definition.set("errorRef", self._errors.setdefault(value, f"error_{len(self._errors) + 1}"))

    def loop(self, activity: ET.Element, collection: str, element_variable: str, *, sequential: bool) -> None:
        """Make an activity multi-instance."""
        loop = ET.SubElement(activity, f"{{{BPMN}}}multiInstanceLoopCharacteristics")
        loop.set("isSequential", str(sequential).lower())
        loop.set(f"{{{self._vendor}}}collection", collection)
        loop.set(f"{{{self._vendor}}}elementVariable", element_variable)

    def extensions(
        self,
        element: ET.Element,
        inputs: Mapping[str, Content],
        outputs: Mapping[str, Content],
        properties: Mapping[str, str],
    ) -> None:
        """Write input and output parameters and extension properties, in the order given."""
        if not (inputs or outputs or properties):
            return
        extensions = ET.SubElement(element, f"{{{BPMN}}}extensionElements")
        if properties:
            holder = ET.SubElement(extensions, f"{{{self._vendor}}}properties")
            for name, value in properties.items():
                ET.SubElement(holder, f"{{{self._vendor}}}property", name=name, value=value)
        if inputs or outputs:
            holder = ET.SubElement(extensions, f"{{{self._vendor}}}inputOutput")
            for tag, parameters in (("inputParameter", inputs), ("outputParameter", outputs)):
                for name, content in parameters.items():
                    self._content(ET.SubElement(holder, f"{{{self._vendor}}}{tag}", name=name), content)

    def share_variables(self, call: ET.Element) -> None:
        """Let a call activity give all its variables and take all results."""
        extensions = ET.SubElement(call, f"{{{BPMN}}}extensionElements")
        for direction in ("in", "out"):
            ET.SubElement(extensions, f"{{{self._vendor}}}{direction}", variables="all")

    def _content(self, parameter: ET.Element, content: Content) -> None:
        if content is None or isinstance(content, str):
            parameter.text = content
        elif isinstance(content, Mapping):
            map_ = ET.SubElement(parameter, f"{{{self._vendor}}}map")
            for key, value in content.items():
                ET.SubElement(map_, f"{{{self._vendor}}}entry", key=key).text = value
        else:
            list_ = ET.SubElement(parameter, f"{{{self._vendor}}}list")
            for value in content:
                ET.SubElement(list_, f"{{{self._vendor}}}value").text = value

    def finish(self) -> bytes:
        """Draw the jumps, declare the errors and give the file's bytes."""
        for scope, tails, target in self._jumps:
            if target not in self._elements:
                raise ValueError(f"goto({target!r}): no node of that id")
            self.connect(scope, tails, self._elements[target])
        for code, id_ in self._errors.items():
            ET.SubElement(self.root, f"{{{BPMN}}}error", id=id_, name=code, errorCode=code)
        ET.indent(self.root)
        xml: bytes = ET.tostring(self.root, encoding="utf-8", xml_declaration=True)
        return xml
