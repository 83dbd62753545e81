"""The tables of the contract's reference page, from the code that checks it.

    python -m shared.authoring.reference docs/reference/contract.md

writes them anew between the page's marks: `<!-- keys of KIND, KIND -->`, `<!-- types -->` or
`<!-- validators -->`, and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.files.validators import VALIDATORS
from shared.steps.fields import TYPES
from shared.steps.keys import KINDS, START_KEYS, STEP_KEYS, Key

MARKED = re.compile(r"(<!-- keys of ([a-z0-9, ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TYPES_MARKED = re.compile(r"(<!-- types -->\n).*?(<!-- end -->)", re.DOTALL)
TYPES_HEAD = ("| type | takes | the variable |", "|---|---|---|")
VALIDATORS_MARKED = re.compile(r"(<!-- validators -->\n).*?(<!-- end -->)", re.DOTALL)
VALIDATORS_HEAD = ("| `validate` | takes what is | `validate_with` |", "|---|---|---|")
HEAD = ("| key | takes | means | default | example |", "|---|---|---|---|---|")


def filled(page: str) -> str:
    """The page with every marked table as the code has it."""
    page = MARKED.sub(lambda mark: f"{mark[1]}\n{_table(mark[2].split(', '))}\n\n{mark[3]}", page)
    page = TYPES_MARKED.sub(lambda mark: f"{mark[1]}\n{_types()}\n\n{mark[2]}", page)
    return VALIDATORS_MARKED.sub(lambda mark: f"{mark[1]}\n{_validators()}\n\n{mark[2]}", page)


def _types() -> str:
    rows = (f"| `{kind.name}` | {kind.takes} | {kind.gives} |" for kind in TYPES.values())
    return "\n".join([*TYPES_HEAD, *rows])


def _validators() -> str:
    rows = (f"| `{each.name}` | {each.means} | {each.takes} |" for each in VALIDATORS.values())
    return "\n".join([*VALIDATORS_HEAD, *rows])


def _table(kinds: list[str]) -> str:
    keys: dict[str, list[tuple[str, Key]]] = {}
    for kind in kinds:
        for key in _keys_of(kind).values():
            keys.setdefault(key.name, []).append((kind, key))
    return "\n".join([*HEAD, *(_row(name, of) for name, of in keys.items())])


def _keys_of(kind: str) -> Mapping[str, Key]:
    if kind == "start":
        return START_KEYS
    return STEP_KEYS if kind == "step" else KINDS[kind].keys


def _row(name: str, of: list[tuple[str, Key]]) -> str:
    """One key; where several kinds have it, what it means for each."""
    first = of[0][1]
    means = "; ".join(
        dict.fromkeys(f"{KINDS[kind].title}: {key.means}" if len(of) > 1 else key.means for kind, key in of)
    )
    default = "; ".join(dict.fromkeys(key.default for _, key in of))
    example = first.example.replace("|", "\\|")
    return f"| `{name}` | {first.takes} | {means} | {default} | `{example}` |"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(filled(path.read_text()))
