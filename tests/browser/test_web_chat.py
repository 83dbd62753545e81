"""The web chat of the sandbox, in a real browser, with a real bot of python-telegram-bot."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from devstack.sandbox.serve import running_sandbox
from tests.browser.conftest import Opener
from tests.browser.echo_bot import EchoBot
from tests.browser.people import People
from tests.browser.webchat import watched_page

pytestmark = pytest.mark.usefixtures("bot")

DROP_FILE = """([selector, event, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, {type: "text/plain"}));
  const target = document.querySelector(selector);
  const init = {bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data};
  if (event === "paste") return target.dispatchEvent(new ClipboardEvent("paste", init));
  target.dispatchEvent(new DragEvent("dragenter", init));
  return document.querySelector(".drop-hint").dispatchEvent(new DragEvent("drop", init));
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, textarea, select, a")]
  .filter(node => node.checkVisibility() && !node.ariaLabel && !node.innerText.trim() && !node.labels?.length)
  .map(node => node.outerHTML)"""

FORMATTED = """\
👩‍🚀 <b>bold <i>both</i></b> <code>code</code> <a href="https://example.org/a">link</a>
<tg-spoiler>secret</tg-spoiler>
<blockquote>quoted</blockquote>
<pre><code class="language-python">print(1)</code></pre>"""


def picture(path: Path) -> Path:
    Image.new("RGB", (900, 500), "steelblue").save(path, "PNG")
    return path


async def test_a_person_and_the_bot_talk(people: People, open_chat_page: Opener) -> None:
    ada = await people.person("Ada", last_name="Lovelace")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.page.get_by_test_id("start").click()
    welcome = await chat.sees("Welcome, press something")
    assert welcome.buttons == ("Toast", "Alert", "Edit", "Remove")
    await expect(chat.message(welcome.message_id).locator("strong")).to_have_text("Welcome")

    await chat.send("Hello\nbot")
    await chat.sees("You said: Hello\nbot")
    texts = [(bubble.mine, bubble.text) for bubble in await chat.last_bubbles(3)]
    assert texts[1:] == [(True, "Hello\nbot"), (False, "You said: Hello\nbot")]


async def test_a_tap_is_answered_with_a_toast_an_alert_an_edit_or_a_deletion(
    people: People, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.send("/start")
    shown = await chat.sees("Welcome")

    await chat.press("Toast")
    await expect(chat.toast).to_have_text("A small notice")
    await chat.press("Alert")
    alert = chat.page.get_by_test_id("alert")
    await expect(alert).to_contain_text("Mind the gap")
    await alert.get_by_role("button", name="OK").click()
    await chat.press("Edit")
    edited = await chat.sees("Edited by the bot")
    assert (edited.message_id, edited.edited) == (shown.message_id, True)
    await chat.press("Remove")
    await chat.sees_no("Edited by the bot")
    await expect(chat.page.locator("[aria-busy]")).to_have_count(0)


async def test_what_the_bot_edits_and_deletes_changes_at_once(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    await people.writes(ada, "hi")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    progress = await bot.api.send_message(ada, "Reading, 10 %")
    await chat.sees("Reading, 10 %")
    await progress.edit_text("Reading, 100 %")
    assert (await chat.sees("Reading, 100 %")).edited
    await expect(chat.chat_row("Stepgram")).to_contain_text("Reading, 100 %")
    await progress.delete()
    await chat.sees_no("Reading")


async def test_only_a_changed_text_counts_as_edited(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.send("/start")
    shown = await chat.sees("Welcome")
    await bot.api.edit_message_reply_markup(ada, shown.message_id)
    await expect(chat.message(shown.message_id).locator(".inline-button")).to_have_count(0)
    assert not (await chat.sees("Welcome")).edited


async def test_the_bot_is_seen_typing(people: People, bot: EchoBot, open_chat_page: Opener) -> None:
    ada = await people.person("Ada")
    await people.writes(ada, "hi")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.sees("You said: hi")
    await bot.api.send_chat_action(ada, "upload_document")
    await expect(chat.page.get_by_test_id("chat-status")).to_have_text("sending a file…")
    await bot.api.send_message(ada, "Here")
    await expect(chat.page.get_by_test_id("chat-status")).to_have_text("bot")


async def test_files_go_both_ways(people: People, open_chat_page: Opener, tmp_path: Path) -> None:
    ada = await people.person("Ada")
    sent = tmp_path / "my #1 export, 100%.json"
    sent.write_bytes(b'{"messages": []}' * 1000)
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.upload(sent, "Here it is")
    mine = await chat.sees("Here it is")
    assert mine.files == (sent.name,)
    await expect(chat.message(mine.message_id)).to_contain_text("15.6 KB")
    answer = await chat.sees("echo-")
    assert not answer.mine
    assert await chat.download(answer.files[0]) == sent.read_bytes()


@pytest.mark.parametrize("event", ["paste", "drop"])
async def test_files_can_be_pasted_and_dropped(people: People, open_chat_page: Opener, event: str) -> None:
    chat = await open_chat_page(await people.person("Ada"))
    await chat.open_chat("Stepgram")
    await chat.page.evaluate(DROP_FILE, ['[data-testid="composer"]', event, "notes.txt", "some notes"])
    window = chat.page.get_by_test_id("attach-dialog")
    await expect(window).to_contain_text("notes.txt")
    await window.get_by_role("button", name="Send", exact=True).click()
    await chat.sees("echo-notes.txt")
    assert await chat.download("echo-notes.txt") == b"some notes"


async def test_a_picture_is_shown_and_opens_large(
    people: People, open_chat_page: Opener, tmp_path: Path
) -> None:
    chat = await open_chat_page(await people.person("Ada"))
    await chat.open_chat("Stepgram")
    await chat.upload(picture(tmp_path / "sea.png"), as_picture=True)
    shown = await chat.sees("Your picture")
    assert shown.has_picture
    image = chat.message(shown.message_id).get_by_role("img")
    assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 900
    await chat.message(shown.message_id).get_by_test_id("picture").click()
    await expect(chat.page.get_by_test_id("viewer")).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_test_id("viewer")).to_have_count(0)


async def test_several_files_go_as_an_album(people: People, open_chat_page: Opener, tmp_path: Path) -> None:
    chat = await open_chat_page(await people.person("Ada"))
    await chat.open_chat("Stepgram")
    paths = [picture(tmp_path / f"{number}.png") for number in range(3)]
    await chat.page.get_by_test_id("file-input").set_input_files(paths)
    window = chat.page.get_by_test_id("attach-dialog")
    await window.get_by_label("Caption").fill("Three views")
    await window.get_by_role("button", name="Send", exact=True).click()
    await expect(chat.timeline.locator('article[data-mine="true"]').get_by_test_id("picture")).to_have_count(
        3
    )
    assert (await chat.sees("Three views")).has_picture


async def test_two_people_meet_in_a_group(people: People, bot: EchoBot, open_chat_page: Opener) -> None:
    ada, bob = await people.person("Ada", username="ada_l"), await people.person("Bob")
    await people.group("Garden Club", ada, bob, privacy=False)
    hers, his = await open_chat_page(ada), await open_chat_page(bob)
    await hers.open_chat("Garden Club")
    await expect(hers.page.get_by_test_id("chat-status")).to_have_text("3 members")

    await hers.send("Hello Bob")
    await expect(his.chat_row("Garden Club")).to_contain_text("Ada: Hello Bob")
    await his.open_chat("Garden Club")
    seen = await his.sees("Hello Bob")
    assert not seen.mine
    await expect(his.message(seen.message_id).locator(".sender")).to_have_text("Ada")

    await his.choose("Reply", seen.message_id)
    await his.send("Hello Ada")
    answer = await hers.sees("Hello Ada")
    quote = hers.message(answer.message_id).get_by_test_id("quote")
    await expect(quote).to_have_text(re.compile("Ada.*Hello Bob", re.DOTALL))
    await quote.click()
    await expect(hers.message(seen.message_id)).to_be_focused()


async def test_one_page_can_be_everybody_in_turn(people: People, open_chat_page: Opener) -> None:
    ada, bob = await people.person("Ada"), await people.person("Bob")
    group = await people.group("Garden Club", ada, bob)
    chat = await open_chat_page(ada)
    await chat.open_chat("Garden Club")
    await chat.send("From Ada")
    await chat.become(bob)
    await expect(chat.page).to_have_url(re.compile(f"#{bob}/{group}$"))
    assert not (await chat.sees("From Ada")).mine
    await chat.send("From Bob")
    await chat.become(ada)
    mine = [bubble.mine for bubble in await chat.last_bubbles(2)]
    assert mine == [True, False]


async def test_a_forced_reply_is_for_the_one_it_asks(people: People, open_chat_page: Opener) -> None:
    ada, bob = await people.person("Ada"), await people.person("Bob")
    await people.group("Garden Club", ada, bob, privacy=False)
    hers, his = await open_chat_page(ada), await open_chat_page(bob)
    await his.open_chat("Garden Club")
    await hers.open_chat("Garden Club")
    await hers.send("/ask")
    question = await hers.sees("What do you think?")
    await expect(hers.page.get_by_test_id("reply-bar")).to_contain_text("What do you think?")
    await expect(hers.composer).to_have_attribute("placeholder", "Your comment")
    await his.sees("What do you think?")
    await expect(his.page.get_by_test_id("reply-bar")).to_be_hidden()
    await hers.send("Lovely")
    answer = await his.sees("Lovely")
    await expect(his.message(answer.message_id).get_by_test_id("quote")).to_contain_text("What do you think?")
    await expect(hers.page.get_by_test_id("reply-bar")).to_be_hidden()
    assert question.message_id < answer.message_id


async def test_the_bots_keyboard_sends_its_keys_and_goes_when_removed(
    people: People, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    group = await people.group("Garden Club", ada)
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.send("/keys")
    keyboard = chat.page.get_by_test_id("reply-keyboard")
    await expect(keyboard.get_by_role("button")).to_have_text(["Yes", "No", "Pick a group"])
    await expect(chat.composer).to_have_attribute("placeholder", "Yes or no?")
    await chat.press("Yes")
    await chat.sees("You said: Yes")
    await chat.press("Pick a group")
    window = chat.page.get_by_role("dialog", name="Choose a group")
    await window.get_by_label("Garden Club").check()
    await window.get_by_role("button", name="Choose").click()
    await chat.sees(f"Group {group}")
    await expect(keyboard).to_have_count(0)


async def test_own_messages_can_be_edited_and_deleted(people: People, open_chat_page: Opener) -> None:
    chat = await open_chat_page(await people.person("Ada"))
    await chat.open_chat("Stepgram")
    await chat.send("Frist")
    own = (await chat.last_bubbles(2))[0]
    await chat.choose("Edit", own.message_id)
    await expect(chat.composer).to_have_value("Frist")
    await chat.composer.fill("First")
    await chat.composer.press("Enter")
    await expect(chat.message(own.message_id).get_by_test_id("text")).to_have_text("First")
    await expect(chat.message(own.message_id).get_by_test_id("edited")).to_be_visible()
    await chat.choose("Delete", own.message_id)
    await chat.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(chat.message(own.message_id)).to_have_count(0)


async def test_commands_are_offered_and_complete_while_written(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    await people.group("Garden Club", ada)
    await bot.api.set_my_commands([("start", "Begin"), ("stop", "End"), ("keys", "Show the keyboard")])
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.page.get_by_test_id("command-menu").click()
    offered = chat.page.get_by_test_id("commands").get_by_role("option")
    await expect(offered).to_have_count(3)
    await chat.composer.fill("/st")
    await expect(offered).to_have_text([re.compile("/start.*Begin"), re.compile("/stop.*End")])
    await chat.composer.press("ArrowDown")
    await chat.composer.press("Enter")
    await chat.sees("You said: /stop")
    await chat.open_chat("Garden Club")
    await chat.composer.fill("/star")
    await chat.composer.press("Enter")
    await chat.sees("Welcome")
    assert (await chat.sees("/start")).text == "/start@stepgram_bot"


async def test_a_command_in_a_text_is_sent_by_a_click(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    await people.writes(ada, "hi")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await bot.api.send_message(ada, "Press /help for help")
    await chat.saying("for help").get_by_role("button", name="/help").click()
    await chat.sees("You said: /help")


async def test_text_is_text_and_its_entities_are_shown(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    await people.writes(ada, "<img src=x onerror=alert(1)> 👩‍🚀 **no**")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.sees("You said: <img src=x onerror=alert(1)> 👩‍🚀 **no**")
    await bot.api.send_message(ada, FORMATTED, parse_mode="HTML")
    text = chat.saying("bold").get_by_test_id("text")
    await expect(text.locator("strong")).to_have_text("bold both")
    await expect(text.locator("strong em")).to_have_text("both")
    await expect(text.locator("blockquote")).to_have_text("quoted")
    await expect(text.locator("pre")).to_have_text(re.compile(r"python.*print\(1\)"))
    link = text.get_by_role("link", name="link")
    assert await link.get_attribute("href") == "https://example.org/a"
    assert await link.get_attribute("rel") == "noopener noreferrer"
    spoiler = text.locator(".spoiler")
    await spoiler.click()
    await expect(spoiler).to_have_class(re.compile("shown"))


async def test_what_was_not_seen_is_counted_until_it_is(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    await people.group("Garden Club", ada)
    await people.writes(ada, "hi")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.sees("You said: hi")
    await chat.open_chat("Garden Club")
    for number in range(3):
        await bot.api.send_message(ada, f"News {number}")
    row = chat.chat_row("Stepgram")
    await expect(row).to_have_attribute("data-unread", "3")
    await expect(row).to_have_accessible_name("Stepgram, 3 unread")
    await expect(chat.page).to_have_title(re.compile(r"^\(3\) "))
    await chat.open_chat("Stepgram")
    await expect(chat.timeline).to_contain_text("Unread messages")
    await expect(row).to_have_attribute("data-unread", "0")


async def test_a_reload_keeps_everything(people: People, open_chat_page: Opener, tmp_path: Path) -> None:
    ada, bob = await people.person("Ada"), await people.person("Bob")
    await people.group("Garden Club", ada, bob)
    chat = await open_chat_page(bob)
    await chat.open_chat("Stepgram")
    await chat.send("/start")
    await chat.sees("Welcome")
    await chat.press("Edit")
    await chat.sees("Edited by the bot")
    await chat.upload(picture(tmp_path / "sea.png"), as_picture=True)
    await chat.sees("Your picture")
    before = await chat.last_bubbles(20)
    await chat.page.reload()
    await chat.sees("Your picture")
    assert await chat.last_bubbles(20) == before
    await expect(chat.page.get_by_test_id(f"person-{bob}")).to_have_attribute("aria-current", "true")
    await expect(chat.chat_row("Stepgram")).to_have_attribute("data-unread", "0")


async def test_people_and_groups_can_be_made_on_the_page(open_chat_page: Opener) -> None:
    chat = await open_chat_page()
    for name in ("Ada", "Bob"):
        await chat.page.get_by_role("button", name="New person").click()
        window = chat.page.get_by_test_id("new-person")
        await window.get_by_label("First name").fill(name)
        await window.get_by_label("Username").fill(f"@{name.lower()}_1")
        await window.get_by_role("button", name="Create").click()
        await expect(chat.page.get_by_role("button", name=f"{name}, that is you")).to_be_visible()
    await chat.page.get_by_role("button", name="New group").click()
    window = chat.page.get_by_test_id("new-group")
    await window.get_by_label("Name", exact=True).fill("Garden Club")
    await window.get_by_role("checkbox", name="Ada").check()
    await window.get_by_role("button", name="Create").click()
    await expect(chat.page.get_by_test_id("chat-title")).to_have_text("Garden Club")
    await chat.send("Here we are")

    await chat.page.get_by_test_id("chat-info").click()
    window = chat.page.get_by_test_id("chat-info-dialog")
    await expect(window.get_by_label("Bob is")).to_have_value("creator")
    await window.get_by_label("Ada is").select_option("administrator")
    await expect(chat.toast).to_have_text("Ada: administrator")
    await window.get_by_role("button", name="Close").click()
    await chat.page.get_by_role("button", name="Ada").click()
    assert not (await chat.sees("Here we are")).mine


async def test_a_blocked_bot_is_refused_until_it_is_unblocked(
    people: People, bot: EchoBot, open_chat_page: Opener
) -> None:
    ada = await people.person("Ada")
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.send("hi")
    for action, status in (("Block the bot", "bot, blocked by you"), ("Unblock the bot", "bot")):
        await chat.page.get_by_test_id("chat-info").click()
        await chat.page.get_by_role("dialog").get_by_role("button", name=action).click()
        await expect(chat.page.get_by_test_id("chat-status")).to_have_text(status)
    await bot.api.send_message(ada, "Here again")
    await chat.sees("Here again")


async def test_a_lost_connection_comes_back_by_itself(browser: Browser) -> None:
    async with AsyncExitStack() as stack:
        async with running_sandbox() as first:
            chat = await stack.enter_async_context(watched_page(browser, first.url))
            await chat.open()
            await expect(chat.page.get_by_text("Make a person with the plus button, then")).to_be_visible()
        await expect(chat.page.get_by_text("Connecting…")).to_be_visible()

        second = await stack.enter_async_context(running_sandbox(port=int(first.url.rpartition(":")[2])))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=second.url, trust_env=False))
        await People(client).person("Ada")
        await expect(chat.page.get_by_text("Connecting…")).to_be_hidden()
        await expect(chat.page.get_by_role("button", name="Ada, that is you")).to_be_visible()


async def test_a_phone_shows_either_the_chats_or_one_of_them(people: People, open_chat_page: Opener) -> None:
    chat = await open_chat_page(await people.person("Ada"), width=390, height=844)
    await expect(chat.page.locator("#chat")).to_be_hidden()
    await chat.open_chat("Stepgram")
    await expect(chat.page.locator("#sidebar")).to_be_hidden()
    await chat.send("/start")
    await chat.sees("Welcome")
    assert await chat.page.evaluate("document.documentElement.scrollWidth") == 390
    await chat.page.get_by_role("button", name="Back to the chats").click()
    await expect(chat.page.locator("#sidebar")).to_be_visible()


async def test_the_keyboard_is_enough(people: People, open_chat_page: Opener) -> None:
    chat = await open_chat_page(await people.person("Ada"))
    await chat.chat_row("Stepgram").focus()
    keys = chat.page.keyboard
    await keys.press("Enter")
    await expect(chat.composer).to_be_focused()
    await keys.type("first")
    await keys.press("Enter")
    await chat.sees("You said: first")
    await keys.press("ArrowUp")
    await expect(chat.composer).to_have_value("first")
    await keys.press("Escape")
    await expect(chat.composer).to_have_value("")
    await chat.timeline.focus()
    await keys.press("ArrowUp")
    await keys.press("Enter")
    await expect(chat.page.get_by_role("menuitem", name="Reply")).to_be_focused()
    await keys.press("Enter")
    await expect(chat.page.get_by_test_id("reply-bar")).to_contain_text("You said: first")
    await expect(chat.composer).to_be_focused()


async def test_everything_has_an_accessible_name(
    people: People, bot: EchoBot, open_chat_page: Opener, tmp_path: Path
) -> None:
    ada = await people.person("Ada")
    await bot.api.set_my_commands([("start", "Begin")])
    chat = await open_chat_page(ada)
    await chat.open_chat("Stepgram")
    await chat.send("/keys")
    await chat.sees("Yes or no?")
    await chat.upload(picture(tmp_path / "sea.png"), as_picture=True)
    await chat.sees("Your picture")
    assert await chat.page.evaluate(NAMELESS) == []
