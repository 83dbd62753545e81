"""Fixtures of the tests that talk to Telegram: one server and one client for all, a new world for each."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from starlette.applications import Starlette

from devstack.sandbox.app import create_app
from devstack.sandbox.serve import RunningSandbox, serving
from devstack.sandbox.state import Sandbox
from shared.db import Database
from shared.settings import Settings
from shared.telegram.client import SharedBot, TelegramFiles, telegram_bot
from shared.telegram.governor import FleetLimiter, Governor
from tests.fakes.services import TOKEN, Fakes, settings_with
from tests.fakes.telegram import Telegram
from tests.support.clamd import HOW_TO_GET_ONE


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once, where nobody can miss it, that nothing was scanned by a real ClamAV."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any(HOW_TO_GET_ONE in str(report.longrepr) for report in skipped):
        terminalreporter.section("TESTS WITH CLAMAV SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(HOW_TO_GET_ONE, red=True, bold=True)


@pytest.fixture(scope="session")
def png() -> bytes:
    """A small picture."""
    target = io.BytesIO()
    Image.new("RGB", (60, 40), "steelblue").save(target, "PNG")
    return target.getvalue()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _sandbox_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Starlette, httpx.AsyncClient]]:
    app = create_app(Sandbox(tmp_path_factory.mktemp("unused"), [TOKEN]))
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=20) as client,
    ):
        yield app, client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _telegram_settings(_sandbox_server: tuple[Starlette, httpx.AsyncClient]) -> Settings:
    return settings_with(telegram_api_url=str(_sandbox_server[1].base_url).rstrip("/"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _bot(_pool: Database, _telegram_settings: Settings) -> AsyncIterator[SharedBot]:
    limiter = FleetLimiter(Governor(_pool, _telegram_settings))
    async with telegram_bot(_telegram_settings, limiter) as bot:
        yield bot


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _files(_telegram_settings: Settings, _bot: SharedBot) -> AsyncIterator[TelegramFiles]:
    files = TelegramFiles(_telegram_settings, _bot)
    yield files
    await files.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def telegram(
    _sandbox_server: tuple[Starlette, httpx.AsyncClient], tmp_path: Path
) -> AsyncIterator[Telegram]:
    """An empty Telegram, in which rates are not limited unless a test says so."""
    app, client = _sandbox_server
    app.state.sandbox = sandbox = Sandbox(tmp_path / "files", [TOKEN])
    sandbox.limits.rates.enforce = False
    yield Telegram(RunningSandbox(str(client.base_url).rstrip("/"), sandbox, TOKEN), client)
    await sandbox.close()


@pytest.fixture
def fakes(
    db: Database, telegram: Telegram, _bot: SharedBot, _files: TelegramFiles, _telegram_settings: Settings
) -> Fakes:
    """Services over a real database and a real client of that Telegram; engine and bucket are in memory."""
    return Fakes(db, _bot, _files, _telegram_settings.model_copy())
