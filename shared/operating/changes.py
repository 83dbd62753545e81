"""What is different in the human steps of two versions of a process."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from shared.authoring.lint.diagram import Process
from shared.engine.bpmn_xml import extensions

LONGEST = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class Change:
    """One step that was added, removed or changed, and how."""

    step: str
    what: str
    details: tuple[str, ...] = ()

    @property
    def touches_the_waiting(self) -> bool:
        """Whether instances may wait at the step as it was."""
        return self.what != "added"


def changes(before: Process | None, after: Process | None, topics: Collection[str]) -> list[Change]:
    """The human steps that differ, in the order of the diagrams; a process that is not there has none."""
    old, new = _steps(before, topics), _steps(after, topics)
    found = [Change(step, "removed") for step in old if step not in new]
    for step, items in new.items():
        if step not in old:
            found.append(Change(step, "added"))
        elif details := tuple(_differences(old[step], items)):
            found.append(Change(step, "changed", details))
    return found


def _steps(process: Process | None, topics: Collection[str]) -> dict[str, dict[str, str]]:
    if process is None:
        return {}
    return {
        node.id: {"topic": node.topic or "", **dict(_items(node.element))}
        for node in process.nodes.values()
        if node.topic in topics
    }


def _items(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Everything that the diagram says of a step, as it is written there."""
    for found in extensions(element, "properties", "property"):
        yield found.get("name") or "", found.get("value") or ""
    for kind, prefix in (("inputParameter", ""), ("outputParameter", "output ")):
        for found in extensions(element, "inputOutput", kind):
            parts = [*(each.get("key") or "" for each in found.iter()), *found.itertext()]
            yield prefix + (found.get("name") or ""), " ".join(filter(None, map(str.strip, parts)))


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{name} removed"
        elif name not in old:
            yield f"{name} added: {_short(new[name])}"
        elif old[name] != new[name]:
            yield f"{name}: {_short(old[name])} is now {_short(new[name])}"


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")
