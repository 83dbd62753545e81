"""`python -m workers`: fetches steps, parks them, keeps their leases, and sends their messages."""

import argparse
import asyncio
from collections.abc import Sequence

from shared.engine.task_records import TopicFetch
from shared.service import Part, Services, main
from workers import registry
from workers.automated import AutomatedWorker
from workers.deadlines import Deadlines
from workers.fetcher import Fetcher
from workers.housekeeping import Housekeeping
from workers.leases import Leases
from workers.parker import Parker

PARKING_ROOM = 64
"""Steps that one process parks at once; while they are in hand it fetches no more."""


async def compose(services: Services, stopping: asyncio.Event, topics: Sequence[str]) -> Sequence[Part]:
    """The parts of a worker process."""
    settings = services.settings
    registry.load(settings.topic_modules)
    registry.check_chosen(topics)
    human = registry.human_topics(topics)
    parker = Parker(services, human)
    fetcher = Fetcher(
        services.engine,
        services.wakeups,
        settings.worker_id,
        [TopicFetch(topic.name, lock_s=settings.fetch_lock_s, local_variables=True) for topic in human],
        parker.park,
        room=PARKING_ROOM,
        poll_s=settings.poll_s,
        take_many=parker.park_many,
        pulse=services.health.pulse("fetcher"),
        contact=services.health.contact("engine"),
    )
    automated = AutomatedWorker(services, registry.automated_topics(topics))
    housekeeping = await Housekeeping(services).loop()
    return [
        services.wakeups.run,
        fetcher.run,
        automated.run,
        Leases(services).loop().run,
        Deadlines(services).loop().run,
        housekeeping.run,
        *(loop.run for loop in services.senders()),
    ]


def run() -> None:
    """Read the options and run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--topics", help="comma-separated; default: TOPICS, or every registered topic")
    chosen = parser.parse_args().topics

    async def composed(services: Services, stopping: asyncio.Event) -> Sequence[Part]:
        topics = services.settings.topics if chosen is None else tuple(filter(None, chosen.split(",")))
        return await compose(services, stopping, [topic.strip() for topic in topics])

    main("workers", composed)


if __name__ == "__main__":
    run()
