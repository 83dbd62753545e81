"""The chores of the fleet: the withdrawal's feed and sweep, and pruning. One process at a time does each."""

import structlog

from shared import chores, pruning
from shared.models import Chore
from shared.queues import Loop
from shared.service import Services
from workers.withdrawal import FEED, SWEEP, Withdrawal

log = structlog.get_logger(__name__)

PRUNING = "pruning"

BATCHES = 20
"""Batches in one go; a stop waits for them, and other work gets its turn between two goes."""

BREATH_S = 1.0
"""Between two goes while there is more."""


class Housekeeping:
    """All chores; every worker process offers to do them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._withdrawal = Withdrawal(services)

    async def loop(self) -> Loop[Chore]:
        """The loop that a worker process runs; makes the chores' rows."""
        async with self._services.db.begin() as tx:
            await chores.ensure(tx, FEED, SWEEP, PRUNING)
        return self._services.loop(chores.CHORES, self.work, concurrency=3, poll_s=0.5)

    async def work(self, chore: Chore) -> None:
        """Do one chore."""
        if chore.name == PRUNING:
            await self._prune(chore)
        else:
            await self._withdrawal.work(chore)

    async def _prune(self, chore: Chore) -> None:
        settings = self._services.settings
        ages = pruning.Ages.from_settings(settings)
        gone: dict[str, int] = {}
        more = True
        for _ in range(BATCHES):
            batch = await pruning.prune(self._services.db, ages)
            gone = {name: gone.get(name, 0) + count for name, count in batch.items()}
            if not (more := pruning.is_more(batch)):
                break
        if any(gone.values()):
            log.info("pruned", **{name: count for name, count in gone.items() if count})
        async with self._services.db.begin() as tx:
            await chores.rest(tx, chore, BREATH_S if more else settings.prune_interval_s, None)
