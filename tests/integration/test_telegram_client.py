"""What Telegram's errors mean to us, and files as streams."""

from datetime import timedelta

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
from tests.fakes.web import HangUp, Request, Respond, Response, serving


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


def hang_up(_: Request) -> Response:
    raise HangUp


@pytest.mark.parametrize(
    ("respond", "ours"),
    [
        (lambda _: Response(404), FileGone),
        (lambda _: Response(400), FileGone),
        (lambda _: Response(502), TelegramUnavailable),
        (lambda _: Response(429), TelegramUnavailable),
        (hang_up, TelegramUnavailable),
    ],
)
async def test_what_the_file_server_answers_is_one_of_our_errors(
    fakes: Fakes,
    telegram: Telegram,
    monkeypatch: pytest.MonkeyPatch,
    respond: Respond,
    ours: type[StepgramError],
) -> None:
    assert fakes.files is not None
    file_id = await file_of(telegram, b"x")
    async with serving(respond) as url:
        monkeypatch.setattr(fakes.files, "_path", lambda _: _at(url))
        with pytest.raises(ours):
            await read(fakes.files, file_id)


async def _at(url: str) -> str:
    return f"{url}/file/documents/a.bin"
