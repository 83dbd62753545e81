"""What is counted and measured in a process, in the one registry that `/metrics` shows.

Each figure is counted where it happens; what a transaction does is counted after its commit. The figures of
the whole fleet, which are in the database, are those of :mod:`shared.backlog`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from shared.db import Tx, after_commit
from shared.models import PendingReply

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

STEP_LABELS = ("process", "activity", "topic")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

STEPS = {
    "created": Counter("stepgram_steps_created", "Steps that began to wait", STEP_LABELS, registry=REGISTRY),
    "posted": Counter(
        "stepgram_steps_posted", "Steps whose first message was sent", STEP_LABELS, registry=REGISTRY
    ),
    "answered": Counter(
        "stepgram_steps_answered", "Steps whose outcome was accepted", STEP_LABELS, registry=REGISTRY
    ),
    "completed": Counter(
        "stepgram_steps_completed",
        "Steps whose outcome the engine was told",
        (*STEP_LABELS, "outcome"),
        registry=REGISTRY,
    ),
    "withdrawn": Counter(
        "stepgram_steps_withdrawn", "Steps that the engine took back", STEP_LABELS, registry=REGISTRY
    ),
}

QUEUE_SECONDS = Histogram(
    "stepgram_queue_handling_seconds",
    "Time to handle one row of a queue",
    ("queue", "outcome"),
    buckets=SECONDS,
    registry=REGISTRY,
)
ENGINE_SECONDS = Histogram(
    "stepgram_engine_request_seconds",
    "Time of one call of the engine; fetchAndLock waits for work",
    ("operation", "outcome"),
    buckets=SECONDS,
    registry=REGISTRY,
)
TELEGRAM_SECONDS = Histogram(
    "stepgram_telegram_request_seconds",
    "Time of one call of the Bot API; getUpdates waits for updates",
    ("method", "outcome"),
    buckets=SECONDS,
    registry=REGISTRY,
)
SET_ASIDE = Counter(
    "stepgram_rows_set_aside", "Rows that are not tried again: poison", ("queue",), registry=REGISTRY
)
LEASES = Counter("stepgram_lease_renewals", "Leases renewed, by outcome", ("outcome",), registry=REGISTRY)
WEBHOOK = Counter(
    "stepgram_webhook_requests", "Requests to the webhook, by outcome", ("outcome",), registry=REGISTRY
)
LEADING = Gauge(
    "stepgram_polling_leader", "1 while this process is the one that polls Telegram", registry=REGISTRY
)
LAG = Gauge(
    "stepgram_event_loop_lag_seconds", "How late the event loop was last noticed to be", registry=REGISTRY
)


def step_event(tx: Tx, event: str, reply: PendingReply, **more: str) -> None:
    """Count and log what happened to a step, once it is committed.

    The log line carries the external task id as `task`, the one id of a step from fetch to completion.
    """
    labels = {
        "process": reply.process_definition_key,
        "activity": reply.activity_id,
        "topic": reply.topic,
        **more,
    }

    def count() -> None:
        STEPS[event].labels(**labels).inc()
        log.info(f"step {event}", **labels | {"task": reply.external_task_id, "reply": reply.id})

    after_commit(tx, count)


@contextmanager
def timed(histogram: Histogram, name: str) -> Iterator[list[str]]:
    """Measure a block; its outcome is "ok", the error's class, or what the block puts into the list."""
    began = time.perf_counter()
    told: list[str] = []
    outcome = "ok"
    try:
        yield told
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        histogram.labels(name, *(told or [outcome])).observe(time.perf_counter() - began)


def exposition() -> bytes:
    """Everything in Prometheus' text format."""
    return generate_latest(REGISTRY)
