"""The ground that all measurements stand on: one stack, processes by name, and the engine's own books."""

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from devstack.people import Person, Town
from devstack.processes import find, spawn
from devstack.product import CHECKOUT, Product
from devstack.stack import Stack, create_database
from devstack.state import ProcessRecord
from devstack.waiting import look_until
from shared.engine.client import EngineClient
from shared.engine.values import to_engine
from shared.settings import Settings
from tests.support.bpmn import external_task, process
from tests.support.bpmn_xml import Node

STARTS_AT_ONCE = 4
PATIENCE_S = 180.0
NO_LIMITS = {"MESSAGES_PER_S": "10000", "CHAT_MESSAGES_PER_S": "10000", "CHAT_BURST": "1000"}
"""Settings with which nothing waits for Telegram's limits; the sandbox is told not to enforce them."""


class NotDone(Exception):
    """A measurement cannot be made here; the message says why."""


@dataclass
class Ground:
    """The running stack and what every measurement does on it."""

    stack: Stack
    engine: EngineClient
    town: Town
    say: Callable[[str], None]
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @asynccontextmanager
    async def product(self, settings: Mapping[str, str] | None = None) -> AsyncIterator[Product]:
        """The product on a fresh database; its processes end with the block."""
        url = await create_database(self.stack, self.fresh_name("db"))
        names = {"DATABASE_URL": url, "TOPIC_MODULES": "benchmarks.peers.topics", "LOG_LEVEL": "INFO"}
        product = Product(self.stack, {**names, **(settings or {})})
        await product.command("migrate")
        before = set(self.stack.state.processes)
        try:
            yield product
        finally:
            started = set(self.stack.state.processes) - before
            # Politely: the engine would go on with the poll of a killed one, and lock the next steps for it.
            await asyncio.gather(*(product.stop(name) for name in started))

    @asynccontextmanager
    async def peer(self, argv: Sequence[str], topic: str, options: Mapping[str, Any]) -> AsyncIterator[None]:
        """A process that is no product of ours, as long as the block runs; killed at its end."""
        name = self.fresh_name("peer")
        await self.launch_peer(name, argv, topic, options)
        try:
            yield
        finally:
            await self.kill(name)

    async def launch_peer(
        self, name: str, argv: Sequence[str], topic: str, options: Mapping[str, Any]
    ) -> None:
        """Start such a process under a name; its log is of this run alone."""
        mark = f"{self.stack.state.folder}/{name}"
        self.stack.state.log_file(name).unlink(missing_ok=True)
        env = {**Product(self.stack).env, "BENCH_TOPIC": topic, "BENCH_OPTIONS": json.dumps(options)}
        made = spawn([*argv, mark], env, self.stack.state.log_file(name))
        record = ProcessRecord(name, made.pid, made.create_time(), mark, 15, needs=["engine"])
        self.stack.state.record(record)

    async def kill(self, name: str) -> None:
        """End a process by SIGKILL."""
        await Product(self.stack).stop(name, kill=True)

    def runs(self, name: str) -> bool:
        """Whether a process is there."""
        return find(self.stack.state.processes[name]) is not None

    def fresh_name(self, kind: str) -> str:
        """A name that nobody else uses."""
        return f"bench_{kind}_{next(self._numbers)}"

    async def deploy(self, *nodes: Node) -> str:
        """Deploy a process that nobody else uses; its key."""
        key = self.fresh_name("process")
        await self.engine.deploy(key, {f"{key}.bpmn": process(key, nodes)})
        return key

    def _http(self) -> httpx.AsyncClient:
        env = self.stack.env
        login = httpx.BasicAuth(env["ENGINE_USERNAME"], env["ENGINE_PASSWORD"])
        return httpx.AsyncClient(base_url=env["ENGINE_URL"], auth=login, timeout=120)

    async def suspend(self, key: str, *, suspended: bool = True) -> None:
        """Suspend a process with all its instances, so that nobody fetches their tasks, or let it go on."""
        body = {"processDefinitionKey": key, "suspended": suspended, "includeProcessInstances": True}
        async with self._http() as http:
            (await http.put("/process-definition/suspended", json=body)).raise_for_status()

    async def forget(self, key: str) -> None:
        """Take a process and all its instances out of the engine."""
        async with self._http() as http:
            ids = await self.rows("engine", "SELECT id_ FROM act_re_procdef WHERE key_ = %s", key)
            for (definition_id,) in ids:
                params = {"cascade": "true", "skipCustomListeners": "true", "skipIoMappings": "true"}
                (await http.delete(f"/process-definition/{definition_id}", params=params)).raise_for_status()

    async def waiting(self, topic: str, count: int) -> str:
        """As many instances that wait for an automated topic; the key of their process."""
        key = await self.deploy(external_task("work", topic))
        await self.start(key, [{}] * count)
        return key

    async def start(self, key: str, variables: Sequence[Mapping[str, Any]]) -> None:
        """Start an instance for each set of variables."""
        left = iter(variables)

        async def starting() -> None:
            for each in left:
                typed = {name: to_engine(value) for name, value in each.items()}
                await self.engine.start_process(key, variables=typed)

        await asyncio.gather(*(starting() for _ in range(STARTS_AT_ONCE)))

    async def people(self, count: int) -> list[Person]:
        """People who have started the bot."""
        made = [await self.town.person(f"Person {number}") for number in range(count)]
        for each in made:
            await each.say("/start")
        return made

    async def rows(self, database: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a database of the stack, by its name."""
        url = self.stack.postgres.database_url(database)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            cursor = await connection.execute(query, values or None)
            return await cursor.fetchall() if cursor.description else []

    async def value(self, database: str, query: str, *values: Any) -> Any:
        """The first value of the first row."""
        return (await self.rows(database, query, *values))[0][0]

    async def until_ended(self, key: str, count: int) -> None:
        """Wait until the engine's history has the end of as many activities `work`."""

        async def ended() -> int:
            return int((await self.drained(key))[0])

        if await look_until(lambda found: found >= count, ended, PATIENCE_S) < count:
            raise NotDone(f"not all of {count} tasks of {key} were completed within {PATIENCE_S:.0f} s")

    async def drained(self, key: str) -> tuple[int, float, float]:
        """How many `work` ended, by the engine's history, and the times of the first and the last."""
        query = (
            "SELECT count(end_time_), coalesce(extract(epoch FROM min(end_time_)), 0)::float,"
            " coalesce(extract(epoch FROM max(end_time_)), 0)::float"
            " FROM act_hi_actinst WHERE proc_def_key_ = %s AND act_id_ = 'work'"
        )
        count, first, last = (await self.rows("engine", query, key))[0]
        return count, first, last

    async def rate(self, key: str, count: int) -> float:
        """Wait for the end of all; how many a second the engine saw, between the first and the last."""
        await self.until_ended(key, count)
        _, first, last = await self.drained(key)
        return (count - 1) / max(last - first, 0.001)


def database_of(product: Product) -> str:
    """The name of the product's database."""
    return product.env["DATABASE_URL"].rpartition("/")[2]


def settings_of(env: Mapping[str, str]) -> Settings:
    """The settings that an environment of the stack gives."""
    return Settings.model_validate({name.lower(): value for name, value in env.items()})


def python(module: str) -> list[str]:
    """The command of one of our own peers."""
    return [sys.executable, "-m", module]


NODE_FOLDER = CHECKOUT / "benchmarks" / "peers" / "node_client"
