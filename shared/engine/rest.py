"""HTTP to the engine: one connection pool, and the one place where its answers become our errors.

The texts and types below were met on Camunda 7.24.0 and Operaton 1.0.3, which answer alike.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

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

_LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=10, keepalive_expiry=30)
"""Four connections saturate an engine of two cores; Tomcat drops idle ones after 60 s."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

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


class Rest:
    """A pooled HTTP client that gives JSON and raises only :class:`EngineError`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
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
        auth: httpx.BasicAuth | None = None
        if settings.engine_username is not None:
            password = settings.engine_password.get_secret_value() if settings.engine_password else ""
            auth = httpx.BasicAuth(settings.engine_username, password)
        try:
            return cls(httpx.AsyncClient(base_url=url, auth=auth, timeout=_timeout(), limits=_LIMITS))
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"ENGINE_URL is no address: {error}") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

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

        ``options`` are httpx's: json, params, data, files.
        """
        self._gate.check()
        with timed(ENGINE_SECONDS, operation_of(method, path)):
            return await self._send(method, path, read_timeout_s, options)

    async def _send(self, method: str, path: str, read_timeout_s: float, options: Mapping[str, Any]) -> Json:
        try:
            response = await self._http.request(method, path, timeout=_timeout(read_timeout_s), **options)
        except _NOT_SENT as error:
            raise EngineUnavailable(
                f"the engine cannot be reached at {self._http.base_url}: {error!r}"
            ) from error
        except httpx.HTTPError as error:
            raise NoAnswer(f"{method} {path}: sent, but no answer came: {error!r}") from error
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise self._gate.refused()
        self._gate.accepted()
        if not response.is_success:
            raise error_of(response)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise _not_by_the_engine(response) from error


def _timeout(read_s: float = READ_TIMEOUT_S) -> httpx.Timeout:
    return httpx.Timeout(READ_TIMEOUT_S, connect=5.0, read=read_s)


def operation_of(method: str, path: str) -> str:
    """A call's name without its ids, as the engine's REST reference writes it."""
    words = [word if word in _WORDS else "{id}" for word in path.strip("/").split("/")]
    return f"{method} /{'/'.join(words)}"


def path_of(*segments: str) -> str:
    """A path whose segments are quoted, so that no id can change its meaning."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def error_of(response: httpx.Response) -> EngineError:
    """The error that an unsuccessful answer means; 401 is the login gate's.

    Only a JSON answer with a ``type`` is the engine's own: a proxy's 404 must not pass for a vanished task,
    nor its 500 for a fault of the diagram.
    """
    status, retry_after_s = response.status_code, _retry_after_s(response)
    body = _engine_body(response)
    if body is None or status in (408, 429):
        return _not_by_the_engine(response)
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


def _engine_body(response: httpx.Response) -> Mapping[str, Json] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    is_engines = isinstance(body, dict) and "type" in body and body["type"] != "NotFoundException"
    return body if is_engines else None


def _not_by_the_engine(response: httpx.Response) -> EngineError:
    """Something in front of the engine answered, or the engine's server without the engine."""
    status, request = response.status_code, response.request
    message = f"{request.method} {request.url} answered {status}, and not as the engine does"
    retry_after_s = _retry_after_s(response)
    if status >= 500:
        return NoAnswer(message, retry_after_s=retry_after_s)
    if status in (400, 413, 415):
        return EngineRejected(f"{message}: {response.text[:300]}", status=status, type_="")
    if status not in (408, 429):
        message += "; does ENGINE_URL end in the REST root, as …/engine-rest?"
    return EngineUnavailable(message, retry_after_s=retry_after_s)


def _retry_after_s(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
