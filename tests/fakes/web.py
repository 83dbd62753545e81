"""A web server of a test's own, on a port of its own: every request is answered by the test's function."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Request:
    """What a client has sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """What it gets back; ``json`` before ``body``."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] | None = None


class HangUp(Exception):
    """Raised by a test's function: the connection ends without an answer."""


Respond = Callable[[Request], Response | Awaitable[Response]]


@asynccontextmanager
async def serving(respond: Respond) -> AsyncIterator[str]:
    """Serve as long as the block runs; the server's address."""

    async def handle(request: web.Request) -> web.StreamResponse:
        seen = Request(
            request.method, request.raw_path, dict(request.query), dict(request.headers), await request.read()
        )
        try:
            given = respond(seen)
            answer = given if isinstance(given, Response) else await given
        except HangUp:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
            raise
        if answer.json is not None:
            return web.json_response(answer.json, status=answer.status, headers=answer.headers)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
