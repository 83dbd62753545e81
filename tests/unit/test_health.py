"""Health: the pages tell the truth, and nothing that somebody sends to them does harm."""

import asyncio
import json
from typing import Any

import pytest

from shared import health as module
from shared.errors import ConfigurationError
from shared.health import Health, HealthServer, host_and_port, watch_loop
from tests.fakes.waiting import until


@pytest.fixture
def health() -> Health:
    """The signs of a process that is up and has a database."""
    made = Health()
    made.started = True

    async def fine() -> None:
        return None

    made.database = fine
    return made


async def asked(health: Health, path: str) -> tuple[int, dict[str, str]]:
    """What a path answers: its status and its checks."""
    status, body = await health.answer(path) or (0, b"{}")
    return status, json.loads(body)["checks"]


async def test_a_process_lives_while_its_parts_turn(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    leases, other = health.pulse("leases"), health.pulse("not begun")
    leases.beat()
    assert await asked(health, "/livez") == (200, {"event_loop": "ok", "leases": "ok", "not begun": "ok"})
    monkeypatch.setattr(module, "STALL_S", -1.0)
    leases.beat()
    status, checks = await asked(health, "/livez")
    assert (status, checks["not begun"]) == (503, "ok")
    assert "has not turned" in checks["leases"]
    assert other.problem is None


async def test_a_part_that_announced_its_rest_does_not_stand_still(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_S", -1.0)
    fetcher = health.pulse("fetcher")
    fetcher.beat(expected_s=60)
    assert (await asked(health, "/livez"))[0] == 200


@pytest.mark.parametrize("problem", ["the database does not answer", "its tables are at revision 0000"])
async def test_without_its_database_a_process_is_not_ready_but_lives(health: Health, problem: str) -> None:
    async def away() -> str:
        return problem

    health.database = away
    status, checks = await asked(health, "/readyz")
    assert (status, checks["database"]) == (503, problem)
    assert (await asked(health, "/livez"))[0] == 200


async def test_a_database_that_is_silent_counts_as_away(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(module, "DATABASE_PATIENCE_S", 0.01)
    health.database = silent
    assert (await asked(health, "/readyz"))[0] == 503


async def test_a_process_that_starts_or_stops_is_not_ready(health: Health) -> None:
    assert (await asked(health, "/readyz"))[0] == 200
    health.stopping.set()
    assert (await asked(health, "/readyz"))[1]["stopping"] == "the process is stopping"
    starting = Health()
    status, checks = await asked(starting, "/readyz")
    assert (status, checks["started"], checks["database"]) == (
        503,
        "the process is starting",
        "not opened yet",
    )


async def test_who_cannot_fetch_for_long_is_not_ready_until_it_can(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = health.contact("engine")
    engine.failed("connection refused")
    assert (await asked(health, "/readyz"))[0] == 200, "a short absence does not count"
    monkeypatch.setattr(module, "SILENCE_S", -1.0)
    status, checks = await asked(health, "/readyz")
    assert status == 503
    assert "connection refused" in checks["engine"]
    monkeypatch.setattr(module, "SILENCE_S", 60.0)
    engine.heard()
    assert (await asked(health, "/readyz"))[0] == 200


async def exchange(health: Health, sent: bytes) -> bytes:
    """What the server answers to these bytes."""

    async def figures() -> bytes:
        return b"stepgram_x 1\n"

    async with HealthServer(health, "127.0.0.1:0", figures, "text/plain; version=0.0.4").serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer


async def test_the_pages_are_served(health: Health) -> None:
    get = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
    assert (await exchange(health, get.format("/livez").encode())).startswith(b"HTTP/1.1 200")
    assert (await exchange(health, get.format("/metrics?x=1").encode())).endswith(b"\r\n\r\nstepgram_x 1\n")
    health.stopping.set()
    assert (await exchange(health, get.format("/readyz").encode())).startswith(b"HTTP/1.1 503")
    assert (await exchange(health, get.format("/").encode())).startswith(b"HTTP/1.1 404")
    assert (await exchange(health, b"HEAD /livez HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"POST /livez HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"),
        (b"\r\n\r\n", b"HTTP/1.1 405"),
        (b"GET\r\n\r\n", b"HTTP/1.1 404"),
        (b"\xff\xfe\0 \xff\r\n\r\n", b"HTTP/1.1 405"),
        (b"x" * 70_000, b""),
    ],
)
async def test_junk_is_refused(health: Health, sent: bytes, answered: bytes) -> None:
    try:
        got = await exchange(health, sent)
    except ConnectionResetError:  # it hung up on what it did not want to read
        got = b""
    assert got.startswith(answered)


async def test_whoever_asks_slowly_is_hung_up_on(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_PATIENCE_S", 0.05)
    assert await exchange(health, b"GET /livez") == b""


async def test_an_address_that_is_taken_ends_the_process_with_its_setting(health: Health) -> None:
    async def figures() -> bytes:
        return b""

    async with HealthServer(health, "127.0.0.1:0", figures, "text/plain").serving() as port:
        second: Any = HealthServer(health, f"127.0.0.1:{port}", figures, "text/plain")
        with pytest.raises(ConfigurationError, match="HEALTH_ADDRESS"):
            async with second.serving():
                pass


@pytest.mark.parametrize("address", ["localhost", "localhost:", "localhost:http", ""])
def test_an_address_that_is_none_names_its_setting(address: str) -> None:
    with pytest.raises(ConfigurationError, match="X_ADDRESS"):
        host_and_port(address, "X_ADDRESS")


def test_an_address_may_be_of_either_kind() -> None:
    assert host_and_port("[::1]:80", "X") == ("::1", 80)
    assert host_and_port(":80", "X") == ("127.0.0.1", 80)


async def test_an_event_loop_that_stood_still_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    lags: list[float] = []
    watching = asyncio.create_task(watch_loop(lags.append))
    await until(lambda: lags, "a tick")
    import time

    time.sleep(0.1)  # noqa: ASYNC251 - that is what must be noticed
    await until(lambda: max(lags) > 0.05, "the lag")
    watching.cancel()
