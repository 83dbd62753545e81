"""Decisions: conditions that read what nothing set, and answers for which no way leads on."""

from collections.abc import Iterator, Mapping

from shared.authoring.lint import conditions
from shared.authoring.lint.diagram import Flow, Node, Process
from shared.authoring.lint.findings import Finding, finding
from shared.authoring.lint.graph import Graph, left
from shared.authoring.lint.sources import Source, is_seen, landing
from shared.authoring.lint.steps import HumanStep
from shared.steps.reading import nearest

_ENDS_OTHERWISE = ("error", "escalation", "terminate", "cancel", "compensate")


class Decisions:
    """The conditions of one process, held against the steps before them."""

    def __init__(
        self, file: str, process: Process, graph: Graph, steps: Mapping[str, HumanStep], sources: list[Source]
    ) -> None:
        self._file = file
        self._process = process
        self._graph = graph
        self._steps = steps
        self._sources = sources

    def unset_variables(self) -> Iterator[Finding]:
        """Conditions that read a step's result that nothing before them can have set.

        A process without steps of its own is called by another, which gives it its variables.
        """
        live = self._graph.reach(self._process.id)
        for flow in self._process.flows:
            if not self._steps or not flow.condition or flow.is_default or flow.source not in live:
                continue
            for name in conditions.results_read(flow.condition):
                if not self._before(flow, name):
                    known = {each for step in self._steps.values() for each in step.results}
                    found = f"The condition {flow.condition} reads {name!r}, which nothing before it sets"
                    hint = nearest(name, known).removeprefix(", ").capitalize()
                    fix = f"{hint} Read the result of a step that stands before it on this way.".strip()
                    yield finding(self._file, flow.id, "unset-variable", found, fix)

    def unknown_actions(self) -> Iterator[Finding]:
        """Comparisons of ``action`` with what is the name of no button before them."""
        for flow in self._process.flows:
            offered = self._offered(flow) if flow.condition else None
            for compared in conditions.actions_compared(flow.condition or "") if offered else ():
                if offered and compared not in offered:
                    hint = nearest(compared, offered).rstrip("?")
                    found = f"The condition {flow.condition} compares action with {compared!r}{hint}"
                    fix = f"The buttons before it are {', '.join(sorted(offered))}."
                    yield finding(self._file, flow.id, "unknown-action", found, fix)

    def missing_defaults(self) -> Iterator[Finding]:
        """Places where an answer can come for which surely no condition holds."""
        lost: dict[str, list[tuple[str, str]]] = {}
        for step in self._steps.values():
            for action in () if self._is_unsure(step.node) else step.actions:
                for place in self._stuck(step, action):
                    lost.setdefault(place, []).append((step.node.id, action))
        for place, answers in lost.items():
            said = ", ".join(f"{action!r} of {step}" for step, action in answers)
            fix = "Give it a default flow, or a flow for each of these answers."
            yield finding(self._file, place, "missing-default-flow", f"No flow is for the answer {said}", fix)

    def _before(self, flow: Flow, name: str) -> list[Source]:
        return [
            source
            for source in self._sources
            if source.may_set(name)
            and self._graph.can_be_before(source.at, flow.source)
            and is_seen(self._process, name, source, flow.source)
        ]

    def _is_unsure(self, node: Node) -> bool:
        """Whether ``action`` may be another one right behind a step than the button that was tapped."""
        return node.is_multi_instance or any(
            each.even_actions for each in self._sources if each.at == node.id
        )

    def _offered(self, flow: Flow) -> set[str] | None:
        """The buttons of the steps that may have set ``action``; None where something else may have, too."""
        before = self._before(flow, "action")
        if any(source.at not in self._steps or source.even_actions for source in before):
            return None
        steps = [self._steps[source.at] for source in before]
        return (
            None if any(step.node.outputs for step in steps) else {a for step in steps for a in step.actions}
        )

    def _stuck(self, step: HumanStep, action: str) -> Iterator[str]:
        """The places at which a token with this answer finds no way on."""
        known: dict[str, str | bool] = {f"action_{each}": each == action for each in step.actions}
        known["action"] = action
        home = landing(self._process, step.node, "action")
        seen: set[str] = set()
        waiting = [step.node.id]
        while waiting:
            at = waiting.pop()
            if at in seen or (at != step.node.id and self._stops(at)):
                continue
            seen.add(at)
            node = self._process.nodes.get(at.removesuffix("/left"))
            if node is None:
                continue
            ways = self._ways(node, at, known, home)
            if ways is None:
                yield node.id
            waiting += ways or []

    def _stops(self, at: str) -> bool:
        """Whether ``action`` may be another one behind a node, or a token waits there for others."""
        node = self._process.nodes.get(at)
        if node is None:
            return False
        if any(source.may_set("action") for source in self._sources if source.at == at):
            return True
        joins = sum(flow.target == at for flow in self._process.flows) > 1
        return node.is_multi_instance or (joins and node.kind in {"parallelGateway", "inclusiveGateway"})

    def _ways(self, node: Node, at: str, known: Mapping[str, str | bool], home: str) -> list[str] | None:
        """Where a token surely goes from a node; None where surely no flow takes it."""
        if node.is_subprocess and at == node.id:
            return self._graph.entries(node.id)
        if at == left(node.id) and node.id == home:
            return []
        flows = self._graph.flows_of.get(node.id, [])
        if not flows:
            ends_plainly = node.scope in self._process.nodes and not node.has_event(*_ENDS_OTHERWISE)
            return [left(node.scope)] if ends_plainly else []
        return _taken(node, flows, known)


def _taken(node: Node, flows: list[Flow], known: Mapping[str, str | bool]) -> list[str] | None:
    """The targets of the flows that are surely taken; None where surely none is."""
    taken: list[str] = []
    truths = {flow.id: _truth(flow, known) for flow in flows if not flow.is_default}
    for flow in flows:
        truth = truths.get(flow.id)
        if truth is True:
            taken.append(flow.target)
        if node.kind == "exclusiveGateway" and truth is not False and not flow.is_default:
            return taken
    if not taken and all(truth is False for truth in truths.values()):
        return [flow.target for flow in flows if flow.is_default] or None
    return taken


def _truth(flow: Flow, known: Mapping[str, str | bool]) -> conditions.Truth:
    if flow.scripted:
        return None
    return True if flow.condition is None else conditions.evaluate(flow.condition, known)
