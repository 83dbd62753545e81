"""Every test here runs on both engines."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.engine.client import EngineClient
from tests.support.engine_work import Work, settings_of


@pytest.fixture(scope="session", params=["stack", "operaton_stack"], ids=["camunda", "operaton"])
def engine_env(request: pytest.FixtureRequest) -> dict[str, str]:
    env: dict[str, str] = request.getfixturevalue(request.param).env
    return env


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(engine_env: dict[str, str]) -> AsyncIterator[EngineClient]:
    async with EngineClient.from_settings(settings_of(engine_env)) as client:
        yield client


@pytest.fixture
def work(engine: EngineClient) -> Work:
    return Work(engine, f"t{uuid.uuid4().hex[:12]}")
