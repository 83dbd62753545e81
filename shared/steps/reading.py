"""Reading one task's declaration: keys as texts, flags and numbers, and every problem collected."""

import contextlib
import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from shared import texts
from shared.steps.durations import read_duration
from shared.steps.model import Option, Words


class Problem(NamedTuple):
    """One complaint: which name, what was found, what is allowed, and the rule that it breaks."""

    name: str
    found: str
    allowed: str
    rule: str

    def __str__(self) -> str:
        return f"{self.name}: {self.found}; {self.allowed}"


@dataclass(frozen=True)
class Declared:
    """What a task declares: names in the order of the diagram, values as Python, properties as text."""

    activity: str
    names: tuple[str, ...]
    values: Mapping[str, Any]
    properties: Mapping[str, str]
    caught_codes: frozenset[str] | None = frozenset()
    local_results: bool = False
    starter: str | None = None
    """The person for whom the process was started, "" where it names none; None: not known here."""


@dataclass
class Reading:
    """One reading of one step: collects every problem before it complains."""

    declared: Declared
    problems: list[Problem] = field(default_factory=list)

    def complain(self, name: str, found: str, allowed: str, rule: str = "bad-value") -> None:
        """Note a problem: which name, what was found, what is allowed."""
        self.problems.append(Problem(name, found, allowed, rule))

    def get(self, name: str) -> str | None:
        """The value of a key: from an input parameter, else from a property; None if neither says it."""
        value = self.raw(name)
        return None if value is None else as_text(value)

    def raw(self, name: str) -> Any:
        """As :meth:`get`, a list or a map as it is."""
        value = self.declared.values.get(name)
        return self.declared.properties.get(name) if value is None else value

    def translations(self, **keys: str) -> dict[str, Words]:
        """What the author says in other languages: each of some keys may have its own, ``label.ru``."""
        found: dict[str, Words] = {}
        for language in texts.LANGUAGES:
            said = {part: self.get(f"{key}.{language}") for part, key in keys.items()}
            options = said.pop("options", None)
            if any(said.values()) or options:
                words = {part: value for part, value in said.items() if value}
                found[language] = Words(**words, options=read_options(options) if options else None)
        return found

    def flag(self, name: str, default: bool) -> bool:
        """The value of a key that is true or false."""
        value = self.get(name)
        if value is None or value == "":
            return default
        if value.lower() not in {"true", "false"}:
            self.complain(name, f"found {value!r}", "allowed: true, false")
            return default
        return value.lower() == "true"

    def one_of(self, name: str, words: Sequence[str]) -> Any:
        """The value of a key that is one of some words; the first where it is not given."""
        value = (self.get(name) or "").strip() or words[0]
        if value in words:
            return value
        self.complain(name, f"found {value!r}" + nearest(value, words), allowed(words))
        return words[0]

    def parts(self, name: str) -> list[str]:
        """The values of a key that has several, with commas, in lower case."""
        return [part.strip().lower() for part in (self.get(name) or "").split(",") if part.strip()]

    def number(self, name: str) -> float | None:
        """The value of a key that is a finite number."""
        value = self.get(name)
        if value is None or value == "":
            return None
        with contextlib.suppress(ValueError):
            if math.isfinite(float(value)):
                return float(value)
        self.complain(name, f"found {value!r}", "a number is expected")
        return None

    def currency(self, name: str) -> str | None:
        """The value of a key that is a currency, as ISO 4217 has it."""
        value = (self.get(name) or "").strip()
        if value and not texts.formats.is_currency(value):
            self.complain(name, f"found {value!r}", "a currency's code is expected, like EUR")
            return None
        return value or None

    def day(self, name: str) -> str | None:
        """The value of a key that is a day, as ``2026-03-14``."""
        value = self.get(name)
        if value is None or value == "":
            return None
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value.strip()[:10]).isoformat()
        self.complain(name, f"found {value!r}", "a day is expected, like 2026-03-14")
        return None

    def duration_s(self, name: str) -> int | None:
        """The value of a key that is an ISO 8601 duration, in seconds."""
        value = self.get(name)
        if value is None or value == "":
            return None
        try:
            return read_duration(value)
        except ValueError as error:
            self.complain(name, f"found {value!r}", str(error))
        return None

    def chat(self, name: str, value: str) -> int | None:
        """The chat of a person or a group: a user id, the same as ``tg_user_ID``, or a chat id."""
        match = re.fullmatch(r"(?:tg_user_)?(-?\d{1,18})", value.strip())
        if match is not None and int(match[1]) != 0:
            return int(match[1])
        self.complain(name, f"found {value!r}", "a Telegram user id, tg_user_ID or a chat_id is expected")
        return None

    def is_written(self, name: str) -> bool:
        """Whether the task has a key, whatever its value is just now."""
        return name in self.declared.names or name in self.declared.properties

    def check_caught(self, name: str, code: str | None) -> None:
        """Complain of a key whose BPMN error is caught by nothing in the diagram."""
        codes = self.declared.caught_codes
        if code and codes is not None and code not in codes:
            found = f"nothing catches the BPMN error {code!r}, it would end the instance silently"
            self.complain(name, found, allowed(codes), "uncaught-error")

    def integer(self, name: str) -> int | None:
        """The value of a key that is a whole number."""
        value = self.get(name)
        if value is None or value == "":
            return None
        if re.fullmatch(r"-?\d{1,18}", value.strip()) is None:
            self.complain(name, f"found {value!r}", "a whole number is expected")
            return None
        return int(value)


def read_options(text: str) -> tuple[Option, ...]:
    """Choices as ``a|b|c`` or ``a=Caption|…``."""
    parts = [part.strip() for part in text.split("|") if part.strip()]
    split = [part.partition("=") for part in parts]
    return tuple(
        Option(value=value.strip(), caption=caption.strip() or value.strip()) for value, _, caption in split
    )


def as_text(value: Any) -> str:
    """A variable's value as people and keys read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that was most likely meant, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def allowed(names: Iterable[str]) -> str:
    """The end of a complaint: what would have been right."""
    return "allowed: " + (", ".join(sorted(names)) or "none")
