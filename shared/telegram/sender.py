"""Sends the outbox: each waiting message once, within the budget, and every change of a shown one."""

import structlog
from sqlalchemy import func, select
from telegram import (
    ForceReply,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    MessageEntity,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, TelegramError

from shared import outbox, transitions
from shared.db import Database, Tx
from shared.errors import AuthorError, StepgramError
from shared.models import Json, Prompt
from shared.queues import Later
from shared.storage import Storage
from shared.telegram.attachments import Attachments, Memo
from shared.telegram.client import SharedBot, TelegramRefused, TelegramUnavailable, Unreachable, translate
from shared.telegram.deletions import Deletions, can_go_along
from shared.telegram.governor import PAID, Governor

log = structlog.get_logger(__name__)

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

SPARED = 5
"""Messages at once that a change leaves to the replies of its chat, unless it is one itself."""

CHANGE_PATIENCE_S = 0.2
"""A change stands in line so long for the bot's budget; a reply among the changes must not wait behind it."""

GONE = ("not found", "can't be edited", "can't be deleted", "not modified", "message_id_invalid")
"""Answers that mean: there is nothing left to change on this message."""

Markup = InlineKeyboardMarkup | ForceReply | ReplyKeyboardMarkup | ReplyKeyboardRemove | None


class Sender:
    """The handlers of the outbox's two queues."""

    def __init__(
        self,
        db: Database,
        bot: SharedBot,
        storage: Storage,
        governor: Governor,
        *,
        undeliverable_after_s: float = 7 * 86_400,
        claim_s: float = 10.0,
    ) -> None:
        self._db = db
        self._bot = bot
        self._attachments = Attachments(db, bot, storage)
        self._governor = governor
        self._deletions = Deletions(db, bot, claim_s)
        self._undeliverable_after_s = undeliverable_after_s

    async def send_overdue(self, prompt: Prompt) -> None:
        """Send one message of a lower lane that has waited long enough to go among the prompts."""
        await self.send(prompt, lane=min(prompt.priority, outbox.PROMPT))

    async def send(self, prompt: Prompt, *, lane: int | None = None) -> None:
        """Send one message and record its id; a crash between the two may send it twice."""
        await self._governor.take(prompt.chat_id, lane=prompt.priority if lane is None else lane)
        try:
            message, memo = await self._send(prompt.chat_id, prompt.content)
        except ChatMigrated as error:
            async with self._db.begin() as tx:
                await transitions.move_chat(tx, prompt.chat_id, error.new_chat_id)
            raise Later("the group became a supergroup", retry_after_s=0) from error
        except TelegramError as error:
            await self._not_sent(prompt, translate(error))
            return
        async with self._db.begin() as tx:
            # Everybody locks a step before its prompts.
            if prompt.pending_reply_id is not None:
                await transitions.posted(tx, prompt.pending_reply_id, in_chat=prompt.chat_id)
            await outbox.record_sent(tx, prompt, message.message_id)
            await self._attachments.remember(tx, memo)

    async def _send(self, chat_id: int, content: Json) -> tuple[Message, Memo | None]:
        markup = _markup(content, self._bot)
        text = str(content.get("text", ""))
        entities = MessageEntity.de_list(content.get("entities", []), self._bot)
        reply_to = content.get("reply_to")
        reply = ReplyParameters(reply_to, allow_sending_without_reply=True) if reply_to else None
        thread_id = content.get("thread_id")
        if "photo" in content or "document" in content:
            return await self._attachments.send(
                chat_id, content, caption=text, caption_entities=entities, reply_markup=markup,
                reply_parameters=reply, message_thread_id=thread_id, rate_limit_args=PAID,
            )  # fmt: skip
        message = await self._bot.send_message(
            chat_id, text, entities=entities, reply_markup=markup, reply_parameters=reply,
            message_thread_id=thread_id, link_preview_options=NO_PREVIEW, rate_limit_args=PAID,
        )  # fmt: skip
        return message, None

    async def _not_sent(self, prompt: Prompt, error: StepgramError) -> None:
        if isinstance(error, TelegramUnavailable):
            if error.retry_after_s is not None:
                raise Later(str(error), retry_after_s=error.retry_after_s)
            raise error
        if isinstance(error, TelegramRefused):
            raise AuthorError(f"Telegram refused the message: {error}")
        if not isinstance(error, Unreachable):
            raise error
        log.info("undeliverable", chat=prompt.chat_id, reason=str(error))
        async with self._db.begin() as tx:
            if prompt.pending_reply_id is not None:
                await transitions.undeliverable(
                    tx,
                    prompt.pending_reply_id,
                    in_chat=prompt.chat_id,
                    give_up_after_s=self._undeliverable_after_s,
                )
            await outbox.record_unreachable(tx, prompt, str(error))

    async def incident(self, tx: Tx, prompt: Prompt, reason: str) -> None:
        """A message of a step that can never be sent makes the step an incident."""
        if prompt.pending_reply_id is None:
            return
        reply = await transitions.lock_reply(tx, prompt.pending_reply_id)
        if reply is not None and reply.chat_id == prompt.chat_id:  # else it was handed over meanwhile
            await transitions.give_up(tx, reply.id, reason)

    async def change(self, prompt: Prompt) -> None:
        """Edit, close or take away one message, after whatever new waits for its chat.

        One that is taken away takes others of its chat along.
        """
        if prompt.message_id is None:
            # Its sender died before it knew the id; a copy that exists is found when it is touched.
            await self._changed(prompt)
            return
        await self._let_new_ones_pass(prompt.chat_id)
        if in_bulk := can_go_along(prompt):
            await self._deletions.leave_to_elder(prompt)
        is_reply = prompt.state == "editing" and prompt.priority == outbox.REPLY
        await self._governor.take(
            prompt.chat_id,
            lane=outbox.REPLY if is_reply else outbox.BULK,
            spare=0 if is_reply else SPARED,
            patience_s=CHANGE_PATIENCE_S,
        )
        if in_bulk and (others := await self._deletions.take_along(prompt)):
            await self._deletions.make(prompt, others)
            return
        try:
            await self._change(prompt, prompt.message_id)
        except TelegramError as error:
            ours = translate(error)
            if isinstance(ours, TelegramUnavailable):
                raise ours from error
            if not any(word in str(ours).lower() for word in GONE):
                log.warning("a message cannot be changed", reason=str(ours), prompt=prompt.id)
        await self._changed(prompt)

    async def _let_new_ones_pass(self, chat_id: int) -> None:
        due = Prompt.chat_id == chat_id, Prompt.state == "queued", Prompt.due_at <= func.now()
        async with self._db.begin() as tx:
            if await tx.scalar(select(Prompt.id).where(*due).limit(1)) is not None:
                raise Later("a new message goes first", retry_after_s=0.2)

    async def _change(self, prompt: Prompt, message_id: int) -> None:
        content = prompt.content
        chat_id = prompt.chat_id
        if prompt.state == "deleting" and await self._is_deleted(chat_id, message_id):
            return
        markup = _markup(content, self._bot)
        inline = markup if isinstance(markup, InlineKeyboardMarkup) else None
        entities = MessageEntity.de_list(content.get("entities", []), self._bot)
        if not content.get("text"):
            await self._bot.edit_message_reply_markup(
                chat_id, message_id, reply_markup=inline, rate_limit_args=PAID
            )
        elif "photo" in content or "document" in content:
            await self._bot.edit_message_caption(
                chat_id, message_id, caption=content["text"], caption_entities=entities,
                reply_markup=inline, rate_limit_args=PAID,
            )  # fmt: skip
        else:
            await self._bot.edit_message_text(
                content["text"], chat_id, message_id, entities=entities, reply_markup=inline,
                link_preview_options=NO_PREVIEW, rate_limit_args=PAID,
            )  # fmt: skip

    async def _is_deleted(self, chat_id: int, message_id: int) -> bool:
        """Delete a message; False where Telegram no longer does, which begins after 48 hours."""
        try:
            await self._bot.delete_message(chat_id, message_id, rate_limit_args=PAID)
        except BadRequest as error:
            if "can't be deleted" not in error.message.lower():
                raise
            return False
        return True

    async def _changed(self, prompt: Prompt) -> None:
        async with self._db.begin() as tx:
            await outbox.record_changed(tx, prompt)


def _markup(content: Json, bot: SharedBot) -> Markup:
    raw = content.get("reply_markup")
    if not raw:
        return None
    for key, kind in (
        ("inline_keyboard", InlineKeyboardMarkup),
        ("force_reply", ForceReply),
        ("keyboard", ReplyKeyboardMarkup),
        ("remove_keyboard", ReplyKeyboardRemove),
    ):
        if key in raw:
            return kind.de_json(raw, bot)
    return None
