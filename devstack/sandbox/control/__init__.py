"""The control API: plays the people and shows what happened. JSON in, JSON out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from devstack.sandbox.control import lab, world
from devstack.sandbox.control.base import Handler, endpoint
from devstack.sandbox.files import guess_type
from devstack.sandbox.state import Sandbox

ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/users", world.add_user),
    ("GET", "/users", world.list_users),
    ("PATCH", "/users/{user}", world.change_user),
    ("POST", "/chats", world.add_chat),
    ("GET", "/chats", world.list_chats),
    ("PATCH", "/chats/{chat}/members/{user}", world.change_member),
    ("POST", "/chats/{chat}/migrate", world.migrate_chat),
    ("POST", "/chats/{chat}/topics", world.add_topic),
    ("POST", "/chats/{chat}/messages", world.send),
    ("GET", "/chats/{chat}/messages", world.list_messages),
    ("DELETE", "/chats/{chat}/messages/{message}", world.remove),
    ("POST", "/chats/{chat}/messages/{message}/press", world.press),
    ("POST", "/chats/{chat}/messages/{message}/react", world.react),
    ("GET", "/callbacks/{id}", lab.show_callback),
    ("GET", "/calls", lab.list_calls),
    ("POST", "/faults", lab.add_fault),
    ("DELETE", "/faults", lab.clear_faults),
    ("POST", "/clock", lab.move_clock),
    ("GET", "/clock", lab.show_clock),
    ("POST", "/limits", lab.set_limits),
    ("POST", "/downloads", lab.set_downloads),
    ("GET", "/commands", lab.list_commands),
    ("POST", "/reset", lab.reset),
    ("GET", "/health", lab.health),
]


async def file(request: Request) -> Response:
    """The bytes of a file, with a content type that browsers understand."""
    sandbox: Sandbox = request.app.state.sandbox
    stored = sandbox.files.find(request.path_params["id"])
    if stored is None:
        return JSONResponse({"error": "no such file"}, status_code=404)
    media_type = stored.mime_type if "/" in stored.mime_type else guess_type(stored.name)
    return FileResponse(stored.path, media_type=media_type)


def routes() -> list[Route]:
    """All of the control API under /sandbox."""
    made = [
        Route(f"/sandbox{path}", endpoint(handler), methods=[verb], name=handler.__name__)
        for verb, path, handler in ROUTES
    ]
    return [*made, Route("/sandbox/files/{id}/{name:path}", file)]
