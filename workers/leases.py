"""Keeps the leases of open steps: renewed long before they end, spread out, by whichever process is free."""

from datetime import UTC, datetime, timedelta

import structlog

from shared import metrics, transitions
from shared.engine.records import ActivityEnd
from shared.engine.task_records import LockOutcome
from shared.models import PendingReply
from shared.queues import Later, Loop
from shared.service import Services
from workers.parker import renewal_s

log = structlog.get_logger(__name__)

FOREIGN_PAUSE_S = 60.0


class Leases:
    """The handler of the leases' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[PendingReply]:
        """The loop that a worker process runs."""
        return self._services.loop(transitions.LEASES, self.renew, concurrency=4, poll_s=2)

    async def renew(self, reply: PendingReply) -> None:
        """Renew one lease; a task that the engine says has ended was taken back."""
        settings = self._services.settings
        limit = timedelta(seconds=settings.undeliverable_after_s)
        if reply.undeliverable_since and datetime.now(UTC) - reply.undeliverable_since > limit:
            await self._give_up(reply)
            return
        held = await self._services.engine.lock(reply.external_task_id, settings.worker_id, settings.lease_s)
        metrics.LEASES.labels(held.name.lower()).inc()
        if held is LockOutcome.GONE:
            await self._prove_gone(reply)
        async with self._services.db.begin() as tx:
            if held is LockOutcome.HELD:
                due_s = renewal_s(settings.lease_s)
                if reply.undeliverable_since:
                    left = reply.undeliverable_since + limit - datetime.now(UTC)
                    due_s = min(due_s, max(left.total_seconds(), 0) + 0.1)
                await transitions.leased(tx, reply, due_s=due_s)
            elif held is LockOutcome.GONE:
                log.info("withdrawn", reply=reply.id)
                await transitions.withdrawn(tx, reply.id)
            else:
                raise Later("another worker id holds the task", retry_after_s=FOREIGN_PAUSE_S)

    async def _prove_gone(self, reply: PendingReply) -> None:
        """An engine that never had the task denies it as well: only one that tells its end is believed.

        Raises:
            Later: the history does not say that it ended; the sweep, which sees all steps, decides.
        """
        end = await self._services.engine.activity_end(reply.activity_instance_id)
        if end not in {ActivityEnd.COMPLETED, ActivityEnd.CANCELED}:
            reason = "the engine denies the task and its history does not tell its end"
            log.warning(reason, reply=reply.id, task=reply.external_task_id)
            raise Later(reason, retry_after_s=self._services.settings.sweep_interval_s)

    async def _give_up(self, reply: PendingReply) -> None:
        message = f"activity {reply.activity_id!r}: the person behind chat {reply.chat_id} cannot be reached"
        async with self._services.db.begin() as tx:
            await transitions.give_up(tx, reply.id, message)
