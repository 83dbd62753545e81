"""One server for all tests, a new sandbox for each."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette

from devstack.sandbox.app import create_app
from devstack.sandbox.serve import RunningSandbox, serving
from devstack.sandbox.state import DEFAULT_TOKEN, Sandbox
from tests.unit.sandbox.lab import Lab

SECOND_TOKEN = "1000002:second-token"


@pytest.fixture(scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Starlette, httpx.AsyncClient]]:
    app = create_app(Sandbox(tmp_path_factory.mktemp("unused")))
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=20) as client,
    ):
        yield app, client


@pytest.fixture
async def lab(server: tuple[Starlette, httpx.AsyncClient], tmp_path: Path) -> AsyncIterator[Lab]:
    app, client = server
    app.state.sandbox = sandbox = Sandbox(tmp_path / "files", [DEFAULT_TOKEN, SECOND_TOKEN])
    yield Lab(RunningSandbox(str(client.base_url).rstrip("/"), sandbox, DEFAULT_TOKEN), client)
    await sandbox.close()


@pytest.fixture(scope="session")
def png() -> bytes:
    """A picture of 1000 x 600."""
    target = io.BytesIO()
    Image.new("RGB", (1000, 600), "steelblue").save(target, "PNG")
    return target.getvalue()
