"""The frame of the control API: a call, its body, and errors as {"error": ...}."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devstack.sandbox.errors import ApiError, ControlError
from devstack.sandbox.files import Upload
from devstack.sandbox.model import Chat, Message, User
from devstack.sandbox.params import read_params
from devstack.sandbox.state import Sandbox
from devstack.sandbox.values import Fields, Json, JsonValue


@dataclass(frozen=True, slots=True)
class Control:
    """One control call: the world, the request and its JSON body."""

    sandbox: Sandbox
    request: Request
    body: Fields
    uploads: dict[str, Upload]

    def query(self, name: str) -> str | None:
        """A parameter of the URL's query."""
        return self.request.query_params.get(name)

    def user(self, name: str = "from") -> User:
        """The person that the body names."""
        return self.user_by_id(self.body.integer(name))

    def user_by_id(self, user_id: int) -> User:
        """Somebody who must exist."""
        user = self.sandbox.user(user_id)
        if user is None:
            raise ControlError(f"no user {user_id}", 404)
        return user

    def path_user(self) -> User:
        """The person in the path."""
        return self.user_by_id(integer(self.request.path_params["user"]))

    def chat(self) -> Chat:
        """The chat in the path; a private one with the first bot unless `bot` names another."""
        bot = self.query("bot")
        chat = self.sandbox.chat(integer(self.request.path_params["chat"]), int(bot) if bot else None)
        if chat is None:
            raise ControlError(f"no chat {self.request.path_params['chat']}", 404)
        return chat

    def message(self) -> Message:
        """The message in the path; a deleted one only where `stale` is said."""
        chat, message_id = self.chat(), integer(self.request.path_params["message"])
        message = chat.messages.get(message_id) if self.body.flag("stale") else chat.visible(message_id)
        if message is None:
            raise ControlError(f"no message {message_id} in this chat", 404)
        return message


Handler = Callable[[Control], Awaitable[Json]]


def integer(text: str) -> int:
    """The number in a path or query; raises ControlError 404."""
    try:
        return int(text)
    except ValueError:
        raise ControlError(f"{text!r} is no number", 404) from None


def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Make a Starlette endpoint of a handler: read the body, answer errors as {"error": ...}."""

    @wraps(handler)
    async def serve(request: Request) -> Response:
        try:
            return JSONResponse(await handler(await _read(request)))
        except ControlError as error:
            return JSONResponse({"error": str(error)}, status_code=error.status)
        except ValueError as error:  # a FieldError, no number, an unknown kind or status
            return JSONResponse({"error": str(error)}, status_code=400)
        except ApiError as error:
            return JSONResponse({"error": error.description}, status_code=400)

    return serve


async def _read(request: Request) -> Control:
    """The body is JSON; in a form it is the field `json`, beside uploaded files."""
    sandbox: Sandbox = request.app.state.sandbox
    params = await read_params(request, sandbox.files)
    values = dict(params.values)
    wrapped = values.pop("json", None)
    if isinstance(wrapped, str):
        try:
            decoded: JsonValue = json.loads(wrapped)
        except ValueError as error:
            raise ControlError(f"json: {error}") from error
        values.update(decoded if isinstance(decoded, dict) else {})
    return Control(sandbox, request, Fields(values), dict(params.uploads))
