"""Finds steps that the engine took back: a quick feed of candidates, and a slow sweep that compares both.

A step is withdrawn only when `lock` answers that its task is gone; absence from a list proves nothing.
"""

from datetime import UTC, datetime, timedelta

import structlog

from shared import chores, replies, transitions
from shared.engine.task_records import LockOutcome
from shared.models import Chore, PendingReply
from shared.service import Services

log = structlog.get_logger(__name__)

FEED, SWEEP = "withdrawal_feed", "sweep"
OVERLAP = timedelta(seconds=60)
"""The engine writes an end time before it commits, so each look goes back this far before the newest seen."""

OUTSIDE_TYPES = ("serviceTask", "sendTask", "businessRuleTask")
"""Activities that can be external tasks."""

PAGE = 500
ALARM_LEAST = 10
"""So many steps may always be gone; beyond that, more than a share of all means that the engine is wrong."""


class Withdrawal:
    """The chores of the withdrawal: feed and sweep."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine

    async def work(self, chore: Chore) -> None:
        """Do one chore."""
        settings = self._services.settings
        if chore.name == FEED:
            cursor: str | None = await self._feed(chore.cursor)
            pause_s = settings.withdrawal_interval_s
        else:
            await self._sweep()
            cursor, pause_s = None, settings.sweep_interval_s
        async with self._services.db.begin() as tx:
            await chores.rest(tx, chore, pause_s, cursor)

    async def _feed(self, cursor: str | None) -> str:
        newest = since = datetime.fromisoformat(cursor) if cursor else datetime.now(UTC) - timedelta(hours=1)
        ended: set[str] = set()
        for activity_type in OUTSIDE_TYPES:
            for canceled in await self._engine.canceled_activities(activity_type, since - OVERLAP):
                ended.add(canceled.id)
                newest = max(newest, canceled.ended_at or newest)
        if ended:
            async with self._services.db.begin() as tx:
                candidates = await replies.of_activities(tx, sorted(ended))
            for reply in candidates:
                await self._confirm(reply)
        return newest.isoformat()

    async def _confirm(self, reply: PendingReply) -> None:
        """Withdraw a step if its task is really gone; a lock that succeeds only renewed the lease."""
        settings = self._services.settings
        held = await self._engine.lock(reply.external_task_id, settings.worker_id, settings.lease_s)
        if held is LockOutcome.GONE:
            # A completion whose answer was lost is gone too; its completer asks the history.
            if reply.state == "answered":
                return
            async with self._services.db.begin() as tx:
                if await transitions.withdrawn(tx, reply.id):
                    log.info("withdrawn", reply=reply.id, activity=reply.activity_id)

    async def _sweep(self) -> None:
        """Compare all rows with all locked tasks, both ways."""
        locked = await self._locked_tasks()
        missing: list[PendingReply] = []
        seen = 0
        after = 0
        while page := await self._page(after):
            seen += len(page)
            after = page[-1].id
            missing += [row for row in page if row.external_task_id not in locked and row.state != "answered"]
            for row in page:
                locked.pop(row.external_task_id, None)
        share = self._services.settings.sweep_alarm_share
        if len(missing) > max(ALARM_LEAST, share * seen):
            log.error(
                "too many steps seem to be gone, withdrawing none: is it the right engine?"
                " If they are gone indeed, raise SWEEP_ALARM_SHARE for one sweep",
                missing=len(missing),
                open=seen,
            )
        else:
            for row in missing:
                await self._confirm(row)
        await self._without_row(locked)

    async def _locked_tasks(self) -> dict[str, datetime]:
        """Every task that the human worker id holds, and until when."""
        held: dict[str, datetime] = {}
        first = 0
        worker_id = self._services.settings.worker_id
        while page := await self._engine.external_tasks(
            worker_id, locked=True, first=first, max_results=PAGE
        ):
            held |= {task.id: task.lock_expires_at for task in page if task.lock_expires_at is not None}
            first += PAGE
        return held

    async def _page(self, after_id: int) -> list[PendingReply]:
        async with self._services.db.begin() as tx:
            return list(await replies.open_or_answered(tx, after_id, PAGE))

    async def _without_row(self, locked: dict[str, datetime]) -> None:
        """Tasks under a long lease that no open row explains: completed again, or handed out again."""
        settings = self._services.settings
        # A task that was only just fetched has the short lock and will get its row in a moment.
        certain = datetime.now(UTC) + timedelta(seconds=2 * settings.fetch_lock_s)
        for task_id, until in locked.items():
            if until < certain:
                continue
            async with self._services.db.begin() as tx:
                row = await replies.by_task(tx, task_id)
                told = row is not None and row.outcome is not None
                again = row is not None and told and await transitions.complete_again(tx, row.id)
            if not again and (row is None or row.state not in {*transitions.OPEN, "answered"}):
                log.warning("a leased task has no row, handing it out again", task=task_id)
                await self._engine.unlock(task_id)
