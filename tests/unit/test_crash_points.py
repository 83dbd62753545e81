"""The list of crash points names every place that opens a transaction."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.crash_scenes import CASES, NO_DEATH

ROOT = Path(__file__).parents[2]
OPENS = ("begin", "at_once")


def transactions(node: ast.AST, scope: str = "") -> Iterator[str]:
    """Where the functions below a node open transactions: their names, numbered where there are several."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from transactions(child, f"{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            count = sum(map(_opens, ast.walk(child)))
            name = f"{scope}{child.name}"
            yield from [name] if count == 1 else (f"{name}#{at + 1}" for at in range(count))
        else:
            yield from transactions(child, scope)


def _opens(node: ast.AST) -> bool:
    """Whether it is a call such as `db.begin()`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in OPENS and ast.unparse(node.func.value).endswith("db")


def test_every_place_that_commits_has_its_death_or_says_why_not() -> None:
    places = {
        place
        for folder in ("bot", "workers", "shared")
        for file in (ROOT / folder).rglob("*.py")
        for place in transactions(ast.parse(file.read_text()))
    }
    dying = {point.split()[1] for case in CASES for point in case.points if point.startswith("commit ")}
    assert dying <= places
    assert {place for place in places - dying if place not in NO_DEATH} == set()
    assert set(NO_DEATH) <= places - dying
