"""A bot's queue of updates: consecutive ids, age limits, order per lane, and the long poll that reads it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

from devstack.sandbox.clock import Clock, Signal
from devstack.sandbox.errors import ApiError
from devstack.sandbox.values import Json

TAP_TTL_S = 150
UPDATE_TTL_S = 86_400
ID_RESTART_AFTER_S = 7 * 86_400
REORDER_HOLD_S = 2.0
CONFLICT_PAUSE_S = 3.0

# Telegram sends these only to bots that ask for them by name.
ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})

OTHER_POLLER = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
WEBHOOK_SET = "Conflict: terminated by setWebhook request"

Lane = tuple[str, int]
"""What Telegram keeps in order: a chat's messages, a person's taps; nothing is promised between lanes."""


@dataclass(frozen=True, slots=True)
class NewUpdate:
    """What happened, before it has an id."""

    kind: str
    body: Json
    lane: Lane
    ttl_s: int = UPDATE_TTL_S


@dataclass(slots=True, eq=False)
class QueuedUpdate:
    """An update that waits for the bot; `repeats` says how often it comes again after it was confirmed."""

    id: int
    body: Json
    lane: Lane
    expires_at: float
    repeats: int = 0


class UpdateQueue:
    """Updates in the order of their ids, until they are confirmed or too old."""

    def __init__(self, clock: Clock) -> None:
        self.changed = Signal()
        self.allowed: list[str] = []
        self._clock = clock
        self._updates: dict[int, QueuedUpdate] = {}
        self._lanes: dict[Lane, dict[int, QueuedUpdate]] = {}
        self._first_expiry = math.inf
        self._next_id = random.randrange(100_000_000, 900_000_000)  # noqa: S311 - no secret
        self._last_push = clock.now()
        self._held: NewUpdate | None = None

    def wants(self, kind: str) -> bool:
        """Whether allowed_updates lets that kind through."""
        return kind in self.allowed if self.allowed else kind not in ON_REQUEST

    def push(self, update: NewUpdate, *, repeats: int = 0, hold: bool = False) -> None:
        """Queue it; `hold` lets the next update of another lane overtake it."""
        if not self.wants(update.kind):
            return
        held, self._held = self._held, None
        if held is not None and held.lane == update.lane:
            self._append(held)
            held = None
        if hold:
            self._held = update
            asyncio.get_running_loop().call_later(REORDER_HOLD_S, self.release)
        else:
            self._append(update, repeats)
        if held is not None:
            self._append(held)
        self.changed.fire()

    def release(self) -> None:
        """Queue the held update, if there is one."""
        if self._held is not None:
            self._append(self._held)
            self._held = None
            self.changed.fire()

    def _append(self, update: NewUpdate, repeats: int = 0) -> None:
        now = self._clock.now()
        if now - self._last_push > ID_RESTART_AFTER_S:
            self._next_id = random.randrange(100_000_000, 900_000_000)  # noqa: S311 - no secret
        self._last_push = now
        body: Json = {"update_id": self._next_id, update.kind: update.body}
        expires_at = now + update.ttl_s
        self._first_expiry = min(self._first_expiry, expires_at)
        self._insert(QueuedUpdate(self._next_id, body, update.lane, expires_at, repeats))
        self._next_id += 1

    def pending(self) -> list[QueuedUpdate]:
        """What waits now; what is too old is dropped."""
        now = self._clock.now()
        if now >= self._first_expiry:
            self._keep(update for update in self._updates.values() if update.expires_at > now)
            self._first_expiry = min(
                (update.expires_at for update in self._updates.values()), default=math.inf
            )
        return list(self._updates.values())

    def heads(self) -> list[QueuedUpdate]:
        """The first update of each lane."""
        self.pending()
        return [next(iter(lane.values())) for lane in self._lanes.values()]

    def _insert(self, update: QueuedUpdate) -> None:
        self._updates[update.id] = update
        self._lanes.setdefault(update.lane, {})[update.id] = update

    def _keep(self, updates: Iterable[QueuedUpdate]) -> None:
        kept = list(updates)
        self._updates.clear()
        self._lanes.clear()
        for update in kept:
            self._insert(update)

    def read(self, offset: int, limit: int) -> list[QueuedUpdate]:
        """getUpdates: a positive offset confirms what is before it, a negative one keeps only the last."""
        if offset < 0:
            self._keep(self.pending()[offset:])
        elif 0 < offset <= self._next_id:
            self._keep(update for update in self.pending() if not self._is_confirmed(update, offset))
        return self.pending()[:limit]

    def remove(self, update: QueuedUpdate) -> None:
        """A webhook has taken it."""
        if update.repeats > 0:
            update.repeats -= 1
        elif self._updates.pop(update.id, None) is not None:
            lane = self._lanes[update.lane]
            del lane[update.id]
            if not lane:
                del self._lanes[update.lane]

    def clear(self) -> None:
        """drop_pending_updates."""
        self._held = None
        self._keep([])

    @staticmethod
    def _is_confirmed(update: QueuedUpdate, offset: int) -> bool:
        if update.id >= offset:
            return False
        update.repeats -= 1
        return update.repeats < 0


@dataclass(slots=True)
class _Turn:
    ended: bool = False
    reason: str = ""


class LongPoll:
    """The one getUpdates call that may wait; a newer one ends it with 409."""

    def __init__(self, updates: UpdateQueue) -> None:
        self._updates = updates
        self._turn = _Turn()
        self._next_conflict_at = 0.0

    async def wait(self, timeout_s: float) -> None:
        """Wait for an update or until the time is up; raises ApiError 409 when another call takes over."""
        self.interrupt(OTHER_POLLER)
        turn = self._turn = _Turn()
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while not (turn.ended or self._updates.pending() or loop.time() >= ends_at):
            await self._updates.changed.wait(ends_at - loop.time())
        if turn.reason:
            raise await self.conflict(turn.reason)

    def interrupt(self, reason: str = "") -> None:
        """End the waiting call: with 409 for a reason, with an empty answer without one."""
        self._turn.ended, self._turn.reason = True, reason
        self._updates.changed.fire()

    async def conflict(self, reason: str) -> ApiError:
        """The 409 to raise; the second one within 3 s is answered late, which stops hot loops."""
        now = asyncio.get_running_loop().time()
        if now < self._next_conflict_at:
            await asyncio.sleep(CONFLICT_PAUSE_S)
        else:
            self._next_conflict_at = now + CONFLICT_PAUSE_S
        return ApiError(409, reason)
