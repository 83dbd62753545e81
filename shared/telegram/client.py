"""The Bot API client: python-telegram-bot's ExtBot for calls, a plain stream for files."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import structlog
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import BaseRateLimiter, ExtBot

from shared.errors import ConfigurationError, StepgramError, WorldError
from shared.settings import Settings
from shared.telegram.request import ANSWER_S, AiohttpRequest, new_session

log = structlog.get_logger(__name__)

CHUNK_BYTES = 256 * 1024
LOCAL_CHUNK_BYTES = 1024 * 1024

LOCAL_ANSWER_S = 3600.0
"""How long a Bot API server of one's own may take to fetch a file, which it does before it answers."""

SharedBot = ExtBot[dict[str, str]]


class TelegramUnavailable(WorldError):
    """Telegram does not answer, or asks to wait."""


class TelegramRefused(StepgramError):
    """Telegram answered that it will not do this; trying again will not help."""


class Unreachable(StepgramError):
    """The person has blocked the bot or never started it."""


class FileGone(StepgramError):
    """Telegram no longer gives this file."""


class FileTooBig(StepgramError):
    """The file is larger than the Bot API gives."""


@asynccontextmanager
async def telegram_bot(
    settings: Settings, limiter: BaseRateLimiter[dict[str, str]] | None = None
) -> AsyncIterator[SharedBot]:
    """The bot client of one process. It asks Telegram nothing by itself, so that may be away."""
    base = settings.telegram_api_url.rstrip("/")
    request = AiohttpRequest()
    unused = AiohttpRequest()  # updates are fetched without the library
    try:
        yield ExtBot(
            settings.bot_token.get_secret_value(),
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=request,
            get_updates_request=unused,
            rate_limiter=limiter,
        )
    finally:
        await request.shutdown()
        await unused.shutdown()


def retry_after_s(error: RetryAfter) -> float:
    """The seconds that a 429 asks to wait."""
    seconds = error.retry_after
    return seconds.total_seconds() if hasattr(seconds, "total_seconds") else float(seconds)


def translate(error: TelegramError) -> StepgramError:
    """python-telegram-bot's error as one of ours."""
    text = error.message
    # BadRequest is a NetworkError in python-telegram-bot, so it is matched before it.
    if isinstance(error, Forbidden) or (isinstance(error, BadRequest) and "chat not found" in text.lower()):
        return Unreachable(text)
    if isinstance(error, BadRequest):
        return TelegramRefused(text)
    if isinstance(error, InvalidToken):
        # Of the world: while an operator mends it, no message is lost and no step becomes an incident.
        reason = "Telegram refuses BOT_TOKEN; ask BotFather for the bot's current token"
        return TelegramUnavailable(reason, retry_after_s=30.0)
    if isinstance(error, RetryAfter):
        return TelegramUnavailable(text, retry_after_s=retry_after_s(error))
    if isinstance(error, NetworkError):
        return TelegramUnavailable(f"Telegram does not answer: {text}")
    return TelegramRefused(text)


@dataclass(frozen=True)
class Located:
    """Where a file can be read just now: an address of the Bot API server, or a path of a shared disk."""

    address: str
    is_local: bool


class TelegramFiles:
    """Files that people sent, streamed: python-telegram-bot's own download keeps them whole in memory."""

    def __init__(self, settings: Settings, bot: SharedBot) -> None:
        self._bot = bot
        self._is_local = settings.telegram_local_files
        self._base = (
            f"{settings.telegram_api_url.rstrip('/')}/file/bot{settings.bot_token.get_secret_value()}"
        )
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def locate(self, file_id: str) -> Located:
        """Ask where a file is. A Bot API server run with --local answers when it has the whole of it.

        Raises:
            FileTooBig: it is larger than the Bot API gives.
            FileGone: Telegram has it no longer.
            TelegramUnavailable: try again later.
            ConfigurationError: the server gives paths, and TELEGRAM_LOCAL_FILES is not set.
        """
        patience_s = LOCAL_ANSWER_S if self._is_local else ANSWER_S
        try:
            file = await self._bot.get_file(file_id, read_timeout=patience_s)
        except TelegramError as error:
            ours = translate(error)
            if isinstance(ours, TelegramRefused):
                raise (FileTooBig if "too big" in str(ours).lower() else FileGone)(str(ours)) from error
            raise ours from error
        # ExtBot puts the base address before whatever is no file of this machine's disks.
        path = (file.file_path or "").removeprefix(f"{self._base}/")
        if path.startswith(("http://", "https://")):
            return Located(path, is_local=False)
        if not os.path.isabs(path):
            return Located(f"{self._base}/{path}", is_local=False)
        if not self._is_local:
            raise ConfigurationError("the Bot API server gives local paths; set TELEGRAM_LOCAL_FILES=1")
        return Located(path, is_local=True)

    @asynccontextmanager
    async def read(self, located: Located) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of a file in chunks.

        Raises:
            FileGone: what ``locate`` said has expired.
            TelegramUnavailable: try again later.
            ConfigurationError: a local path that cannot be read here.
        """
        reading = _local_chunks(located.address) if located.is_local else self._download(located.address)
        async with reading as chunks:
            yield chunks

    @asynccontextmanager
    async def _download(self, address: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if self._session is None:
            self._session = new_session()
        timeout = aiohttp.ClientTimeout(sock_connect=10, sock_read=30)
        try:
            async with self._session.get(
                address, timeout=timeout, allow_redirects=False, read_bufsize=CHUNK_BYTES
            ) as response:
                if response.status in {400, 404}:
                    raise FileGone("Telegram no longer gives this file")
                if response.status != 200:
                    raise TelegramUnavailable(f"Telegram's file server answered {response.status}")
                yield response.content.iter_chunked(CHUNK_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TelegramUnavailable(f"the download broke: {type(error).__name__}") from None


@asynccontextmanager
async def _local_chunks(path: str) -> AsyncIterator[AsyncIterator[bytes]]:
    try:
        file = await asyncio.to_thread(open, path, "rb", 0)
    except OSError as error:
        raise ConfigurationError(
            f"TELEGRAM_LOCAL_FILES is set, but {path}, which the Bot API server has just written, cannot be"
            f" read here ({error.strerror}); share its volume under the same path"
        ) from error

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while chunk := await asyncio.to_thread(file.read, LOCAL_CHUNK_BYTES):
                yield chunk
        except OSError as error:
            raise TelegramUnavailable(f"{path} cannot be read on: {error.strerror}") from error

    try:
        yield chunks()
    finally:
        await asyncio.to_thread(file.close)


async def discard_local(path: str) -> None:
    """Delete what a Bot API server of one's own has put on the shared disk; it does not do so itself."""
    try:
        await asyncio.to_thread(os.unlink, path)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("a local file of the Bot API server is left", path=path, reason=error.strerror)
