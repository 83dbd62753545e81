"""What Telegram knows of the bot itself: its name, what it may see, and its webhook."""

from dataclasses import dataclass
from datetime import datetime

from telegram.error import TelegramError

from shared.settings import Settings
from shared.telegram.client import telegram_bot, translate


@dataclass(frozen=True)
class Account:
    """The bot of a token. ``webhook_url`` is empty where updates are polled."""

    id: int
    name: str
    can_join_groups: bool
    reads_all_group_messages: bool
    webhook_url: str
    waiting_updates: int
    last_error: str | None
    last_error_at: datetime | None


async def account(settings: Settings) -> Account:
    """Ask Telegram; nothing is changed.

    Raises:
        TelegramUnavailable: no answer, or BOT_TOKEN is refused.
        TelegramRefused: see there.
    """
    async with telegram_bot(settings) as bot:
        try:
            me = await bot.get_me()
            webhook = await bot.get_webhook_info()
        except TelegramError as error:
            raise translate(error) from error
    return Account(
        id=me.id,
        name=f"@{me.username}",
        can_join_groups=bool(me.can_join_groups),
        reads_all_group_messages=bool(me.can_read_all_group_messages),
        webhook_url=webhook.url,
        waiting_updates=webhook.pending_update_count,
        last_error=webhook.last_error_message,
        last_error_at=webhook.last_error_date,
    )
