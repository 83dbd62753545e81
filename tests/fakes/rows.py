"""Rows as tests need them, and the moments that tests would otherwise have to wait for."""

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import inspect, select, text, update

from shared import transitions
from shared.db import Database
from shared.models import Base, Deadline, PendingReply, Prompt, Queued, Update
from shared.queues import Queue
from shared.steps.model import Step
from shared.transitions import NewReply
from tests.fakes.steps import read

Row = TypeVar("Row", bound=Base)
QueuedRow = TypeVar("QueuedRow", bound=Queued)

BOT_ID = 1_000_001
_numbers = itertools.count(1)


def emptying(but: str | None = None) -> str:
    """The statements that leave no row in any table but that one, in an order that keys allow."""
    tables = [table.name for table in reversed(Base.metadata.sorted_tables) if table.name != but]
    return "; ".join(f"DELETE FROM {table}" for table in tables)


def new_reply(step: Step | None = None, **values: Any) -> NewReply:
    """What the parker knows of a step; every call is another external task."""
    step = step or read({"text_a": "Sure?", "action_yes": "Yes", "action_no": "No"})
    number = next(_numbers)
    known: dict[str, Any] = {
        "external_task_id": f"task-{number}",
        "topic": "render_task",
        "activity_id": "ask",
        "activity_instance_id": f"ask:{number}",
        "process_instance_id": f"instance-{number}",
        "execution_id": f"execution-{number}",
        "process_definition_id": "audit:1:1",
        "process_definition_key": "audit",
        "business_key": None,
        "tenant_id": None,
        "step": step.model_dump(mode="json", exclude_defaults=True),
        "chat_id": step.chat_id,
        "recipient_id": step.recipient_id,
    }
    return NewReply(**known | values)


async def a_reply(db: Database, step: Step | None = None, *, state: str = "parked", **values: Any) -> int:
    """A pending reply in any state; ``values`` are further columns. Its id."""
    new = new_reply(step)
    if state in {"answered", "completed", "cancelled"}:
        values.setdefault("outcome", {"kind": "complete", "variables": {}})
    async with db.begin() as tx:
        made, _ = await transitions.park(tx, new, lease_due_s=3600)
        await tx.execute(update(PendingReply).where(PendingReply.id == made.id).values(state=state, **values))
    return made.id


async def a_prompt(db: Database, chat_id: int, *, state: str = "queued", **values: Any) -> int:
    """A prompt in any state. Its id."""
    prompt = Prompt(
        chat_id=chat_id, state=state, **{"kind": "notice", "content": {"text": "Hello"}, **values}
    )
    async with db.begin() as tx:
        tx.add(prompt)
    return prompt.id


async def an_update(db: Database, order_key: str = "chat:1", **values: Any) -> int:
    """A stored update. Its id."""
    number = next(_numbers)
    row = Update(
        bot_id=BOT_ID,
        update_id=number,
        **{"state": "queued", "order_key": order_key, "payload": {"update_id": number}, **values},
    )
    async with db.begin() as tx:
        tx.add(row)
    return row.id


async def get(db: Database, model: type[Row], row_id: int) -> Row:
    """A row as it is committed now."""
    async with db.begin() as tx:
        found = await tx.get(model, row_id)
    assert found is not None
    return found


async def all_of(db: Database, model: type[QueuedRow], *where: Any) -> Sequence[QueuedRow]:
    """All rows of a table, oldest first."""
    async with db.begin() as tx:
        return (await tx.scalars(select(model).where(*where).order_by(model.id))).all()


async def change(db: Database, row: Queued | type[Queued], row_id: int | None = None, **values: Any) -> None:
    """Change a row behind the back of whoever holds it."""
    model, number = (row, row_id) if isinstance(row, type) else (type(row), row.id)
    async with db.begin() as tx:
        await tx.execute(update(model).where(model.id == number).values(**values))


async def lapse(db: Database, model: type[Queued]) -> None:
    """Let every claim and every pause of a table come to its end."""
    async with db.begin() as tx:
        await tx.execute(update(model).values(due_at=text("now() - interval '1 ms'")))


async def time_passes(db: Database, seconds: float) -> None:
    """Let seconds pass for whatever waits for its time with a step."""
    ago = text(f"interval '{seconds} s'")
    async with db.begin() as tx:
        await tx.execute(update(Deadline).values(due_at=Deadline.due_at - ago))
        await tx.execute(update(PendingReply).values(shown_at=PendingReply.shown_at - ago))


async def nothing_waits(db: Database, queue: Queue[QueuedRow]) -> bool:
    """Whether a queue is empty, asked so that it costs the same however long it is."""
    async with db.begin() as tx:
        waiting = select(queue.model.id).where(queue.model.state.in_(queue.waiting))
        return await tx.scalar(waiting.limit(1)) is None


async def snapshot(db: Database, *models: type[Base]) -> dict[tuple[str, Any], dict[str, Any]]:
    """Every column of every row of some tables, by table and primary key."""
    found: dict[tuple[str, Any], dict[str, Any]] = {}
    async with db.begin() as tx:
        for model in models:
            key = inspect(model).primary_key[0].name
            for row in (await tx.execute(select(model.__table__))).mappings():
                found[model.__tablename__, row[key]] = dict(row)
    return found
