"""The Bot API over HTTP: one call in, one answer out, with faults in between."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from devstack.sandbox import downloads
from devstack.sandbox.calls import CallRecord
from devstack.sandbox.errors import ApiError, too_many_requests
from devstack.sandbox.faults import Fault, FaultKind
from devstack.sandbox.methods import find_method
from devstack.sandbox.methods.common import Answer, Call, Method
from devstack.sandbox.params import Params, read_params
from devstack.sandbox.state import Sandbox
from devstack.sandbox.values import Json


class HangUp(Response):
    """No answer at all: the connection is closed, after `hold_s` seconds or at the sandbox's end."""

    def __init__(self, sandbox: Sandbox, hold_s: float = 0.0) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.hold_s = hold_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection under the server's feet, then wait until it has noticed."""

        async def client_gone() -> bool:
            while (await receive())["type"] != "http.disconnect":
                pass
            return True

        gone = asyncio.create_task(client_gone())
        closed = asyncio.create_task(self.sandbox.closed.wait())
        await asyncio.wait({gone, closed}, timeout=self.hold_s, return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        scope["state"]["hang_up"]()
        await gone


async def bot_api(request: Request) -> Response:
    """/bot<TOKEN>/<method>"""
    sandbox: Sandbox = request.app.state.sandbox
    bot = sandbox.bots.get(request.path_params["token"])
    found = find_method(request.path_params["method"])
    if bot is None:
        return _error(_unknown_token(request.path_params["token"]))
    if found is None:
        return _error(ApiError(404, "Not Found"))
    name, method = found
    try:
        params = await read_params(request, sandbox.files)
    except ApiError as error:
        return _error(error)
    except ClientDisconnect:  # a client that died in the middle of its call is told nothing
        return Response()
    record = sandbox.calls.start(bot.id, name, params.logged())
    try:
        return await _answer(Call(sandbox, bot, params), name, method, record)
    finally:
        record.finish()


async def bot_file(request: Request) -> Response:
    """/file/bot<TOKEN>/<path>, with byte ranges"""
    sandbox: Sandbox = request.app.state.sandbox
    bot = sandbox.bots.get(request.path_params["token"])
    if bot is None:
        return _error(_unknown_token(request.path_params["token"]))
    file = sandbox.files.by_path(bot.id, request.path_params["path"])
    if file is None:
        return _error(ApiError(404, "Not Found"))
    return downloads.response(sandbox.downloads, file.path)


async def _answer(call: Call, name: str, method: Method, record: CallRecord) -> Response:
    fault = call.sandbox.faults.for_call(name, _chat_id(call.params))
    if fault is not None:
        record.fault = str(fault.kind)
    if fault is not None and fault.kind is FaultKind.TIMEOUT:
        return HangUp(call.sandbox, fault.hold_s)
    try:
        _raise_fault(fault)
        result = await method(call)
    except ApiError as error:
        record.status, record.description = error.status, error.description
        retry_after = error.parameters.get("retry_after")
        record.retry_after = retry_after if isinstance(retry_after, int) else None
        return _error(error)
    answer = result if isinstance(result, Answer) else Answer(result, "")
    record.result = answer.result
    if fault is not None:  # a lost answer: all was done, nobody is told
        return HangUp(call.sandbox)
    record.status = 200
    body: Json = {"ok": True, "result": answer.result}
    if answer.description:
        body["description"] = answer.description
    return JSONResponse(body)


def _raise_fault(fault: Fault | None) -> None:
    if fault is None:
        return
    if fault.kind is FaultKind.TOO_MANY:
        raise too_many_requests(fault.retry_after_s)
    if fault.kind is FaultKind.SERVER_ERROR:
        raise ApiError(500, "Internal Server Error")


def _chat_id(params: Params) -> int | None:
    return params.integer("chat_id") if params.has("chat_id") else None


def _unknown_token(token: str) -> ApiError:
    """Telegram knows no such path for what has not the form of a token."""
    head, colon, tail = token.partition(":")
    return ApiError(401, "Unauthorized") if head.isdigit() and colon and tail else ApiError(404, "Not Found")


def _error(error: ApiError) -> Response:
    body: Json = {"ok": False, "error_code": error.status, "description": error.description}
    headers = {}
    if error.parameters:
        body["parameters"] = error.parameters
        if "retry_after" in error.parameters:
            headers["Retry-After"] = str(error.parameters["retry_after"])
    return JSONResponse(body, status_code=error.status, headers=headers)
