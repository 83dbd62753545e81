"""The durable inbox: an update is a row before it is acknowledged."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import BigInteger, Boolean, Executable, Table, Text, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.db import Tx, given, notify
from shared.models import Json, Update
from shared.queues import Queue, birth, hand_over, kept

UPDATES = Queue("updates", Update, ("queued",), order_key="order_key", poison="poison", max_attempts=5)
"""Stored updates; a chat's messages in order, a person's taps in order, everything else side by side."""

TABLE = cast("Table", Update.__table__)

KINDS = ("message", "edited_message", "callback_query", "my_chat_member")
"""The kinds of update that mean something to us."""

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
    # In Telegram's order: two processes with the same updates do not wait for each other.
    stored = sorted(filter(is_update, updates), key=lambda update: update["update_id"])
    # What means nothing to us waits for nobody.
    means = [any(kind in update for kind in KINDS) for update in stored]
    keys = [order_key(update) for update in stored]
    ours = kept(tx, UPDATES, (key if meant else None for key, meant in zip(keys, means, strict=True)))
    rows = [
        {
            "place": place,
            "update_id": update["update_id"],
            "order_key": keys[place],
            "payload": update,
            "state": "queued" if means[place] else "handled",
            "is_ours": ours[place],
        }
        for place, update in enumerate(stored)
    ]
    if not rows:
        return 0
    made = (await tx.execute(_store_statement(tx, rows, bot_id))).all()
    handed = {row.order_key for row in made if row.claim is not None}
    for row in made:
        if row.claim is not None:
            hand_over(tx, UPDATES, Update(**row._asdict()), None)
    if any(row.state == "queued" and row.order_key not in handed for row in made):
        await notify(tx, UPDATES.name)
    return len(made)


def _store_statement(tx: Tx, rows: Sequence[Json], bot_id: int) -> Executable:
    new = given(
        rows,
        place=BigInteger(),
        update_id=BigInteger(),
        order_key=Text(),
        payload=JSONB(),
        state=Text(),
        is_ours=Boolean(),
    ).c
    values: dict[str, Any] = {
        "bot_id": literal(bot_id, BigInteger()),
        "update_id": new.update_id,
        "order_key": new.order_key,
        "payload": new.payload,
        "state": new.state,
        **birth(tx, UPDATES, new.is_ours, new.order_key),
    }
    statement = insert(TABLE).from_select(list(values), select(*values.values()).order_by(new.place))
    return statement.on_conflict_do_nothing().returning(*TABLE.c)


def is_update(update: Any) -> bool:
    """Whether it has the one thing that makes it storable: its id."""
    number = update.get("update_id") if isinstance(update, dict) else None
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**63


def order_key(update: Json) -> str:
    """What must be handled one after the other. Telegram keeps order in a chat and among a person's taps."""
    for name in CHAT_UPDATES:
        if (chat_id := _id_in(update.get(name), "chat")) is not None:
            return f"chat:{chat_id}"
    if (user_id := _id_in(update.get("callback_query"), "from")) is not None:
        return f"taps:{user_id}"
    return f"update:{update.get('update_id')}"


def _id_in(part: Any, name: str) -> int | None:
    """The id of a chat or person; None for anything else, which could be longer than an index takes."""
    inner = part.get(name) if isinstance(part, dict) else None
    number = inner.get("id") if isinstance(inner, dict) else None
    return number if isinstance(number, int) and -(2**63) <= number < 2**63 else None
