"""Definitions, instances and history as immutable records; times are aware UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Self

from shared.engine.values import parse_time


@dataclass(frozen=True)
class ProcessInstance:
    """A process instance that runs or is suspended."""

    id: str
    definition_id: str
    definition_key: str
    business_key: str | None
    suspended: bool
    tenant_id: str | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one process instance of a query's answer."""
        return cls(
            id=raw["id"],
            definition_id=raw["definitionId"],
            definition_key=raw["definitionKey"],
            business_key=raw.get("businessKey"),
            suspended=bool(raw.get("suspended")),
            tenant_id=raw.get("tenantId"),
        )


@dataclass(frozen=True)
class DeployedDefinition:
    """A version of a process in the engine."""

    id: str
    key: str
    name: str | None
    version: int
    resource: str
    deployment_id: str
    tenant_id: str | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one process definition of a deployment's or query's answer."""
        return cls(
            id=raw["id"],
            key=raw["key"],
            name=raw.get("name"),
            version=raw["version"],
            resource=raw["resource"],
            deployment_id=raw["deploymentId"],
            tenant_id=raw.get("tenantId"),
        )


class ActivityEnd(Enum):
    """How an activity ended, by the history."""

    RUNNING = auto()
    COMPLETED = auto()
    """The token went on along the normal way: a completion arrived."""
    CANCELED = auto()
    """Left otherwise: a boundary event, a BPMN error (thrown by us, too), a cancelled instance."""
    UNKNOWN = auto()
    """The history does not show it: history level none, cleaned up, or no permission to read."""


@dataclass(frozen=True)
class HistoricActivity:
    """One run of an activity, as the history tells it."""

    id: str
    activity_id: str
    activity_name: str | None
    activity_type: str
    process_instance_id: str
    process_definition_key: str
    started_at: datetime
    ended_at: datetime | None
    canceled: bool

    @property
    def end(self) -> ActivityEnd:
        """How it ended."""
        if self.ended_at is None:
            return ActivityEnd.RUNNING
        return ActivityEnd.CANCELED if self.canceled else ActivityEnd.COMPLETED

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one historic activity instance."""
        return cls(
            id=raw["id"],
            activity_id=raw["activityId"],
            activity_name=raw.get("activityName"),
            activity_type=raw["activityType"],
            process_instance_id=raw["processInstanceId"],
            process_definition_key=raw["processDefinitionKey"],
            started_at=parse_time(raw["startTime"]),
            ended_at=parse_time(raw["endTime"]) if raw.get("endTime") else None,
            canceled=bool(raw.get("canceled")),
        )


@dataclass(frozen=True)
class HistoricInstance:
    """A process instance in the history.

    ``state`` is ACTIVE, SUSPENDED, COMPLETED, EXTERNALLY_TERMINATED or INTERNALLY_TERMINATED.
    """

    id: str
    definition_id: str
    definition_key: str
    business_key: str | None
    state: str
    delete_reason: str | None
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one historic process instance."""
        return cls(
            id=raw["id"],
            definition_id=raw["processDefinitionId"],
            definition_key=raw["processDefinitionKey"],
            business_key=raw.get("businessKey"),
            state=raw["state"],
            delete_reason=raw.get("deleteReason"),
            started_at=parse_time(raw["startTime"]),
            ended_at=parse_time(raw["endTime"]) if raw.get("endTime") else None,
        )
