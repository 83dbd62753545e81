"""How many unanswered steps a chat shows at once: thousands for one person come as they are answered.

A step that is parked takes a place of its chat. Where none is free, or others are held back already, its
messages are held back, and one message says how many steps that concerns. The oldest held message of a chat
asks for a place when a step is over, and otherwise once in a while.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import BigInteger, Boolean, ColumnElement, Select, func, select

from shared import outbox, people, texts, transitions
from shared.db import Database, Tx, given
from shared.markup import render_html
from shared.models import PendingReply, Prompt
from shared.queues import Later
from shared.steps.conversation import Draft

PLACE_S = 3600.0
"""A step keeps its place for so long; else ten that nobody answers would hide all others for ever."""

LOOK_AGAIN_S = 60.0
TELL_EVERY_S = 10.0
COUNTED = 1000
"""Counting further would cost more than it tells."""


async def take(tx: Tx, steps: Sequence[tuple[int, int]], at_once: int) -> set[int]:
    """Give steps (reply id, chat id) that are being parked places in their chats, in this order.

    Those that are not in the answer are to be held back.
    """
    if not steps:
        return set()
    rows = [{"reply_id": reply_id, "chat_id": chat_id} for reply_id, chat_id in steps]
    asking = given(rows, reply_id=BigInteger(), chat_id=BigInteger()).c
    call = func.take_place(asking.reply_id, asking.chat_id, at_once, PLACE_S, type_=Boolean)
    found = await tx.execute(select(asking.reply_id, call))
    return {reply_id for reply_id, has_place in found if has_place}


async def tell_rest(tx: Tx, chat_id: int) -> None:
    """Say in the chat how many steps are held back, and see to it that they are not forgotten."""
    held = _open(chat_id, PendingReply.shown_at.is_(None)).limit(COUNTED).subquery()
    count = await tx.scalar(select(func.count()).select_from(held)) or 0
    if not count:
        await outbox.end_shown(tx, outbox.rest_key(chat_id))
        return
    async with people.speaking_to(tx, chat_id):
        rich = render_html(texts.held_back(count, is_more=count == COUNTED), live=True)
    await outbox.show(tx, outbox.rest_key(chat_id), chat_id, Draft("notice", rich), every_s=TELL_EVERY_S)
    await outbox.look_after_held(tx, chat_id, LOOK_AGAIN_S)


class Places:
    """The handler of the held messages' queue."""

    def __init__(self, db: Database, at_once: int) -> None:
        self._db = db
        self._at_once = at_once

    async def ask(self, prompt: Prompt) -> None:
        """Show the step of a message that is held back, if its chat has a place for it."""
        async with self._db.begin() as tx:
            # Everybody locks a step before its chat, and that before its prompts.
            reply = await transitions.lock_reply(tx, prompt.pending_reply_id or 0)
            if reply is None or reply.state not in transitions.OPEN:
                return
            await transitions.alone_in_chat(tx, prompt.chat_id)
            has_place = await self._has_place(tx, prompt.chat_id, reply.id)
            if has_place:
                await transitions.place(tx, reply.id, shown=True)
                await outbox.release(tx, reply.id)
                await outbox.wake_held(tx, prompt.chat_id)
            await tell_rest(tx, prompt.chat_id)
        if not has_place:
            raise Later("every place of the chat is taken", retry_after_s=LOOK_AGAIN_S)

    async def _has_place(self, tx: Tx, chat_id: int, reply_id: int) -> bool:
        # Who cannot be reached gets the rest when they are back.
        away = _open(chat_id, PendingReply.state == "undeliverable").limit(1)
        if await tx.scalar(away) is not None:
            return False
        return await _shown(tx, chat_id, reply_id, self._at_once) < self._at_once


def _open(chat_id: int, *which: ColumnElement[bool]) -> Select[int]:
    return select(PendingReply.id).where(
        PendingReply.chat_id == chat_id, PendingReply.state.in_(transitions.OPEN), *which
    )


async def _shown(tx: Tx, chat_id: int, but: int, at_most: int) -> int:
    """How many steps have a place of the chat, without one and not counted further than asked."""
    since = func.now() - timedelta(seconds=PLACE_S)
    found = _open(chat_id, PendingReply.shown_at > since, PendingReply.id != but).limit(at_most).subquery()
    return await tx.scalar(select(func.count()).select_from(found)) or 0
