"""The durable inbox: an update is a row before it is acknowledged."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx, notify
from shared.models import Json, Update
from shared.queues import Queue

UPDATES = Queue("updates", Update, ("queued",), order_key="order_key", poison="poison", max_attempts=5)
"""Stored updates; a chat's messages in order, a person's taps in order, everything else side by side."""

CHAT_UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "my_chat_member",
    "chat_member",
)


async def store(tx: Tx, bot_id: int, updates: Sequence[Json]) -> int:
    """Store what Telegram delivered, each once; the number that were new."""
    rows = [
        {
            "bot_id": bot_id,
            "update_id": update["update_id"],
            "order_key": order_key(update),
            "payload": update,
            "state": "queued",
        }
        for update in updates
        if is_update(update)
    ]
    if not rows:
        return 0
    statement = insert(Update).values(rows).on_conflict_do_nothing().returning(Update.id)
    stored = len((await tx.scalars(statement)).all())
    if stored:
        await notify(tx, UPDATES.name)
    return stored


def is_update(update: Any) -> bool:
    """Whether it has the one thing that makes it storable: its id."""
    number = update.get("update_id") if isinstance(update, dict) else None
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**63


def order_key(update: Json) -> str:
    """What must be handled one after the other. Telegram keeps order in a chat and among a person's taps."""
    for name in CHAT_UPDATES:
        if name in update:
            return f"chat:{_id_in(update[name], 'chat')}"
    if "callback_query" in update:
        return f"taps:{_id_in(update['callback_query'], 'from')}"
    return f"update:{update.get('update_id')}"


def _id_in(part: Any, name: str) -> int | None:
    """The id of a chat or person; None for anything else, which could be longer than an index takes."""
    inner = part.get(name) if isinstance(part, dict) else None
    number = inner.get("id") if isinstance(inner, dict) else None
    return number if isinstance(number, int) and -(2**63) <= number < 2**63 else None
