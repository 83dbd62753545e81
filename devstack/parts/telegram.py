"""The Telegram sandbox: a server with the Bot API, and a control API for people and tests."""

import os
import sys
from pathlib import Path

from devstack.parts.base import Command, Part, http_status
from devstack.ports import HOST
from devstack.state import State

BOT_TOKEN = "1000001:sandbox-token"  # noqa: S105 - opens nothing but a sandbox of this machine
_CHECKOUT = Path(__file__).parent.parent.parent


class Telegram(Part):
    """The sandbox with one bot."""

    def __init__(self, state: State) -> None:
        super().__init__("telegram", state)

    async def command(self) -> Command:
        """See Part."""
        files = str(self.folder / "files")
        argv = [sys.executable, "-m", "devstack.sandbox", "--host", HOST, "--port", str(self.port)]
        argv += ["--token", BOT_TOKEN, "--files", files]
        path = os.pathsep.join(filter(None, (str(_CHECKOUT), os.environ.get("PYTHONPATH"))))
        return Command(argv, marker=files, env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"})

    async def is_healthy(self) -> bool:
        """Tell whether the sandbox says so."""
        return await http_status(f"{self.url}/sandbox/health") == 200

    def env(self) -> dict[str, str]:
        """See Part."""
        return {"TELEGRAM_API_URL": self.url, "BOT_TOKEN": BOT_TOKEN}
