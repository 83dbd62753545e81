"""Where the time went: the parts' starts, people's waiting, the analysis."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from rich.console import Console

from devstack.people import Wait


def show_times(
    console: Console, starts_s: Mapping[str, float], waits: Sequence[Wait], rest_s: Mapping[str, float]
) -> None:
    """Print the table: the parts start side by side; a wait is from what a person did to what they saw."""
    answers_s = [wait.waited_s for wait in waits if not wait.step]
    groups: dict[str, Iterable[tuple[str, float]]] = {"start of": starts_s.items()}
    for person in dict.fromkeys(wait.person for wait in waits):
        steps = [(wait.step, wait.waited_s) for wait in waits if wait.step and wait.person == person]
        groups[f"{person} waited for"] = steps
    groups["any other answer"] = [("median", median(answers_s)), ("longest", max(answers_s))]
    groups["altogether"] = rest_s.items()
    for group, rows in groups.items():
        for name, took_s in rows:
            console.print(f"[dim]{group:<17}[/] {name:<28} {took_s:5.1f} s")
            group = ""
    console.print(
        "\nAda answers faster than people do: a chat takes a burst of messages, then one a second.",
        style="dim",
    )
