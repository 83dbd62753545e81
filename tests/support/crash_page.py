"""What a browser does at the upload page while the processes behind it are killed."""

import secrets
from typing import Any

import httpx

from bot.web.routes import SESSION_HEADER
from shared import texts
from tests.support.crash_lanes import until
from tests.support.crash_plays import IN_PARTS, is_stored
from tests.support.crash_stage import Stage


async def upload_by_page(stage: Stage) -> None:
    """A file of two parts, by a browser that asks again whenever it gets no answer."""
    await stage.start()
    await stage.taps("The data", texts.say("button-upload-page"))
    shown = await stage.person.sees("by a browser", patience_s=30)
    address = shown["text"][shown["text"].index("http://") :].split()[0]
    headers = {SESSION_HEADER: secrets.token_urlsafe(32)}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=20) as http:
        await _send(http, address, IN_PARTS)
    await is_stored(stage, IN_PARTS)


async def _send(http: httpx.AsyncClient, address: str, content: bytes) -> None:
    async def ask(word: str, **body: Any) -> Any:
        async def answered() -> Any:
            try:
                response = await http.post(f"{address}/{word}", json=body)
            except httpx.TransportError:
                return None  # the process has died
            return response if response.status_code < 500 else None

        response = await until(answered, f"an answer to {word}")
        return response.json() if response.status_code == 200 else response

    begun = await ask("begin", name="data.json", size=len(content), type="")
    number, step = begun["file"], begun["part_bytes"]
    urls = (await ask("parts", file=number, numbers=[1, 2]))["urls"]
    for part in (1, 2):
        data = content[(part - 1) * step : part * step]
        (await http.put(urls[str(part)], content=data)).raise_for_status()
    finished = await ask("finish", file=number)
    if isinstance(finished, httpx.Response):  # the answer to the first one was lost, and it had been taken
        assert finished.status_code in {409, 410}, finished.text
