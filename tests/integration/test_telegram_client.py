"""What Telegram's errors mean to us, and files as streams."""

import os
from datetime import timedelta
from pathlib import Path

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

from shared.errors import ConfigurationError, StepgramError
from shared.telegram.client import (
    FileGone,
    FileTooBig,
    Located,
    TelegramFiles,
    TelegramRefused,
    TelegramUnavailable,
    Unreachable,
    discard_local,
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
    ann = await telegram.ann()
    path = telegram.running.sandbox.files.new_path()
    path.write_bytes(data)
    document = {"name": "a.bin", "path": str(path)}
    message = await telegram.send(ann, document=document)
    return str(message["document"]["file_id"])


async def read(files: TelegramFiles, file_id: str) -> bytes:
    """All bytes of a file."""
    async with files.read(await files.locate(file_id)) as chunks:
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
        monkeypatch.setattr(fakes.files, "locate", lambda _: _at(url))
        with pytest.raises(ours):
            await read(fakes.files, file_id)


async def _at(url: str) -> Located:
    return Located(f"{url}/file/documents/a.bin", is_local=False)


# a Bot API server of one's own


def size_on_disk(path: str) -> int | None:
    """The size of a file, or None where there is none."""
    return os.path.getsize(path) if os.path.exists(path) else None


def local_files(fakes: Fakes) -> TelegramFiles:
    """As a process with TELEGRAM_LOCAL_FILES has them."""
    assert fakes.bot is not None
    return TelegramFiles(fakes.settings.model_copy(update={"telegram_local_files": True}), fakes.bot)


async def test_a_local_server_gives_files_beyond_20_mb_by_their_path(
    fakes: Fakes, telegram: Telegram, tmp_path: Path
) -> None:
    telegram.running.sandbox.downloads.local_dir = tmp_path / "local"
    data = bytes(21 * 1024 * 1024)
    file_id = await file_of(telegram, data)
    files = local_files(fakes)
    located = await files.locate(file_id)
    assert (located.is_local, size_on_disk(located.address)) == (True, len(data))
    assert await read(files, file_id) == data
    await discard_local(located.address)
    assert size_on_disk(located.address) is None
    await discard_local(located.address)


async def test_a_cloud_server_refuses_what_is_larger_than_20_mb(fakes: Fakes, telegram: Telegram) -> None:
    assert fakes.files is not None
    with pytest.raises(FileTooBig):
        await read(fakes.files, await file_of(telegram, bytes(21 * 1024 * 1024)))


async def test_a_local_path_that_is_not_shared_waits_and_says_what_to_do(
    fakes: Fakes, telegram: Telegram, tmp_path: Path
) -> None:
    telegram.running.sandbox.downloads.local_dir = tmp_path / "local"
    file_id = await file_of(telegram, b"x")
    files = local_files(fakes)
    located = await files.locate(file_id)
    os.unlink(located.address)
    with pytest.raises(ConfigurationError, match="share its volume under the same path"):
        async with files.read(located):
            pass


async def test_a_local_server_that_the_settings_do_not_know_of_is_told(
    fakes: Fakes, telegram: Telegram, tmp_path: Path
) -> None:
    telegram.running.sandbox.downloads.local_dir = tmp_path / "local"
    assert fakes.files is not None
    with pytest.raises(ConfigurationError, match="TELEGRAM_LOCAL_FILES"):
        await read(fakes.files, await file_of(telegram, b"x"))
