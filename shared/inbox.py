"""The durable inbox: an update is a row before it is acknowledged."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import BigInteger, Boolean, Executable, Table, Text, and_, case, func, literal, not_, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import aliased

from shared.db import Tx, given, notify
from shared.models import Json, Update
from shared.queues import Queue, claimed_at_birth, hand_over, room_for

UPDATES = Queue("updates", Update, ("queued",), order_key="order_key", poison="poison", max_attempts=5)
"""Stored updates; a chat's messages in order, a person's taps in order, everything else side by side."""

TABLE = cast("Table", Update.__table__)

KINDS = ("message", "callback_query", "my_chat_member")
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
    room = room_for(tx, UPDATES)
    rows: list[Json] = []
    keys: set[str] = set()
    # In Telegram's order: two processes with the same updates do not wait for each other.
    for update in sorted(filter(is_update, updates), key=lambda update: update["update_id"]):
        key = order_key(update)
        means_something = any(kind in update for kind in KINDS)
        # The first of its key; whether others wait before it is seen by the statement.
        is_ours = means_something and room > 0 and key not in keys
        room -= is_ours
        keys.add(key)
        rows.append(
            {
                "place": len(rows),
                "update_id": update["update_id"],
                "order_key": key,
                "payload": update,
                # What means nothing to us waits for nobody.
                "state": "queued" if means_something else "handled",
                "is_ours": is_ours,
            }
        )
    if not rows:
        return 0
    made = (await tx.execute(_store_statement(rows, bot_id, claimed_at_birth(tx, UPDATES)))).all()
    ours = {row.order_key for row in made if row.claim is not None}
    for row in made:
        if row.claim is not None:
            hand_over(tx, UPDATES, Update(**row._asdict()), None)
    if any(row.state == "queued" and row.order_key not in ours for row in made):
        await notify(tx, UPDATES.name)
    return len(made)


def _store_statement(rows: Sequence[Json], bot_id: int, claimed: Mapping[str, Any]) -> Executable:
    new = given(
        rows,
        place=BigInteger(),
        update_id=BigInteger(),
        order_key=Text(),
        payload=JSONB(),
        state=Text(),
        is_ours=Boolean(),
    ).c
    elder = aliased(Update)
    waits = select(elder.id).where(elder.order_key == new.order_key, elder.state == "queued").exists()
    is_ours = and_(new.is_ours, not_(waits))
    values: dict[str, Any] = {
        "bot_id": literal(bot_id, BigInteger()),
        "update_id": new.update_id,
        "order_key": new.order_key,
        "payload": new.payload,
        "state": new.state,
        "due_at": case((is_ours, claimed["due_at"]), else_=func.now()),
        "claim": case((is_ours, claimed["claim"])),
        "attempts": case((is_ours, claimed["attempts"]), else_=0),
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
