"""python-telegram-bot with its own AIORateLimiter: sends a message to each chat, a few at once."""

import asyncio
import json
import os

from telegram.error import RetryAfter
from telegram.ext import AIORateLimiter, ExtBot

AT_ONCE = 8


async def main() -> None:
    """Send to all chats; who is refused is sent to again, as the limiter does for its user."""
    left = iter(json.loads(os.environ["BENCH_OPTIONS"])["chats"])
    base = os.environ["TELEGRAM_API_URL"].rstrip("/")
    limiter = AIORateLimiter(max_retries=5)
    async with ExtBot(os.environ["BOT_TOKEN"], base_url=f"{base}/bot", rate_limiter=limiter) as bot:

        async def hand() -> None:
            for chat_id in left:
                await _send(bot, chat_id)

        await asyncio.gather(*(hand() for _ in range(AT_ONCE)))
    await asyncio.Event().wait()  # ended by the bench


async def _send(bot: ExtBot[int], chat_id: int) -> None:
    while True:
        try:
            await bot.send_message(chat_id, "A message of the bench")
        except RetryAfter:
            continue
        return


if __name__ == "__main__":
    asyncio.run(main())
