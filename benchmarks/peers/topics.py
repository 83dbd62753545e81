"""The automated topics of the measurements; workers load them by TOPIC_MODULES.

BENCH_TOPIC names the quick one: each run has a topic of its own, for the engine goes on with the poll of a
worker that was killed, and locks tasks for it.
"""

import asyncio
import os

from camunda.external_task.external_task import ExternalTask, TaskResult

from workers.registry import topic

SLOW = "bench_slow"
SLOW_S = 0.2


@topic(os.environ.get("BENCH_TOPIC", "bench_nothing"), lock_s=60)
async def do_nothing(task: ExternalTask) -> TaskResult:
    """Be done at once."""
    return task.complete()


@topic(SLOW, lock_s=60)
async def take_long(task: ExternalTask) -> TaskResult:
    """Wait for something else, as for a slow service."""
    await asyncio.sleep(SLOW_S)
    return task.complete()
