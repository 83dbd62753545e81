"""Steps as an author declares them, in few words."""

from collections.abc import Mapping
from typing import Any

from shared.models import Json
from shared.steps.contract import read_step
from shared.steps.model import Ask, Step
from shared.steps.reading import Declared

ANN = 100_001
"""The person whom steps ask unless they say otherwise."""


def declare(
    inputs: Mapping[str, Any] | None = None,
    properties: Mapping[str, str] | None = None,
    *,
    recipient: Any = ANN,
    **more: Any,
) -> Declared:
    """What a task declares; ``more`` are further fields of Declared."""
    values = dict(inputs or {})
    named = {} if recipient is None else {"telegram_user_id": recipient}
    return Declared(
        activity="ask",
        names=tuple(values),
        values={**named, **values},
        properties=dict(properties or {}),
        **more,
    )


def read(
    inputs: Mapping[str, Any] | None = None,
    properties: Mapping[str, str] | None = None,
    *,
    needs_file: bool = False,
    may_ask: bool = True,
    **more: Any,
) -> Step:
    """The step of what a task declares."""
    return read_step(declare(inputs, properties, **more), needs_file=needs_file, may_ask=may_ask)


def field(type_name: str, **keys: Any) -> Ask:
    """One field of a form, as the contract would make it."""
    return Ask(name="form_x", type=type_name, label="x", required=False, **keys)


def sign(item: str, option: str) -> str:
    """Callback data that can be read in an assertion."""
    return f"{item}:{option}"


def answer(value: Any, type_: str = "String", **more: Any) -> Json:
    """An answer as it is kept."""
    return {"value": value, "type": type_, "shown": str(value), **more}
