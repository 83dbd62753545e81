"""The ASGI application: Bot API, control API, WebSocket and web chat."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

from devstack.sandbox import control
from devstack.sandbox.api import bot_api, bot_file
from devstack.sandbox.live import live
from devstack.sandbox.state import Sandbox

WEB_DIR = Path(__file__).parent / "web"


class FreshFiles(StaticFiles):
    """Files that the browser asks for again each time, so that an edit shows at once."""

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or 304 where the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def web_chat(request: Request) -> Response:
    """The page of the web chat."""
    page = WEB_DIR / "index.html"
    return FileResponse(page) if page.is_file() else PlainTextResponse("no web chat here", status_code=404)


def create_app(sandbox: Sandbox) -> Starlette:
    """An application that serves this sandbox."""
    web = FreshFiles(directory=WEB_DIR, check_dir=False)
    app = Starlette(
        routes=[
            Route("/file/bot{token}/{path:path}", bot_file),
            Route("/bot{token}/{method}", bot_api, methods=["GET", "POST"]),
            *control.routes(),
            WebSocketRoute("/sandbox/ws", live),
            Route("/", web_chat),
            Mount("/web", web),
            Mount("/", web),
        ]
    )
    app.state.sandbox = sandbox
    return app
