"""Does what is to happen by itself while a step waits, whichever process is free."""

from shared import deadlines
from shared.models import Deadline
from shared.queues import Loop
from shared.service import Services


class Deadlines:
    """The handler of the deadlines' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[Deadline]:
        """The loop that a worker process runs."""
        return self._services.loop(deadlines.DEADLINES, self.meet, concurrency=4)

    async def meet(self, deadline: Deadline) -> None:
        """Do what one deadline is for."""
        async with self._services.db.begin() as tx:
            await deadlines.come(tx, self._services.settings, deadline)
