"""What the engine's answers mean to us; the bodies are those of Camunda 7.24.0 and Operaton 1.0.3."""

import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from pydantic import SecretStr

from shared.engine import errors
from shared.engine.client import EngineClient
from shared.engine.task_records import LockOutcome, TopicFetch
from shared.errors import ConfigurationError, WorldError
from shared.settings import Settings

Respond = Callable[[httpx.Request], httpx.Response]
Serve = Callable[[Respond], EngineClient]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    clients: list[EngineClient] = []

    def client_that_meets(respond: Respond) -> EngineClient:
        http = httpx.AsyncClient(
            transport=httpx.MockTransport(respond), base_url="http://engine.test/engine-rest"
        )
        clients.append(EngineClient(http))
        return clients[-1]

    yield client_that_meets
    for client in clients:
        await client.aclose()


def answer(status: int, type_: str, message: str, code: int | None = 0) -> Respond:
    return lambda _: httpx.Response(status, json={"type": type_, "message": message, "code": code})


MEANINGS = [
    (
        answer(404, "RestException", "External task with id t1 does not exist"),
        errors.TaskGone,
    ),
    (
        answer(400, "RestException", "External Task t1 cannot be completed by worker 'a'. It is locked by …"),
        errors.EngineRejected,
    ),
    (
        answer(400, "RestException", "ENGINE-03043 ExternalTask with id 't1' is suspended."),
        errors.EngineRejected,
    ),
    (
        answer(500, "OptimisticLockingException", "ENGINE-03005 Execution of 'UPDATE …' failed.", 1),
        errors.OptimisticLocking,
    ),
    (answer(500, "ProcessEngineException", "deadlock detected", 10_000), errors.OptimisticLocking),
    (
        answer(500, "NullValueException", "Cannot find execution with id e for external task t1: null"),
        errors.OptimisticLocking,
    ),
    (
        answer(500, "NullPointerException", 'Cannot read field "rootProcessInstanceId" because …', None),
        errors.OptimisticLocking,
    ),
    (answer(500, "NullPointerException", "Cannot invoke a delegate", None), errors.EngineFault),
    (
        answer(500, "ProcessEngineException", "ENGINE-02004 No outgoing sequence flow for 'gw'"),
        errors.EngineFault,
    ),
    (answer(500, "ProcessEnginePersistenceException", "An exception …", 10_002), errors.EngineFault),
    (answer(500, "ProcessEnginePersistenceException", "An exception …", 0), errors.NoAnswer),
    (
        answer(500, "CannotCreateTransactionException", "Could not open JDBC Connection", None),
        errors.NoAnswer,
    ),
    (
        answer(403, "AuthorizationException", "The user with id 'weak' does not have …"),
        errors.EngineUnauthorized,
    ),
    (
        answer(
            500, "ProcessEngineException", "ENGINE-13034 … because it belongs to no authenticated tenant."
        ),
        errors.EngineUnauthorized,
    ),
]


@pytest.mark.parametrize(("respond", "kind"), MEANINGS)
async def test_each_answer_of_the_engine_has_one_meaning(
    serve: Serve, respond: Respond, kind: type[errors.EngineError]
) -> None:
    with pytest.raises(errors.EngineError) as caught:
        await serve(respond).complete("t1", "a")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(404, text="<html>not found</html>"), errors.EngineUnavailable),
        (
            httpx.Response(404, json={"type": "NotFoundException", "message": "HTTP 404"}),
            errors.EngineUnavailable,
        ),
        (httpx.Response(404, json=["not", "the", "engine"]), errors.EngineUnavailable),
        (httpx.Response(302, headers={"Location": "https://login.test"}), errors.EngineUnavailable),
        (httpx.Response(200, text="<html>log in</html>"), errors.EngineUnavailable),
        (httpx.Response(500, text="<html>proxy error</html>"), errors.NoAnswer),
        (httpx.Response(502), errors.NoAnswer),
        (httpx.Response(504), errors.NoAnswer),
        (httpx.Response(415, json={"type": "NotSupportedException"}), errors.EngineRejected),
    ],
)
async def test_what_is_not_the_engine_never_passes_for_its_verdict(
    serve: Serve, response: httpx.Response, kind: type[errors.EngineError]
) -> None:
    client = serve(lambda _: response)
    with pytest.raises(errors.EngineError) as caught:
        await client.lock("t1", "a", 60)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("value", "pause_s"), [("7", 7.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("x", None)]
)
async def test_the_pause_that_a_gateway_asks_for_is_passed_on(
    serve: Serve, value: str, pause_s: float | None
) -> None:
    client = serve(lambda _: httpx.Response(429, headers={"Retry-After": value}))
    with pytest.raises(errors.EngineUnavailable) as caught:
        await client.version()
    assert caught.value.retry_after_s == pause_s


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), errors.EngineUnavailable),
        (httpx.ConnectTimeout("slow"), errors.EngineUnavailable),
        (httpx.PoolTimeout("busy"), errors.EngineUnavailable),
        (httpx.ReadTimeout("slow"), errors.NoAnswer),
        (httpx.ReadError("reset"), errors.NoAnswer),
        (httpx.RemoteProtocolError("closed"), errors.NoAnswer),
        (httpx.WriteError("reset"), errors.NoAnswer),
    ],
)
async def test_only_a_request_that_surely_was_not_sent_is_not_in_doubt(
    serve: Serve, failure: httpx.HTTPError, kind: type[errors.EngineError]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(errors.EngineUnavailable) as caught:
        await serve(fail).complete("t1", "a")
    assert type(caught.value) is kind


def test_what_may_be_tried_again_is_of_the_world() -> None:
    of_world = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WorldError)
    }
    assert of_world - {WorldError} == {
        errors.EngineUnavailable,
        errors.NoAnswer,
        errors.EngineUnauthorized,
        errors.OptimisticLocking,
        errors.EngineFault,
    }


async def test_after_a_refused_login_nothing_is_sent_for_a_while(serve: Serve) -> None:
    requests = 0

    def refuse(_: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        return httpx.Response(401)

    client = serve(refuse)
    for _ in range(5):
        with pytest.raises(errors.EngineUnauthorized, match="ENGINE_USERNAME and ENGINE_PASSWORD") as caught:
            await client.version()
        assert caught.value.retry_after_s == pytest.approx(5, abs=1)
    assert requests == 1


@pytest.mark.parametrize(
    ("respond", "outcome"),
    [
        (lambda _: httpx.Response(204), LockOutcome.HELD),
        (
            answer(
                400,
                "RestException",
                "External Task t1 cannot be locked by worker 'a'. It is locked by worker 'b'.",
            ),
            LockOutcome.FOREIGN,
        ),
        (answer(404, "RestException", "External task with id t1 does not exist"), LockOutcome.GONE),
    ],
)
async def test_a_lock_is_held_foreign_or_gone(serve: Serve, respond: Respond, outcome: LockOutcome) -> None:
    assert await serve(respond).lock("t1", "a", 60) is outcome


async def test_an_id_never_changes_the_path(serve: Serve) -> None:
    paths: list[bytes] = []

    def note(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(204)

    await serve(note).unlock("../user/create?x#y")
    assert paths == [b"/engine-rest/external-task/..%2Fuser%2Fcreate%3Fx%23y/unlock"]


async def test_a_fetch_asks_for_milliseconds_raw_values_and_extension_properties(serve: Serve) -> None:
    seen: list[tuple[object, object]] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append((json.loads(request.content), request.extensions["timeout"]["read"]))
        return httpx.Response(200, json=[])

    topics = [TopicFetch("a", 30, local_variables=True), TopicFetch("b", 0.5, variables=("x",))]
    await serve(note).fetch_and_lock("w", topics, 10, poll_s=2.5)
    common = {"deserializeValues": False, "includeExtensionProperties": True}
    assert seen == [
        (
            {
                "workerId": "w",
                "maxTasks": 10,
                "usePriority": True,
                "asyncResponseTimeout": 2500,
                "topics": [
                    {"topicName": "a", "lockDuration": 30_000, "localVariables": True, **common},
                    {
                        "topicName": "b",
                        "lockDuration": 500,
                        "localVariables": False,
                        "variables": ["x"],
                        **common,
                    },
                ],
            },
            32.5,
        )
    ]


async def test_deleting_no_variables_asks_nothing(serve: Serve) -> None:
    def forbid(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing to ask")

    await serve(forbid).delete_local_variables("e", [])


@pytest.mark.parametrize("url", ["", "engine:8080/engine-rest", "http://engine:port/engine-rest"])
def test_an_engine_url_that_is_none_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ENGINE_URL"):
        EngineClient.from_settings(Settings(database_url="postgresql://x", engine_url=url))


async def test_the_client_logs_in_with_the_settings() -> None:
    settings = Settings(
        database_url="postgresql://x",
        engine_url="http://engine.test/engine-rest/",
        engine_username="demo",
        engine_password=SecretStr("secret"),
    )
    async with EngineClient.from_settings(settings) as client:
        request = client._http.build_request("GET", "/version")
        assert str(request.url) == "http://engine.test/engine-rest/version"
        assert client._http.auth is not None
