"""The upload page in a real browser, over a real bucket, database and web server."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, expect

from bot import page_offers
from bot.web import server
from bot.web.routes import UploadRoutes
from devstack.sandbox.serve import serving
from devstack.stack import Stack
from devstack.waiting import beside
from shared import texts
from shared.models import UploadPage
from shared.queues import Later
from shared.settings import Settings
from shared.storage import Storage
from tests.fakes.conversation import Conversation, variables
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram
from tests.integration.conftest import (  # noqa: F401 - fixtures
    _bot,
    _files,
    _sandbox_server,
    _telegram_settings,
    fakes,
    telegram,
)
from tests.support.relay import Relay, a_relay
from tests.support.upload_page import Pages, client_of

MIB = 1024 * 1024
LABEL = "The export of your group"
HELP = "In Telegram Desktop: Settings, Advanced, Export chat history, format JSON."
CHOOSE = "Choose a file"


@pytest_asyncio.fixture(loop_scope="session")
async def pages(
    fakes: Fakes,  # noqa: F811
    telegram: Telegram,  # noqa: F811
    bucket: Storage,
) -> AsyncIterator[Pages]:
    """A web server on a port of its own, and a bot that is given its turns while a browser waits."""
    fakes.real_storage = bucket
    fakes.settings = fakes.settings.model_copy(update={"upload_page_url": "http://127.0.0.1:1"})
    app = server.application(fakes.services.health, UploadRoutes(fakes.services).routes())
    async with serving(app) as url, client_of(fakes) as client:
        fakes.settings = fakes.settings.model_copy(update={"upload_page_url": url})
        yield Pages(Conversation(fakes, telegram), client)


@pytest_asyncio.fixture(loop_scope="session")
async def relay(stack: Stack) -> AsyncIterator[Relay]:
    """The way of all bytes between a browser and the bucket."""
    async with a_relay(stack.env["R2_ENDPOINT_URL"]) as relay:
        yield relay


@pytest_asyncio.fixture(loop_scope="session")
async def bucket(stack: Stack, relay: Relay) -> AsyncIterator[Storage]:
    """The stack's bucket, behind the relay."""
    values = {name.lower(): value for name, value in stack.env.items() if name.startswith("R2_")}
    storage = Storage.from_settings(Settings.model_validate(values | {"r2_endpoint_url": relay.url}))
    yield storage
    await storage.aclose()


@asynccontextmanager
async def turns(talk: Conversation) -> AsyncIterator[None]:
    """The bot works, as its loops would, which put off what has to wait."""

    async def work() -> None:
        while True:
            with suppress(Later):
                await talk.turn()
            await asyncio.sleep(0.1)

    async with beside(work()):
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, pages: Pages) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """Opens an address in a browser of its own; none may complain of anything but what a test cut."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def opened(
            page: UploadPage | str, *, width: int = 900, height: int = 760, dark: bool = False
        ) -> Page:
            look: Any = {"color_scheme": "dark" if dark else "light", "locale": "en-GB"}
            context = await browser.new_context(viewport={"width": width, "height": height}, **look)
            stack.push_async_callback(context.close)
            tab = await context.new_page()
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on(
                "console",
                lambda said: complaints.append(said.text) if "Content Security" in said.text else None,
            )
            # Else Playwright takes choosers over only while one is waited for, which a quick key outruns.
            tab.on("filechooser", lambda _: None)
            address = (
                page
                if isinstance(page, str)
                else page_offers.address_of(pages.talk.fakes.settings, page, "browser")
            )
            await tab.goto(address)
            return tab

        yield opened
    assert complaints == []


async def asked(pages: Pages, **more: str) -> tuple[int, int, UploadPage]:
    """Ann, her step, and her page."""
    ann = await pages.talk.telegram.ann()
    properties = {"s3_export.accept": ".json", "s3_export.help": HELP, "title": "Audit of a group"}
    reply_id = await pages.talk.ask(ann, {"s3_export": LABEL}, properties | more, topic="await_upload")
    return ann, reply_id, await pages.page(reply_id, ann)


def a_file(folder: Path, size_bytes: int, name: str = "result.json") -> Path:
    path = folder / name
    with path.open("wb") as file:
        file.write(b'["')
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB // 2).hex().encode())
        file.write(b'"]')
    return path


async def picture(page: Page, name: str) -> None:
    """Keep a picture where SCREENSHOTS says; whatever is looked at, axe finds nothing wrong with it."""
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def test_a_file_of_100_mb_survives_a_cut_connection(
    pages: Pages, open_page: Callable[..., Awaitable[Page]], tmp_path: Path
) -> None:
    _, reply_id, page = await asked(pages)
    tab = await open_page(page)
    path, sent, cut = a_file(tmp_path, 100 * MIB), [], 0

    async def passing(route: Route) -> None:
        nonlocal cut
        if route.request.method == "PUT":
            sent.append(route.request.url)
            if 8 <= len(sent) < 14:  # the connection is gone for a while
                cut += 1
                await route.abort("connectionreset")
                return
        await route.continue_()

    await tab.route("**/tasks/**", passing)
    await picture(tab, "empty")
    await tab.get_by_label(CHOOSE).set_input_files(path)
    await expect(tab.get_by_text("The connection is gone")).to_be_visible(timeout=30_000)
    await picture(tab, "cut")
    await expect(tab.get_by_role("progressbar", name="Progress of result.json")).to_be_visible()
    async with turns(pages.talk):
        await expect(tab.get_by_text(texts.say("page-all-done")).first).to_be_visible(timeout=90_000)
    await picture(tab, "done")
    assert cut == 6
    assert len(sent) - cut == 21, "no part was sent twice but those that were cut"
    row = await pages.talk.reply(reply_id)
    async with pages.talk.fakes.services.storage.open(variables(row)["s3_export"]) as stored:
        assert stored.size_bytes == path.stat().st_size


async def test_wires_cut_within_their_bytes_and_a_bucket_that_refuses_lose_nothing(
    pages: Pages, open_page: Callable[..., Awaitable[Page]], tmp_path: Path, relay: Relay
) -> None:
    _, reply_id, page = await asked(pages)
    path = a_file(tmp_path, 20 * MIB)
    size_bytes, refusals = path.stat().st_size, [503, 403, 500]

    async def passing(route: Route) -> None:
        if route.request.method == "PUT" and refusals and relay.passed_bytes > size_bytes / 4:
            said = {"Access-Control-Allow-Origin": "*"}
            await route.fulfill(status=refusals.pop(0), headers=said, body="<Error/>")
            return
        await route.continue_()

    relay.cuts = [int(size_bytes * share) for share in (0.1, 0.5, 0.99)]
    tab = await open_page(page)
    await tab.route("**/tasks/**", passing)
    await tab.get_by_label(CHOOSE).set_input_files(path)
    async with turns(pages.talk):
        await expect(tab.get_by_text(texts.say("page-all-done")).first).to_be_visible(timeout=60_000)
    row = await pages.talk.reply(reply_id)
    async with pages.talk.fakes.services.storage.open(variables(row)["s3_export"]) as stored:
        digest = hashlib.sha256(b"".join([chunk async for chunk in stored]))
    assert (relay.been_cut, refusals) == (3, [])
    assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


async def test_after_a_reload_the_same_file_goes_on_where_it_was(
    pages: Pages, open_page: Callable[..., Awaitable[Page]], tmp_path: Path
) -> None:
    _, reply_id, page = await asked(pages)
    tab = await open_page(page, width=360, height=700)
    path, sent, held = a_file(tmp_path, 40 * MIB), [], asyncio.Event()

    async def passing(route: Route) -> None:
        if route.request.method == "PUT":
            sent.append(route.request.url)
            if len(sent) > 4 and not held.is_set():
                return  # it hangs until the page goes
        await route.continue_()

    await tab.route("**/tasks/**", passing)
    tab.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await tab.get_by_label(CHOOSE).set_input_files(path)
    await expect(tab.get_by_text("% of 41.9 MB")).to_be_visible()
    for _ in range(200):
        if len(sent) >= 7:
            break
        await asyncio.sleep(0.05)
    await picture(tab, "progress")
    held.set()
    await tab.reload()
    await expect(tab.get_by_text("Interrupted at")).to_be_visible()
    await picture(tab, "interrupted")
    before = len(sent)
    async with tab.expect_file_chooser() as chooser:
        await tab.get_by_role("button", name="Choose result.json again").click()
    await (await chooser.value).set_files(path)
    async with turns(pages.talk):
        await expect(tab.get_by_text(texts.say("page-all-done")).first).to_be_visible(timeout=60_000)
    assert len(sent) - before == 9 - 4
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_it_can_be_used_by_keyboard_alone_and_says_what_is_wrong(
    pages: Pages, open_page: Callable[..., Awaitable[Page]], tmp_path: Path
) -> None:
    _, reply_id, page = await asked(pages)
    tab = await open_page(page, width=320, height=640, dark=True)
    await expect(tab.locator("#drop")).to_be_visible()
    await tab.keyboard.press("Tab")
    await expect(tab.get_by_label(CHOOSE)).to_be_focused()
    await picture(tab, "keyboard")
    wrong = tmp_path / "holiday.png"
    wrong.write_bytes(b"\x89PNG")
    async with tab.expect_file_chooser() as chooser:
        await tab.keyboard.press("Space")
    await (await chooser.value).set_files(wrong)
    await expect(tab.get_by_role("alert")).to_contain_text("I need a .json file")
    await picture(tab, "error")
    assert await tab.evaluate("document.documentElement.scrollWidth") <= 320
    await tab.route("**/tasks/**", lambda route: asyncio.sleep(0))
    await expect(tab.get_by_label(CHOOSE)).to_be_focused()
    async with tab.expect_file_chooser() as chooser:
        await tab.keyboard.press("Space")
    await (await chooser.value).set_files(a_file(tmp_path, MIB))
    pause = tab.get_by_role("button", name="Pause result.json")
    await expect(pause).to_be_visible()
    await pause.focus()
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("button", name="Resume result.json")).to_be_focused()
    await picture(tab, "paused")
    await tab.unroute("**/tasks/**")
    await tab.keyboard.press("Enter")
    async with turns(pages.talk):
        await expect(tab.get_by_text(texts.say("page-all-done")).first).to_be_visible()
    assert (await pages.talk.reply(reply_id)).state == "answered"


DROP = """([name, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], name, {type: "application/json"}));
  for (const kind of ["dragover", "drop"])
    document.querySelector("#drop").dispatchEvent(
      new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


async def test_a_file_can_be_dropped_and_what_it_really_is_decides(
    pages: Pages, open_page: Callable[..., Awaitable[Page]]
) -> None:
    _, reply_id, page = await asked(pages)
    tab = await open_page(page)
    await expect(tab.get_by_label(CHOOSE)).to_be_attached()
    await expect(tab.locator("#drop")).to_be_visible()
    async with turns(pages.talk):
        await tab.evaluate(DROP, ["result.json", "%PDF-1.7 no JSON at all"])
        await expect(tab.get_by_role("alert")).to_contain_text("the content is not .json")
        await picture(tab, "refused")
        await tab.evaluate(DROP, ["result.json", '{"messages": []}'])
        await expect(tab.get_by_text(texts.say("page-all-done")).first).to_be_visible()
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_several_files_and_done(pages: Pages, open_page: Callable[..., Awaitable[Page]]) -> None:
    _, reply_id, page = await asked(pages, **{"s3_export.max_files": "3"})
    tab = await open_page(page, width=360, height=700, dark=True)
    await expect(tab.locator("#drop")).to_be_visible()
    async with turns(pages.talk):
        for name in ("a.json", "b.json"):
            await tab.evaluate(DROP, [name, f'{{"name": "{name}"}}'])
            await expect(tab.locator("li", has_text=name).get_by_text("Stored")).to_be_visible()
        await picture(tab, "several")
        await tab.get_by_role("button", name="Done").click()
        await expect(tab.get_by_text(texts.say("page-all-done")).first).to_be_visible()
    assert (await pages.talk.reply(reply_id)).state == "answered"


async def test_a_second_browser_is_told_that_the_link_was_used(
    pages: Pages, open_page: Callable[..., Awaitable[Page]], tmp_path: Path
) -> None:
    _, _, page = await asked(pages)
    first, second = await open_page(page), await open_page(page)
    await first.route("**/tasks/**", lambda route: asyncio.sleep(0))
    await first.get_by_label(CHOOSE).set_input_files(a_file(tmp_path, MIB))
    await expect(first.get_by_role("button", name="Pause result.json")).to_be_visible()
    await second.reload()
    await expect(second.get_by_role("alert")).to_have_text(texts.say("page-used"))
    await expect(second.get_by_label(CHOOSE)).to_be_hidden()
    unknown = await open_page(f"{pages.talk.fakes.settings.upload_page_url}/upload/b.1.1.1.{'A' * 24}")
    await expect(unknown.get_by_text(texts.say("page-unknown"))).to_be_visible()
    await picture(unknown, "unknown")
