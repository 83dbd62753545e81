"""Where a token can go: what follows what, across subprocesses and events, and what can happen at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

from shared.authoring.lint.diagram import Flow, Node, Process
from shared.engine.bpmn_xml import BPMN

_FORKS = {"parallelGateway", "inclusiveGateway", "complexGateway"}
_DECIDES = {"exclusiveGateway", "eventBasedGateway"}


@dataclass(frozen=True)
class Fork:
    """A place behind which two ways are gone at once: what is on the one only, and on the other only."""

    at: str
    one: frozenset[str]
    other: frozenset[str]
    conditions: tuple[str | None, str | None] = (None, None)
    """Of each way: None where it is always gone, empty where nothing can be told."""


def left(node_id: str) -> str:
    """The point behind a subprocess; no id of BPMN looks like this."""
    return f"{node_id}/left"


class Graph:
    """The ways through one process; a way that no rule is sure of counts as one that can be gone."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._reached: dict[str, frozenset[str]] = {}
        self._next: dict[str, set[str]] = {}
        self.flows_of: dict[str, list[Flow]] = {}
        for flow in process.flows:
            self.flows_of.setdefault(flow.source, []).append(flow)
            source = process.nodes[flow.source]
            self._edge(left(flow.source) if source.is_subprocess else flow.source, flow.target)
        self._enter(process.id)
        for node in process.nodes.values():
            self._structure(node)

    def reach(self, start: str) -> frozenset[str]:
        """Everything that can come after a node; the node itself only where a loop leads back."""
        if start not in self._reached:
            seen: set[str] = set()
            waiting = [start]
            while waiting:
                for there in self._next.get(waiting.pop(), ()):
                    if there not in seen:
                        seen.add(there)
                        waiting.append(there)
            self._reached[start] = frozenset(seen)
        return self._reached[start]

    def entries(self, scope: str) -> list[str]:
        """Where a process or subprocess begins."""
        targets = {flow.target for flow in self._process.flows}
        return [
            node.id
            for node in self._process.nodes.values()
            if node.scope == scope
            and node.id not in targets
            and node.kind != "boundaryEvent"
            and not node.is_event_subprocess
            and node.element.get("isForCompensation") != "true"
        ]

    def can_be_before(self, earlier: str, later: str) -> bool:
        """Whether a node may have been passed when another is left: before it, or beside it."""
        if earlier == later or later in self.reach(earlier):
            return True
        return any({earlier, later} <= {fork} | self.reach(fork) for fork in self._fork_places)

    @cached_property
    def _fork_places(self) -> set[str]:
        """Where it begins that several tokens are on their way."""
        places: set[str] = set()
        for node in self._process.nodes.values():
            splits = len(self.flows_of.get(node.id, ())) > 1 and node.kind not in _DECIDES
            if splits or node.is_multi_instance:
                places.add(node.id)
            if node.element.get("cancelActivity") == "false":
                places.add(node.element.get("attachedToRef") or node.id)
            if self._starts_beside(node):
                places.add(node.scope)
        return places

    def forks(self) -> Iterator[Fork]:
        """Every pair of ways that are surely gone at once, as far as their conditions let them."""
        for node in self._process.nodes.values():
            flows = self.flows_of.get(node.id, [])
            if node.kind in _FORKS or (node.kind not in _DECIDES and len(flows) > 1):
                yield from self._between(node, flows)
            if node.kind == "boundaryEvent" and node.element.get("cancelActivity") == "false":
                host = node.element.get("attachedToRef") or ""
                yield self._fork(node.id, self._from([node.id]), self._along(host))
            if self._starts_beside(node):
                inner = self._process.inside(node.id)
                rest = self._process.inside(node.scope) - inner - {node.id}
                yield self._fork(node.id, inner, rest)

    def _between(self, node: Node, flows: list[Flow]) -> Iterator[Fork]:
        ways = [(self._from([flow.target]), flow) for flow in flows]
        for at, (one, first) in enumerate(ways):
            for other, second in ways[at + 1 :]:
                found = self._fork(node.id, one, other)
                conditions = (_condition(node, first), _condition(node, second))
                yield Fork(found.at, found.one, found.other, conditions)

    def _starts_beside(self, node: Node) -> bool:
        starts = node.element.iterchildren(f"{BPMN}startEvent")
        return node.is_event_subprocess and any(each.get("isInterrupting") == "false" for each in starts)

    def _fork(self, at: str, one: frozenset[str], other: frozenset[str]) -> Fork:
        return Fork(at, one - other, other - one)

    def _from(self, starts: Iterable[str]) -> frozenset[str]:
        return frozenset().union(*({start} | self.reach(start) for start in starts))

    def _along(self, host: str) -> frozenset[str]:
        """A node, what is inside it, and what follows when it ends as it should."""
        ends = [flow.target for flow in self.flows_of.get(host, [])]
        return frozenset({host}) | self._process.inside(host) | self._from(ends)

    def _edge(self, source: str, target: str) -> None:
        self._next.setdefault(source, set()).add(target)

    def _enter(self, scope: str) -> None:
        for entry in self.entries(scope):
            self._edge(scope, entry)

    def _structure(self, node: Node) -> None:
        """The ways beside the flows: into and out of subprocesses, boundary events, links, compensation."""
        if node.is_subprocess:
            self._enter(node.id)
            self._edge(node.id, left(node.id))
        if node.scope in self._process.nodes and not self.flows_of.get(node.id):
            self._edge(left(node.id) if node.is_subprocess else node.id, left(node.scope))
        if node.is_event_subprocess:
            for before in (node.scope, *self._process.inside(node.scope) - {node.id}):
                self._edge(before, node.id)
        if host := node.element.get("attachedToRef"):
            for before in (host, *self._process.inside(host)):
                self._edge(before, node.id)
            self._associate(node)
        self._link(node)

    def _associate(self, boundary: Node) -> None:
        for association in self._process.element.iter(f"{BPMN}association"):
            if association.get("sourceRef") == boundary.id:
                self._edge(boundary.id, association.get("targetRef"))

    def _link(self, node: Node) -> None:
        for name in _links(node, "intermediateThrowEvent"):
            for there in self._process.nodes.values():
                if name in _links(there, "intermediateCatchEvent"):
                    self._edge(node.id, there.id)


def _condition(node: Node, flow: Flow) -> str | None:
    if node.kind == "parallelGateway":
        return None  # the engine does not look at conditions there
    return "" if flow.is_default or flow.scripted else flow.condition


def _links(node: Node, kind: str) -> list[str]:
    if node.kind != kind:
        return []
    found: list[etree._Element] = node.element.findall(f"{BPMN}linkEventDefinition")
    return [each.get("name") for each in found]
