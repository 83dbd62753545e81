"""Where a process's variables come from: which node may set which, and where it is seen."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from shared.authoring.lint.diagram import Node, Process
from shared.authoring.lint.steps import HumanStep
from shared.engine.bpmn_xml import BPMN, VENDORS, extensions, vendor_attribute

_WORD = re.compile(r"[^\W\d][\w$]*")
_LISTENERS = ("executionListener", "taskListener", "connector")
_OPEN_FORMS = (
    "formKey",
    "formRef",
    "formHandlerClass",
    "variableMappingClass",
    "variableMappingDelegateExpression",
)
_FROM_OUTSIDE = {"receiveTask", "scriptTask", "serviceTask", "sendTask", "businessRuleTask"}
_LOADED_EVENTS = ("message", "signal", "conditional", "error", "escalation")


@dataclass(frozen=True)
class Source:
    """What may set variables: those of some names, all but a step's buttons, or simply all.

    ``at`` is the node behind which they are there, or the process itself: from its start.
    """

    at: str
    names: frozenset[str]
    anything_else: bool = False
    even_actions: bool = False
    inside_only: bool = False

    def may_set(self, name: str) -> bool:
        """Whether a variable may come from here."""
        if name in self.names or self.even_actions:
            return True
        return self.anything_else and not (name == "action" or name.startswith("action_"))


def sources(process: Process, steps: Mapping[str, HumanStep]) -> list[Source]:
    """Everything in a process that may set variables."""
    watched = [process.element, *process.element.iter(f"{BPMN}sequenceFlow")]
    listened = any(_has_listener(element) for element in watched)
    found = [Source(process.id, frozenset(_documented(process)), even_actions=listened)]
    for node in process.nodes.values():
        found.append(_source(node, steps.get(node.id)))
        if node.is_subprocess:
            found.append(Source(node.id, frozenset(node.inputs), inside_only=True))
    return found


def is_seen(process: Process, name: str, source: Source, place: str) -> bool:
    """Whether what comes from a source is there at a node: not if its subprocess was left since."""
    node = process.nodes.get(source.at)
    if node is None:
        return True
    if source.inside_only:
        return place in process.inside(source.at)
    scope = landing(process, node, name)
    return scope == process.id or place == scope or place in process.inside(scope)


def landing(process: Process, node: Node, name: str) -> str:
    """The scope that a variable goes to: the nearest around the node that declares it, else the process."""
    scopes = list(process.scopes_of(node))
    return next(
        (scope for scope in scopes if scope in process.nodes and name in process.nodes[scope].inputs),
        scopes[-1],
    )


def _documented(process: Process) -> Iterator[str]:
    """The words of the process's own documentation, where authors name its start variables."""
    for text in process.element.iterchildren(f"{BPMN}documentation"):
        yield from _WORD.findall(text.text or "")


def _source(node: Node, step: HumanStep | None) -> Source:
    named = set(node.outputs) | set(_declared_by(node))
    if _has_listener(node.element):
        return Source(node.id, frozenset(named), even_actions=True)
    if step is not None:
        return Source(node.id, frozenset({*named, *step.results}))
    if node.kind in {"userTask", "task", "manualTask"} or _takes_all(node):
        return Source(node.id, frozenset(named), even_actions=node.kind not in {"task", "manualTask"})
    loaded = node.kind in _FROM_OUTSIDE or node.has_event(*_LOADED_EVENTS)
    if loaded:
        named |= set(_scripted(node))
    return Source(node.id, frozenset(named), anything_else=loaded)


def _declared_by(node: Node) -> Iterator[str]:
    """Names that the diagram itself gives: form fields, result variables, what a call gives back."""
    for attribute in (
        "resultVariable",
        "errorCodeVariable",
        "errorMessageVariable",
        "escalationCodeVariable",
    ):
        for element in (node.element, *node.element.iterchildren()):
            if name := vendor_attribute(element, attribute):
                yield name
    for field in extensions(node.element, "formData", "formField"):
        yield field.get("id") or ""
    for out in extensions(node.element, "out"):
        yield out.get("target") or ""
    if node.kind == "startEvent":  # the fields of a start in the chat
        yield from (name.partition(".")[0] for name in node.properties)


def _has_listener(element: etree._Element) -> bool:
    return any(True for tag in _LISTENERS for _ in extensions(element, tag))


def _takes_all(node: Node) -> bool:
    """Whether a node may set any name at all, by a form or a call that gives everything back."""
    has_form = any(vendor_attribute(node.element, name) for name in _OPEN_FORMS)
    gives_all = any(out.get("variables") == "all" for out in extensions(node.element, "out"))
    return has_form or gives_all


def _scripted(node: Node) -> Iterator[str]:
    """Every word of a node's script, field or expression: it may be the name of a variable that it sets."""
    for element in node.element.iter():
        if any(element.tag == f"{vendor}inputParameter" for vendor in VENDORS):
            continue
        yield from _WORD.findall(element.text or "")
    for attribute in ("expression", "delegateExpression"):
        yield from _WORD.findall(vendor_attribute(node.element, attribute) or "")
