"""The Bot API client: python-telegram-bot's ExtBot for calls, a plain stream for files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import BaseRateLimiter, ExtBot

from shared.errors import StepgramError, WorldError
from shared.settings import Settings
from shared.telegram.request import AiohttpRequest, new_session

CHUNK_BYTES = 64 * 1024

SharedBot = ExtBot[dict[str, str]]


class TelegramUnavailable(WorldError):
    """Telegram does not answer, or asks to wait."""


class TelegramRefused(StepgramError):
    """Telegram answered that it will not do this; trying again will not help."""


class Unreachable(StepgramError):
    """The person has blocked the bot or never started it."""


class FileGone(StepgramError):
    """Telegram no longer gives this file."""


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


class TelegramFiles:
    """Files that people sent, streamed: python-telegram-bot's own download keeps them whole in memory."""

    def __init__(self, settings: Settings, bot: SharedBot) -> None:
        self._bot = bot
        self._base = (
            f"{settings.telegram_api_url.rstrip('/')}/file/bot{settings.bot_token.get_secret_value()}"
        )
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def open(self, file_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of a file in chunks.

        Raises:
            FileGone: Telegram has it no longer, or it is larger than the Bot API gives.
            TelegramUnavailable: try again later.
        """
        path = await self._path(file_id)
        if self._session is None:
            self._session = new_session()
        timeout = aiohttp.ClientTimeout(sock_connect=10, sock_read=30)
        try:
            async with self._session.get(path, timeout=timeout, allow_redirects=False) as response:
                if response.status in {400, 404}:
                    raise FileGone("Telegram no longer gives this file")
                if response.status != 200:
                    raise TelegramUnavailable(f"Telegram's file server answered {response.status}")
                yield response.content.iter_chunked(CHUNK_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TelegramUnavailable(f"the download broke: {type(error).__name__}") from None

    async def _path(self, file_id: str) -> str:
        try:
            file = await self._bot.get_file(file_id)
        except TelegramError as error:
            ours = translate(error)
            raise (FileGone(str(ours)) if isinstance(ours, TelegramRefused) else ours) from error
        path = file.file_path or ""
        # ExtBot puts the base address before the path unless the server gave a whole address.
        return path if path.startswith(("http://", "https://")) else f"{self._base}/{path}"
