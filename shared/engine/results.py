"""Custom handlers speak camunda-external-task-client-python3: its ExternalTask in, its TaskResult out.

Authors know these models; the library's worker loop and HTTP calls are not used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from camunda.external_task.external_task import ExternalTask, TaskResult

from shared.engine.client import EngineClient
from shared.engine.errors import UnreadableValue
from shared.engine.task_records import FetchedTask
from shared.engine.tasks import Variables
from shared.engine.values import TypedValue, decode_json, to_engine
from shared.errors import AuthorError

_TYPED_KEYS = frozenset({"value", "type", "valueInfo", "local"})


@dataclass(frozen=True)
class Completion:
    """The handler is done; variables go to the process, local ones to the step."""

    variables: Variables
    local_variables: Variables


@dataclass(frozen=True)
class Failure:
    """The handler failed; 0 ``retries`` make an incident, else the task comes again after the time-out."""

    message: str
    details: str | None
    retries: int
    retry_timeout_s: float


@dataclass(frozen=True)
class BpmnError:
    """The handler throws a BPMN error."""

    code: str
    message: str | None
    variables: Variables


Outcome = Completion | Failure | BpmnError


def library_task(task: FetchedTask) -> ExternalTask:
    """The library's task, on which ``get_variable`` gives lists and maps decoded.

    Json and JSON-serialized objects become Python values; everything else is as the library gives it, such
    as dates, which stay the engine's strings.

    Raises:
        UnreadableValue: a Json variable is malformed.
    """
    variables = {name: dict(raw) | {"value": _decoded(name, raw)} for name, raw in task.variables.items()}
    return ExternalTask(dict(task.raw) | {"variables": variables})


def outcome_of(result: object, topic: str) -> Outcome:
    """What a handler's result asks for.

    Raises:
        AuthorError: the handler returned something else, or a result that says nothing.
        TypeError, ValueError: a variable has no engine type.
    """
    if not isinstance(result, TaskResult):
        raise AuthorError(
            f"the handler of topic {topic!r} returned {type(result).__name__}, not a TaskResult"
        )
    if result.is_success():
        return Completion(_variables(result.global_variables), _variables(result.local_variables))
    if result.is_bpmn_error():
        return BpmnError(
            str(result.bpmn_error_code), result.error_message, _variables(result.global_variables)
        )
    if result.is_failure():
        return Failure(
            str(result.error_message),
            _details(result.error_details),
            max(0, int(result.retries or 0)),
            max(0.0, (result.retry_timeout or 0) / 1000),
        )
    raise AuthorError(
        f"the handler of topic {topic!r} returned an empty TaskResult; allowed are those of"
        " task.complete(), task.failure() and task.bpmn_error()"
    )


async def report(client: EngineClient, task: FetchedTask, outcome: Outcome) -> None:
    """Tell the engine the outcome of a task that we hold.

    Raises:
        EngineError: as the call that it makes.
    """
    match outcome:
        case Completion():
            await client.complete(task.id, task.worker_id, outcome.variables, outcome.local_variables)
        case Failure():
            await client.failure(
                task.id,
                task.worker_id,
                outcome.message,
                outcome.details,
                retries=outcome.retries,
                retry_timeout_s=outcome.retry_timeout_s,
            )
        case BpmnError():
            await client.bpmn_error(task.id, task.worker_id, outcome.code, outcome.message, outcome.variables)


def _decoded(name: str, raw: TypedValue) -> Any:
    try:
        return decode_json(raw)
    except ValueError as error:
        raise UnreadableValue(f"the variable {name!r} is no JSON: {error}") from error


def _variables(values: Mapping[str, Any] | None) -> Variables:
    """As in the library, a value is plain, or already {value, type}; a typed list or map is encoded."""
    return {name: _variable(value) for name, value in (values or {}).items()}


def _variable(value: Any) -> TypedValue:
    if not (isinstance(value, Mapping) and "value" in value and value.keys() <= _TYPED_KEYS):
        return to_engine(value)
    if "type" not in value:
        return to_engine(value["value"])
    if value["type"] in ("Json", "Object") and not isinstance(value["value"], str):
        return dict(value) | {"value": json.dumps(value["value"])}
    return dict(value)


def _details(details: object) -> str | None:
    if not details:
        return None
    return details if isinstance(details, str) else json.dumps(details, default=str)
