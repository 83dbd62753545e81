"""A world for acceptance tests: a sandbox and a database of its own, real processes, a shared real engine."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import psycopg

from devstack.people import Town, Unexpected
from devstack.processes import spawn
from devstack.product import CHECKOUT, Product, Spawn
from devstack.sandbox.serve import RunningSandbox, running_sandbox
from devstack.stack import Stack, create_database
from shared.engine.client import EngineClient
from shared.engine.values import to_engine
from shared.errors import WorldError
from shared.settings import Settings
from tests.fakes.rows import emptying
from tests.support.engine_work import settings_of

QUICK = {
    "CLAIM_S": "2",
    "FETCH_LOCK_S": "3",
    "POLL_S": "0.8",
    "WITHDRAWAL_INTERVAL_S": "1",
    "CHAT_MESSAGES_PER_S": "10",
    "GROUP_MESSAGES_PER_MIN": "200",
    "LOG_LEVEL": "INFO",
}
"""Settings with which faults show within seconds; a chat bears ten times as much as Telegram's."""

AT_WORK = """
    SELECT 'update ' || id || ' ' || state FROM updates WHERE state <> 'handled'
    UNION ALL SELECT 'step ' || id || ' ' || state FROM pending_replies WHERE state IN ('answered', 'parked')
    UNION ALL SELECT 'prompt ' || id || ' ' || state FROM prompts
        WHERE state NOT IN ('sent', 'retired') OR claim IS NOT NULL
    UNION ALL SELECT 'upload ' || id || ' ' || state FROM uploads WHERE state = 'queued' OR claim IS NOT NULL
    UNION ALL SELECT 'page ' || id || ' ' || state FROM upload_pages WHERE state <> 'closed'
    UNION ALL SELECT 'deadline ' || id || ' ' || state FROM deadlines WHERE claim IS NOT NULL
    UNION ALL SELECT 'person ' || id || ' ' || state FROM people WHERE state = 'queued'
    UNION ALL SELECT 'start ' || id || ' ' || state FROM process_starts WHERE state = 'queued'
"""
"""Every row that has not come to rest."""

T = TypeVar("T")


async def until(
    check: Callable[[], Awaitable[T]], what: str, patience_s: float = 20.0, every_s: float = 0.03
) -> T:
    """Wait until `check` gives something true."""
    give_up = time.monotonic() + patience_s
    while not (found := await check()):
        if time.monotonic() > give_up:
            raise Unexpected(f"waited {patience_s:g} s in vain: {what}; last seen: {found!r}")
        await asyncio.sleep(every_s)
    return found


@dataclass
class World:
    """Everything of one test."""

    stack: Stack
    sandbox: RunningSandbox
    town: Town
    engine: EngineClient
    product: Product
    database_url: str
    running: list[str] = field(default_factory=list)
    is_spoilt: bool = False
    """Whether something was done that a test which follows could notice."""
    _inherited: set[str] = field(default_factory=set)
    _deployments: list[str] = field(default_factory=list)
    _log_starts: dict[str, int] = field(default_factory=dict)

    async def deploy(self, *files: str | bytes, tenant_id: str | None = None) -> list[str]:
        """Deploy BPMN files, by path from the checkout or as XML; the ids of their definitions."""
        ids: list[str] = []
        for number, file in enumerate(files):
            content = (CHECKOUT / file).read_bytes() if isinstance(file, str) else file
            for made in await self.engine.deploy(
                f"test-{number}",
                {f"p{number}.bpmn": content},
                tenant_id=tenant_id,
                enable_duplicate_filtering=False,
            ):
                self._deployments.append(made.deployment_id)
                ids.append(made.id)
        return ids

    async def set_variable(self, execution_id: str, name: str, value: Any) -> None:
        """Set a variable of an execution, as an operator would."""
        async with self._http() as http:
            path = f"/execution/{execution_id}/localVariables/{name}"
            (await http.put(path, json=to_engine(value))).raise_for_status()

    async def rest(self, verb: str, path: str, body: Any = None) -> Any:
        """Call the engine as an operator does who has its REST reference at hand."""
        async with self._http() as http:
            answer = (await http.request(verb, path, json=body)).raise_for_status()
            return answer.json() if answer.content else None

    def _http(self) -> httpx.AsyncClient:
        env = self.product.env
        login = (env["ENGINE_USERNAME"], env["ENGINE_PASSWORD"])
        # Nothing here is TLS, and to read the certificates takes a tenth of a second.
        return httpx.AsyncClient(base_url=env["ENGINE_URL"], auth=login, timeout=30, verify=False)

    def settings(self) -> Settings:
        """The settings of the product's processes."""
        named = {name.lower(): value for name, value in self.product.env.items()}
        return Settings.model_validate(named)

    async def forget_deployments(self) -> None:
        """Take everything that this test made out of the engine."""
        async with self._http() as http:
            while self._deployments:
                deployment = self._deployments.pop()
                params = {"cascade": "true", "skipCustomListeners": "true"}
                (await http.delete(f"/deployment/{deployment}", params=params)).raise_for_status()

    async def start_process(self, key: str, *, tenant_id: str | None = None, **variables: Any) -> str:
        """Start an instance; its id."""
        typed = {name: to_engine(value) for name, value in variables.items()}
        return await self.engine.start_process(key, "test", typed, tenant_id)

    async def start(self, *names: str, settings: Mapping[str, str] | None = None) -> None:
        """Start processes by name: worker… or bot…, side by side; one left by the test before is as good."""
        self.is_spoilt |= bool(settings)
        left = self._inherited & set(names) if not settings else set()
        await self._take_over(names, left)
        new = [name for name in names if name not in left]
        self.running += new
        await asyncio.gather(*(self.product.start(name, _module(name), settings=settings) for name in new))

    async def launch(self, name: str, settings: Mapping[str, str] | None = None) -> None:
        """Start a process that need not become ready."""
        self.is_spoilt = True
        await self._take_over([name], set())
        self.running.append(name)
        self.product.launch(name, _module(name), settings=settings)

    async def _take_over(self, names: Collection[str], left: set[str]) -> None:
        """Of what the test before has left running, leave these; the logs of `names` begin here."""
        await self._end(self._inherited - left)
        self._inherited = set()
        for name in names:
            self._log_starts.setdefault(name, len(self._whole_log(name)))

    def _whole_log(self, name: str) -> str:
        log = self.stack.state.log_file(name)
        return log.read_text() if log.exists() else ""

    def log(self, name: str) -> str:
        """What a process has logged in this world."""
        return self._whole_log(name)[self._log_starts[name] :]

    async def stop(self, *names: str, kill: bool = False) -> None:
        """End processes."""
        self.is_spoilt = True
        await self._end(names, kill=kill)

    async def _end(self, names: Collection[str], *, kill: bool = False) -> None:
        for name in names:
            self.running.remove(name)
        await asyncio.gather(*(self.product.stop(name, kill=kill) for name in names))

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """A connection to the product's database."""
        return await psycopg.AsyncConnection.connect(self.database_url, autocommit=True)

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the product's database."""
        async with await self.connect() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def value(self, query: str, *values: object) -> Any:
        """The first value of the first row, or None."""
        found = await self.rows(query, *values)
        return found[0][0] if found else None

    async def until_state(self, state: str, patience_s: float = 20.0) -> None:
        """Wait until every pending reply is in that state, and there is one."""

        async def all_so() -> bool:
            states = [row[0] for row in await self.rows("SELECT state FROM pending_replies")]
            return bool(states) and set(states) == {state}

        await until(all_so, f"all pending replies {state}", patience_s)

    async def until_tidy(self) -> None:
        """Wait until every message is sent and every change is made: both wait for the rate budget."""
        query = "SELECT count(*) FROM prompts WHERE state IN ('queued', 'editing', 'retiring', 'deleting')"

        async def tidy() -> bool:
            return bool(await self.value(query) == 0)

        await until(tidy, "nothing is left to send or to change", 40)

    async def until_ended(self, instance_id: str, patience_s: float = 20.0) -> str:
        """Wait until an instance has ended; its state in the history."""

        async def ended() -> str | None:
            try:
                found = await self.engine.history_instance(instance_id)
            except WorldError:  # a test may have taken the engine or its database away
                return None
            return found.state if found and found.ended_at else None

        return str(await until(ended, "the instance has ended", patience_s))

    async def variables(self, instance_id: str) -> dict[str, Any]:
        """The variables of an instance, from the history."""
        return await self.engine.history_variables(instance_id)

    @asynccontextmanager
    async def holding(self, table: str) -> AsyncIterator[None]:
        """Let nobody write to a table as long as the block runs: processes stop at exactly that line."""
        self.is_spoilt = True
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
            await connection.rollback()

    async def empty(self) -> bool:
        """Leave nothing but the processes that run; False if these have more to do than to wait."""
        await self.forget_deployments()
        with contextlib.suppress(Unexpected):
            await self.town.call("DELETE", "/faults")
            await until(self._is_at_rest, "every row is at rest", 1)
            async with await self.connect() as connection:
                await connection.execute(emptying(but="chores").encode())
            self._inherited = set(self.running)
            self._log_starts.clear()
            await self.town.forget_calls()
            return True
        return False

    async def _is_at_rest(self) -> bool:
        return not await self.rows(AT_WORK)

    async def until_blocked(self, statement: str) -> None:
        """Wait until a process of ours stands still in a statement that begins so."""
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE %s"
        )

        async def blocked() -> bool:
            return bool(await self.value(query, f"{statement}%"))

        await until(blocked, f"a process waits in {statement}")


def _module(name: str) -> str:
    return "workers" if name.startswith("worker") else "bot"


@asynccontextmanager
async def a_world(
    stack: Stack, template: str, number: int | str, *, spawn: Spawn = spawn
) -> AsyncIterator[World]:
    """Make a world on a running stack; ends its processes whatever happens."""
    database_url = await create_database(stack, f"world_{number}", template)
    async with running_sandbox() as sandbox, Town(sandbox.url) as town:
        rates = sandbox.sandbox.limits.rates
        rates.per_chat_s = float(QUICK["CHAT_MESSAGES_PER_S"])
        rates.per_group_min = float(QUICK["GROUP_MESSAGES_PER_MIN"])
        settings = {
            "DATABASE_URL": database_url,
            "TELEGRAM_API_URL": sandbox.url,
            "BOT_TOKEN": sandbox.token,
            **QUICK,
        }
        product = Product(stack, settings, spawn=spawn)
        async with EngineClient.from_settings(settings_of(product.env)) as engine:
            world = World(stack, sandbox, town, engine, product, database_url)
            try:
                yield world
            finally:
                await asyncio.gather(*(product.stop(name) for name in world.running))
                await world.forget_deployments()
