"""Looks at the bot: its token, how its updates come, and what it sees in groups."""

from datetime import UTC, datetime, timedelta

from shared.doctor.check import Finding, attempt, fail, ok, one_line, skip, warn
from shared.settings import Settings
from shared.telegram.account import Account, account

TOKEN, WEBHOOK, PRIVACY = "bot token", "webhook", "privacy mode"
MEND = "set BOT_TOKEN to the one that BotFather shows; TELEGRAM_API_URL only for a server of your own"
MANY_UPDATES = 100
RECENT = timedelta(hours=1)


async def examine(settings: Settings) -> list[Finding]:
    """All checks of the bot."""
    known: list[Account] = []

    async def look() -> Finding:
        assert settings.bot_id  # noqa: S101 - raises what is wrong with the token's form
        known.append(await account(settings))
        return ok(TOKEN, f"{known[0].name} ({known[0].id})")

    token = await attempt(TOKEN, look(), MEND)
    if not known:
        return [token, *(skip(name, "Telegram did not answer") for name in (WEBHOOK, PRIVACY))]
    return [token, _webhook(settings, known[0]), _privacy(known[0])]


def _webhook(settings: Settings, bot: Account) -> Finding:
    if (wrong := _wrong_webhook(settings, bot)) is not None:
        return wrong
    if bot.last_error and bot.last_error_at and datetime.now(UTC) - bot.last_error_at < RECENT:
        found = f"at {bot.last_error_at:%H:%M} Telegram could not deliver: {one_line(bot.last_error)}"
        return warn(WEBHOOK, found, "see what answers at WEBHOOK_URL: proxy, certificate, LISTEN_ADDRESS")
    if bot.waiting_updates > MANY_UPDATES:
        found = f"{bot.waiting_updates} updates wait at Telegram"
        return warn(WEBHOOK, found, "start `python -m bot`, or more of them")
    how = bot.webhook_url or "none, updates are polled"
    return ok(WEBHOOK, f"{how}; {bot.waiting_updates} updates wait")


def _wrong_webhook(settings: Settings, bot: Account) -> Finding | None:
    wanted, found = settings.webhook_url, bot.webhook_url
    if wanted is None and found:
        return warn(
            WEBHOOK,
            f"set to {found}, but WEBHOOK_URL is not set",
            "set WEBHOOK_URL, or leave it: a polling bot removes the webhook. If something else uses this"
            " token, give it a token of its own",
        )
    if wanted is not None and not (settings.webhook_secret and settings.webhook_secret.get_secret_value()):
        return fail(WEBHOOK, "WEBHOOK_URL is set, WEBHOOK_SECRET is not", "set it: openssl rand -hex 32")
    if wanted is not None and not found:
        return warn(WEBHOOK, "not set at Telegram yet", "start `python -m bot`, which sets it")
    if wanted is not None and found != wanted:
        return fail(
            WEBHOOK,
            f"set to {found}, WEBHOOK_URL is {wanted}",
            "start `python -m bot`, which sets it; if it changes back, something else uses this token",
        )
    return None


def _privacy(bot: Account) -> Finding:
    if not bot.can_join_groups:
        return warn(PRIVACY, "nobody can add the bot to a group", "BotFather: /setjoingroups, Enable")
    if bot.reads_all_group_messages:
        return warn(PRIVACY, "off: the bot gets every message of its groups, which it does not need",
                    "BotFather: /setprivacy, Enable; then add the bot to its groups anew")  # fmt: skip
    return ok(PRIVACY, "on: in groups the bot gets commands and replies to it")
