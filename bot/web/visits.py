"""A browser at an upload page: whether it may be there, and what it may do, in one transaction."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot import page_offers
from bot.dialogs import Dialog, how_it_ended
from bot.uploader import waited_for
from bot.web.initdata import opened_by
from shared import people, texts, transitions, upload_pages
from shared.db import Tx
from shared.errors import StepgramError
from shared.models import PendingReply, Upload, UploadPage
from shared.service import Services
from shared.settings import Settings
from shared.signing import PAGES, PageToken, derive_key, verify_page
from shared.steps.model import Ask

SESSION = re.compile(r"[A-Za-z0-9_-]{32,128}", re.ASCII)
"""What a browser makes up to be known by: 192 bits of chance or more."""


class Refused(StepgramError):
    """The browser is told ``sentence`` with that HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"{status}: {sentence}")
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says of itself."""

    token: str
    session: str = ""
    init_data: str = ""


@dataclass(frozen=True)
class Visit:
    """A page in hand: its step and its row are locked."""

    tx: Tx
    page: UploadPage
    dialog: Dialog
    ask: Ask | None
    """What its files are for; None once nobody waits for them."""

    async def file(self, number: int) -> Upload:
        """A file that is being sent on this page.

        Raises:
            Refused: it is none, or not any more.
        """
        found = await upload_pages.files(self.tx, self.page.id, state="sending")
        upload = next((each for each in found if each.id == number), None)
        if upload is None:
            raise Refused(409, texts.say("page-file-over"))
        return upload


def token_of(settings: Settings, text: str) -> PageToken:
    """What an address is of.

    Raises:
        Refused: it is not ours.
    """
    token = verify_page(text, derive_key(settings.bot_token.get_secret_value(), PAGES))
    if token is None:
        raise Refused(404, texts.say("page-unknown"))
    return token


@asynccontextmanager
async def visit(services: Services, caller: Caller, *, reads: bool = False) -> AsyncIterator[Visit]:
    """Be at a page that this browser has taken, or takes now; whoever only ``reads`` takes nothing.

    Raises:
        Refused: the page is not there, not theirs, used by another browser, or over.
    """
    token = token_of(services.settings, caller.token)
    async with services.db.begin() as tx:
        page = await upload_pages.by_id(tx, token.page_id)
        if page is None or page.user_id != token.user_id:
            raise Refused(404, texts.say("page-unknown"))
        async with people.speaking_to(tx, page.user_id):
            _check_opener(services.settings, token, caller, page)
            reply = await transitions.lock_reply(tx, page.pending_reply_id)
            page = await upload_pages.by_id(tx, page.id, lock=True) or page
            if reply is None:
                raise Refused(410, texts.say("page-over"))
            await _check_session(tx, token, caller, page, reads=reads)
            dialog = Dialog(tx, services, reply)
            ask = waited_for(reply, stand_in(page))
            if not reads:
                await _check_step(dialog, page, ask)
            yield Visit(tx, page, dialog, ask)


def _check_opener(settings: Settings, token: PageToken, caller: Caller, page: UploadPage) -> None:
    """A Web App is opened by the person whom Telegram names, and by nobody else.

    Its data is as old as its window, so only whoever takes the page must bring fresh data.
    """
    if token.kind == "browser":
        return
    max_age_s = None if page.state == "taken" else float(settings.upload_link_s)
    bot_token = settings.bot_token.get_secret_value()
    opener = opened_by(caller.init_data, bot_token, now_s=time.time(), max_age_s=max_age_s)
    if opener != page.user_id:
        raise Refused(403, texts.say("page-in-telegram"))


async def _check_session(tx: Tx, token: PageToken, caller: Caller, page: UploadPage, *, reads: bool) -> None:
    if upload_pages.is_of(page, caller.session):
        if page.state == "closed" and not reads:
            raise Refused(410, texts.say("page-over"))
    elif page.state == "taken":
        raise Refused(409, texts.say("page-used"))
    elif page.state == "closed" or page_offers.is_late(token):
        raise Refused(410, texts.say("page-expired"))
    elif not reads:
        if SESSION.fullmatch(caller.session) is None:
            raise Refused(400, texts.say("page-unknown"))
        await upload_pages.take(tx, page, caller.session)


async def _check_step(dialog: Dialog, page: UploadPage, ask: Ask | None) -> None:
    if ask is None:
        raise Refused(410, _why_over(dialog.reply))
    if dialog.next_ask is None or dialog.step.asks[dialog.next_ask].name != ask.name:
        raise Refused(409, texts.say("already-here"))


def _why_over(reply: PendingReply) -> str:
    return texts.say("already-here") if reply.state in transitions.OPEN else how_it_ended(reply)


def stand_in(page: UploadPage) -> Upload:
    """As much of a file of the page as says what it is for."""
    return Upload(variable=page.variable, chat_id=page.chat_id)
