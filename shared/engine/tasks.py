"""External tasks: fetch, lock, finish."""

from collections.abc import Iterable, Mapping, Sequence

from shared.engine.errors import EngineRejected, NotFound, TaskGone
from shared.engine.rest import READ_TIMEOUT_S, Json, Rest, path_of
from shared.engine.task_records import ExternalTaskState, FetchedTask, LockOutcome, TopicFetch
from shared.engine.values import TypedValue, storable

Variables = Mapping[str, TypedValue]
"""Variables in the engine's form, {name: {value, type}}; :func:`shared.engine.values.to_engine` makes it."""

_NONE: Variables = {}


class ExternalTasks(Rest):
    """The external task part of the REST API.

    The engine compares worker ids only: it takes a completion by the holder of an expired lock, and a shared
    id fences nobody off.
    """

    async def fetch_and_lock(
        self, worker_id: str, topics: Sequence[TopicFetch], max_tasks: int, poll_s: float | None = None
    ) -> list[FetchedTask]:
        """Fetch and lock tasks, highest priority first; with ``poll_s``, wait that long for the first one.

        Never cancel a poll: the engine goes on with it and locks tasks for nobody. After NoAnswer it may have
        done so, too; such tasks come back when their lock ends.
        """
        body = {
            "workerId": worker_id,
            "maxTasks": max_tasks,
            "usePriority": True,
            "topics": [_topic(topic) for topic in topics],
        }
        read_timeout_s = READ_TIMEOUT_S
        if poll_s is not None:
            body["asyncResponseTimeout"] = _ms(poll_s)
            read_timeout_s += poll_s
        answer = await self._call(
            "POST", "/external-task/fetchAndLock", json=body, read_timeout_s=read_timeout_s
        )
        return [FetchedTask.from_json(raw) for raw in answer]

    async def lock(self, task_id: str, worker_id: str, lock_s: float) -> LockOutcome:
        """Lock a task for ``lock_s`` from now, or renew our lock on it, even an expired one."""
        body = {"workerId": worker_id, "lockDuration": _ms(lock_s)}
        try:
            await self._call("POST", path_of("external-task", task_id, "lock"), json=body)
        except TaskGone:
            return LockOutcome.GONE
        except EngineRejected as error:
            if "It is locked by worker" in str(error):
                return LockOutcome.FOREIGN
            raise
        return LockOutcome.HELD

    async def unlock(self, task_id: str) -> None:
        """Give a task back, whoever holds it: ask only for what is ours. A task that is gone is fine."""
        try:
            await self._call("POST", path_of("external-task", task_id, "unlock"))
        except TaskGone:
            return

    async def complete(
        self, task_id: str, worker_id: str, variables: Variables = _NONE, local_variables: Variables = _NONE
    ) -> None:
        """Complete a task; the process runs to its next wait states within this call.

        ``variables`` go to the nearest scope that declares the name, else to the process;
        ``local_variables`` to the step alone, from where its outputParameters take them.

        Raises:
            TaskGone: completed before or taken back; ``activity_end`` tells which.
            EngineRejected: ask ``external_task`` and :func:`shared.engine.task_records.refusal` why.
            EngineFault: rolled back, often by what follows in the diagram.
        """
        body = {"workerId": worker_id, "variables": variables, "localVariables": local_variables}
        await self._call("POST", path_of("external-task", task_id, "complete"), json=body)

    async def bpmn_error(
        self,
        task_id: str,
        worker_id: str,
        code: str,
        message: str | None = None,
        variables: Variables = _NONE,
    ) -> None:
        """End a task by a BPMN error; a code that nothing catches ENDS its scope silently.

        Raises:
            TaskGone, EngineRejected, EngineFault: as ``complete``.
        """
        body = {
            "workerId": worker_id,
            "errorCode": code,
            "errorMessage": None if message is None else storable(message),
            "variables": variables,
        }
        await self._call("POST", path_of("external-task", task_id, "bpmnError"), json=body)

    async def failure(
        self,
        task_id: str,
        worker_id: str,
        message: str,
        details: str | None = None,
        *,
        retries: int = 0,
        retry_timeout_s: float = 0.0,
    ) -> None:
        """Report that a task failed: with retries 0 an incident, which still leaves the lock ours.

        The engine keeps 666 characters of the message and all of the details.

        Raises:
            TaskGone, EngineRejected: as ``complete``.
        """
        body = {
            "workerId": worker_id,
            "errorMessage": storable(message),
            "errorDetails": None if details is None else storable(details),
            "retries": retries,
            "retryTimeout": _ms(retry_timeout_s),
        }
        await self._call("POST", path_of("external-task", task_id, "failure"), json=body)

    async def delete_local_variables(self, execution_id: str, names: Iterable[str]) -> None:
        """Delete variables of a step's own scope; unknown names and a scope that is gone are fine.

        Only the names of the activity's inputParameters may be given: an activity without any has no scope of
        its own, its execution may be the process instance, and its "local" variables are the process's.
        """
        body = {"deletions": list(names)}
        if not body["deletions"]:
            return
        try:
            await self._call("POST", path_of("execution", execution_id, "localVariables"), json=body)
        except NotFound:
            return

    async def set_retries(self, task_id: str, retries: int) -> None:
        """Set the retries of a task; more than 0 resolves its incident.

        Raises:
            TaskGone: there is no such task.
        """
        await self._call("PUT", path_of("external-task", task_id, "retries"), json={"retries": retries})

    async def external_task(self, task_id: str) -> ExternalTaskState | None:
        """Read a task; None when it is gone, and also when our user may not read it: only ``lock`` proves."""
        try:
            return ExternalTaskState.from_json(await self._call("GET", path_of("external-task", task_id)))
        except TaskGone:
            return None

    async def external_tasks(
        self, worker_id: str, *, locked: bool = True, first: int = 0, max_results: int = 500
    ) -> list[ExternalTaskState]:
        """One page of a worker id's tasks, by id; with ``locked``, only those whose lock has not expired.

        Tasks that vanish between two pages move the later ones forward: absence is no proof.
        """
        page = {"firstResult": first, "maxResults": max_results}
        query = _held_by(worker_id, locked=locked) | {"sorting": [{"sortBy": "id", "sortOrder": "asc"}]}
        answer = await self._call("POST", "/external-task", json=query, params=page)
        return [ExternalTaskState.from_json(raw) for raw in answer]

    async def external_task_count(self, worker_id: str, *, locked: bool = True) -> int:
        """How many tasks ``external_tasks`` would list."""
        answer = await self._call("POST", "/external-task/count", json=_held_by(worker_id, locked=locked))
        return int(answer["count"])


def _held_by(worker_id: str, *, locked: bool) -> dict[str, Json]:
    return {"workerId": worker_id} | ({"locked": True} if locked else {})


def _topic(topic: TopicFetch) -> dict[str, Json]:
    body = {
        "topicName": topic.name,
        "lockDuration": _ms(topic.lock_s),
        "localVariables": topic.local_variables,
        "deserializeValues": False,
        "includeExtensionProperties": True,
    }
    return body if topic.variables is None else body | {"variables": topic.variables}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
