"""What every part of the stack is able to say about itself."""

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from devstack.ports import HOST
from devstack.reporting import Report
from devstack.state import State


@dataclass(frozen=True)
class Command:
    """How to start a part. `marker` is the argument by which its process is recognised later."""

    argv: list[str]
    marker: str
    env: dict[str, str] = field(default_factory=dict)


class Part(ABC):
    """A server on one port. `name` is that of its log, folder and port; parts of `needs` run before it."""

    needs: tuple[str, ...] = ()
    stop_signal = signal.SIGTERM
    start_timeout_s = 120.0

    def __init__(self, name: str, state: State) -> None:
        self.name = name
        self.state = state

    @property
    def folder(self) -> Path:
        """Give the folder of this part's own files."""
        return self.state.part_folder(self.name)

    @property
    def port(self) -> int:
        """Give the port that was claimed for this part."""
        return self.state.port(self.name)

    @property
    def url(self) -> str:
        """Give the address of this part without a path."""
        return f"http://{HOST}:{self.port}"

    def settings(self) -> dict[str, Any]:
        """Give the choices by which a running process is or is not the one that is wanted."""
        return {}

    async def prepare(self, report: Report) -> None:  # noqa: B027 - most parts have nothing to prepare
        """Fetch and make what the first start needs; quick when there is nothing to do."""

    @abstractmethod
    async def command(self) -> Command:
        """Configure for the claimed port and give the command to start; the parts of `needs` are ready."""

    @abstractmethod
    async def is_healthy(self) -> bool:
        """Tell whether the server answers as it should."""

    async def furnish(self) -> None:  # noqa: B027 - or to furnish
        """Make what the product expects inside the healthy part; repeatable."""

    @abstractmethod
    def env(self) -> dict[str, str]:
        """Give the product's settings that lead to this part."""


async def http_status(url: str) -> int | None:
    """Give the status that a GET answers with; None when nothing answers."""
    async with loopback_client() as client:
        try:
            return (await client.get(url)).status_code
        except httpx.TransportError:
            return None


def loopback_client(auth: httpx.Auth | None = None) -> httpx.AsyncClient:
    """Give a client for servers of this machine; a proxy that is configured for the world is left out."""
    # Without TLS there is nothing to verify, and loading the certificates takes longer than the requests.
    return httpx.AsyncClient(auth=auth, trust_env=False, timeout=10, verify=False)  # noqa: S501
