"""A step that waits for a file, its page, and the browser at it, over a real bucket and database."""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from bot import page_offers
from bot.web import server
from bot.web.routes import INIT_DATA_HEADER, SESSION_HEADER, UploadRoutes
from shared import upload_pages
from shared.models import UploadPage
from shared.signing import PageKind
from shared.storage import Storage
from tests.fakes.conversation import Conversation
from tests.fakes.rows import get
from tests.fakes.services import TOKEN, Fakes

BASE = "https://bot.example.org/files"
JSON_FILE = b'{"messages": []}'


def with_page(fakes: Fakes, storage: Storage, **values: Any) -> Fakes:
    """The same with a real bucket, and a page for larger files."""
    fakes.settings = fakes.settings.model_copy(update={"upload_page_url": BASE, **values})
    fakes.real_storage = storage
    return fakes


def init_data(user_id: int, *, token: str = TOKEN, age_s: float = 0, **more: str) -> str:
    """What Telegram signs when a person opens a Web App."""
    user = json.dumps({"id": user_id, "first_name": "Ann"})
    fields = {"auth_date": str(int(time.time() - age_s)), "query_id": "AAE", "user": user, **more}
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    secret = hmac.digest(b"WebAppData", token.encode(), hashlib.sha256)
    return urlencode({**fields, "hash": hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest()})


@dataclass
class Browser:
    """Somebody at a page: what the page's script does, without the script."""

    client: httpx.AsyncClient
    path: str
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    init_data: str = ""

    async def ask(self, word: str, **body: Any) -> httpx.Response:
        """Say a word to the page's server."""
        headers = {SESSION_HEADER: self.session, INIT_DATA_HEADER: self.init_data}
        return await self.client.post(f"{self.path}/{word}", json=body, headers=headers)

    async def said(self, word: str, **body: Any) -> Any:
        """The answer to a word that is taken."""
        answer = await self.ask(word, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, word: str, **body: Any) -> tuple[int, str]:
        """The status and the sentence of a word that is refused."""
        answer = await self.ask(word, **body)
        assert answer.status_code != 200, answer.text
        return answer.status_code, answer.json()["sentence"]

    async def send(
        self, name: str, data: bytes, *, but: tuple[int, ...] = (), size: int | None = None
    ) -> int:
        """Begin a file and put its parts into the bucket, ``but`` some; its number."""
        declared = len(data) if size is None else size
        begun = await self.said("begin", name=name, size=declared, type="application/json")
        step = begun["part_bytes"]
        numbers = [at + 1 for at in range(-(-declared // step)) if at + 1 not in (*but, *begun["present"])]
        urls = (await self.said("parts", file=begun["file"], numbers=numbers))["urls"]
        async with httpx.AsyncClient(trust_env=False, timeout=60) as bucket:
            for number in numbers:
                part = data[(number - 1) * step : number * step]
                (await bucket.put(urls[str(number)], content=part)).raise_for_status()
        return int(begun["file"])


@dataclass
class Pages:
    """The web server of a bot process, and its pages."""

    talk: Conversation
    client: httpx.AsyncClient

    async def page(
        self, reply_id: int, user_id: int, variable: str = "s3_export", **values: Any
    ) -> UploadPage:
        """A page as the button makes it."""
        row = await self.talk.reply(reply_id)
        async with self.talk.db.begin() as tx:
            made = await upload_pages.add(
                tx,
                link_s=values.pop("link_s", 3600),
                pending_reply_id=reply_id,
                variable=variable,
                chat_id=row.chat_id,
                user_id=user_id,
                user_name="Ann",
            )
        return await get(self.talk.db, UploadPage, made.id)

    def browser(self, page: UploadPage, kind: PageKind = "browser", **values: Any) -> Browser:
        """A browser that has the page's link."""
        address = page_offers.address_of(self.talk.fakes.settings, page, kind)
        return Browser(self.client, address.removeprefix("https://bot.example.org"), **values)


def client_of(fakes: Fakes) -> httpx.AsyncClient:
    """A client of the web server."""
    app = server.application(fakes.services.health, UploadRoutes(fakes.services).routes())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://bot.example.org")
