"""What the engine's answers mean to us; the bodies are those of Camunda 7.24.0 and Operaton 1.0.3."""

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from shared.engine import errors, rest
from shared.engine.client import EngineClient
from shared.engine.task_records import LockOutcome, TopicFetch
from shared.errors import ConfigurationError, WorldError
from shared.settings import Settings
from tests.fakes.web import HangUp, Request, Respond, Response, serving

Serve = Callable[[Respond], Awaitable[EngineClient]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def client_that_meets(respond: Respond) -> EngineClient:
            url = await stack.enter_async_context(serving(respond))
            return await stack.enter_async_context(EngineClient(f"{url}/engine-rest"))

        yield client_that_meets


def answer(status: int, type_: str, message: str, code: int | None = 0) -> Respond:
    return lambda _: Response(status, {"type": type_, "message": message, "code": code})


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
        await (await serve(respond)).complete("t1", "a")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(404, body=b"<html>not found</html>"), errors.EngineUnavailable),
        (
            Response(404, {"type": "NotFoundException", "message": "HTTP 404"}),
            errors.EngineUnavailable,
        ),
        (Response(404, ["not", "the", "engine"]), errors.EngineUnavailable),
        (Response(302, headers={"Location": "https://login.test"}), errors.EngineUnavailable),
        (Response(200, body=b"<html>log in</html>"), errors.EngineUnavailable),
        (Response(500, body=b"<html>proxy error</html>"), errors.NoAnswer),
        (Response(502), errors.NoAnswer),
        (Response(504), errors.NoAnswer),
        (Response(415, {"type": "NotSupportedException"}), errors.EngineRejected),
    ],
)
async def test_what_is_not_the_engine_never_passes_for_its_verdict(
    serve: Serve, response: Response, kind: type[errors.EngineError]
) -> None:
    client = await serve(lambda _: response)
    with pytest.raises(errors.EngineError) as caught:
        await client.lock("t1", "a", 60)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("value", "pause_s"), [("7", 7.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("x", None)]
)
async def test_the_pause_that_a_gateway_asks_for_is_passed_on(
    serve: Serve, value: str, pause_s: float | None
) -> None:
    client = await serve(lambda _: Response(429, headers={"Retry-After": value}))
    with pytest.raises(errors.EngineUnavailable) as caught:
        await client.version()
    assert caught.value.retry_after_s == pause_s


async def test_a_request_that_surely_was_not_sent_is_not_in_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with EngineClient(f"http://127.0.0.1:{port}/engine-rest") as client:
        with pytest.raises(errors.EngineUnavailable) as caught:
            await client.complete("t1", "a")
    assert type(caught.value) is errors.EngineUnavailable


async def test_a_request_that_found_every_connection_in_use_was_not_sent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "MAX_CONNECTIONS", 1)
    first_is_out, over = asyncio.Event(), asyncio.Event()

    async def stall(_: Request) -> Response:
        first_is_out.set()
        await over.wait()
        return Response(204)

    client = await serve(stall)
    first = asyncio.create_task(client.unlock("t1"))
    await first_is_out.wait()
    monkeypatch.setattr(rest, "READ_TIMEOUT_S", 0.05)
    with pytest.raises(errors.EngineUnavailable) as caught:
        await client.complete("t2", "a")
    over.set()
    await first
    assert type(caught.value) is errors.EngineUnavailable


def hang_up(_: Request) -> Response:
    raise HangUp


async def stay_silent(_: Request) -> Response:
    await asyncio.sleep(1)
    return Response(204)


@pytest.mark.parametrize("respond", [hang_up, stay_silent])
async def test_a_request_that_was_sent_and_not_answered_is_in_doubt(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, respond: Respond
) -> None:
    client = await serve(respond)
    with pytest.raises(errors.NoAnswer):
        await client._call("POST", "/external-task/t1/complete", read_timeout_s=0.1)


async def test_an_answer_that_ends_half_way_is_none() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, EngineClient(f"http://127.0.0.1:{port}/engine-rest") as client:
        with pytest.raises(errors.NoAnswer):
            await client.version()


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

    def refuse(_: Request) -> Response:
        nonlocal requests
        requests += 1
        return Response(401)

    client = await serve(refuse)
    for _ in range(5):
        with pytest.raises(errors.EngineUnauthorized, match="ENGINE_USERNAME and ENGINE_PASSWORD") as caught:
            await client.version()
        assert caught.value.retry_after_s == pytest.approx(5, abs=1)
    assert requests == 1


@pytest.mark.parametrize(
    ("respond", "outcome"),
    [
        (lambda _: Response(204), LockOutcome.HELD),
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
    assert await (await serve(respond)).lock("t1", "a", 60) is outcome


async def test_an_id_never_changes_the_path(serve: Serve) -> None:
    paths: list[str] = []

    def note(request: Request) -> Response:
        paths.append(request.path)
        return Response(204)

    await (await serve(note)).unlock("../user/create?x#y")
    assert paths == ["/engine-rest/external-task/..%2Fuser%2Fcreate%3Fx%23y/unlock"]


async def test_a_fetch_asks_for_milliseconds_raw_values_and_extension_properties(serve: Serve) -> None:
    seen: list[object] = []

    def note(request: Request) -> Response:
        seen.append(request.json())
        return Response(200, [])

    topics = [TopicFetch("a", 30, local_variables=True), TopicFetch("b", 0.5, variables=("x",))]
    await (await serve(note)).fetch_and_lock("w", topics, 10, poll_s=2.5)
    common = {"deserializeValues": False, "includeExtensionProperties": True}
    assert seen == [
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
        }
    ]


async def test_a_poll_may_be_silent_for_as_long_as_it_asked_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(_: Request) -> Response:
        await asyncio.sleep(0.4)
        return Response(200, [])

    client = await serve(later)
    monkeypatch.setattr("shared.engine.tasks.READ_TIMEOUT_S", 0.2)
    assert await client.fetch_and_lock("w", [TopicFetch("a", 30)], 1, poll_s=2.5) == []
    with pytest.raises(errors.NoAnswer):
        await client.fetch_and_lock("w", [TopicFetch("a", 30)], 1, poll_s=0.1)


async def test_deleting_no_variables_asks_nothing(serve: Serve) -> None:
    def forbid(_: Request) -> Response:
        raise AssertionError("nothing to ask")

    await (await serve(forbid)).delete_local_variables("e", [])


@pytest.mark.parametrize("url", ["", "engine:8080/engine-rest", "http://engine:port/engine-rest"])
def test_an_engine_url_that_is_none_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ENGINE_URL"):
        EngineClient.from_settings(Settings(database_url="postgresql://x", engine_url=url))


async def test_the_client_logs_in_with_the_settings() -> None:
    seen: list[tuple[str, str]] = []

    def note(request: Request) -> Response:
        seen.append((request.path, request.headers["Authorization"]))
        return Response(200, {"version": "7.24.0"})

    async with serving(note) as url:
        settings = Settings(
            database_url="postgresql://x",
            engine_url=f"{url}/engine-rest/",
            engine_username="demo",
            engine_password=SecretStr("sécret"),
        )
        async with EngineClient.from_settings(settings) as client:
            assert await client.version() == "7.24.0"
    assert seen == [("/engine-rest/version", "Basic " + b64encode("demo:sécret".encode()).decode())]
