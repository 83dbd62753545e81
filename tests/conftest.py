"""Fixtures that several folders need: the real stack, and a database built by the migrations alone."""

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog
from hypothesis import settings
from sqlalchemy import create_engine, text

import migrations
from devstack.stack import Stack, create_database
from shared.db import Database, driver_url
from shared.service import settle_heap
from tests.fakes.rows import emptying
from tests.support.preloaded import read_models_once

# The same examples each time; HYPOTHESIS_SEARCH=1 looks for new ones.
settings.register_profile("tests", derandomize=not os.environ.get("HYPOTHESIS_SEARCH"), deadline=None)
settings.load_profile("tests")

pytest_plugins = ["devstack.pytest_plugin", "tests.support.worlds"]


def pytest_collection_finish() -> None:
    """Read once what each test would; let the collector alone with what stays, a seventh of the time."""
    read_models_once()
    settle_heap()
    gc.set_threshold(20_000, 50, 100)


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log as text; structlog's own default draws tracebacks with all local variables, which takes seconds."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            renderer,
        ]
    )


@pytest.fixture
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what `shared.logs.configure` did to the whole process."""
    root, configuration = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    configure = structlog.configure
    # A logger that is used under a configuration that caches would keep it for the tests that follow.
    monkeypatch.setattr(
        structlog, "configure", lambda **wanted: configure(**wanted | {"cache_logger_on_first_use": False})
    )
    yield
    root.handlers[:], root.level = handlers, level
    configure(**configuration)


def migrate(url: str) -> None:
    """Bring a database to the newest revision, as `stepgram migrate` does."""
    engine = create_engine(driver_url(url))
    try:
        with engine.begin() as connection:
            migrations.upgrade(connection)
    finally:
        engine.dispose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_url(stack: Stack) -> str:
    """A database with our tables, for all tests that take `db`; others must not write into it."""
    url = await create_database(stack, "tests")
    await asyncio.to_thread(migrate, url)
    return url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _pool(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def db(_pool: Database) -> Database:
    """A database without rows. Emptying one is many times faster than copying a template."""
    async with _pool.begin() as tx:
        # What a test left open would make this wait for ever.
        await tx.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection = await tx.connection()
        await connection.exec_driver_sql(emptying())
    return _pool
