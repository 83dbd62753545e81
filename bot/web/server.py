"""The one web server of a bot process, on LISTEN_ADDRESS; plain HTTP, TLS is the proxy's."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from shared.health import Health, host_and_port
from shared.service import Services

DRAIN_S = 2.0
"""A server that stops goes on serving so long: until every balancer has seen that it is not ready."""


class _Server(uvicorn.Server):
    """A web server inside our process, which has signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """Serves some routes until it is told to stop."""

    def __init__(self, services: Services, routes: Sequence[BaseRoute]) -> None:
        self._app = application(services.health, routes)
        self._host, self._port = host_and_port(services.settings.listen_address, "LISTEN_ADDRESS")

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until ``stopping``, and a little longer."""
        config = uvicorn.Config(
            self._app, host=self._host, port=self._port, log_config=None, access_log=False, lifespan="off",
            timeout_graceful_shutdown=3, server_header=False,
            http="h11",  # it bounds the size of headers; httptools, which uvicorn prefers, does not
            ws="none",
        )  # fmt: skip
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not serving.done():
            await asyncio.wait([serving], timeout=DRAIN_S)
        server.should_exit = True
        await asyncio.gather(stop, return_exceptions=True)
        await serving


def application(health: Health, routes: Sequence[BaseRoute]) -> Starlette:
    """The web application: `/livez` and `/readyz`, then the given routes in their order."""

    async def tell(request: Request) -> Response:
        status, body = await health.answer(request.url.path) or (404, b"")
        return Response(body, status, media_type="application/json")

    own = [Route(path, tell, methods=["GET"]) for path in ("/livez", "/readyz")]
    return Starlette(routes=[*own, *routes])
