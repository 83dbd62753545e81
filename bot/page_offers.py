"""Offers of the upload page: a fresh link for one person, shown where nobody else reads it.

In a private chat over https it opens as a Web App, and its address can be copied for another device. In a
group nobody is shown one: a tap leads to the private chat first.
"""

from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from bot.context import Context
from bot.dialogs import Dialog, open_dialog
from shared import texts, upload_pages
from shared.files import FileRefused
from shared.links import to_bot
from shared.markup import render_html
from shared.models import Json, UploadPage
from shared.settings import Settings
from shared.signing import LINKS, PAGES, Link, PageKind, PageToken, derive_key, sign_link, sign_page
from shared.steps.conversation import Draft
from shared.steps.model import Ask
from shared.steps.widgets import Rows

COPY_TEXT_CHARS = 256
"""What Telegram takes on a button that copies a text."""


async def tapped(context: Context, dialog: Dialog, ask: Ask) -> None:
    """Somebody who may answer has tapped the button for larger files."""
    if context.services.settings.upload_page_url is None or ask.name != _asked_now(dialog):
        context.toast(texts.say("outdated"), alert=True)
    elif context.is_private:
        context.toast()
        await offer(context, dialog, ask)
    else:
        page = await _new_page(context, dialog, ask)
        await _lead_to_private_chat(context, page)


def under_refusal(context: Context, dialog: Dialog, ask: Ask, refused: FileRefused) -> Rows:
    """In a group, the button under the words that a file is too large for Telegram."""
    offers = context.services.settings.upload_page_url is not None and not context.is_private
    if not offers or refused.reason != "too_large_for_telegram":
        return ()
    index = dialog.step.asks.index(ask)
    return (((texts.say("button-upload-page"), dialog.sign(f"q{index}", "u")),),)


async def offer(context: Context, dialog: Dialog, ask: Ask) -> None:
    """Post a fresh link into the person's private chat, if there is a page at all."""
    if context.services.settings.upload_page_url is not None:
        await _post(context, dialog, ask, await _new_page(context, dialog, ask))


async def follow(context: Context, page_id: int) -> None:
    """Somebody came from a group for their link."""
    page = await upload_pages.by_id(context.tx, page_id)
    found = None if page is None else await _still_wanted(context, page)
    if page is None or found is None:
        await context.say(texts.say("link-not-valid"))
    else:
        await _post(context, *found, page)


async def _still_wanted(context: Context, page: UploadPage) -> tuple[Dialog, Ask] | None:
    """The question of a page, if it is this person's and still asked."""
    is_offered = context.services.settings.upload_page_url is not None
    if not is_offered or page.user_id != context.user.id or page.state != "open":
        return None
    dialog = await open_dialog(context, page.pending_reply_id)
    if dialog is None or _asked_now(dialog) != page.variable:
        return None
    if not await dialog.may_be_answered_by(context.user.id):
        return None
    return dialog, next(each for each in dialog.step.asks if each.name == page.variable)


def _asked_now(dialog: Dialog) -> str | None:
    return None if dialog.next_ask is None else dialog.step.asks[dialog.next_ask].name


async def _new_page(context: Context, dialog: Dialog, ask: Ask) -> UploadPage:
    return await upload_pages.add(
        context.tx,
        link_s=context.services.settings.upload_link_s,
        pending_reply_id=dialog.reply.id,
        variable=ask.name,
        chat_id=dialog.reply.chat_id,
        user_id=context.user.id,
        user_name=context.user.full_name,
    )


async def _lead_to_private_chat(context: Context, page: UploadPage) -> None:
    services, query_id = context.services, context.query.id
    key = derive_key(services.settings.bot_token.get_secret_value(), LINKS)
    token = sign_link(Link("upload", str(page.id)), page.until, page.user_id, key)

    async def lead() -> None:
        me = await services.bot.get_me()
        await services.bot.answer_callback_query(query_id, url=to_bot(me.username or "", token))

    context.after.append(lead)


async def _post(context: Context, dialog: Dialog, ask: Ask, page: UploadPage) -> None:
    settings = context.services.settings
    browser = address_of(settings, page, "browser")
    words = texts.upload_link(ask.label, page.until)
    keyboard: Json | None = None
    if urlsplit(browser).scheme == "https":
        rows = [[{"text": texts.say("button-open-page"), "web_app": {"url": address_of(settings, page)}}]]
        if len(browser) <= COPY_TEXT_CHARS:
            rows.append([{"text": texts.say("button-copy-link"), "copy_text": {"text": browser}}])
        keyboard = {"inline_keyboard": rows}
    elif not _is_of_this_machine(browser):
        keyboard = {"inline_keyboard": [[{"text": texts.say("button-open-page"), "url": browser}]]}
    else:  # Telegram takes no button with such an address
        words = f"{words}<br/>{browser}"
    is_here = dialog.reply.chat_id == context.chat_id
    item = f"q{dialog.step.asks.index(ask)}" if is_here else None
    draft = Draft("notice", render_html(words, live=True), item=item, keyboard=keyboard)
    await context.post([draft], pending_reply_id=dialog.reply.id)


def address_of(settings: Settings, page: UploadPage, kind: PageKind = "webapp") -> str:
    """The address of a page, as a Web App or for whatever browser comes first."""
    key = derive_key(settings.bot_token.get_secret_value(), PAGES)
    token = PageToken(kind, page.id, page.user_id, page.until)
    return f"{settings.upload_page_url}/upload/{sign_page(token, key)}"


def _is_of_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return "." not in host


def is_late(token: PageToken) -> bool:
    """Whether it is too late for a browser to take the page."""
    return datetime.now(UTC) >= token.until
