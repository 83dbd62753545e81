import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from devstack import ports
from devstack.errors import PartError
from devstack.parts.base import Command, Part, http_status
from devstack.processes import end_all, find
from devstack.reporting import Report
from devstack.stack import Stack
from devstack.state import State

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
FAILS = "print('no disk'); raise SystemExit(1)"


class Server(Part):
    """A small web server as a part."""

    def __init__(self, name: str, state: State, code: str = SERVER, needs: tuple[str, ...] = ()) -> None:
        super().__init__(name, state)
        self.code, self.needs = code, needs
        self.choice = "a"
        self.prepared = self.furnished = 0

    def settings(self) -> dict[str, object]:
        return {"choice": self.choice}

    async def prepare(self, report: Report) -> None:
        self.prepared += 1

    async def command(self) -> Command:
        argv = [sys.executable, "-c", self.code, str(self.port), str(self.folder)]
        return Command(argv, marker=str(self.folder), env={})

    async def is_healthy(self) -> bool:
        return await http_status(self.url) == 200

    async def furnish(self) -> None:
        self.furnished += 1

    def env(self) -> dict[str, str]:
        return {f"{self.name.upper()}_URL": self.url}


@pytest_asyncio.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    state = State(tmp_path)
    yield state
    await end_all(state)


def stack_with(state: State, *parts: Part, **options: Report) -> Stack:
    return Stack(state, {part.name: part for part in parts}, **options)


async def test_a_part_starts_after_the_part_that_it_needs(state: State) -> None:
    told: list[str] = []
    stack = stack_with(
        state,
        Server("engine", state, needs=("postgres",)),
        Server("postgres", state),
        report=lambda part, text, **_: told.append(f"{part} {text.split()[0]}"),
    )
    await stack.up()
    assert told.index("postgres ready") < told.index("engine starting")


async def test_env_leads_to_the_parts_that_run(state: State) -> None:
    stack = stack_with(state, Server("engine", state), Server("s3", state))
    await stack.up()
    await stack.stop_part("s3")
    assert stack.env == {"ENGINE_URL": f"http://127.0.0.1:{state.port('engine')}"}


async def test_up_leaves_what_runs_already_alone(state: State) -> None:
    await stack_with(state, Server("s3", state)).up()
    before = state.processes["s3"].pid
    later = Server("s3", state)
    await stack_with(state, later).up()
    assert state.processes["s3"].pid == before
    assert (later.prepared, later.furnished) == (0, 0)


async def test_a_part_that_runs_with_other_settings_is_started_anew(state: State) -> None:
    await stack_with(state, Server("s3", state)).up()
    before = state.processes["s3"].pid
    other = Server("s3", state)
    other.choice = "b"
    await stack_with(state, other).up()
    assert state.processes["s3"].pid != before
    assert state.processes["s3"].settings == {"choice": "b"}


async def test_a_part_comes_back_on_its_port(state: State) -> None:
    stack = stack_with(state, Server("s3", state))
    await stack.up()
    before = stack.env
    for kill in (False, True):
        await stack.stop_part("s3", kill=kill)
        assert ports.is_free(state.port("s3"))
        await stack.start_part("s3")
        assert stack.env == before


async def test_a_part_whose_port_was_taken_meanwhile_gets_a_new_one(state: State) -> None:
    stack = stack_with(state, Server("s3", state))
    await stack.up()
    await stack.stop_part("s3")
    port = state.port("s3")
    with socket.create_server((ports.HOST, port)):
        await stack.start_part("s3")
    assert state.port("s3") != port
    assert stack.env == {"S3_URL": f"http://127.0.0.1:{state.port('s3')}"}


async def test_up_that_fails_says_where_and_why_and_ends_what_it_started(state: State) -> None:
    stack = stack_with(state, Server("s3", state), Server("engine", state, code=FAILS))
    with pytest.raises(PartError, match="engine: ended at its start") as caught:
        await stack.up()
    assert caught.value.log_tail == "no disk"
    assert state.processes == {}


async def test_up_that_fails_leaves_what_ran_before(state: State) -> None:
    await stack_with(state, Server("s3", state)).up()
    with pytest.raises(PartError):
        await stack_with(state, Server("s3", state), Server("engine", state, code=FAILS)).up()
    assert list(state.processes) == ["s3"]
    assert find(state.processes["s3"])


async def test_a_part_that_never_answers_fails_by_its_timeout(state: State) -> None:
    silent_part = Server("s3", state, code="import time; time.sleep(600)")
    silent_part.start_timeout_s = 0.2
    with pytest.raises(PartError, match="not ready after 0 s"):
        await stack_with(state, silent_part).up()
    assert state.processes == {}
