"""Takes the messages of a chat that are to go away together: one call for all, where each by itself is dear.

The oldest of them takes the others along, which are claimed as it is; a crash lets the claims lapse, and
deleting again does no harm. What has failed once goes by itself: Telegram refuses all for the sake of one.
"""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, case, func, select
from telegram.error import BadRequest, TelegramError

from shared.db import Database
from shared.models import Prompt
from shared.outbox import CHANGES, record_changed
from shared.queues import Later, LostClaim, claim_also, settle
from shared.telegram.client import SharedBot, TelegramUnavailable, translate
from shared.telegram.governor import PAID

log = structlog.get_logger(__name__)

AT_ONCE = 100
"""Messages that Telegram deletes by one call."""

YOUNG = timedelta(hours=47)
"""Up to this age a message is surely deleted; Telegram does so for 48 hours."""

LOOK_AGAIN_S = 0.2
"""Until then the elder has taken a message along, or the message goes by itself."""


def can_go_along(prompt: Prompt) -> bool:
    """Whether a message that is claimed may go together with others: it never failed, and is young."""
    is_young = prompt.sent_at is not None and datetime.now(UTC) - prompt.sent_at < YOUNG
    return prompt.state == "deleting" and prompt.attempts <= 1 and is_young


class Deletions:
    """What the sender does for messages that can go together."""

    def __init__(self, db: Database, bot: SharedBot, claim_s: float) -> None:
        self._db = db
        self._bot = bot
        # Nobody extends these claims: if a call takes longer, the messages are deleted twice, which is fine.
        self._claim_s = claim_s

    async def leave_to_elder(self, prompt: Prompt) -> None:
        """Give a message back where an elder of its chat is in hand, which takes it along.

        Raises:
            Later: there is one.
        """
        never_failed = Prompt.attempts == case((Prompt.claim.is_(None), 0), else_=1)
        elder = select(Prompt.id).where(*_young_in(prompt.chat_id), Prompt.id < prompt.id, never_failed)
        async with self._db.begin() as tx:
            if await tx.scalar(elder.limit(1)) is not None:
                raise Later("another deletion takes this one along", retry_after_s=LOOK_AGAIN_S)

    async def take_along(self, prompt: Prompt) -> Sequence[Prompt]:
        """Claim the other messages of a chat that can go with this one."""
        free = (*_young_in(prompt.chat_id), Prompt.claim.is_(None), Prompt.attempts == 0)
        async with self._db.begin() as tx:
            return await claim_also(tx, CHANGES, free, AT_ONCE - 1, self._claim_s)

    async def make(self, prompt: Prompt, others: Sequence[Prompt]) -> None:
        """Delete them all by one call, which is paid for.

        Raises:
            TelegramUnavailable: none of them was; the others are free again.
        """
        every = sorted((prompt, *others), key=lambda each: each.id)  # everybody locks them by age
        ids = [each.message_id for each in every if each.message_id is not None]
        try:
            await self._bot.delete_messages(prompt.chat_id, ids, rate_limit_args=PAID)
        except BadRequest as error:
            log.info("messages are deleted one by one", reason=error.message, chat=prompt.chat_id)
            await self._give_back(every, attempts=1)
        except TelegramError as error:
            ours = translate(error)
            if isinstance(ours, TelegramUnavailable):
                await self._give_back(others, attempts=0)
                raise ours from error
            log.warning("messages cannot be deleted", reason=str(ours), chat=prompt.chat_id)
            await self._made(every)
        else:
            await self._made(every)

    async def _give_back(self, prompts: Sequence[Prompt], *, attempts: int) -> None:
        async with self._db.begin() as tx:
            for each in prompts:
                with contextlib.suppress(LostClaim):
                    await settle(tx, each, attempts=attempts, due_at=func.now())

    async def _made(self, prompts: Sequence[Prompt]) -> None:
        async with self._db.begin() as tx:
            for each in prompts:
                with contextlib.suppress(LostClaim):  # somebody else has deleted it, too
                    await record_changed(tx, each)


def _young_in(chat_id: int) -> tuple[ColumnElement[bool], ...]:
    """The messages of a chat that are to be deleted and surely can be."""
    return (
        Prompt.chat_id == chat_id,
        Prompt.state == "deleting",
        Prompt.message_id.is_not(None),
        Prompt.sent_at > func.now() - YOUNG,
    )
