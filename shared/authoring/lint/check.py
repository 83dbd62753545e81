"""All rules, run over the content of a file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.authoring.lint import together, values
from shared.authoring.lint.diagram import MAX_BYTES, Process, external_topics, is_expression, read
from shared.authoring.lint.findings import Finding, finding
from shared.authoring.lint.gateways import Decisions
from shared.authoring.lint.graph import Graph
from shared.authoring.lint.sources import sources
from shared.authoring.lint.steps import HumanStep, HumanTopic, contract_findings, human_steps
from shared.engine.bpmn_xml import vendor_attribute
from shared.engine.errors import UnreadableDiagram
from shared.steps.reading import nearest

MAX_NAME = 255
"""Characters of a variable's name, by the engine's tables."""


@dataclass(frozen=True)
class Topics:
    """The topics that are served: those whose steps persons answer, and the names of all others."""

    human: Mapping[str, HumanTopic] = field(default_factory=dict)
    others: frozenset[str] = frozenset()

    def with_names(self, names: Iterable[str]) -> "Topics":
        """The same with names that are served elsewhere."""
        return Topics(self.human, self.others | frozenset(names))

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.others | frozenset(self.human)


def check_files(paths: Sequence[Path], topics: Topics) -> list[Finding]:
    """What is wrong with some files; one that cannot be read is a finding of the rule ``unreadable``."""
    found: list[Finding] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            found.append(_unreadable(str(path), f"The file cannot be read: {error.strerror}"))
            continue
        found += check(str(path), content, topics)
    return found


def check(file: str, content: bytes, topics: Topics) -> list[Finding]:
    """What is wrong with a file of this content."""
    try:
        processes = read(content)
    except UnreadableDiagram as error:
        text = str(error)
        return [_unreadable(file, f"{text[:1].upper()}{text[1:]}")]
    return [found for process in processes for found in _check_process(file, process, topics)]


def _unreadable(file: str, found: str) -> Finding:
    return finding(
        file, "", "unreadable", found.rstrip("."), "Give a BPMN 2.0 file, as the Modeler saves it."
    )


def _check_process(file: str, process: Process, topics: Topics) -> Iterator[Finding]:
    steps = human_steps(process, topics.human)
    graph = Graph(process)
    decisions = Decisions(file, process, graph, steps, sources(process, steps))
    yield from _history(file, process)
    yield from _unknown_topics(file, process, topics)
    for step in steps.values():
        yield from contract_findings(file, step)
        yield from values.too_long(file, step)
    yield from values.placeholders(file, process)
    yield from _long_names(file, process, steps)
    yield from decisions.unset_variables()
    yield from decisions.unknown_actions()
    yield from decisions.missing_defaults()
    yield from together.parallel_results(file, process, graph, steps)
    yield from together.multi_instance(file, process, steps)


def _history(file: str, process: Process) -> Iterator[Finding]:
    if vendor_attribute(process.element, "historyTimeToLive") is None:
        found = "The process has no historyTimeToLive"
        yield finding(
            file, process.id, "missing-history-ttl", found, 'Give it camunda:historyTimeToLive="P30D".'
        )


def _unknown_topics(file: str, process: Process, topics: Topics) -> Iterator[Finding]:
    if not topics.names:
        return
    for element, topic in external_topics(process):
        if topic not in topics.names and not is_expression(topic):
            found = f"The topic is {topic!r}{nearest(topic, topics.names).rstrip('?')}"
            fix = (
                f"Served are {', '.join(sorted(topics.names))}; name others by TOPIC_MODULES, or by --topic"
                " where another worker has them."
            )
            yield finding(file, element, "unknown-topic", found, fix)


def _long_names(file: str, process: Process, steps: Mapping[str, HumanStep]) -> Iterator[Finding]:
    for node in process.nodes.values():
        results = steps[node.id].results if node.id in steps else ()
        names = dict.fromkeys([*node.inputs, *node.outputs, *results])
        for name in names:
            implied = name.removesuffix("_meta") in names and len(name.removesuffix("_meta")) > MAX_NAME
            if len(name) > MAX_NAME and not (implied and name.endswith("_meta")):
                found = f"The variable {name[:40]}… has {len(name)} characters"
                yield finding(file, node.id, "name-too-long", found, "Give it a shorter name.")
