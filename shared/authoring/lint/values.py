"""Values as they stand in a diagram: places to fill in, and words that find no room in a message."""

import re
from collections.abc import Iterator

from lxml import etree

from shared.authoring.lint.diagram import Process
from shared.authoring.lint.findings import Finding, finding
from shared.authoring.lint.steps import HumanStep
from shared.engine.bpmn_xml import BPMN
from shared.markup import CAPTION_UNITS, plain, utf16_len
from shared.markup.html import MAX_CHARACTERS
from shared.steps.conversation import MESSAGE_LIMIT

_PLACE = re.compile(r"""^\s*SET (?P<whole>\w+)\s*$|(?P<quote>['"])SET (?P<quoted>\w+)(?P=quote)""")
_WORDS = {f"{BPMN}documentation", f"{BPMN}text"}


def placeholders(file: str, process: Process) -> Iterator[Finding]:
    """Values of the form ``SET something``, as templates have them; each is told once for each element.

    What is written for the case that a start does not give the variable is none: the start may.
    """
    told: set[tuple[str, str]] = set()
    for element in process.element.iter(etree.Element):
        if element.tag in _WORDS:
            continue
        written = [element.text or "", *(value for name, value in element.attrib.items() if name != "name")]
        for name in (
            match["whole"] or match["quoted"]
            for text in written
            for match in _PLACE.finditer(text)
            if not _is_asked_for(match["quoted"], text)
        ):
            owner = _owner(process, element)
            if (owner, name) not in told:
                told.add((owner, name))
                fix = f"Write the value of {name} there; the documentation of the process says what it is."
                yield finding(file, owner, "placeholder", f"'SET {name}' stands where a value belongs", fix)


def _is_asked_for(name: str | None, expression: str) -> bool:
    return name is not None and re.search(rf"""hasVariable\((['"]){name}\1\)""", expression) is not None


def _owner(process: Process, element: etree._Element) -> str:
    """The id of the node or flow that an element belongs to, else of the process."""
    known = {*process.nodes, *(flow.id for flow in process.flows)}
    ids = (each.get("id") for each in [element, *element.iterancestors()])
    return next((str(id_) for id_ in ids if id_ in known), process.id)


def too_long(file: str, step: HumanStep) -> Iterator[Finding]:
    """Words of a step of which people would not see the end."""
    for item in step.step.shown:
        if item.kind == "text":
            yield from _longer(file, step, item.name, len(item.value), MAX_CHARACTERS, "characters")
        elif item.kind in {"photo", "file"}:
            units = utf16_len(plain(item.label or "").text)
            yield from _longer(file, step, f"{item.name}.label", units, CAPTION_UNITS, "UTF-16 units")
    for ask in step.step.asks:
        units = utf16_len(plain(f"{ask.label}{ask.help or ''}").text)
        yield from _longer(file, step, f"{ask.name}.label and .help", units, MESSAGE_LIMIT, "UTF-16 units")


def _longer(file: str, step: HumanStep, name: str, length: int, limit: int, unit: str) -> Iterator[Finding]:
    if length > limit:
        found = f"{name}: found {length} {unit}, and a message has room for {limit}"
        yield finding(file, step.node.id, "too-long", found, "Shorten it, or show it as a document (file_…).")
