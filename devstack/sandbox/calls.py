"""The log of Bot API calls."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from devstack.sandbox.clock import Clock
from devstack.sandbox.values import Json, JsonValue

KEPT_CALLS = 20_000


@dataclass(slots=True)
class CallRecord:
    """One call with its outcome; `status` stays 0 while it runs or when no answer was sent."""

    n: int
    at: float
    bot_id: int
    method: str
    params: Json
    status: int = 0
    result: JsonValue = None
    description: str = ""
    retry_after: int | None = None
    fault: str | None = None
    duration_ms: float | None = None
    started: float = field(default_factory=time.monotonic)

    def finish(self) -> None:
        """Note how long it took."""
        self.duration_ms = round((time.monotonic() - self.started) * 1000, 2)

    def json(self) -> Json:
        """As `GET /sandbox/calls` shows it."""
        ok = self.status == 200
        out: Json = {
            "n": self.n,
            "at": self.at,
            "bot_id": self.bot_id,
            "method": self.method,
            "params": self.params,
            "ok": ok,
            "status": self.status,
            "duration_ms": self.duration_ms,
        }
        if self.result is not None:
            out["result"] = self.result
        if self.description:
            out["description"] = self.description
        if self.retry_after is not None:
            out["retry_after"] = self.retry_after
        if self.fault is not None:
            out["fault"] = self.fault
        return out


class CallLog:
    """The last calls, numbered from 1."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: deque[CallRecord] = deque(maxlen=KEPT_CALLS)
        self._count = 0

    def start(self, bot_id: int, method: str, params: Json) -> CallRecord:
        """Note a call that begins now."""
        self._count += 1
        record = CallRecord(self._count, self._clock.now(), bot_id, method, params)
        self._records.append(record)
        return record

    def since(self, number: int, method: str | None) -> list[Json]:
        """Calls after that number, of one method or of all."""
        return [
            record.json()
            for record in self._records
            if record.n > number and (method is None or record.method.lower() == method.lower())
        ]

    def clear(self) -> None:
        """Forget the calls; numbers go on."""
        self._records.clear()
