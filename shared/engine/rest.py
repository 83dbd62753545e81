"""HTTP to the engine: one connection pool, and the one place where its answers become our errors.

The texts and types below were met on Camunda 7.24.0 and Operaton 1.0.3, which answer alike.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from shared.engine.errors import (
    EngineError,
    EngineFault,
    EngineRejected,
    EngineUnauthorized,
    EngineUnavailable,
    NoAnswer,
    NotFound,
    OptimisticLocking,
    TaskGone,
)
from shared.engine.login import LoginGate
from shared.errors import ConfigurationError
from shared.metrics import ENGINE_SECONDS, timed
from shared.settings import Settings

Json = Any
"""A decoded JSON document; its shape is what the engine's REST reference says."""

READ_TIMEOUT_S = 30.0
"""A completion runs the process up to its next wait states, so it may take a while."""

UNAUTHORIZED_PAUSE_S = 60.0
"""How long a permission is left to the operator before it is worth trying again."""

MAX_CONNECTIONS, KEPT_ALIVE_S = 10, 30.0
"""Four connections saturate an engine of two cores; Tomcat drops idle ones after 60 s."""

_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""Whatever else breaks a request may have broken it after the engine had it."""

_ROLLED_BACK_BY_A_RACE = frozenset({1, 10_000})
"""The engine's exception codes of optimistic locking and of a database deadlock."""


_WORDS = frozenset(
    {
        "activity-instance",
        "bpmnError",
        "complete",
        "count",
        "create",
        "delete",
        "deployment",
        "execution",
        "external-task",
        "failure",
        "fetchAndLock",
        "group",
        "history",
        "incident",
        "job",
        "key",
        "localVariables",
        "lock",
        "members",
        "process-definition",
        "process-instance",
        "retries",
        "start",
        "tenant-id",
        "unlock",
        "user",
        "variable-instance",
        "variables",
        "version",
        "xml",
    }
)
"""The fixed words of the paths that we call; whatever else stands in a path is somebody's id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its status, headers and whole body."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is of the 200s."""
        return 200 <= self.status < 300

    def json(self) -> Json:
        """The decoded body. Raises ValueError when it is no JSON."""
        return json.loads(self.body)


class Rest:
    """A pooled HTTP client that gives JSON and raises only :class:`EngineError`.

    It is aiohttp for the CPU time that a request costs; docs/explanation/decisions.md has the figures.
    """

    def __init__(self, url: str, login: tuple[str, str] | None = None) -> None:
        self.url = url
        self._headers = {"Authorization": aiohttp.encode_basic_auth(*login, "utf-8")} if login else {}
        self._session: aiohttp.ClientSession | None = None
        self._gate = LoginGate()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make a client for ENGINE_URL, with basic authentication where ENGINE_USERNAME is set.

        Raises:
            ConfigurationError: ENGINE_URL is missing or no http address.
        """
        url = settings.engine_url.rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"ENGINE_URL must be the engine's REST root, http(s)://…/engine-rest, not {url!r}"
            )
        try:
            has_host = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
        except ValueError as error:
            raise ConfigurationError(f"ENGINE_URL is no address: {error}") from error
        if not has_host:
            raise ConfigurationError(f"ENGINE_URL is no address: {url!r} names no host")
        if settings.engine_username is None:
            return cls(url)
        password = settings.engine_password.get_secret_value() if settings.engine_password else ""
        return cls(url, (settings.engine_username, password))

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _call(
        self, method: str, path: str, *, read_timeout_s: float = READ_TIMEOUT_S, **options: Any
    ) -> Json:
        """Send one request; the decoded answer, None where it has no content.

        ``options`` are aiohttp's: json, params, data.
        """
        self._gate.check()
        with timed(ENGINE_SECONDS, operation_of(method, path)):
            return await self._send(method, path, read_timeout_s, options)

    async def _send(self, method: str, path: str, read_timeout_s: float, options: Mapping[str, Any]) -> Json:
        answer = await self._exchange(method, path, read_timeout_s, options)
        if answer.status == 401:
            raise self._gate.refused()
        self._gate.accepted()
        if not answer.is_success:
            raise error_of(answer)
        if not answer.body:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise _not_by_the_engine(answer) from error

    async def _exchange(
        self, method: str, path: str, read_timeout_s: float, options: Mapping[str, Any]
    ) -> Answer:
        """Send one request and read its answer, whatever it is.

        Raises:
            EngineUnavailable: it was not sent; as NoAnswer, it may have been done all the same.
        """
        if self._session is None:
            self._session = self._new_session()
        timeout = aiohttp.ClientTimeout(connect=READ_TIMEOUT_S, sock_connect=5.0, sock_read=read_timeout_s)
        url = URL(f"{self.url}{path}", encoded=True)
        try:
            async with self._session.request(
                method, url, timeout=timeout, allow_redirects=False, **options
            ) as response:
                body = await response.read()
        except _NOT_SENT as error:
            raise EngineUnavailable(f"the engine cannot be reached at {self.url}: {error!r}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(f"{method} {path}: sent, but no answer came: {error!r}") from error
        return Answer(f"{method} {url}", response.status, response.headers, body)

    def _new_session(self) -> aiohttp.ClientSession:
        """Made with the first request: a session belongs to the event loop that runs then."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )


def operation_of(method: str, path: str) -> str:
    """A call's name without its ids, as the engine's REST reference writes it."""
    words = [word if word in _WORDS else "{id}" for word in path.strip("/").split("/")]
    return f"{method} /{'/'.join(words)}"


def path_of(*segments: str) -> str:
    """A path whose segments are quoted, so that no id can change its meaning."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def error_of(answer: Answer) -> EngineError:
    """The error that an unsuccessful answer means; 401 is the login gate's.

    Only a JSON answer with a ``type`` is the engine's own: a proxy's 404 must not pass for a vanished task,
    nor its 500 for a fault of the diagram.
    """
    status, retry_after_s = answer.status, _retry_after_s(answer)
    body = _engine_body(answer)
    if body is None or status in (408, 429):
        return _not_by_the_engine(answer)
    message, type_, code = str(body.get("message")), str(body["type"]), body.get("code")
    if status == 403 or "belongs to no authenticated tenant" in message:
        return EngineUnauthorized(
            f"the engine user of ENGINE_USERNAME lacks a permission or a tenant: {message}",
            retry_after_s=retry_after_s or UNAUTHORIZED_PAUSE_S,
        )
    if _is_race(type_, code, message):
        return OptimisticLocking(message)
    if _is_broken_database(type_, code):
        return NoAnswer(f"the engine's database failed it: {message} ({type_})")
    if status == 404 or "doesn't exist: execution is null" in message:
        return (TaskGone if message.startswith("External task with id") else NotFound)(message)
    if status >= 500:
        return EngineFault(f"{message} ({type_})", type_=type_)
    return EngineRejected(message, status=status, type_=type_)


def _is_race(type_: str, code: object, message: str) -> bool:
    """Whether two transactions met.

    Beside its OptimisticLockingException, the engine answers two completions of one task at the same moment
    with the other two about one time in five.
    """
    return (
        type_ == "OptimisticLockingException"
        or code in _ROLLED_BACK_BY_A_RACE
        or (message.startswith("Cannot find execution with id") and "for external task" in message)
        or (type_ == "NullPointerException" and "rootProcessInstanceId" in message)
    )


def _is_broken_database(type_: str, code: object) -> bool:
    """Whether the engine lost its database, perhaps while it committed.

    A value that no column takes has the same type, but a code of its own (10002); NUL, which has none, is
    kept out by :mod:`shared.engine.values`.
    """
    return type_ == "CannotCreateTransactionException" or (
        type_ == "ProcessEnginePersistenceException" and code == 0
    )


def _engine_body(answer: Answer) -> Mapping[str, Json] | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    is_engines = isinstance(body, dict) and "type" in body and body["type"] != "NotFoundException"
    return body if is_engines else None


def _not_by_the_engine(answer: Answer) -> EngineError:
    """Something in front of the engine answered, or the engine's server without the engine."""
    status, retry_after_s = answer.status, _retry_after_s(answer)
    message = f"{answer.request} answered {status}, and not as the engine does"
    if status >= 500:
        return NoAnswer(message, retry_after_s=retry_after_s)
    if status in (400, 413, 415):
        text = answer.body[:300].decode(errors="replace")
        return EngineRejected(f"{message}: {text}", status=status, type_="")
    if status not in (408, 429):
        message += "; does ENGINE_URL end in the REST root, as …/engine-rest?"
    return EngineUnavailable(message, retry_after_s=retry_after_s)


def _retry_after_s(answer: Answer) -> float | None:
    value = answer.headers.get("Retry-After")
    if value is None:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
