"""`python -m devstack.run`: the stack and the product, for people; in the sandbox or with a real bot.

With BOT_TOKEN it serves that bot, else that of the sandbox. The state of a real bot lies apart, for the ids
of the sandbox's people belong to somebody at Telegram.
"""

import asyncio
import contextlib
import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from devstack.audit import export_of
from devstack.errors import DevstackError
from devstack.parts.telegram import BOT_TOKEN as SANDBOX_TOKEN
from devstack.people import Town
from devstack.processes import tail
from devstack.product import BOT, CHECKOUT, WORKERS, Product
from devstack.program import chosen_engine, heading, product_for_people, run_program
from devstack.stack import PARTS

STATE_DIR = CHECKOUT / ".devstack"
GROUP = "Chess Club"
_LOOK_S = 0.3
_TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)


async def run(console: Console) -> int:
    """Start everything and follow it until cancelled. Raises DevstackError when something does not start."""
    engine, bot = chosen_engine(), await real_bot(os.environ)
    where = f"@{bot.username} at Telegram" if bot else "a Telegram sandbox"
    heading(console, f"Starting {engine.capitalize()}, PostgreSQL, S3, two workers and a bot; {where}")
    state_dir = STATE_DIR / f"bot-{bot.id}" if bot else STATE_DIR
    files = sorted((CHECKOUT / "bpmn").glob("*.bpmn"))
    parts = [part for part in PARTS if not (bot and part == "telegram")]
    address = f"127.0.0.1:{free_port()}"
    page = {"LISTEN_ADDRESS": address, "UPLOAD_PAGE_URL": f"http://{address}"}
    settings = {**page, **bot.settings} if bot else page
    async with product_for_people(
        console, state_dir, files, parts=parts, engine=engine, settings=settings, durable=True
    ) as (product, _):
        heading(console, "Everything runs until Ctrl-C")
        guide = _how_to_talk_to(bot) if bot else await _how_to_play(product)
        for line in (*guide, *_how_to_look(product, state_dir)):
            console.print(line, markup=False, soft_wrap=True)
        heading(console, "The logs")
        with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C, as announced
            await _follow(console, product)
        console.print("stopping everything ...")
    return 0


def free_port() -> int:
    """A port of this machine that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# A real bot


@dataclass(frozen=True)
class RealBot:
    """A bot of BotFather, and where it is served."""

    id: int
    username: str
    settings: Mapping[str, str]


async def real_bot(environ: Mapping[str, str]) -> RealBot | None:
    """Ask Telegram who the bot of BOT_TOKEN is; None without a token, or with the sandbox's own.

    Raises DevstackError when the token is refused or Telegram cannot be reached.
    """
    token = environ.get("BOT_TOKEN", "").strip()
    if token in {"", SANDBOX_TOKEN}:
        return None
    instead = "without BOT_TOKEN the sandbox is used"
    if not _TOKEN.fullmatch(token):
        raise DevstackError(f"BOT_TOKEN is no token; BotFather gives one, like 123456:ABC-DEF; {instead}")
    api_url = environ.get("TELEGRAM_API_URL") or "https://api.telegram.org"
    try:
        async with httpx.AsyncClient(timeout=15) as http:
            response = await http.get(f"{api_url}/bot{token}/getMe")
    except (httpx.TransportError, httpx.InvalidURL) as error:
        # The address holds the token, so only the kind of error is told.
        raise DevstackError(f"cannot reach {api_url} ({type(error).__name__}); {instead}") from None
    if response.status_code in {401, 404}:
        raise DevstackError(
            f"{api_url} knows no bot of this BOT_TOKEN; BotFather shows the right one; {instead}"
        )
    if response.is_error:
        raise DevstackError(f"{api_url} answers {response.status_code} to getMe; {instead}")
    me = response.json()["result"]
    return RealBot(me["id"], me["username"], {"BOT_TOKEN": token, "TELEGRAM_API_URL": api_url})


def _how_to_talk_to(bot: RealBot) -> list[str]:
    return [
        f"Talk to your bot at  https://t.me/{bot.username}",
        "Make it a member of a group that you administer, then send it /groups in your private chat.",
    ]


# The sandbox


async def _how_to_play(product: Product) -> list[str]:
    """Make people unless there are some; what somebody who knows nothing needs to know."""
    url = product.env["TELEGRAM_API_URL"]
    async with Town(url) as town:
        if (await town.call("GET", "/users"))["users"]:
            return [f"The web chat is at  {url}/"]
        # The sandbox forgets its people and the product does not, so nobody may get the id of somebody gone.
        first_id = int(time.time())
        ada, ben, cleo = [
            await town.person(name, id=first_id + number)
            for number, name in enumerate(("Ada", "Ben", "Cleo"))
        ]
        await town.group(GROUP, admins=[ada], members=[ben, cleo])
    sample = product.stack.state.part_folder("sample") / "result.json"
    sample.write_bytes(export_of(GROUP))
    return [
        f"The web chat is at  {url}/#{ada.user_id}/{ada.user_id}",
        f"There you are Ada, who administers the group “{GROUP}”, or Ben or Cleo, who are members of it.",
        "As Ada send /start, then /groups, and follow the buttons to Import history.",
        f"When the bot asks for an export, send it  {_short(sample)}",
    ]


def _how_to_look(product: Product, state_dir: Path) -> list[str]:
    env = product.env
    option = "" if state_dir == STATE_DIR else f"--state-dir {_short(state_dir)} "
    return [
        f"The engine's REST API is at  {env['ENGINE_URL']}"
        f"  (user {env['ENGINE_USERNAME']}, password {env['ENGINE_PASSWORD']})",
        f"All addresses:  {_short(Path(sys.executable))} -m devstack {option}env",
    ]


def _short(path: Path) -> str:
    return os.path.relpath(path)


# What happens


async def _follow(console: Console, product: Product) -> None:
    """Print what our processes log, and loudly which process ends; until cancelled."""
    logs = {name: product.stack.state.log_file(name) for name in (*WORKERS, BOT)}
    read_bytes = {name: log.stat().st_size for name, log in logs.items()}
    known: set[str] = set()
    while True:
        for name, log in logs.items():
            lines, read_bytes[name] = new_lines(log, read_bytes[name])
            for line in lines:
                console.print(f"{name:<8} {line}", markup=False, style=_loudness(line), soft_wrap=True)
        for name in set(product.ended()) - known:
            known.add(name)
            _cry_out(console, product, name)
        await asyncio.sleep(_LOOK_S)


def new_lines(log: Path, since_bytes: int) -> tuple[list[str], int]:
    """Give the whole lines behind a position, and the position behind them."""
    with log.open("rb") as file:
        file.seek(since_bytes)
        whole, newline, _ = file.read().rpartition(b"\n")
    return whole.decode(errors="replace").splitlines(), since_bytes + len(whole) + len(newline)


def _loudness(line: str) -> str:
    return "red" if "[error" in line or "[critical" in line else "yellow" if "[warning" in line else "dim"


def _cry_out(console: Console, product: Product, name: str) -> None:
    log = product.stack.state.log_file(name)
    heading(console, f"[red]{name} has ended by itself[/]")
    console.print(tail(log), markup=False, style="dim", soft_wrap=True)
    text = f"{name} has ended by itself; the rest goes on without it. Its log: {_short(log)}"
    console.print(text, style="bold white on red", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(run_program(run))
