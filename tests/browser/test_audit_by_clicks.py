"""The whole audit as a person does it at the web chat, through real worker and bot processes."""

import os
from pathlib import Path

from playwright.async_api import Browser, expect

from devstack.audit import PROCESS_FILE
from devstack.exports import ExportPlan, export_bytes
from tests.browser.webchat import WebChat, watched_page
from tests.support.world import World, until

GROUP = "Chess Club"


async def test_the_whole_audit_by_clicks(world: World, browser: Browser, tmp_path: Path) -> None:
    await world.deploy(PROCESS_FILE)
    await world.start("worker1", "bot1")
    ada, ben = await world.town.person("Ada"), await world.town.person("Ben")
    await world.town.group(GROUP, admins=[ada], members=[ben])
    export = tmp_path / "result.json"
    export.write_bytes(export_bytes(ExportPlan(size_bytes=1_000_000, people=40, days=90, name=GROUP)))

    async with watched_page(browser, world.sandbox.url, height=1180) as chat:
        await chat.open(ada.user_id)
        await chat.open_chat("Stepgram")
        await start(chat)
        await upload(chat, export)
        await review(chat)
        await chat.sees("The audit is finished")
        await expect(chat.timeline.locator(".inline-button").filter(has_text="Approve")).to_have_count(0)
        assert chat.complaints == []
        assert chat.foreign_requests == []

    instance = str(await world.value("SELECT process_instance_id FROM process_starts"))
    assert await world.until_ended(instance) == "COMPLETED"
    variables = await world.variables(instance)
    assert variables["action"] == "approve"
    assert variables["form_comment"] == "Healthy group"
    assert variables["form_publish"] is True


async def start(chat: WebChat) -> None:
    await chat.send("/start")
    await chat.sees("Hello Ada")
    await chat.send("/groups")
    for caption in (GROUP, "Settings", "Import history", "Start"):
        await chat.press(caption)
    await chat.sees("how the group lives")
    await chat.press("Continue")


async def upload(chat: WebChat, export: Path) -> None:
    await chat.sees("I am waiting for a file here")
    await chat.upload(export)
    await chat.sees("is stored")


async def review(chat: WebChat) -> None:
    await chat.sees("Comment for the record")
    await until_picture(chat)
    await chat.send("Healthy group")
    await chat.sees("May the result be published")
    await save_picture(chat)
    await chat.press("Yes")
    await chat.sees("Your decision?")
    await chat.press("Approve")


async def until_picture(chat: WebChat) -> None:
    async def shown() -> bool:
        return any(each.has_picture for each in await chat.last_bubbles(6))

    await until(shown, "the chart is shown")


async def save_picture(chat: WebChat) -> None:
    """Keep a picture of the conversation, as on a phone, where SCREENSHOT says: the README's."""
    if path := os.environ.get("SCREENSHOT"):
        await chat.page.set_viewport_size({"width": 520, "height": 1240})
        await chat.page.screenshot(path=path)
        await chat.page.set_viewport_size({"width": 1280, "height": 1180})
