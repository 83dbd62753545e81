"""The WebSocket on which browsers see what happens."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from devstack.sandbox.state import Sandbox
from devstack.sandbox.values import Json


async def live(socket: WebSocket) -> None:
    """/sandbox/ws: events as JSON, until the browser goes."""
    sandbox: Sandbox = socket.app.state.sandbox
    await socket.accept()
    with sandbox.watch() as events:
        sending = asyncio.create_task(_send(socket, events))
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(socket: WebSocket, events: asyncio.Queue[Json]) -> None:
    try:
        while True:
            await socket.send_json(await events.get())
    except WebSocketDisconnect:
        return
