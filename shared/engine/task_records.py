"""External tasks as immutable records; times are aware UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any, Self

from shared.engine.values import TypedValue, parse_time


@dataclass(frozen=True)
class TopicFetch:
    """A topic to fetch, and what to bring of each task.

    ``lock_s`` is the length of the lock. ``local_variables`` brings only the variables of the step's own
    scope, its input parameters. ``variables`` names those to bring; None brings all, () none.
    """

    name: str
    lock_s: float
    local_variables: bool = False
    variables: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FetchedTask:
    """An external task that is locked for ``worker_id``.

    ``variables`` is typed and undecoded, {name: {type, value, valueInfo}}; neither it nor
    ``extension_properties`` keeps the order of the diagram. ``raw`` is the engine's whole answer.
    """

    id: str
    topic: str
    worker_id: str
    lock_expires_at: datetime
    process_instance_id: str
    execution_id: str
    process_definition_id: str
    process_definition_key: str
    activity_id: str
    activity_instance_id: str
    business_key: str | None
    tenant_id: str | None
    priority: int
    retries: int | None
    variables: Mapping[str, TypedValue]
    extension_properties: Mapping[str, str]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def process_definition_version(self) -> int | None:
        """The version, where the definition's id is KEY:VERSION:ID; beside a very long key it is ID alone."""
        parts = self.process_definition_id.split(":")
        return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one element of a fetchAndLock answer."""
        return cls(
            id=raw["id"],
            topic=raw["topicName"],
            worker_id=raw["workerId"],
            lock_expires_at=parse_time(raw["lockExpirationTime"]),
            process_instance_id=raw["processInstanceId"],
            execution_id=raw["executionId"],
            process_definition_id=raw["processDefinitionId"],
            process_definition_key=raw["processDefinitionKey"],
            activity_id=raw["activityId"],
            activity_instance_id=raw["activityInstanceId"],
            business_key=raw.get("businessKey"),
            tenant_id=raw.get("tenantId"),
            priority=raw.get("priority") or 0,
            retries=raw.get("retries"),
            variables=raw.get("variables") or {},
            extension_properties=raw.get("extensionProperties") or {},
            raw=raw,
        )


class LockOutcome(Enum):
    """What became of an attempt to lock an external task."""

    HELD = auto()
    """The lock is ours, for the time asked; a suspended task can be locked as well."""
    FOREIGN = auto()
    """Another worker's lock has not expired."""
    GONE = auto()
    """There is no such task any more: the only proof of that which the engine gives."""


@dataclass(frozen=True)
class ExternalTaskState:
    """An external task as a query shows it, locked or not."""

    id: str
    topic: str
    worker_id: str | None
    lock_expires_at: datetime | None
    suspended: bool
    retries: int | None
    error_message: str | None
    process_instance_id: str
    execution_id: str
    process_definition_id: str
    process_definition_key: str
    activity_id: str
    activity_instance_id: str
    business_key: str | None
    tenant_id: str | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one external task of a query's answer."""
        expires = raw.get("lockExpirationTime")
        return cls(
            id=raw["id"],
            topic=raw["topicName"],
            worker_id=raw.get("workerId"),
            lock_expires_at=parse_time(expires) if expires else None,
            suspended=bool(raw.get("suspended")),
            retries=raw.get("retries"),
            error_message=raw.get("errorMessage"),
            process_instance_id=raw["processInstanceId"],
            execution_id=raw["executionId"],
            process_definition_id=raw["processDefinitionId"],
            process_definition_key=raw["processDefinitionKey"],
            activity_id=raw["activityId"],
            activity_instance_id=raw["activityInstanceId"],
            business_key=raw.get("businessKey"),
            tenant_id=raw.get("tenantId"),
        )


class Refusal(Enum):
    """Why the engine refuses (400) what a worker wants to do with an external task."""

    SUSPENDED = auto()
    """Its process is suspended: wait, an operator will resume it."""
    UNLOCKED = auto()
    """Nobody holds a lock, or the holder's has expired: ``lock`` it and try again."""
    FOREIGN = auto()
    """Another worker holds it until ``lock_expires_at``: wait for that."""
    UNSEEN = auto()
    """A query does not show it: gone, or our user may not read it; ``lock`` decides."""
    OTHER = auto()
    """The lock is ours: what was sent is wrong, such as a value that does not fit its type."""


def refusal(task: ExternalTaskState | None, worker_id: str, now: datetime) -> Refusal:
    """Explain a 400 by the task's state, read right after it; suspension comes first, as in the engine."""
    if task is None:
        return Refusal.UNSEEN
    if task.suspended:
        return Refusal.SUSPENDED
    if task.worker_id == worker_id:
        return Refusal.OTHER
    if task.worker_id is None or task.lock_expires_at is None or task.lock_expires_at <= now:
        return Refusal.UNLOCKED
    return Refusal.FOREIGN
