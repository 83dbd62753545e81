"""What Telegram's errors mean to us, and files as streams."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from shared.errors import StepgramError
from shared.telegram.client import (
    FileGone,
    TelegramFiles,
    TelegramRefused,
    TelegramUnavailable,
    Unreachable,
    translate,
)
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (Forbidden("Forbidden: bot was blocked by the user"), Unreachable),
        (Forbidden("Forbidden: bot was kicked from the group chat"), Unreachable),
        (BadRequest("Bad Request: chat not found"), Unreachable),
        (BadRequest("Bad Request: message is too long"), TelegramRefused),
        (RetryAfter(timedelta(seconds=7)), TelegramUnavailable),
        (InvalidToken("Unauthorized"), TelegramUnavailable),
        (NetworkError("httpx.ConnectError"), TelegramUnavailable),
        (TimedOut(), TelegramUnavailable),
        (Conflict("terminated by other getUpdates request"), TelegramRefused),
        (ChatMigrated(-1005), TelegramRefused),
        (TelegramError("something new"), TelegramRefused),
    ],
)
def test_an_error_of_telegram_is_one_of_ours(error: TelegramError, ours: type[StepgramError]) -> None:
    assert type(translate(error)) is ours


def test_the_pause_that_telegram_asks_for_is_kept() -> None:
    found = translate(RetryAfter(timedelta(seconds=7)))
    assert isinstance(found, TelegramUnavailable)
    assert found.retry_after_s == 7


async def file_of(telegram: Telegram, data: bytes) -> str:
    """The file_id of a document that somebody sent."""
    import base64

    ann = await telegram.ann()
    document = {"name": "a.bin", "content_base64": base64.b64encode(data).decode()}
    message = await telegram.send(ann, document=document)
    return str(message["document"]["file_id"])


async def read(files: TelegramFiles, file_id: str) -> bytes:
    """All bytes of a file."""
    async with files.open(file_id) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_file_comes_in_chunks(fakes: Fakes, telegram: Telegram) -> None:
    data = bytes(range(256)) * 1000
    assert fakes.files is not None
    assert await read(fakes.files, await file_of(telegram, data)) == data


async def test_a_file_that_telegram_does_not_know_is_gone(fakes: Fakes, telegram: Telegram) -> None:
    assert fakes.files is not None
    with pytest.raises(FileGone):
        await read(fakes.files, "nothing")


Answer = Callable[[httpx.Request], httpx.Response]


def failing(error: Exception) -> Answer:
    """A server that cannot be reached."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        (lambda request: httpx.Response(404), FileGone),
        (lambda request: httpx.Response(400), FileGone),
        (lambda request: httpx.Response(502), TelegramUnavailable),
        (lambda request: httpx.Response(429), TelegramUnavailable),
        (failing(httpx.ConnectError("x")), TelegramUnavailable),
        (failing(httpx.ReadTimeout("x")), TelegramUnavailable),
    ],
)
async def test_what_the_file_server_answers_is_one_of_our_errors(
    fakes: Fakes,
    telegram: Telegram,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    ours: type[StepgramError],
) -> None:
    assert fakes.files is not None
    file_id = await file_of(telegram, b"x")
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        monkeypatch.setattr(fakes.files, "_http", http)
        with pytest.raises(ours):
            await read(fakes.files, file_id)
