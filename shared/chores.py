"""Things that are done again and again by whichever process takes them, one process at a time."""

from datetime import timedelta

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx
from shared.models import Chore
from shared.queues import Queue, settle

CHORES = Queue("chores", Chore, ("waiting",))
"""The chores; each is due when its pause is over."""


async def ensure(tx: Tx, *names: str) -> None:
    """Make the rows of chores that this version knows."""
    for name in names:
        await tx.execute(insert(Chore).values(name=name, state="waiting").on_conflict_do_nothing())


async def rest(tx: Tx, chore: Chore, pause_s: float, cursor: str | None) -> None:
    """A chore is done for now: due again after ``pause_s``, from ``cursor`` on.

    Raises:
        LostClaim: it took longer than its claim and somebody else does it now.
    """
    await settle(tx, chore, due_at=func.now() + timedelta(seconds=pause_s), cursor=cursor)
