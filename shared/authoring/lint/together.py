"""Steps that wait at the same time: their results must not meet in one variable."""

from collections.abc import Iterator, Mapping

from shared.authoring.lint import conditions
from shared.authoring.lint.diagram import Process
from shared.authoring.lint.findings import Finding, finding
from shared.authoring.lint.graph import Fork, Graph
from shared.authoring.lint.sources import landing
from shared.authoring.lint.steps import HumanStep


def parallel_results(
    file: str, process: Process, graph: Graph, steps: Mapping[str, HumanStep]
) -> Iterator[Finding]:
    """Steps beside which another waits that writes the same variable; each is told once."""
    order = {id_: at for at, id_ in enumerate(process.nodes)}
    met: dict[str, dict[str, set[str]]] = {}
    for fork in graph.forks():
        if _exclude_each_other(fork):
            continue
        for one in fork.one & steps.keys():
            for other in fork.other & steps.keys():
                shared = _landings(process, steps[one]) & _landings(process, steps[other])
                if shared:
                    first, second = sorted((one, other), key=lambda id_: order[id_])
                    met.setdefault(second, {}).setdefault(first, set()).update(name for name, _ in shared)
    for second in sorted(met, key=lambda id_: order[id_]):
        names = sorted(set().union(*met[second].values()))
        beside = ", ".join(sorted(met[second], key=lambda id_: order[id_]))
        found = f"It waits beside {beside}, and both write {', '.join(names)}"
        fix = "Give each of them outputParameters of names of its own, such as " + (
            f'<camunda:outputParameter name="{second}_{names[0]}">${{{names[0]}}}</camunda:outputParameter>.'
        )
        yield finding(file, second, "parallel-results", found, fix)


def multi_instance(file: str, process: Process, steps: Mapping[str, HumanStep]) -> Iterator[Finding]:
    """Multi-instance steps whose results meet, and multi-instance activities with outputParameters."""
    for node in process.nodes.values():
        if node.is_multi_instance and node.outputs:
            found = f"It is multi-instance and has outputParameters ({', '.join(node.outputs)})"
            fix = "Put it into a multi-instance subprocess, and the outputParameters on the task in it."
            yield finding(file, node.id, "multi-instance-output", found, fix)
    for step in steps.values():
        if lost := _undeclared(process, step):
            found = f"It is multi-instance, and no subprocess around it declares {', '.join(lost)}"
            fix = (
                "Put it into a subprocess, make that multi-instance, and give it an empty inputParameter for"
                f" each result: {', '.join(lost)}."
            )
            yield finding(file, step.node.id, "multi-instance-scope", found, fix)


def _landings(process: Process, step: HumanStep) -> set[tuple[str, str]]:
    return {(name, landing(process, step.node, name)) for name in step.results}


def _undeclared(process: Process, step: HumanStep) -> list[str]:
    """The results that instances side by side would write into one variable."""
    if step.node.runs_side_by_side:
        if step.node.outputs:
            return []
        return [name for name in step.results if landing(process, step.node, name) == process.id]
    lost: list[str] = []
    for scope in process.scopes_of(step.node):
        node = process.nodes.get(scope)
        if node is not None and node.runs_side_by_side:
            own = {scope} | process.inside(scope)
            lost += [name for name in step.results if landing(process, step.node, name) not in own]
    return list(dict.fromkeys(lost))


def _exclude_each_other(fork: Fork) -> bool:
    """Whether the conditions of two ways may forbid to go both; what reads other variables is independent."""
    one, other = fork.conditions
    if one is None or other is None:
        return False
    if not one or not other:
        return True  # a default flow is taken where no other is, and a script may say anything
    if not conditions.names_read(one) & conditions.names_read(other):
        return False
    compared = [*conditions.actions_compared(one), *conditions.actions_compared(other)]
    named = [name for text in (one, other) for name in conditions.results_read(text) if name != "action"]
    tapped = dict.fromkeys([*compared, *(name.removeprefix("action_") for name in named)])
    return not any(_both_hold(one, other, button, named) for button in tapped)


def _both_hold(one: str, other: str, button: str, named: list[str]) -> bool:
    """Whether both conditions surely hold when this button was tapped."""
    known: dict[str, str | bool] = {"action": button}
    known |= {name: name == f"action_{button}" for name in named if name.startswith("action_")}
    return bool(conditions.evaluate(one, known)) and bool(conditions.evaluate(other, known))
