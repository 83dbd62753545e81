"""The web chat as somebody at a keyboard uses it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message as it is shown."""

    message_id: int
    mine: bool
    text: str
    buttons: tuple[str, ...]
    files: tuple[str, ...]
    has_picture: bool
    edited: bool


class WebChat:
    """One browser page with the web chat.

    `complaints` collects errors and warnings of the page's console; `foreign_requests` the addresses that
    it asked for outside the sandbox.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.foreign_requests: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note_request)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "blob:")):
            self.foreign_requests.append(request.url)

    # going about

    async def open(self, person_id: int | None = None, chat_id: int | None = None) -> Self:
        """Load the page as a person (default: the first one), in a chat if one is given."""
        parts = [str(part) for part in (person_id, chat_id) if part is not None]
        await self.page.goto(f"{self.url}/#{'/'.join(parts)}")
        return self

    async def become(self, person_id: int) -> None:
        """Be somebody else from now on."""
        await self.page.get_by_test_id(f"person-{person_id}").click()
        await expect(self.page.get_by_test_id(f"person-{person_id}")).to_have_attribute(
            "aria-current", "true"
        )

    async def open_chat(self, name: str) -> None:
        """Open a chat of the list by its title."""
        await self.chat_row(name).click()
        await expect(self.page.get_by_test_id("chat-title")).to_have_text(name)

    def chat_row(self, name: str) -> Locator:
        """A chat's entry in the list."""
        title = self.page.locator(".row-title").filter(has_text=re.compile(f"^{re.escape(name)}$"))
        return self.page.locator(".row").filter(has=title)

    # writing

    @property
    def composer(self) -> Locator:
        """The field to write in."""
        return self.page.get_by_test_id("composer")

    async def send(self, text: str) -> None:
        """Write and send; returns when the message is in the timeline."""
        before = await self.page.locator('article[data-mine="true"]').count()
        await self.composer.fill(text)
        await self.page.get_by_test_id("send").click()
        await expect(self.composer).to_have_value("")
        await expect(self.page.locator('article[data-mine="true"]').nth(before)).to_be_visible()

    async def press(self, caption: str) -> None:
        """Press the key of that caption on the bot's keyboard, else the newest such inline button."""
        button = self.timeline.get_by_role("button", name=caption, exact=True).last
        key = self.page.get_by_test_id("reply-keyboard").get_by_role("button", name=caption, exact=True)
        await button.or_(key).last.click()

    async def upload(self, path: Path, caption: str = "", *, as_picture: bool = False) -> None:
        """Send a file from the disk; returns when the window for it has closed."""
        await self.page.get_by_test_id("file-input").set_input_files(path)
        window = self.page.get_by_test_id("attach-dialog")
        as_pictures = window.get_by_role("checkbox", name="Send as a picture")
        if await as_pictures.count():
            await as_pictures.set_checked(as_picture)
        if caption:
            await window.get_by_label("Caption").fill(caption)
        await window.get_by_role("button", name="Send", exact=True).click()
        await expect(window).to_have_count(0)

    async def choose(self, action: str, message_id: int) -> None:
        """Choose an action of a message's menu."""
        await self.message(message_id).locator(".bubble").click(button="right")
        await self.page.get_by_role("menuitem", name=action).click()

    # looking

    @property
    def timeline(self) -> Locator:
        """The messages of the open chat."""
        return self.page.get_by_test_id("messages")

    def message(self, message_id: int) -> Locator:
        """A message of the open chat."""
        return self.page.get_by_test_id(f"message-{message_id}")

    def saying(self, text: str) -> Locator:
        """The messages that say that in their text, file name or service note (not in a quote)."""
        words = self.page.locator('[data-testid="text"], .file, .service > span').filter(has_text=text)
        return self.timeline.get_by_role("article").filter(has=words)

    async def sees(self, text: str) -> Bubble:
        """Wait until a message with that text is shown; the newest of them."""
        await expect(self.saying(text).last).to_be_visible()
        return await self._read(self.saying(text).last)

    async def sees_no(self, text: str) -> None:
        """Wait until no message with that text is shown."""
        await expect(self.saying(text)).to_have_count(0)

    async def last_bubbles(self, count: int = 5) -> list[Bubble]:
        """The newest messages of the open chat, oldest first; without service messages."""
        shown = await self.timeline.locator("article.message").all()
        return [await self._read(one) for one in shown[-count:]]

    async def download(self, name: str) -> bytes:
        """The content of the newest file of that name, got by a click on it."""
        async with self.page.expect_download() as started:
            await self.timeline.get_by_test_id("file").filter(has_text=name).last.click()
        download = await started.value
        return (await download.path()).read_bytes()

    @property
    def toast(self) -> Locator:
        """The newest short notice."""
        return self.page.get_by_test_id("toast").last

    async def _read(self, article: Locator) -> Bubble:
        shown = await article.evaluate(READ_BUBBLE)
        lists = {name: tuple(shown[name]) for name in ("buttons", "files")}
        return Bubble(**{**shown, **lists})


READ_BUBBLE = """article => ({
  message_id: Number(article.dataset.testid.split("-").pop()),
  mine: article.dataset.mine === "true",
  text: article.querySelector('[data-testid="text"]')?.innerText ?? "",
  buttons: [...article.querySelectorAll(".inline-button")].map(button => button.innerText),
  files: [...article.querySelectorAll(".file-name")].map(name => name.innerText),
  has_picture: article.querySelector('[data-testid="picture"]') !== null,
  edited: article.querySelector('[data-testid="edited"]') !== null,
})"""


@contextlib.asynccontextmanager
async def watched_page(
    browser: Browser, url: str, *, width: int = 1280, height: int = 860, dark: bool = False
) -> AsyncIterator[WebChat]:
    """A page in a browser context of its own (own storage), closed with the block."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", locale="en-GB"
    )
    try:
        yield WebChat(await context.new_page(), url)
    finally:
        await context.close()
