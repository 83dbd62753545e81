"""getMe, getUpdates and the webhook methods."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from devstack.sandbox import render
from devstack.sandbox.errors import ApiError, bad_request, too_many_requests
from devstack.sandbox.methods.common import Answer, Call
from devstack.sandbox.updates import WEBHOOK_SET
from devstack.sandbox.values import Json, JsonValue
from devstack.sandbox.webhook import Webhook, WebhookSettings

MAX_LONG_POLL_S = 50
MAX_UPDATES = 100
SET_WEBHOOK_EVERY_S = 1.0
SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]*")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active;"
    " use deleteWebhook to delete the webhook first"
)


async def get_me(call: Call) -> JsonValue:
    """The bot itself."""
    return {
        **render.user(call.bot.user),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


async def get_updates(call: Call) -> JsonValue:
    """Updates from the offset on; waits for the first one up to `timeout` seconds."""
    bot, params = call.bot, call.params
    if bot.webhook is not None:
        raise await bot.poll.conflict(WEBHOOK_ACTIVE)
    offset = params.integer("offset")
    limit = params.within("limit", MAX_UPDATES, 1, MAX_UPDATES)
    timeout_s = params.within("timeout", 0, 0, MAX_LONG_POLL_S)
    allow_updates(call)
    ready = bot.updates.read(offset, limit)
    if not ready and timeout_s:
        await bot.poll.wait(timeout_s)
        ready = bot.updates.read(max(offset, 0), limit)
    return [update.body for update in ready]


async def set_webhook(call: Call) -> Answer:
    """Deliver updates by HTTP; a difference to Telegram: plain http is allowed to this machine itself."""
    bot, params = call.bot, call.params
    url = params.text("url").strip()
    if not url:
        return await delete_webhook(call)
    settings = WebhookSettings(url, params.text("secret_token"), params.within("max_connections", 40, 1, 100))
    drop = params.flag("drop_pending_updates")
    _check_set_rate(call)
    if bot.webhook is not None and bot.webhook.settings == settings and not drop:
        allow_updates(call)
        return Answer(result=True, description="Webhook is already set")
    _check_webhook(settings)
    await _remove_webhook(call)
    bot.poll.interrupt(WEBHOOK_SET)
    allow_updates(call)
    if drop:
        bot.updates.clear()
    bot.webhook = Webhook(settings, bot.updates, call.sandbox.clock)
    return Answer(result=True, description="Webhook was set")


async def delete_webhook(call: Call) -> Answer:
    """Back to getUpdates; what is pending stays unless it is to be dropped."""
    was_set = call.bot.webhook is not None
    await _remove_webhook(call)
    if call.params.flag("drop_pending_updates"):
        call.bot.updates.clear()
    return Answer(result=True, description="Webhook was deleted" if was_set else "Webhook is already deleted")


async def get_webhook_info(call: Call) -> JsonValue:
    """The webhook's settings and its last error."""
    bot, webhook = call.bot, call.bot.webhook
    info: Json = {
        "url": webhook.settings.url if webhook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates.pending()),
    }
    if webhook is not None:
        info["max_connections"] = webhook.settings.max_connections
        info["ip_address"] = urlsplit(webhook.settings.url).hostname
        if webhook.last_error_at is not None:
            info.update(last_error_date=webhook.last_error_at, last_error_message=webhook.last_error)
    if bot.updates.allowed:
        info["allowed_updates"] = [*bot.updates.allowed]
    return info


def allow_updates(call: Call) -> None:
    """Take over allowed_updates where it is given; an empty list means the default kinds."""
    given = call.params.json("allowed_updates", "allowed updates")
    if isinstance(given, list):
        call.bot.updates.allowed = [str(kind).lower() for kind in given]


async def _remove_webhook(call: Call) -> None:
    while call.bot.webhook is not None:  # another call may set one while this waits
        webhook, call.bot.webhook = call.bot.webhook, None
        await webhook.stop()


def _check_set_rate(call: Call) -> None:
    now = call.sandbox.clock.now()
    if call.sandbox.limits.rates.enforce and now < call.bot.webhook_set_at + SET_WEBHOOK_EVERY_S:
        raise too_many_requests(1)
    call.bot.webhook_set_at = now


def _check_webhook(settings: WebhookSettings) -> None:
    parts = urlsplit(settings.url if "://" in settings.url else f"https://{settings.url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad_request("invalid webhook URL specified")
    if len(settings.secret_token) > 256:
        raise bad_request("secret token is too long")
    if SECRET_TOKEN.fullmatch(settings.secret_token) is None:
        raise bad_request("secret token contains unallowed characters")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
