"""Serve a sandbox with uvicorn: in the running loop for tests, or as a process."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from asyncio import Transport
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from devstack.sandbox.app import create_app
from devstack.sandbox.state import DEFAULT_TOKEN, Sandbox

STOP_WITHIN_S = 2
KEEP_ALIVE_S = 75  # longer than clients keep idle connections, so that none is closed as it is used again


class HangUpProtocol(H11Protocol):
    """HTTP/1.1 in which the application may close the connection without an answer (`state.hang_up`)."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Give the application a way to the transport."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "hang_up": transport.abort}


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers at `url`."""

    url: str
    sandbox: Sandbox
    token: str


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 means any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer takes 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


@contextlib.asynccontextmanager
async def serving(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an application in the running loop, without touching signals; yields its URL."""
    config = uvicorn.Config(
        app,
        http=HangUpProtocol,
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with bind(host, port) as listener:
        await server.startup([listener])
        shown_host = f"[{host}]" if ":" in host else host
        try:
            yield f"http://{shown_host}:{listener.getsockname()[1]}"
        finally:
            await server.shutdown([listener])


@contextlib.asynccontextmanager
async def running_sandbox(
    *,
    tokens: Sequence[str] = (DEFAULT_TOKEN,),
    files_dir: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[RunningSandbox]:
    """Serve a new sandbox in this loop, on a free port unless one is given; it ends with the block."""
    with contextlib.ExitStack() as stack:
        folder = files_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
        sandbox = Sandbox(folder, tokens)
        async with serving(create_app(sandbox), host, port) as url:
            try:
                yield RunningSandbox(url, sandbox, tokens[0])
            finally:
                await sandbox.close()
