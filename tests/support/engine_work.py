"""Work for a test against a real engine: a process, its instances and its tasks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from shared.engine.client import EngineClient
from shared.engine.task_records import FetchedTask, TopicFetch
from shared.engine.values import to_engine
from shared.settings import Settings
from tests.support.bpmn import external_task, process
from tests.support.bpmn_xml import Node

WORKER = "w"


def settings_of(env: Mapping[str, str], *, password: str | None = None) -> Settings:
    """The settings that lead to a running engine, with another password if one is given."""
    return Settings(
        database_url="postgresql://unused",
        engine_url=env["ENGINE_URL"],
        engine_username=env["ENGINE_USERNAME"],
        engine_password=SecretStr(password or env["ENGINE_PASSWORD"]),
    )


@dataclass(frozen=True)
class Work:
    """A process that no other test uses; its key is its topic, too."""

    engine: EngineClient
    key: str

    def step(self, id_: str, **options: Any) -> Node:
        """An external task of our topic; options are those of ``external_task``."""
        return external_task(id_, self.key, **options)

    async def deploy(self, *nodes: Node) -> None:
        """Deploy the process that runs these nodes."""
        await self.engine.deploy(self.key, {f"{self.key}.bpmn": process(self.key, nodes)})

    async def start(self, **variables: object) -> str:
        """Start an instance with these variables; its id."""
        typed = {name: to_engine(value) for name, value in variables.items()}
        return await self.engine.start_process(self.key, variables=typed)

    async def fetch(self, *, local: bool = False, poll_s: float | None = None) -> list[FetchedTask]:
        """Fetch what waits for our topic and lock it for a minute, by activity id."""
        topic = TopicFetch(self.key, 60, local_variables=local)
        tasks = await self.engine.fetch_and_lock(WORKER, [topic], max_tasks=100, poll_s=poll_s)
        return sorted(tasks, key=lambda task: task.activity_id)

    async def fetch_one(self, *, local: bool = False, poll_s: float | None = None) -> FetchedTask:
        """Fetch the one task that waits."""
        (task,) = await self.fetch(local=local, poll_s=poll_s)
        return task

    async def started(self, **variables: object) -> FetchedTask:
        """Start an instance and fetch its task."""
        await self.start(**variables)
        return await self.fetch_one()

    async def ended(self, instance_id: str) -> None:
        """Wait until an instance has ended."""
        while await self.engine.process_instance(instance_id):  # noqa: ASYNC110 (the engine tells nobody)
            await asyncio.sleep(0.05)

    async def complete(self, task: FetchedTask, **variables: object) -> None:
        """Complete a task that we hold."""
        typed = {name: to_engine(value) for name, value in variables.items()}
        await self.engine.complete(task.id, task.worker_id, typed)
