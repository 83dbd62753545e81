"""Fixtures that give each test a fresh world, on the stack of the session."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from sqlalchemy import create_engine

import migrations
from devstack.product import Product
from devstack.stack import Stack, create_database
from devstack.state import ProcessRecord
from shared.db import driver_url
from tests.support.preloaded import Preloaded, preloaded
from tests.support.world import World, a_world

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world_template(stack: Stack) -> str:
    """Migrate an empty database once; every world's database is a copy of it."""
    url = await create_database(stack, "world_template")

    def migrate() -> None:
        engine = create_engine(driver_url(url))
        with engine.begin() as connection:
            migrations.upgrade(connection)
        engine.dispose()

    await asyncio.to_thread(migrate)
    return "world_template"


@pytest.fixture(scope="session")
def starter(stack: Stack) -> Iterator[Preloaded]:
    """What starts the processes of worlds; `make demo` and the chaos run start them as a user does."""
    anything = {"BOT_TOKEN": "1:unused", "DATABASE_URL": "postgresql://unused"}
    with preloaded(Product(stack, anything)) as made:
        yield made


class Worlds:
    """Gives each test of a module a world: that of the test before, if it is as good as a new one."""

    def __init__(self, template: str, starter: Preloaded) -> None:
        self._template, self._starter = template, starter
        self._kept: tuple[World, AsyncExitStack] | None = None

    @asynccontextmanager
    async def one(self, stack: Stack) -> AsyncIterator[World]:
        """A world on that stack, in which nothing has happened yet."""
        if self._kept is None or self._kept[0].stack is not stack:
            await self.close()
            held = AsyncExitStack()
            opening = a_world(stack, self._template, next(_numbers), spawn=self._starter.spawn)
            self._kept = await held.enter_async_context(opening), held
        world = self._kept[0]
        parts = _parts(stack)
        yield world
        if world.is_spoilt or _parts(stack) != parts or not await world.empty():
            await self.close()

    async def close(self) -> None:
        """End the processes of the world that is kept."""
        if self._kept is not None:
            (_, held), self._kept = self._kept, None
            await held.aclose()


def _parts(stack: Stack) -> list[ProcessRecord]:
    """The servers that run; one that is started anew is another one."""
    names = ("engine", "postgres", "s3")
    return [record for name, record in stack.state.processes.items() if name.startswith(names)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worlds(world_template: str, starter: Preloaded) -> AsyncIterator[Worlds]:
    """The worlds of a module, one at a time."""
    made = Worlds(world_template, starter)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(stack: Stack, worlds: Worlds) -> AsyncIterator[World]:
    """A world with Camunda, in which nothing has happened yet."""
    async with worlds.one(stack) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def plain_world(stack: Stack, world_template: str) -> AsyncIterator[World]:
    """A world whose processes start as a user starts them: for what is measured of them."""
    async with a_world(stack, world_template, next(_numbers)) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_world(stack: Stack, world_template: str, starter: Preloaded) -> AsyncIterator[World]:
    """A world for all tests of a module; each of them has people and instances of its own."""
    async with a_world(stack, world_template, next(_numbers), spawn=starter.spawn) as made:
        yield made


@pytest.fixture(scope="module", params=["stack", "operaton_stack"], ids=["camunda", "operaton"])
def any_stack(request: pytest.FixtureRequest) -> Stack:
    """Each engine that we serve: of a module first all tests with the one, then with the other."""
    chosen: Stack = request.getfixturevalue(request.param)
    return chosen


@pytest_asyncio.fixture(loop_scope="session")
async def any_world(any_stack: Stack, worlds: Worlds) -> AsyncIterator[World]:
    """A world on each engine in turn."""
    async with worlds.one(any_stack) as made:
        yield made
