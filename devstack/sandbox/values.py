"""JSON values with types, and typed reading of JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, TypeGuard, TypeVar

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Json: TypeAlias = "dict[str, JsonValue]"

TRUE_WORDS = frozenset({"true", "yes", "1"})


class FieldError(ValueError):
    """A field is missing or has another type than is needed."""


class Fields:
    """A JSON object, read field by field; as Telegram does, numbers and texts stand for each other."""

    def __init__(self, values: Mapping[str, JsonValue]) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """The text; without a default the field is required."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        if is_number(value):
            return str(value)
        return _missing(name, value, default, "String")

    def integer(self, name: str, default: int | None = None) -> int:
        """The integer; without a default the field is required."""
        value = self.values.get(name)
        if is_number(value):
            return int(value)
        if isinstance(value, str):
            try:
                return int(value)
            except ValueError:
                raise FieldError(f'Field "{name}" must be a valid Number') from None
        return _missing(name, value, default, "Number")

    def number(self, name: str, default: float | None = None) -> float:
        """The number, whole or not; without a default the field is required."""
        value = self.values.get(name)
        return float(value) if is_number(value) else _missing(name, value, default, "Number")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """The truth value; missing means the default."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value.strip().lower() in TRUE_WORDS
        return default if value is None else bool(value)

    def fields(self, name: str) -> Fields:
        """The object of that name; an empty one when it is missing."""
        value = self.values.get(name)
        if value is None:
            return Fields({})
        if not isinstance(value, dict):
            raise FieldError(f'Field "{name}" must be of type Object')
        return Fields(value)

    def items(self, name: str) -> list[JsonValue]:
        """The array of that name; an empty one when it is missing."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise FieldError(f'Field "{name}" must be of type Array')
        return value


def is_number(value: JsonValue) -> TypeGuard[int | float]:
    """Whether the value is a JSON number (a truth value is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


T = TypeVar("T")


def _missing(name: str, value: JsonValue, default: T | None, kind: str) -> T:
    if value is not None:
        raise FieldError(f'Field "{name}" must be of type {kind}')
    if default is None:
        raise FieldError(f'Can\'t find field "{name}"')
    return default
