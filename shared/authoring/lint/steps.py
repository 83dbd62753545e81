"""The human steps of a diagram, checked by the contract; what only the running process knows passes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lxml import etree

from shared.authoring.lint.diagram import UNKNOWN, Node, Process, is_expression
from shared.authoring.lint.findings import Finding, finding
from shared.steps import contract
from shared.steps.keys import PREFIXES
from shared.steps.model import Step
from shared.steps.reading import Declared, Problem
from shared.steps.times import NEEDS

_WORDS = {"", "label", "help"}
"""Keys of what is shown whose value may be any text."""

_SHOWN, _ANYBODY = "?", "1"


class HumanTopic(Protocol):
    """A topic whose steps wait for a person: what a step of it must and must not ask for."""

    @property
    def name(self) -> str:
        """As the diagram writes it."""

    @property
    def needs_file(self) -> bool:
        """Whether it must ask for a file."""

    @property
    def may_ask(self) -> bool:
        """Whether it may ask at all."""


@dataclass(frozen=True)
class HumanStep:
    """A node that asks a person, as the contract reads it."""

    node: Node
    step: Step
    problems: tuple[Problem, ...]

    @property
    def results(self) -> tuple[str, ...]:
        """The variables that leave the step."""
        return self.node.outputs or tuple(dict.fromkeys(self.step.result_names()))

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of its buttons, where they leave it as ``action``."""
        return () if self.node.outputs else tuple(action.name for action in self.step.actions)


def human_steps(process: Process, topics: Mapping[str, HumanTopic]) -> dict[str, HumanStep]:
    """The steps of a process that persons answer, by id."""
    found = {}
    given = _may_be_started_with_recipient(process)
    for node in process.nodes.values():
        topic = topics.get(node.topic or "")
        if node.info is not None and topic is not None:
            declared = _declared(node, recipient_given=given)
            step, problems = contract.examine(declared, needs_file=topic.needs_file, may_ask=topic.may_ask)
            found[node.id] = HumanStep(node, step, tuple(problems))
    return found


def contract_findings(file: str, step: HumanStep) -> Iterator[Finding]:
    """What the contract says against a step."""
    for problem in step.problems:
        fix = _sentence(problem.allowed)
        if problem.rule == "missing-recipient":
            fix += " If the process is started with telegram_user_id, say so in its documentation."
        yield finding(file, step.node.id, problem.rule, f"{problem.name}: {problem.found}", fix)
    for name, value in step.node.properties.items():
        if _is_computed(name, value):
            found = f"{name}: the property is the expression {value!r}"
            fix = f"Make it an input parameter of the name {name!r}."
            yield finding(file, step.node.id, "expression-in-property", found, fix)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _is_computed(name: str, value: str) -> bool:
    return is_expression(value) and not name.endswith(".pattern")


def _may_be_started_with_recipient(process: Process) -> bool:
    """Whether a process speaks of a variable telegram_user_id, be it in its documentation.

    The name of an input does not count: that one is local to its own step.
    """
    return any(
        "telegram_user_id" in text
        for element in process.element.iter()
        for text in (element.text or "", *_names_but_of_inputs(element))
    )


def _names_but_of_inputs(element: etree._Element) -> list[str]:
    is_input = etree.QName(element).localname == "inputParameter"
    return [] if is_input else [str(value) for value in element.attrib.values()]


def _declared(node: Node, *, recipient_given: bool) -> Declared:
    """What a node declares, with stand-ins that pass for what is computed; every name is kept."""
    values = {name: value for name, value in node.inputs.items() if value is not UNKNOWN}
    properties = {name: value for name, value in node.properties.items() if not _is_computed(name, value)}
    names = (*node.inputs, *(name for name in node.properties if name not in properties))
    computed: dict[str, set[str]] = {}
    for name in names:
        if name not in values:
            item, _, key = name.partition(".")
            computed.setdefault(item, set()).add(key)
    typed = {name.removesuffix(".type") for name in (*names, *properties) if name.endswith(".type")}
    for item, keys in computed.items():
        if item in contract.OF_THE_STEP:  # but for whom it asks, as if it were not given
            values |= {item: _ANYBODY} if item in {"recipient", *contract.RECIPIENT_NAMES} else {}
        elif _kind(item, typed) == "field":
            _forget_measures(item, keys, values, properties)
        else:
            values |= {f"{item}.{key}" if key else item: _SHOWN for key in keys & _WORDS}
    for after, how in NEEDS.items():
        if how in computed:  # whether it is given can only be judged then
            values.pop(after, None)
            properties.pop(after, None)
    if recipient_given and not contract.names_recipient(values, properties):
        values["telegram_user_id"] = _ANYBODY
    info = node.info
    return Declared(
        activity=node.id,
        names=names,
        values=values,
        properties=properties,
        caught_codes=None if info is None or info.catches_all else info.caught_error_codes,
        local_results=bool(node.outputs),
    )


def _kind(item: str, typed: Collection[str]) -> str | None:
    by_name = next((kind for prefix, kind in PREFIXES.items() if item.startswith(prefix)), None)
    return by_name or ("field" if item in typed else None)


def _forget_measures(
    item: str, computed: set[str], values: dict[str, Any], properties: dict[str, str]
) -> None:
    """Leave out what could only be judged by the type, bounds or choices that are computed."""
    type_ = values.get(f"{item}.type") or properties.get(f"{item}.type") or "string"
    is_choice = type_ in {"choice", "multichoice"}
    forgotten = {"", "default"}
    if "type" in computed:
        forgotten |= {"options", "min", "max", "pattern"}
    if "unit" in computed and not is_choice:
        forgotten.add("options")
    for key in forgotten:
        name = f"{item}.{key}" if key else item
        values.pop(name, None)
        properties.pop(name, None)
    if "options" in computed and is_choice:
        values[f"{item}.options"] = [_SHOWN]
