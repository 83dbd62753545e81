"""A gateway before the engine, as companies have them: it limits, fails, cuts connections, loses answers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from devstack.sandbox.serve import serving

CUT = 0
"""The fault that closes the connection without an answer."""


@dataclass
class Gateway:
    """Passes requests on, but the next ones meet `faults`: a status, its headers.

    `swallow` says of how many paths that end so the engine's answer is lost: what was asked is done, and
    nobody is told. What is `said` is the answer to the next request of a path that ends so, in the engine's
    manner: a status and a body.
    """

    url: str = ""
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    seen: list[tuple[float, str, int]] = field(default_factory=list)
    swallow: dict[str, int] = field(default_factory=dict)
    swallowed: int = 0
    said: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)

    def fail(self, *statuses: int, **headers: str) -> None:
        """Let the next requests go wrong."""
        self.faults += [(status, {k.replace("_", "-"): v for k, v in headers.items()}) for status in statuses]

    def say(self, path: str, status: int, **body: str) -> None:
        """Answer the next request of a path that ends so in the engine's place."""
        self.said.append((path, status, body))

    def says(self, path: str) -> Response | None:
        """The answer that is said to this path."""
        for at, (end, status, body) in enumerate(self.said):
            if path.endswith(end):
                del self.said[at]
                return JSONResponse(body, status)
        return None

    def takes(self, path: str) -> bool:
        """Whether this answer is to be swallowed."""
        for end, left in self.swallow.items():
            if left and path.endswith(end):
                self.swallow[end] -= 1
                self.swallowed += 1
                return True
        return False

    def times(self, status: int | None = None) -> list[float]:
        """When requests came, all or those that met a status."""
        return [at for at, _, met in self.seen if status is None or met == status]


@asynccontextmanager
async def a_gateway(engine_url: str) -> AsyncIterator[Gateway]:
    """A gateway to that engine as long as the block runs; its `url` takes the place of ENGINE_URL."""
    gateway = Gateway()
    async with httpx.AsyncClient(timeout=30, trust_env=False) as engine:

        async def passed_on(request: Request) -> Response:
            body = await request.body()
            if gateway.faults:
                status, headers = gateway.faults.pop(0)
                gateway.seen.append((time.monotonic(), request.url.path, status))
                if status == CUT:
                    request.state.hang_up()
                return HTMLResponse("<html>the gateway says no</html>", status or 502, headers)
            if (said := gateway.says(request.url.path)) is not None:
                return said
            headers = {k: v for k, v in request.headers.items() if k in {"authorization", "content-type"}}
            url = f"{engine_url}/{request.path_params['path']}"
            answer = await engine.request(
                request.method, url, params=request.query_params, content=body, headers=headers
            )
            gateway.seen.append((time.monotonic(), request.url.path, answer.status_code))
            if gateway.takes(request.url.path):
                request.state.hang_up()
            kind = answer.headers.get("content-type")
            return Response(answer.content, answer.status_code, media_type=kind)

        methods = ["GET", "POST", "PUT", "DELETE"]
        app = Starlette(routes=[Route("/{path:path}", passed_on, methods=methods)])
        async with serving(app) as gateway.url:
            yield gateway
