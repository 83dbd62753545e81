"""Fixtures for tests against real parts; load it by `pytest_plugins = ["devstack.pytest_plugin"]`.

One stack serves the whole session; it starts with the first test that asks for it, and so do further engines.
A test that needs a database of its own takes one by `devstack.stack.create_database`.
"""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from devstack.stack import Stack, running_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Run Camunda, Postgres and S3; every test shares them, so leave other tests' things alone."""
    state_dir = tmp_path_factory.mktemp("devstack")
    async with running_stack(state_dir, parts=("engine", "postgres", "s3")) as running:
        yield running
    for big in ("postgres", "s3"):  # pytest keeps the folder of a few sessions, for the logs
        shutil.rmtree(state_dir / big, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def operaton_stack(stack: Stack) -> AsyncIterator[Stack]:
    """Run Operaton beside Camunda; Postgres and S3 are those of `stack`."""
    async with stack.second_engine("operaton") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def default_whitelist_stack(stack: Stack) -> AsyncIterator[Stack]:
    """Run a Camunda that refuses ids such as tg_user_1, as one does that nobody configured."""
    async with stack.second_engine("camunda", default_whitelist=True) as running:
        yield running
