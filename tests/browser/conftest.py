"""A system browser for the web chat, driven by Playwright; without one these tests are skipped, loudly."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, async_playwright

from devstack.sandbox.serve import RunningSandbox, running_sandbox
from tests.browser.echo_bot import EchoBot
from tests.browser.people import People
from tests.browser.webchat import WebChat, watched_page

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
BROWSER_APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
BROWSER_ARGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOW_TO_GET_ONE = (
    "No Chromium or Chrome found, so the web chat was NOT tested in a browser. Get one: "
    "Debian: apt-get install chromium; Fedora: dnf install chromium; macOS: brew install --cask chromium; "
    "anywhere: playwright install chromium. Or name one with BROWSER_PATH=/path/to/chrome."
)

Opener = Callable[..., Awaitable[WebChat]]


def find_browser(playwrights_own: str) -> str | None:
    """The path of a Chromium-like browser: BROWSER_PATH, the search path, then the usual places.

    `playwrights_own` is where `playwright install chromium` would have put one.
    """
    named = os.environ.get("BROWSER_PATH")
    on_path = (shutil.which(name) for name in BROWSER_NAMES)
    elsewhere = (path for path in (*BROWSER_APPS, playwrights_own) if Path(path).is_file())
    return named or next((path for path in on_path if path), None) or next(elsewhere, None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once, where nobody can miss it, that the browser tests did not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any(HOW_TO_GET_ONE in str(report.longrepr) for report in skipped):
        terminalreporter.section("BROWSER TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(HOW_TO_GET_ONE, red=True, bold=True)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One headless browser for all tests."""
    async with async_playwright() as playwright:
        path = find_browser(playwright.chromium.executable_path)
        if path is None:
            pytest.skip(HOW_TO_GET_ONE)
        browser = await playwright.chromium.launch(executable_path=path, args=list(BROWSER_ARGS))
        yield browser
        await browser.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
async def people(sandbox: RunningSandbox) -> AsyncIterator[People]:
    """Makes people and groups."""
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        yield People(client)


@pytest.fixture
async def bot(sandbox: RunningSandbox) -> AsyncIterator[EchoBot]:
    """A bot that answers."""
    async with EchoBot(sandbox) as bot:
        yield bot


@pytest.fixture
async def open_chat_page(browser: Browser, sandbox: RunningSandbox) -> AsyncIterator[Opener]:
    """Opens the web chat in a browser context of its own: `await open_chat_page(person_id, dark=True)`.

    At the end no page may have complained on its console, and none may have asked anybody but the sandbox.
    """
    pages: list[WebChat] = []
    async with AsyncExitStack() as stack:

        async def open_page(person_id: int | None = None, **look: Any) -> WebChat:
            page = await stack.enter_async_context(watched_page(browser, sandbox.url, **look))
            pages.append(page)
            await page.open(person_id)
            return page

        yield open_page
    for page in pages:
        assert page.complaints == []
        assert page.foreign_requests == []
