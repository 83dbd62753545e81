"""Faults on order: the next N matching calls or updates go wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from devstack.sandbox.errors import ControlError
from devstack.sandbox.values import Fields


class FaultKind(StrEnum):
    """What goes wrong."""

    TOO_MANY = "429"
    SERVER_ERROR = "500"
    TIMEOUT = "timeout"
    LOST_ANSWER = "lost_answer"
    DUPLICATE_UPDATE = "duplicate_update"
    REORDER_UPDATE = "reorder_update"

    @property
    def is_of_update(self) -> bool:
        """Whether it befalls updates rather than calls."""
        return self in {FaultKind.DUPLICATE_UPDATE, FaultKind.REORDER_UPDATE}


@dataclass(slots=True)
class Fault:
    """One order; `left` counts down."""

    kind: FaultKind
    left: int
    method: re.Pattern[str]
    chat_id: int | None
    retry_after_s: int
    hold_s: float

    def matches(self, method: str, chat_id: int | None) -> bool:
        """Whether that call or update is meant."""
        return (
            self.left > 0
            and self.method.fullmatch(method) is not None
            and (self.chat_id is None or self.chat_id == chat_id)
        )


class Faults:
    """The orders that are still open, oldest first."""

    def __init__(self) -> None:
        self.open: list[Fault] = []

    def order(self, fields: Fields) -> Fault:
        """Add one from a control call: kind, count, method (regex or *), chat_id, retry_after, hold_s."""
        method = fields.text("method", "*")
        try:
            kind = FaultKind(fields.text("kind"))
            pattern = re.compile(".*" if method == "*" else method, re.IGNORECASE)
        except (ValueError, re.error) as error:
            raise ControlError(str(error)) from error
        fault = Fault(
            kind=kind,
            left=fields.integer("count", 1),
            method=pattern,
            chat_id=fields.integer("chat_id") if "chat_id" in fields else None,
            retry_after_s=fields.integer("retry_after", 5),
            hold_s=fields.number("hold_s", 30.0),
        )
        self.open.append(fault)
        return fault

    def for_call(self, method: str, chat_id: int | None) -> Fault | None:
        """The fault that befalls this call, used up once."""
        return self._take(method, chat_id, of_update=False)

    def for_update(self, kind: str, chat_id: int | None) -> Fault | None:
        """The fault that befalls this update, used up once; `method` names the kind of update here."""
        return self._take(kind, chat_id, of_update=True)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.open.clear()

    def _take(self, method: str, chat_id: int | None, *, of_update: bool) -> Fault | None:
        for fault in self.open:
            if fault.kind.is_of_update == of_update and fault.matches(method, chat_id):
                fault.left -= 1
                if fault.left <= 0:
                    self.open.remove(fault)
                return fault
        return None
