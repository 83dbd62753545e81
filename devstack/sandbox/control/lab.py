"""The laboratory: callbacks, log of calls, faults, clock, limits, reset."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from devstack.sandbox import render
from devstack.sandbox.control.base import Control, integer
from devstack.sandbox.errors import ControlError
from devstack.sandbox.limits import CALLBACK_ANSWER_S
from devstack.sandbox.model import CallbackQuery
from devstack.sandbox.state import Sandbox
from devstack.sandbox.values import Json, JsonValue

MAX_WAIT_S = 60.0


async def show_callback(call: Control) -> Json:
    """What became of a tap; `wait_s` waits for the answer."""
    query = call.sandbox.callbacks.get(call.request.path_params["id"])
    if query is None:
        raise ControlError("no such callback query", 404)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + min(float(call.query("wait_s") or 0), MAX_WAIT_S)
    while not (query.answered or call.sandbox.closed.is_set() or loop.time() >= ends_at):
        await call.sandbox.callback_answered.wait(ends_at - loop.time())
    return _callback(call.sandbox, query)


def _callback(sandbox: Sandbox, query: CallbackQuery) -> Json:
    out: Json = {
        "answered": query.answered,
        "expired": not query.answered and sandbox.clock.now() - query.created_at > CALLBACK_ANSWER_S,
    }
    if query.answered:
        out.update(text=query.text, show_alert=query.show_alert, url=query.url)
    return out


async def list_calls(call: Control) -> Json:
    """The log of Bot API calls."""
    since = integer(call.query("since") or "0")
    return {"calls": [*call.sandbox.calls.since(since, call.query("method"))]}


async def add_fault(call: Control) -> Json:
    """Order a fault."""
    fault = call.sandbox.faults.order(call.body)
    return {"kind": str(fault.kind), "count": fault.left}


async def clear_faults(call: Control) -> Json:
    """Nothing goes wrong any more."""
    call.sandbox.faults.clear()
    return {"ok": True}


async def move_clock(call: Control) -> Json:
    """Let time pass at once."""
    seconds_s = call.body.number("advance_s")
    if seconds_s < 0:
        raise ControlError("time runs forward only")
    call.sandbox.clock.advance(seconds_s)
    return await show_clock(call)


async def show_clock(call: Control) -> Json:
    """The sandbox's time."""
    return {"now": call.sandbox.clock.now(), "advanced_s": call.sandbox.clock.advanced_s}


async def set_limits(call: Control) -> Json:
    """Change the token buckets."""
    rates, body = call.sandbox.limits.rates, call.body
    rates.enforce = body.flag("enforce", default=rates.enforce)
    rates.per_bot_s = body.number("per_bot_s", rates.per_bot_s)
    rates.per_chat_s = body.number("per_chat_s", rates.per_chat_s)
    rates.chat_burst = body.number("chat_burst", rates.chat_burst)
    rates.per_group_min = body.number("per_group_min", rates.per_group_min)
    call.sandbox.limits.reset()
    return {
        "enforce": rates.enforce,
        "per_bot_s": rates.per_bot_s,
        "per_chat_s": rates.per_chat_s,
        "chat_burst": rates.chat_burst,
        "per_group_min": rates.per_group_min,
    }


async def set_downloads(call: Control) -> Json:
    """Play a local Bot API server, a slow Telegram, or connections that break on the way."""
    downloads, body = call.sandbox.downloads, call.body
    if "local_dir" in body:
        downloads.local_dir = Path(body.text("local_dir")) if body.text("local_dir") else None
    if "bytes_per_s" in body:
        downloads.bytes_per_s = body.number("bytes_per_s") or None
    if "cuts" in body:
        downloads.cuts = [float(str(each)) for each in body.items("cuts")]
    return {
        "local_dir": None if downloads.local_dir is None else str(downloads.local_dir),
        "bytes_per_s": downloads.bytes_per_s,
        "cuts": [*downloads.cuts],
    }


async def list_commands(call: Control) -> Json:
    """The commands that the bot has set, by scope and language."""
    sets: list[JsonValue] = []
    for key, commands in call.sandbox.bot.commands.items():
        scope, language_code = json.loads(key)
        sets.append({"scope": scope, "language_code": language_code, "commands": [*commands]})
    return {"bot": render.user(call.sandbox.bot.user), "commands": sets}


async def reset(call: Control) -> Json:
    """Forget everything but the bots."""
    call.sandbox.reset()
    return {"ok": True}


async def health(call: Control) -> Json:
    """Whether the server is up."""
    return {"ok": True, "bots": [bot.id for bot in call.sandbox.bots.values()]}
