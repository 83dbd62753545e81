"""The one mechanism of all queues: rows that wait for someone to take them.

A row waits while its state is one of the queue's waiting states and is free when ``due_at`` has come. To
claim it is to move ``due_at`` some seconds into the future and to write a claim into it; the holder keeps
moving it while it works, and a holder that dies lets the claim lapse. Whoever settles a row must still hold
its claim, so that a late holder changes nothing. Where a queue has an order key, only the oldest waiting row
of each key can be taken.
"""

import asyncio
import contextvars
import functools
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Executable,
    Integer,
    Interval,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    not_,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute, aliased

from shared import metrics
from shared.db import KEEPERS, Database, Tx, after_commit
from shared.engine.values import storable
from shared.errors import AuthorError, ConfigurationError, StepgramError, WorldError
from shared.health import Pulse
from shared.models import PendingReply, Queued
from shared.wakeups import Wakeups

log = structlog.get_logger(__name__)

_DIALECT = cast("Dialect", postgresql.dialect())  # type: ignore[no-untyped-call]

Row = TypeVar("Row", bound=Queued)


class LostClaim(StepgramError):
    """The claim lapsed and somebody else has the row now; what this holder did is rolled back."""


class DiedOften(StepgramError):
    """Whoever takes this row does not come back; it is set aside before it takes every process along."""


class Later(WorldError):
    """Not now: the row is due again after ``retry_after_s``, and this does not count as a failed attempt."""


MAX_LAPSES = 5
"""Claims of one row that may lapse in a row before it is set aside."""


WATCHED_S = 30.0
"""A loop whose queue is watched by :class:`~shared.wakeups.Wakeups` looks by itself as seldom as this."""


@dataclass(frozen=True)
class Queue(Generic[Row]):
    """What one queue names: its table, its waiting states, its order key.

    A row that met ``max_attempts`` unexpected errors, or one error of its author's, goes to the state
    ``poison`` with its reason; the world's errors are tried for ever. A queue may take ``only`` some of the
    waiting rows; the others count for the order all the same.
    """

    name: str
    model: type[Row]
    waiting: tuple[str, ...]
    order_key: str | None = None
    first: tuple[str, ...] = ("due_at",)
    only: tuple[ColumnElement[bool], ...] = ()
    max_attempts: int = 10
    poison: str | None = None
    longest_pause_s: float = 60.0


async def claim(tx: Tx, queue: Queue[Row], limit: int, claim_s: float) -> Sequence[Row]:
    """Take up to ``limit`` free rows; they are this holder's for ``claim_s``, longer if it extends that."""
    return [row for row, _ in await claim_with_tasks(tx, queue, limit, claim_s)]


async def claim_with_tasks(
    tx: Tx, queue: Queue[Row], limit: int, claim_s: float
) -> Sequence[tuple[Row, str | None]]:
    """As :func:`claim`, each with the external task behind it: under that stand all log lines of a step."""
    values = {"most": limit, "claim_for": timedelta(seconds=claim_s)}
    taken = await tx.execute(_claim_statement(queue), values)
    return sorted(((row, task) for row, task in taken), key=lambda pair: pair[0].id)


@functools.cache
def _claim_statement(queue: Queue[Any]) -> Executable:
    """Made once: to build and to look up the same statement costs more than to run it."""
    model = queue.model
    free = _due(queue)
    if queue.order_key is not None:
        elder = aliased(model)
        key: InstrumentedAttribute[Any] = getattr(model, queue.order_key)
        # Not an anti join: in a table that nobody has analysed yet, the planner would compare every row with
        # every other, which took a second for 2,000.
        head = (
            select(elder.id)
            .where(getattr(elder, queue.order_key) == key, elder.state.in_(queue.waiting))
            .order_by(elder.id)
            .limit(1)
        )
        free.append(model.id == head.scalar_subquery())
    return _taking(queue, free)


def _due(queue: Queue[Any]) -> list[ColumnElement[bool]]:
    return [queue.model.state.in_(queue.waiting), queue.model.due_at <= func.now(), *queue.only]


@functools.cache
def _due_query(queue: Queue[Any]) -> str:
    """What finds a row when some are due, whether or not they can be taken."""
    found = select(queue.model.id).where(*_due(queue))
    return str(found.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


async def claim_also(
    tx: Tx, queue: Queue[Row], which: Sequence[ColumnElement[bool]], limit: int, claim_s: float
) -> Sequence[Row]:
    """Take further rows, which need not be due: whoever handles one row handles these with it.

    No loop extends these claims; ``which`` must leave out the rows that somebody else has in hand.
    """
    values = {"most": limit, "claim_for": timedelta(seconds=claim_s)}
    taken = await tx.execute(_taking(queue, which), values)
    return sorted((row for row, _ in taken), key=lambda row: row.id)


def _taking(queue: Queue[Any], free: Sequence[ColumnElement[bool]]) -> Executable:
    model = queue.model
    chosen = (
        select(model.id)
        .where(*free)
        .order_by(*(getattr(model, name) for name in queue.first), model.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    return (
        update(model)
        .where(model.id.in_(select(chosen.c.id)))
        .values(
            due_at=func.now() + bindparam("claim_for", type_=Interval),
            claim=func.gen_random_uuid(),
            attempts=model.attempts + 1,
            # A claim that was never given back: its holder died or stands still.
            lapses=case((model.claim.is_(None), 0), else_=model.lapses + 1),
        )
        .returning(model, task_of(model))
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def task_of(model: type[Queued]) -> ColumnElement[Any]:
    """The external task behind a row, null where there is none."""
    if model is PendingReply:
        return PendingReply.__table__.c.external_task_id
    if not hasattr(model, "pending_reply_id"):
        return null()
    # Named by text: within RETURNING a subquery is not correlated with the statement's own table.
    reply_id = literal_column(f"{model.__tablename__}.pending_reply_id", BigInteger())
    reply = aliased(PendingReply)
    return select(reply.external_task_id).where(reply.id == reply_id).scalar_subquery()


async def extend(tx: Tx, queue: Queue[Row], rows: Collection[Row], claim_s: float) -> None:
    """Hold rows for ``claim_s`` from now on; those whose claim is lost stay as they are."""
    model = queue.model
    await tx.execute(
        update(model)
        .where(model.id.in_([row.id for row in rows]), model.claim.in_([row.claim for row in rows]))
        .values(due_at=func.now() + timedelta(seconds=claim_s))
        .execution_options(synchronize_session=False)
    )


async def settle(tx: Tx, row: Queued, **values: Any) -> None:
    """Write the outcome of a claimed row and give the claim back, in the caller's transaction.

    Raises:
        LostClaim: the claim lapsed and another holder took the row.
    """
    await settled_as(tx, row, **values)


async def settled_as(tx: Tx, row: Queued, **values: Any) -> str:
    """As :func:`settle`; the state that the row has now."""
    table = type(row).__table__.c
    statement = (
        update(cast("Table", type(row).__table__))
        .where(table.id == row.id, table.claim == row.claim)
        .values({"claim": None, "attempts": 0, "last_error": None, **values})
        .returning(table.state)
    )
    state = await tx.scalar(statement)
    if state is None:
        raise LostClaim(f"{type(row).__tablename__} {row.id} was taken by another holder")
    return str(state)


async def remove(tx: Tx, row: Queued) -> None:
    """As :func:`settle`, for a row that has no further use.

    Raises:
        LostClaim: the claim lapsed and another holder took the row.
    """
    model = type(row)
    mine = model.id == row.id, model.claim == row.claim
    gone = delete(model).where(*mine).returning(model.id).execution_options(synchronize_session=False)
    if await tx.scalar(gone) is None:
        raise LostClaim(f"{model.__tablename__} {row.id} was taken by another holder")


def room_for(tx: Tx, queue: Queue[Any]) -> int:
    """How many rows that this transaction makes its own process may handle: 0 where it has no loop for them.

    Such a row is claimed at its birth (:func:`claimed_at_birth`) and handed over (:func:`hand_over`); a claim
    in a transaction of its own, a wake-up and a look in the queue are saved. It is a claim like any other: if
    the process dies, it lapses.
    """
    loop: Loop[Any] | None = tx.info.get(KEEPERS, {}).get(queue.name)
    return loop.room if loop else 0


def claimed_at_birth(tx: Tx, queue: Queue[Any]) -> dict[str, Any]:
    """What a row is to carry that this process keeps for itself."""
    loop: Loop[Any] | None = tx.info.get(KEEPERS, {}).get(queue.name)
    return {
        "due_at": func.now() + timedelta(seconds=loop.claim_s if loop else 0),
        "claim": func.gen_random_uuid(),
        "attempts": 1,
    }


def kept(tx: Tx, queue: Queue[Any], keys: Iterable[Any]) -> list[bool]:
    """Which new rows this process keeps: the first of each key, as many as it has room for; never None's."""
    room, seen, ours = room_for(tx, queue), {None}, []
    for key in keys:
        ours.append(room > 0 and key not in seen)
        room -= ours[-1]
        seen.add(key)
    return ours


def birth(
    tx: Tx, queue: Queue[Any], is_kept: ColumnElement[bool], key: ColumnElement[Any]
) -> dict[str, ColumnElement[Any]]:
    """What new rows of an INSERT … SELECT carry: a claim if kept, unless an elder of their key waits."""
    elder = aliased(queue.model)
    waits = select(elder.id).where(
        getattr(elder, str(queue.order_key)) == key, elder.state.in_(queue.waiting)
    )
    is_ours = and_(is_kept, not_(waits.exists()))
    claimed = claimed_at_birth(tx, queue)
    return {
        "due_at": case((is_ours, claimed["due_at"]), else_=func.now()),
        "claim": case((is_ours, claimed["claim"])),
        "attempts": case((is_ours, claimed["attempts"]), else_=0),
    }


def hand_over(tx: Tx, queue: Queue[Row], row: Row, task: str | None) -> None:
    """Give a row that was claimed at its birth to this process's loop, once it is committed."""
    loop: Loop[Row] = tx.info[KEEPERS][queue.name]
    after_commit(tx, lambda: loop.hand(row, task))


def pause_s(attempts: int, longest_s: float) -> float:
    """How long to wait after the given number of failed attempts: doubling, with jitter, bounded."""
    return float(min(longest_s, 0.25 * 2 ** min(attempts, 16))) * random.uniform(0.75, 1.25)  # noqa: S311


class Loop(Generic[Row]):
    """Takes the rows of one queue and hands each to ``handle``, several at once, until told to stop."""

    def __init__(
        self,
        queue: Queue[Row],
        handle: Callable[[Row], Awaitable[None]],
        db: Database,
        wakeups: Wakeups,
        *,
        concurrency: int = 8,
        poll_s: float = 1.0,
        claim_s: float = 10.0,
        on_poison: Callable[[Tx, Row, str], Awaitable[None]] | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._db = db
        self._wakeups = wakeups
        self._event = wakeups.subscribe(queue.name, _due_query(queue))
        self._concurrency = concurrency
        self._poll_s = poll_s
        self.claim_s = claim_s
        self._on_poison = on_poison
        self._pulse = pulse or Pulse(queue.name)
        self._running: dict[asyncio.Task[None], Row] = {}
        self._is_open = False

    @property
    def room(self) -> int:
        """How many more rows it would handle now."""
        return max(0, self._concurrency - len(self._running)) if self._is_open else 0

    def hand(self, row: Row, task: str | None) -> None:
        """Handle a row that carries this process's claim already."""
        self._start(row, task)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping``, then finish what is in hand."""
        beating = asyncio.create_task(self._keep_claims())
        self._is_open = True
        self._db.keepers[self._queue.name] = self
        try:
            await self._work(stopping)
            self._is_open = False
            while self._running:
                await asyncio.wait(self._running)
        finally:
            self._is_open = False
            if self._db.keepers.get(self._queue.name) is self:
                del self._db.keepers[self._queue.name]
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _keep_claims(self) -> None:
        """Extend the claims of what is in hand: a claim can be short and still outlast any handler."""
        while True:
            await asyncio.sleep(self.claim_s / 3)
            if not self._running:
                continue
            try:
                async with self._db.begin() as tx:
                    await extend(tx, self._queue, list(self._running.values()), self.claim_s)
            except WorldError as error:
                log.warning("claims cannot be extended", queue=self._queue.name, error=str(error))

    async def _work(self, stopping: asyncio.Event) -> None:
        failures = 0
        if self._wakeups.is_watching:  # a start would look for nothing in a dozen queues
            await self._rest(stopping, self._look_s)
        while not stopping.is_set():
            self._pulse.beat()
            self._event.clear()
            room = max(0, self._concurrency - len(self._running))
            taken = 0
            try:
                taken = await self._take(room) if room else 0
                failures = 0
            except WorldError as error:
                failures += 1
                log.warning("queue cannot be read", queue=self._queue.name, error=str(error))
            if room and taken == room:
                continue
            await self._rest(stopping, pause_s(failures, 10) if failures else self._look_s)

    @property
    def _look_s(self) -> float:
        """How long it rests unless it is woken."""
        return max(self._poll_s, WATCHED_S) if self._wakeups.is_watching else self._poll_s

    async def _take(self, room: int) -> int:
        async with self._db.begin() as tx:
            rows = await claim_with_tasks(tx, self._queue, room, self.claim_s)
        for row, task in rows:
            self._start(row, task)
        return len(rows)

    def _start(self, row: Row, task: str | None) -> None:
        names = {"task": task} if task else {}
        # Its log lines must not carry what the handler that made the row has bound.
        running = asyncio.create_task(
            self._run_one(row, names), name=f"{self._queue.name}-{row.id}", context=contextvars.Context()
        )
        self._running[running] = row
        running.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._event.set()  # there is room again, and the next row of the same key may be free

    async def _rest(self, stopping: asyncio.Event, seconds: float) -> None:
        waits = [asyncio.create_task(self._event.wait()), asyncio.create_task(stopping.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _run_one(self, row: Row, names: dict[str, str]) -> None:
        with structlog.contextvars.bound_contextvars(queue=self._queue.name, row=row.id, **names):
            try:
                if row.lapses >= MAX_LAPSES and self._queue.poison is not None:
                    raise DiedOften(f"{row.lapses} processes died or stood still while they handled it")  # noqa: TRY301
                with metrics.timed(metrics.QUEUE_SECONDS, self._queue.name):
                    await self._handle(row)
            except LostClaim as error:
                log.info("claim lost", reason=str(error))
            except Exception as error:  # whatever it was, the row must become free or poison
                await self._failed(row, error)

    async def _failed(self, row: Row, error: Exception) -> None:
        queue = self._queue
        # A wrong setting is mended by an operator; until then its rows wait as for a world that is away.
        world = isinstance(error, WorldError | ConfigurationError)
        final = isinstance(error, AuthorError | DiedOften) or (
            not world and row.attempts >= queue.max_attempts
        )
        wait_s = self._poll_s
        values: dict[str, Any] = {"last_error": storable(f"{type(error).__name__}: {error}"[:2000])}
        if queue.poison is not None and final:
            # An author's error says in words what is wrong; of anything else we want to see where.
            where = None if isinstance(error, AuthorError) else error
            log.error("set aside", reason=str(error), attempts=row.attempts, exc_info=where)
            values["state"] = queue.poison
        else:
            asked_s = error.retry_after_s if isinstance(error, WorldError) else None
            wait_s = pause_s(row.attempts, queue.longest_pause_s) if asked_s is None else asked_s
            values["due_at"] = func.now() + timedelta(seconds=wait_s)
            values["attempts"] = row.attempts - 1 if isinstance(error, Later) else row.attempts
            if isinstance(error, WorldError):
                level = log.debug if isinstance(error, Later) else log.warning
                level("again later", error=str(error), again_in_s=round(wait_s, 2))
            else:
                log.exception("unexpected error, again later", exc_info=error, again_in_s=round(wait_s, 2))
        try:
            async with self._db.begin() as tx:
                if "state" in values:
                    after_commit(tx, metrics.SET_ASIDE.labels(queue.name).inc)
                # First what hangs on the row: everybody locks a step before its prompts.
                if "state" in values and self._on_poison is not None:
                    await self._on_poison(tx, row, str(error))
                await settle(tx, row, **values)
            if wait_s < self._poll_s:  # a denied message is due in milliseconds, long before the next poll
                asyncio.get_running_loop().call_later(wait_s + 0.01, self._event.set)
        except LostClaim:
            log.info("claim lost while failing")
        except WorldError as second:
            log.warning("could not give the row back, its claim will lapse", error=str(second))
