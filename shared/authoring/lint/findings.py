"""What the check of a diagram finds, and how it is told."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

RULES: Mapping[str, str] = MappingProxyType(
    {
        "unreadable": "The file cannot be checked, and the engine would refuse it.",
        "unknown-topic": "No worker fetches it, so the process waits here for ever.",
        "unknown-key": "The step becomes an incident instead of a message.",
        "bad-value": "The step becomes an incident instead of a message.",
        "bad-step": "The step becomes an incident instead of a message.",
        "too-long": "What is beyond that is cut off; a caption follows as a text of its own.",
        "placeholder": "No value was written there, and a step that needs it becomes an incident.",
        "missing-recipient": "Nobody can be asked, so the step becomes an incident.",
        "expression-in-property": "The engine evaluates inputs only, so its very characters are taken.",
        "uncaught-error": "An error that nothing catches ends the instance silently, so the step becomes an"
        " incident instead of a message.",
        "unset-variable": "The engine knows no such variable, so the instance stops here with an error.",
        "unknown-action": "This comparison has always the same result.",
        "missing-default-flow": "The engine finds no way on, so the answer cannot be taken.",
        "parallel-results": "Both can wait at once, and the later answer overwrites the earlier one.",
        "multi-instance-scope": "All its instances wait at once, and each answer overwrites the one before.",
        "multi-instance-output": "The engine refuses to deploy it.",
        "missing-history-ttl": "The engine refuses to deploy a process that does not say how long its history"
        " lives.",
        "name-too-long": "The engine's database takes names up to 255 characters, so the instance stops here"
        " with an error.",
    }
)
"""Every rule, and why what breaks it matters."""


@dataclass(frozen=True)
class Finding:
    """One thing to mend: file, element (its BPMN id), rule, what was found and why it matters, what to do."""

    file: str
    element: str
    rule: str
    message: str
    fix: str


def finding(file: str, element: str, rule: str, found: str, fix: str) -> Finding:
    """A finding whose message ends with the reason why its rule matters."""
    stop = "" if found.endswith("?") else "."
    return Finding(file, element, rule, f"{found}{stop} {RULES[rule]}", fix)


def told(findings: Sequence[Finding], form: str) -> str:
    """The findings as text: ``text`` for people, ``json`` or ``github`` (workflow commands) for machines."""
    if form == "json":
        return json.dumps([asdict(each) for each in findings], ensure_ascii=False, indent=2)
    return "\n".join(map(_as_command if form == "github" else _as_lines, findings))


def _as_lines(found: Finding) -> str:
    place = f"{found.file}: {found.element}" if found.element else found.file
    return f"{place}: {found.rule}\n  {found.message}\n  {found.fix}"


def _as_command(found: Finding) -> str:
    title = f"{found.rule} at {found.element}" if found.element else found.rule
    place = f"file={_escaped(found.file, ':,')},title={_escaped(title, ':,')}"
    return f"::error {place}::{_escaped(f'{found.message} {found.fix}')}"


def _escaped(text: str, more: str = "") -> str:
    """As GitHub reads it back."""
    return "".join(f"%{ord(each):02X}" if each in "%\r\n" + more else each for each in text)
