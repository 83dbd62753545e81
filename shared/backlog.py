"""How much waits in the database, and for how long: figures of the whole fleet, looked up when asked for.

No look-up may grow with the parked steps. Each walks an index whose rows are only those that wait, and stops
after :data:`LIMIT` of them; of the open steps, most of which rightly wait for days, only the oldest are read.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import Select, func, literal, select, union_all

from shared import chores, deadlines, inbox, outbox, people, starts, uploads
from shared.db import Database, Tx
from shared.errors import WorldError
from shared.metrics import REGISTRY
from shared.models import PendingReply
from shared.queues import Queue
from shared.transitions import COMPLETIONS, LEASES, OPEN

LIMIT = 10_000
OLDEST_STEPS = 1_000
KEPT_S = 10.0
"""Figures are so old at most; several scrapers cost no more than one."""

LENGTH = Gauge(
    "stepgram_queue_length", f"Rows that wait in a queue, at most {LIMIT}", ("queue",), registry=REGISTRY
)
QUEUE_AGE = Gauge(
    "stepgram_queue_oldest_age_seconds",
    "How long the oldest row of a queue has waited; of what is to be done at a set time: how late it is",
    ("queue",),
    registry=REGISTRY,
)
STEP_AGE = Gauge(
    "stepgram_step_oldest_age_seconds",
    "How long the oldest step of a state has waited",
    ("state",),
    registry=REGISTRY,
)
UP = Gauge("stepgram_database_up", "1 if the database gave these figures, else 0", registry=REGISTRY)


@dataclass(frozen=True)
class _Measured:
    """A queue, and from when on its rows have waited. A row with a due time alone waits from that on."""

    queue: Queue[Any]
    since: str = "created_at"
    due_only: bool = False


MEASURED = (
    _Measured(inbox.UPDATES),
    _Measured(outbox.SENDING),
    _Measured(outbox.CHANGES, "due_at"),
    _Measured(outbox.HELD, "due_at", due_only=True),
    _Measured(uploads.UPLOADS),
    _Measured(COMPLETIONS, "answered_at"),
    _Measured(people.ENGINE_USERS),
    _Measured(starts.STARTS),
    _Measured(LEASES, "due_at", due_only=True),
    _Measured(deadlines.DEADLINES, "due_at", due_only=True),
    _Measured(chores.CHORES, "due_at", due_only=True),
)


def _waiting(measured: _Measured) -> Select[str, int, int]:
    model, queue = measured.queue.model, measured.queue
    rows = select(getattr(model, measured.since).label("since")).where(model.state.in_(queue.waiting))
    if measured.due_only:
        rows = rows.where(model.due_at <= func.now())
    some = rows.limit(LIMIT).subquery()
    age = func.extract("epoch", func.now() - func.min(some.c.since))
    return select(literal(queue.name), func.count(), age).select_from(some)


def queues_statement() -> Any:
    """Length and age of every queue, in one statement."""
    return union_all(*(_waiting(each) for each in MEASURED))


def steps_statement(oldest_id: int) -> Select[Any]:
    """Of the oldest open steps, the oldest of each state: id, state, seconds.

    The primary key is walked from ``oldest_id`` on, past the closed rows behind it.
    """
    open_ones = PendingReply.id >= oldest_id, PendingReply.state.in_(OPEN)
    some = select(PendingReply).where(*open_ones).order_by(PendingReply.id).limit(OLDEST_STEPS).subquery()
    age = func.extract("epoch", func.now() - func.min(some.c.created_at))
    return select(some.c.state, func.min(some.c.id), age).group_by(some.c.state)


class Backlog:
    """Looks the figures up, at most once in :data:`KEPT_S`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looked_at: float | None = None
        self._turn = asyncio.Lock()
        self._oldest_id = 0

    async def refresh(self) -> None:
        """Bring the gauges up to date; without a database they are not shown."""
        async with self._turn:
            now = time.monotonic()
            if self._looked_at is not None and now - self._looked_at < KEPT_S:
                return
            self._looked_at = now
            for gauge in (LENGTH, QUEUE_AGE, STEP_AGE):
                gauge.clear()
            try:
                async with asyncio.timeout(KEPT_S / 2), self._db.begin() as tx:
                    await self._look(tx)
            except (WorldError, TimeoutError):
                UP.set(0)
            else:
                UP.set(1)

    async def _look(self, tx: Tx) -> None:
        for name, length, age_s in await tx.execute(queues_statement()):
            LENGTH.labels(name).set(length)
            QUEUE_AGE.labels(name).set(max(0.0, float(age_s or 0)))
            if name == COMPLETIONS.name:
                STEP_AGE.labels("answered").set(max(0.0, float(age_s or 0)))
        oldest: list[int] = []
        for state, first_id, age_s in await tx.execute(steps_statement(self._oldest_id)):
            STEP_AGE.labels(state).set(float(age_s))
            oldest.append(first_id)
        # A step that was reopened has an old id again: every look that finds nothing begins from the start.
        self._oldest_id = min(oldest, default=0)
