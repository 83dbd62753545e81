"""python-telegram-bot's HTTP, by the same client as the engine's."""

from typing import Any

import aiohttp
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

from shared.metrics import TELEGRAM_SECONDS, timed

CONNECTIONS = 32
ANSWER_S, CONNECT_S = 20.0, 10.0
"""How long Telegram may be silent within an answer, and how long it may take to be reached."""

CALL_S, FILE_CALL_S = 60.0, 300.0
"""How long a call may take as a whole, so that none hangs on a peer that takes its bytes one by one."""


def new_session(connections: int = CONNECTIONS) -> aiohttp.ClientSession:
    """A pool of connections to Telegram; proxies come from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
    )


class AiohttpRequest(BaseRequest):
    """See telegram.request.BaseRequest. Calls are measured; a refusal counts by its status, such as 429."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds of silence after which a call has failed."""
        return ANSWER_S

    async def initialize(self) -> None:
        """Nothing is opened before the first call."""

    async def shutdown(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """See BaseRequest. No error of it has the address in its text, which has the bot's token."""
        has_files = bool(request_data and request_data.multipart_data)
        silence_s = _seconds(read_timeout, ANSWER_S)
        timeout = aiohttp.ClientTimeout(
            total=max(FILE_CALL_S if has_files else CALL_S, silence_s),
            sock_connect=_seconds(connect_timeout, CONNECT_S),
            sock_read=silence_s,
        )
        if self._session is None:
            self._session = new_session()
        with timed(TELEGRAM_SECONDS, url.rpartition("/")[2]) as outcome:
            try:
                async with self._session.request(
                    method, url, data=_body(request_data, has_files), timeout=timeout, allow_redirects=False
                ) as response:
                    status, body = response.status, await response.read()
            except TimeoutError as error:
                raise TimedOut(f"no answer: {type(error).__name__}") from None
            except (aiohttp.ClientError, OSError) as error:
                raise NetworkError(f"aiohttp.{type(error).__name__}") from None
            if status != 200:
                outcome.append(str(status))
        return status, body


def _seconds(given: Any, otherwise: float) -> float:
    return otherwise if given is BaseRequest.DEFAULT_NONE or given is None else float(given)


def _body(data: RequestData | None, has_files: bool) -> aiohttp.FormData | dict[str, str] | None:
    if data is None:
        return None
    if not has_files:
        return data.json_parameters
    # Names as they are, in UTF-8, as every client of Telegram sends them: it would show the percent signs.
    form = aiohttp.FormData(quote_fields=False)
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (file_name, content, content_type) in data.multipart_data.items():
        form.add_field(name, content, filename=file_name, content_type=content_type)
    return form
