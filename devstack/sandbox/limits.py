"""Telegram's limits of size and of rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from devstack.sandbox.clock import Clock
from devstack.sandbox.errors import too_many_requests
from devstack.sandbox.model import Chat

SOURCE_BYTES = 32_768  # of a text before its markup is parsed
TEXT_UTF16 = 4096
CAPTION_UTF16 = 1024
ENTITIES = 100
CALLBACK_DATA_BYTES = 64
CALLBACK_ANSWER_CHARS = 200
CALLBACK_ANSWER_S = 15
INLINE_BUTTONS = 100
ALBUM_MIN = 2
ALBUM_MAX = 10
DELETE_MANY = 100
DELETE_AGE_S = 48 * 3600
DOWNLOAD_BYTES = 20 * 1024 * 1024
LOCAL_DOWNLOAD_BYTES = 2000 * 1024 * 1024
PHOTO_BYTES = 10 * 1024 * 1024
UPLOAD_BYTES = 50 * 1024 * 1024
FILE_PATH_S = 3600


@dataclass(slots=True)
class Rates:
    """Figures of the token buckets; the bursts are what Telegram tolerates for a moment."""

    enforce: bool = True
    per_bot_s: float = 30.0
    per_chat_s: float = 1.0
    chat_burst: float = 20.0
    per_group_min: float = 20.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """A bucket per bot and one per chat: private chats refill by the second, groups by the minute."""

    def __init__(self, clock: Clock) -> None:
        self.rates = Rates()
        self._clock = clock
        self._buckets: dict[tuple[int, int], _Bucket] = {}

    def charge(self, bot_id: int, chat: Chat, cost: int = 1, *, paid: bool = False) -> None:
        """Take the tokens of all buckets or of none; raises ApiError 429. Paid sends pass the bot's."""
        if not self.rates.enforce:
            return
        needed = [self._chat_bucket(bot_id, chat)]
        if not paid:
            needed.append(self._bucket((bot_id, 0), self.rates.per_bot_s, self.rates.per_bot_s))
        wait_s = max((cost - bucket.tokens) / per_s for bucket, per_s in needed)
        if wait_s > 0:
            raise too_many_requests(max(1, math.ceil(wait_s)))
        for bucket, _ in needed:
            bucket.tokens -= cost

    def reset(self) -> None:
        """Fill all buckets."""
        self._buckets.clear()

    def _chat_bucket(self, bot_id: int, chat: Chat) -> tuple[_Bucket, float]:
        if chat.is_private:
            return self._bucket((bot_id, chat.id), self.rates.per_chat_s, self.rates.chat_burst)
        return self._bucket((bot_id, chat.id), self.rates.per_group_min / 60, self.rates.per_group_min)

    def _bucket(self, key: tuple[int, int], per_s: float, burst: float) -> tuple[_Bucket, float]:
        now = self._clock.now()
        bucket = self._buckets.setdefault(key, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled_at) * per_s)
        bucket.filled_at = now
        return bucket, per_s
