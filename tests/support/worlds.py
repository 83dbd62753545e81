"""Fixtures that give each test a fresh world, on the stack of the session."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from sqlalchemy import create_engine

import migrations
from devstack.product import Product
from devstack.stack import Stack, create_database
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


@pytest_asyncio.fixture(loop_scope="session")
async def world(stack: Stack, world_template: str, starter: Preloaded) -> AsyncIterator[World]:
    """A world with Camunda, in which nothing of ours runs yet."""
    async with a_world(stack, world_template, next(_numbers), spawn=starter.spawn) as made:
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


@pytest.fixture(params=["stack", "operaton_stack"], ids=["camunda", "operaton"])
def any_stack(request: pytest.FixtureRequest) -> Stack:
    """Each engine that we serve."""
    chosen: Stack = request.getfixturevalue(request.param)
    return chosen


@pytest_asyncio.fixture(loop_scope="session")
async def any_world(any_stack: Stack, world_template: str, starter: Preloaded) -> AsyncIterator[World]:
    """A world on each engine in turn."""
    async with a_world(any_stack, world_template, next(_numbers), spawn=starter.spawn) as made:
        yield made
