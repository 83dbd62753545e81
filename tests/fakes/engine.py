"""An engine in memory: external tasks, their locks and their ends, by the rules that we rely on."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from shared.engine.client import EngineClient
from shared.engine.errors import EngineRejected, NotFound, TaskGone
from shared.engine.records import (
    ActivityEnd,
    DeployedDefinition,
    HistoricActivity,
    HistoricInstance,
    ProcessInstance,
)
from shared.engine.task_records import ExternalTaskState, FetchedTask, LockOutcome, TopicFetch
from shared.engine.values import TypedValue, to_engine
from tests.support.bpmn import external_task, on_error, process

Variables = Mapping[str, TypedValue]
NONE: Variables = {}
NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Held:
    """An external task of the engine, and what has become of it."""

    task: FetchedTask
    worker_id: str | None = None
    locked_until: datetime = NEVER
    suspended: bool = False
    end: ActivityEnd = ActivityEnd.RUNNING
    ended_at: datetime | None = None
    variables: Variables = field(default_factory=dict)
    local_variables: Variables = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    error_code: str | None = None
    incident: str | None = None
    retries: int | None = None

    @property
    def is_locked(self) -> bool:
        """Whether somebody's lock has not expired."""
        return self.worker_id is not None and self.locked_until > datetime.now(UTC)

    def finish(self, end: ActivityEnd) -> None:
        """The task is gone from now on."""
        self.end, self.ended_at = end, datetime.now(UTC)


class FakeEngine:
    """Stands in for EngineClient; every call is noted in ``calls`` as (method, id or name)."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.calls: list[tuple[str, Any]] = []
        self.startables: list[tuple[DeployedDefinition, set[str]]] = []
        self.process_variables: dict[str, dict[str, Any]] = defaultdict(dict)
        self.instances: dict[str, tuple[str, str, str | None]] = {}
        self.users: dict[str, str] = {}
        self.members: set[tuple[str, str]] = set()
        self.definitions: dict[str, DeployedDefinition] = {}
        self.tenants: dict[str, set[str]] = defaultdict(set)
        """Of users, the tenants that they belong to."""
        self.started: list[str] = []
        """The definitions of which instances were started by their id."""
        self._tags: dict[str, str | None] = {}
        self._xml: dict[str, bytes] = {}
        self._failures: dict[str, list[tuple[Exception, bool]]] = defaultdict(list)
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()

    @property
    def client(self) -> EngineClient:
        """This engine under the type that our code expects."""
        return cast("EngineClient", self)

    # what tests do

    def give(
        self,
        inputs: Mapping[str, Any] | None = None,
        properties: Mapping[str, str] | None = None,
        *,
        topic: str = "render_task",
        name: str | None = None,
        outputs: Sequence[str] = (),
        catches: Sequence[str | None] = (),
        retries: int | None = None,
        business_key: str | None = None,
        process_variables: Mapping[str, Any] | None = None,
    ) -> FetchedTask:
        """Let an instance arrive at an external task; what a worker would fetch of it."""
        number = next(self._numbers)
        inputs = dict(inputs or {})
        definition_id = f"audit:{number}:x"
        node = external_task(
            "ask",
            topic,
            name=name,
            inputs=dict.fromkeys(inputs, "${x}"),
            outputs=dict.fromkeys(outputs, "${x}"),
            properties=properties or {},
            on=[on_error(code) for code in catches],
        )
        self._xml[definition_id] = process("audit", [node])
        task = FetchedTask(
            id=f"task-{number}",
            topic=topic,
            worker_id="",
            lock_expires_at=NEVER,
            process_instance_id=f"instance-{number}",
            execution_id=f"execution-{number}",
            process_definition_id=definition_id,
            process_definition_key="audit",
            activity_id="ask",
            activity_instance_id=f"ask:{number}",
            business_key=business_key,
            tenant_id=None,
            priority=0,
            retries=retries,
            variables={key: to_engine(value) for key, value in inputs.items()},
            extension_properties=dict(properties or {}),
            raw={},
        )
        self.held[task.id] = Held(task, retries=retries)
        self.process_variables[task.process_instance_id].update(process_variables or {})
        self._news.set()
        return task

    def offer(
        self,
        key: str,
        xml: bytes,
        *user_ids: int,
        name: str | None = None,
        tenant: str | None = None,
        tag: str | None = None,
    ) -> None:
        """Deploy a process, or its next version, that these people may start."""
        before = [each for each in self.definitions.values() if (each.key, each.tenant_id) == (key, tenant)]
        definition_id = f"{key}:{len(before) + 1}:{tenant or 'x'}"
        self._xml[definition_id] = xml
        made = DeployedDefinition(
            definition_id, key, name, len(before) + 1, f"{key}.bpmn", "deployment", tenant
        )
        self.definitions[definition_id] = made
        self._tags[definition_id] = tag
        self.startables = [each for each in self.startables if each[0] not in before]
        self.startables.append((made, {f"tg_user_{each}" for each in user_ids}))

    def fail(self, method: str, *errors: Exception, after: bool = False) -> None:
        """Let the next calls of a method fail, with ``after`` once their work is done: a lost answer."""
        self._failures[method] += [(error, after) for error in errors]

    def cancel(self, task_id: str) -> None:
        """Take a task back, as a boundary event does."""
        self.held[task_id].finish(ActivityEnd.CANCELED)

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(name == method for name, _ in self.calls)

    # what our code calls

    async def fetch_and_lock(
        self, worker_id: str, topics: Sequence[TopicFetch], max_tasks: int, poll_s: float | None = None
    ) -> list[FetchedTask]:
        async with _Call(self, "fetch_and_lock", poll_s):
            if not (found := self._free(topics)) and poll_s is not None:
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), poll_s)
                except TimeoutError:
                    return []
                found = self._free(topics)
            lock_s = {topic.name: topic.lock_s for topic in topics}
            return [self._lock(held, worker_id, lock_s[held.task.topic]) for held in found[:max_tasks]]

    async def lock(self, task_id: str, worker_id: str, lock_s: float) -> LockOutcome:
        async with _Call(self, "lock", task_id):
            try:
                held = self._there(task_id)
            except TaskGone:
                return LockOutcome.GONE
            if held.is_locked and held.worker_id != worker_id:
                return LockOutcome.FOREIGN
            self._lock(held, worker_id, lock_s)
            return LockOutcome.HELD

    async def unlock(self, task_id: str) -> None:
        async with _Call(self, "unlock", task_id):
            if self.held[task_id].end is ActivityEnd.RUNNING:
                self.held[task_id].worker_id = None
                self._news.set()

    async def complete(
        self, task_id: str, worker_id: str, variables: Variables = NONE, local_variables: Variables = NONE
    ) -> None:
        async with _Call(self, "complete", task_id):
            held = self._ours(task_id, worker_id)
            held.variables, held.local_variables = variables, local_variables
            held.finish(ActivityEnd.COMPLETED)

    async def bpmn_error(
        self,
        task_id: str,
        worker_id: str,
        code: str,
        message: str | None = None,
        variables: Variables = NONE,
    ) -> None:
        async with _Call(self, "bpmn_error", task_id):
            held = self._ours(task_id, worker_id)
            held.error_code, held.variables = code, variables
            held.finish(ActivityEnd.CANCELED)

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
        async with _Call(self, "failure", task_id):
            held = self._ours(task_id, worker_id)
            held.retries, held.incident = retries, None if retries else message
            held.locked_until = datetime.now(UTC) + timedelta(seconds=retry_timeout_s)

    async def delete_local_variables(self, execution_id: str, names: Iterable[str]) -> None:
        async with _Call(self, "delete_local_variables", execution_id):
            for held in self.held.values():
                if held.task.execution_id == execution_id:
                    held.deleted += tuple(names)

    async def external_task(self, task_id: str) -> ExternalTaskState | None:
        async with _Call(self, "external_task", task_id):
            held = self.held[task_id]
            return _state(held) if held.end is ActivityEnd.RUNNING else None

    async def external_tasks(
        self, worker_id: str, *, locked: bool = True, first: int = 0, max_results: int = 500
    ) -> list[ExternalTaskState]:
        async with _Call(self, "external_tasks", worker_id):
            mine = [
                _state(held)
                for held in self.held.values()
                if held.end is ActivityEnd.RUNNING
                and held.worker_id == worker_id
                and (held.is_locked or not locked)
            ]
            return mine[first : first + max_results]

    async def activity_end(self, activity_instance_id: str) -> ActivityEnd:
        async with _Call(self, "activity_end", activity_instance_id):
            found = [
                each for each in self.held.values() if each.task.activity_instance_id == activity_instance_id
            ]
            return found[0].end if found else ActivityEnd.UNKNOWN

    async def history_instance(self, instance_id: str) -> HistoricInstance | None:
        async with _Call(self, "history_instance", instance_id):
            if all(each.task.process_instance_id != instance_id for each in self.held.values()):
                return None
            return HistoricInstance(instance_id, "", "audit", None, "ACTIVE", None, NEVER, None)

    async def canceled_activities(self, activity_type: str, since: datetime) -> list[HistoricActivity]:
        async with _Call(self, "canceled_activities", since):
            return [
                _historic(held)
                for held in self.held.values()
                if activity_type == "serviceTask"
                and held.end is ActivityEnd.CANCELED
                and held.ended_at is not None
                and held.ended_at >= since
            ]

    async def startable(self, user_id: str, limit: int = 50) -> list[DeployedDefinition]:
        async with _Call(self, "startable", user_id):
            return [each for each, users in self.startables if user_id in users][:limit]

    async def definition_xml(self, definition_id: str) -> bytes:
        async with _Call(self, "definition_xml", definition_id):
            if definition_id not in self._xml:
                raise NotFound(f"no definition {definition_id}")
            return self._xml[definition_id]

    async def process_instance_variable(self, instance_id: str, name: str) -> Any:
        async with _Call(self, "process_instance_variable", name):
            if name not in self.process_variables[instance_id]:
                raise NotFound(f"no variable {name}")
            return self.process_variables[instance_id][name]

    async def process_instance(self, instance_id: str) -> ProcessInstance | None:
        async with _Call(self, "process_instance", instance_id):
            here = [each for each in self.held.values() if each.task.process_instance_id == instance_id]
            runs = any(each.end is ActivityEnd.RUNNING for each in here)
            return ProcessInstance(instance_id, "", "audit", None, False, None) if runs else None

    async def places(self, instance_id: str) -> list[str]:
        async with _Call(self, "places", instance_id):
            return ["ask"] if await self.process_instance(instance_id) else []

    async def history_activities(self, instance_id: str) -> list[HistoricActivity]:
        async with _Call(self, "history_activities", instance_id):
            return [
                _historic(each) for each in self.held.values() if each.task.process_instance_id == instance_id
            ]

    async def start_process(
        self,
        key: str,
        business_key: str | None = None,
        variables: Variables = NONE,
        tenant_id: str | None = None,
    ) -> str:
        async with _Call(self, "start_process", key):
            instance_id = f"started-{next(self._numbers)}"
            self.instances[instance_id] = (key, business_key or "", tenant_id)
            self.process_variables[instance_id].update(variables)
            return instance_id

    async def start_definition(
        self, definition_id: str, business_key: str | None = None, variables: Variables = NONE
    ) -> str:
        definition = self.definitions[definition_id]
        self.started.append(definition_id)
        return await self.start_process(definition.key, business_key, variables, definition.tenant_id)

    async def version_of(
        self, key: str, version: str, tenant_id: str | None = None
    ) -> DeployedDefinition | None:
        async with _Call(self, "version_of", version):
            named = [
                each
                for each in self.definitions.values()
                if (each.key, each.tenant_id) == (key, tenant_id)
                and version in {str(each.version), self._tags[each.id]}
            ]
            return named[-1] if named else None

    async def tenants_of(self, user_id: str) -> frozenset[str]:
        async with _Call(self, "tenants_of", user_id):
            return frozenset(self.tenants[user_id])

    async def active_instances(
        self, business_key: str, definition_key: str, tenant_id: str | None = None
    ) -> list[ProcessInstance]:
        async with _Call(self, "active_instances", business_key):
            return [
                ProcessInstance(instance_id, "", definition_key, business_key, False, tenant_id)
                for instance_id, what in self.instances.items()
                if what == (definition_key, business_key, tenant_id)
            ]

    async def delete_process_instance(self, instance_id: str, reason: str) -> None:
        async with _Call(self, "delete_process_instance", reason):
            self.instances.pop(instance_id, None)
            for held in self.held.values():
                if held.task.process_instance_id == instance_id:
                    held.finish(ActivityEnd.CANCELED)

    async def create_user(self, user_id: str, first_name: str, last_name: str, password: str) -> None:
        async with _Call(self, "create_user", user_id):
            self.users[user_id] = password

    async def add_to_group(self, user_id: str, group_id: str) -> None:
        async with _Call(self, "add_to_group", user_id):
            self.members.add((user_id, group_id))

    async def is_member(self, user_id: str, group_id: str) -> bool:
        async with _Call(self, "is_member", user_id):
            return (user_id, group_id) in self.members

    async def member_count(self, group_id: str) -> int:
        async with _Call(self, "member_count", group_id):
            return sum(group == group_id for _, group in self.members)

    # inside

    def _free(self, topics: Sequence[TopicFetch]) -> list[Held]:
        names = {topic.name for topic in topics}
        return [
            held
            for held in self.held.values()
            if held.task.topic in names
            and held.end is ActivityEnd.RUNNING
            and not held.is_locked
            and held.retries != 0
        ]

    def _lock(self, held: Held, worker_id: str, lock_s: float) -> FetchedTask:
        held.worker_id, held.locked_until = worker_id, datetime.now(UTC) + timedelta(seconds=lock_s)
        held.task = replace(
            held.task, worker_id=worker_id, lock_expires_at=held.locked_until, retries=held.retries
        )
        return held.task

    def _there(self, task_id: str) -> Held:
        held = self.held.get(task_id)
        if held is None or held.end is not ActivityEnd.RUNNING:
            raise TaskGone(f"no external task {task_id}")
        return held

    def _ours(self, task_id: str, worker_id: str) -> Held:
        held = self._there(task_id)
        if held.suspended or held.worker_id != worker_id:
            raise EngineRejected("cannot be completed by worker", status=400, type_="BadUserRequestException")
        return held


class _Call:
    """Notes a call, and lets it fail as ordered, before or after its work."""

    def __init__(self, engine: FakeEngine, method: str, what: Any) -> None:
        engine.calls.append((method, what))
        orders = engine._failures[method]
        self._error: Exception | None = None
        self._after = False
        if orders:
            self._error, self._after = orders.pop(0)

    async def __aenter__(self) -> None:
        await asyncio.sleep(0)
        if self._error is not None and not self._after:
            raise self._error

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None and self._error is not None:
            raise self._error


def _state(held: Held) -> ExternalTaskState:
    task = held.task
    return ExternalTaskState(
        id=task.id,
        topic=task.topic,
        worker_id=held.worker_id,
        lock_expires_at=held.locked_until if held.worker_id else None,
        suspended=held.suspended,
        retries=held.retries,
        error_message=held.incident,
        process_instance_id=task.process_instance_id,
        execution_id=task.execution_id,
        process_definition_id=task.process_definition_id,
        process_definition_key=task.process_definition_key,
        activity_id=task.activity_id,
        activity_instance_id=task.activity_instance_id,
        business_key=task.business_key,
        tenant_id=task.tenant_id,
    )


def _historic(held: Held) -> HistoricActivity:
    task = held.task
    return HistoricActivity(
        id=task.activity_instance_id,
        activity_id=task.activity_id,
        activity_name=None,
        activity_type="serviceTask",
        process_instance_id=task.process_instance_id,
        process_definition_key=task.process_definition_key,
        started_at=NEVER,
        ended_at=held.ended_at,
        canceled=True,
    )
