"""Starts of processes: the row comes first, so that two taps make one instance."""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx, notify
from shared.models import Json, ProcessStart
from shared.queues import Queue

START_TOPIC = "stepgram:start"
"""What a start form has for a topic: its row waits as a step's does, and no task is behind it."""

STARTS = Queue("process_starts", ProcessStart, ("queued",), poison="failed")
"""Processes to start."""


@dataclass(frozen=True)
class Wish:
    """What to start, and for whom; without ``definition_id`` the latest version."""

    definition_key: str
    business_key: str
    variables: Json
    by: int
    definition_id: str | None = None
    tenant_id: str | None = None


async def request(tx: Tx, wish: Wish) -> bool:
    """Ask for an instance; False if one of this business key is starting or running."""
    statement = (
        insert(ProcessStart)
        .values(
            definition_key=wish.definition_key,
            definition_id=wish.definition_id,
            tenant_id=wish.tenant_id or "",
            business_key=wish.business_key,
            variables=wish.variables,
            requested_by=wish.by,
            state="queued",
        )
        .on_conflict_do_nothing()
        .returning(ProcessStart.id)
    )
    made = await tx.scalar(statement) is not None
    if made:
        await notify(tx, STARTS.name)
    return made


async def running(
    tx: Tx, definition_key: str, business_key: str, tenant_id: str | None = None
) -> ProcessStart | None:
    """The start that is queued or whose instance was running when somebody last looked."""
    statement = select(ProcessStart).where(
        ProcessStart.definition_key == definition_key,
        ProcessStart.tenant_id == (tenant_id or ""),
        ProcessStart.business_key == business_key,
        ProcessStart.state.in_(("queued", "started")),
    )
    return (await tx.execute(statement)).scalar_one_or_none()


async def ended(tx: Tx, start_id: int) -> None:
    """The instance of a start is over, so its business key is free again."""
    await tx.execute(
        update(ProcessStart)
        .where(ProcessStart.id == start_id, ProcessStart.state == "started")
        .values(state="ended", due_at=func.now())
    )
