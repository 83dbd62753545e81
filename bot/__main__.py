"""`python -m bot`: receives updates, handles them, stores files, and tells the engine the answers."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from bot import commands
from bot.completer import Completer
from bot.dispatcher import Dispatcher
from bot.receiver import receiving
from bot.starter import EngineUsers, Starter
from bot.uploader import Uploader
from bot.web.sending import Sending
from shared.queues import Loop
from shared.service import Part, Services, main


async def compose(services: Services, stopping: asyncio.Event) -> Sequence[Part]:
    """The parts of a bot process."""
    loops: list[Loop[Any]] = [
        Dispatcher(services).loop(),
        Uploader(services).loop(),
        Completer(services).loop(),
        Starter(services).loop(),
        EngineUsers(services).loop(),
        Sending(services).loop(),
        *services.senders(),
    ]
    return [
        services.wakeups.run,
        *receiving(services),
        commands.registration(services),
        *(loop.run for loop in loops),
    ]


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m bot",
        description=__doc__,
        epilog="Settings are environment variables, see .env.example.",
    ).parse_args()
    main("bot", compose)
