"""Small deployable processes for tests, written in Python instead of XML.

A process is a list of nodes, run one after another between a start and an end event::

    xml = process("order", [
        external_task("ask", "render_task", inputs={"text_q": "Sure?"}, on=[on_timer("PT1H", [end("late")])]),
        exclusive("decide", {"${action == 'yes'}": [external_task("ship", "ship")]}, [goto("ask")]),
    ])

Inputs, outputs and properties keep their order; a list or dict as an input is a ``list`` or ``map`` of
the engine. An id is unique in its file. What is written here deploys on Camunda and on Operaton.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.bpmn_xml import Content, Node, Tail, Writer

_NO_CONTENT: Mapping[str, Content] = {}
_NO_PROPERTIES: Mapping[str, str] = {}


def process(
    key: str,
    body: Sequence[Node],
    *,
    name: str | None = None,
    vendor: str = "camunda",
    properties: Mapping[str, str] = _NO_PROPERTIES,
    start: Mapping[str, str] = _NO_PROPERTIES,
    starters: str | None = None,
) -> bytes:
    """A BPMN file with one executable process; ``vendor`` is the namespace: camunda or operaton.

    ``start`` are the properties of its start event, ``starters`` the engine groups that may start it.
    """
    writer = Writer(vendor)
    element = writer.add(
        writer.root,
        "process",
        key,
        name=name,
        isExecutable="true",
        vendor_historyTimeToLive="P1D",
        vendor_candidateStarterGroups=starters,
    )
    writer.extensions(element, {}, {}, properties)
    writer.body(element, body, start)
    return writer.finish()


@dataclass(frozen=True)
class Boundary:
    """An event on the edge of an activity and the path behind it; ``on_error`` and ``on_timer`` make it."""

    kind: str
    value: str | None
    then: Sequence[Node]
    interrupting: bool


def on_error(code: str | None, then: Sequence[Node] = ()) -> Boundary:
    """Catch a BPMN error of this code, or of any; the event's id is HOST_on_CODE (HOST_on_error)."""
    return Boundary("error", code, then, interrupting=True)


def on_timer(duration: str, then: Sequence[Node] = (), *, interrupting: bool = True) -> Boundary:
    """Go another way after an ISO 8601 duration; the event's id is HOST_on_timer."""
    return Boundary("timer", duration, then, interrupting)


@dataclass(frozen=True)
class Each:
    """Multi-instance: once for each element of a collection, side by side unless sequential."""

    collection: str
    element_variable: str
    sequential: bool = False


def external_task(
    id_: str,
    topic: str,
    *,
    name: str | None = None,
    inputs: Mapping[str, Content] = _NO_CONTENT,
    outputs: Mapping[str, Content] = _NO_CONTENT,
    properties: Mapping[str, str] = _NO_PROPERTIES,
    priority: int | None = None,
    async_before: bool = False,
    each: Each | None = None,
    on: Sequence[Boundary] = (),
) -> Node:
    """A service task that waits for an external worker of the topic."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        task = to.add(
            scope,
            "serviceTask",
            id_,
            name=name,
            vendor_type="external",
            vendor_topic=topic,
            vendor_taskPriority=None if priority is None else str(priority),
            vendor_asyncBefore="true" if async_before else None,
        )
        to.extensions(task, inputs, outputs, properties)
        return _activity(to, scope, tails, task, each, on)

    return write


def user_task(id_: str, *, on: Sequence[Boundary] = ()) -> Node:
    """A step of the engine's own task list: here, a place where an instance rests."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        return _activity(to, scope, tails, to.add(scope, "userTask", id_), None, on)

    return write


def call(id_: str, called: str, *, on: Sequence[Boundary] = ()) -> Node:
    """A call activity: runs the latest version of another process; all variables go in and out."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        task = to.add(scope, "callActivity", id_, calledElement=called)
        to.share_variables(task)
        return _activity(to, scope, tails, task, None, on)

    return write


def subprocess(
    id_: str,
    body: Sequence[Node],
    *,
    inputs: Mapping[str, Content] = _NO_CONTENT,
    outputs: Mapping[str, Content] = _NO_CONTENT,
    each: Each | None = None,
    on: Sequence[Boundary] = (),
) -> Node:
    """An embedded subprocess: a scope of its own."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        element = to.add(scope, "subProcess", id_)
        to.extensions(element, inputs, outputs, {})
        ends = _activity(to, scope, tails, element, each, on)
        to.body(element, body)
        return ends

    return write


def event_subprocess(id_: str, catches: Boundary) -> Node:
    """An event subprocess of the scope in whose list it stands: ``catches`` starts and fills it."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        element = to.add(scope, "subProcess", id_, triggeredByEvent="true")
        interrupting = None if catches.interrupting else "false"
        start = to.add(element, "startEvent", f"{id_}_start", isInterrupting=interrupting)
        to.event(start, catches.kind, catches.value)
        to.path(element, catches.then, start)
        return tails

    return write


def exclusive(
    id_: str, branches: Mapping[str, Sequence[Node]], otherwise: Sequence[Node] | None = None
) -> Node:
    """An exclusive gateway, {condition: branch}; None for ``otherwise``: there is no default flow.

    Branches that do not end or jump meet again in whatever follows.
    """

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        gateway = to.add(scope, "exclusiveGateway", id_)
        to.connect(scope, tails, gateway)
        ends: list[Tail] = []
        for condition, branch in branches.items():
            ends += to.sequence(scope, branch, [Tail(gateway, condition)])
        if otherwise is not None:
            ends += to.sequence(scope, otherwise, [Tail(gateway, is_default=True)])
        return ends

    return write


def parallel(id_: str, *branches: Sequence[Node]) -> Node:
    """Branches side by side; a second gateway, ID_join, waits for all of them."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        fork = to.add(scope, "parallelGateway", id_)
        to.connect(scope, tails, fork)
        ends = [end for branch in branches for end in to.sequence(scope, branch, [Tail(fork)])]
        join = to.add(scope, "parallelGateway", f"{id_}_join")
        to.connect(scope, ends, join)
        return [Tail(join)]

    return write


def goto(target: str) -> Node:
    """The flow goes to another node of the same scope."""

    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        to.jump(scope, tails, target)
        return []

    return write


def wait(id_: str, duration: str) -> Node:
    """A timer that the flow stands at, an ISO 8601 duration."""
    return _event("intermediateCatchEvent", id_, "timer", duration, lambda event: [Tail(event)])


def end(id_: str) -> Node:
    """A named end of this path."""
    return _event("endEvent", id_, None, None, lambda event: [])


def end_error(id_: str, code: str) -> Node:
    """An end of this path that throws a BPMN error."""
    return _event("endEvent", id_, "error", code, lambda event: [])


def end_all(id_: str) -> Node:
    """A terminate end event: ends its whole scope."""
    return _event("endEvent", id_, "terminate", None, lambda event: [])


def _event(
    tag: str, id_: str, kind: str | None, value: str | None, ends: Callable[[ET.Element], list[Tail]]
) -> Node:
    def write(to: Writer, scope: ET.Element, tails: list[Tail]) -> list[Tail]:
        event = to.add(scope, tag, id_)
        if kind:
            to.event(event, kind, value)
        to.connect(scope, tails, event)
        return ends(event)

    return write


def _activity(
    to: Writer,
    scope: ET.Element,
    tails: list[Tail],
    activity: ET.Element,
    each: Each | None,
    on: Sequence[Boundary],
) -> list[Tail]:
    to.connect(scope, tails, activity)
    if each:
        to.loop(activity, each.collection, each.element_variable, sequential=each.sequential)
    for boundary in on:
        suffix = boundary.value if boundary.kind == "error" and boundary.value else boundary.kind
        event = to.add(
            scope,
            "boundaryEvent",
            f"{activity.get('id')}_on_{suffix}",
            attachedToRef=activity.get("id"),
            cancelActivity=None if boundary.interrupting else "false",
        )
        to.event(event, boundary.kind, boundary.value)
        to.path(scope, boundary.then, event)
    return [Tail(activity)]
