"""The addresses of the upload page. Only POST changes anything: what previews a link spends nothing."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot import page_offers
from bot.uploader import waited_for
from bot.web import page as pages
from bot.web.sending import Sending, Wanted
from bot.web.visits import Caller, Refused, stand_in, token_of
from shared import people, replies, texts, upload_pages
from shared.errors import ConfigurationError, WorldError
from shared.models import Json
from shared.service import Services
from shared.signing import PageToken
from shared.steps.model import Step

log = structlog.get_logger(__name__)

SESSION_HEADER, INIT_DATA_HEADER = "X-Upload-Session", "X-Telegram-Init-Data"
MAX_BODY_BYTES = 16_384
MOST_BYTES = 2**53
"""JavaScript counts no further."""

KEPT = "public, max-age=31536000, immutable"

Word = Callable[[Sending, Caller, Json], Awaitable[Json]]


class UploadRoutes:
    """The page below the path of UPLOAD_PAGE_URL, for a browser and for Telegram's Web Apps."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sending = Sending(services)
        self._root = urlsplit(services.settings.upload_page_url or "").path.rstrip("/") + "/upload"

    def routes(self) -> list[Route]:
        """In the order in which they are tried."""
        root = self._root
        return [
            Route(f"{root}/static/{{version}}/{{name}}", self.static, methods=["GET"]),
            Route(f"{root}/{{token}}", self.show, methods=["GET"]),
            Route(f"{root}/{{token}}/{{word}}", self.answer, methods=["POST"]),
        ]

    async def static(self, request: Request) -> Response:
        """The script and the style."""
        name = request.path_params["name"]
        if name not in pages.FILES or request.path_params["version"] != pages.VERSION:
            return Response(status_code=404, headers=dict(pages.QUIET))
        kind = pages.TYPES[name[name.rindex(".") :]]
        return Response(pages.FILES[name], media_type=kind, headers={"Cache-Control": KEPT, **pages.QUIET})

    async def show(self, request: Request) -> Response:
        """The page itself, or the one sentence that says why there is none."""
        try:
            token = token_of(self._services.settings, request.path_params["token"])
            origin = await self._services.storage.multipart.origin()
            body = await self._page(token)
        except Refused as refused:
            body = pages.notice(refused.sentence, self._root)
            return _html(body, refused.status, pages.headers("", framed=True))
        except (WorldError, ConfigurationError) as error:
            log.warning("the upload page cannot be shown", error=str(error))
            body = pages.notice(texts.say("try-again"), self._root)
            return _html(body, 503, pages.headers("", framed=True))
        return _html(body, 200, pages.headers(origin, framed=token.kind == "webapp"))

    async def _page(self, token: PageToken) -> str:
        async with self._services.db.begin() as tx:
            page = await upload_pages.by_id(tx, token.page_id)
            if page is None or page.user_id != token.user_id:
                raise Refused(404, texts.say("page-unknown"))
            async with people.speaking_to(tx, page.user_id):
                reply = await replies.by_id(tx, page.pending_reply_id)
                ask = waited_for(reply, stand_in(page))
                if page.state == "closed" or reply is None or ask is None:
                    raise Refused(410, texts.say("page-over"))
                if page.state == "open" and page_offers.is_late(token):
                    raise Refused(410, texts.say("page-expired"))
                return pages.html(self._services.settings, page, Step.of(reply.step).title, ask, self._root)

    async def answer(self, request: Request) -> Response:
        """One word of the page's script."""
        word = WORDS.get(request.path_params["word"])
        is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        if word is None or not is_json:
            return _json({}, 404 if word is None else 415)
        caller = Caller(
            request.path_params["token"],
            request.headers.get(SESSION_HEADER, ""),
            request.headers.get(INIT_DATA_HEADER, ""),
        )
        try:
            return _json(await word(self._sending, caller, await _body(request)))
        except Refused as refused:
            return _json({"sentence": refused.sentence}, refused.status)
        except (WorldError, ConfigurationError) as error:
            log.warning("the upload page waits", error=str(error))
            return _json({"sentence": texts.say("try-again")}, 503)


async def _body(request: Request) -> Json:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, texts.say("page-unknown"))
    try:
        said = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise Refused(400, texts.say("page-unknown")) from None
    if not isinstance(said, dict):
        raise Refused(400, texts.say("page-unknown"))
    return said


def _number(value: Any, most: int = MOST_BYTES) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise Refused(400, texts.say("page-unknown"))
    return value


def _begin(sending: Sending, caller: Caller, said: Json) -> Awaitable[Json]:
    name, kind = said.get("name"), said.get("type")
    if not isinstance(name, str):
        raise Refused(400, texts.say("page-unknown"))
    mime_type = kind[:200] if isinstance(kind, str) and kind else None
    return sending.begin(caller, Wanted(name[:1000], _number(said.get("size")), mime_type))


def _parts(sending: Sending, caller: Caller, said: Json) -> Awaitable[Json]:
    numbers = said.get("numbers")
    if not isinstance(numbers, list):
        raise Refused(400, texts.say("page-unknown"))
    return sending.parts(caller, _number(said.get("file")), [_number(each) for each in numbers])


WORDS: dict[str, Word] = {
    "status": lambda sending, caller, said: sending.status(caller),
    "begin": _begin,
    "parts": _parts,
    "finish": lambda sending, caller, said: sending.finish(caller, _number(said.get("file"))),
    "done": lambda sending, caller, said: sending.done(caller),
    "drop": lambda sending, caller, said: sending.drop(caller, _number(said.get("file"))),
}
"""What the script can ask for."""


def _json(content: Json, status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store", **pages.QUIET})


def _html(body: str, status: int, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="text/html")
