"""The sandbox as a process, and its end."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from devstack.sandbox.serve import running_sandbox
from tests.unit.sandbox.lab import eventually

METHODS = {"getMe", "getUpdates"}


async def test_the_process_says_where_it_listens_and_ends_at_sigterm(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [
        *(sys.executable, "-W", "error", "-m", "devstack.sandbox", "--port", "0"),
        *("--port-file", str(port_file), "--files", str(tmp_path / "files")),
        *("--token", "5:five", "--token", "6:six"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 15)).decode().strip()
    assert url == f"http://127.0.0.1:{port_file.read_text()}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=30) as client:
        assert (await client.get("/bot6:six/getMe")).json()["result"]["id"] == 6
        waiting = asyncio.create_task(client.get("/bot5:five/getUpdates?timeout=30"))
        while all(call["status"] for call in (await client.get("/sandbox/calls")).json()["calls"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        process.terminate()
        assert (await waiting).json() == {"ok": True, "result": []}
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, errors.decode()) == (0, "")


async def test_a_sandbox_in_the_same_loop_ends_while_calls_are_held() -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=30) as client:
        async with running_sandbox() as running:
            fault = {"kind": "timeout", "method": "getMe", "hold_s": 60}
            await client.post(f"{running.url}/sandbox/faults", json=fault)
            held = asyncio.create_task(client.get(f"{running.url}/bot{running.token}/getMe"))
            polling = asyncio.create_task(
                client.get(f"{running.url}/bot{running.token}/getUpdates?timeout=30")
            )
            calls = running.sandbox.calls
            await eventually(lambda: {call["method"] for call in calls.since(0, None)} == METHODS)
        outcomes = await asyncio.gather(held, polling, return_exceptions=True)
    assert isinstance(outcomes[0], httpx.RemoteProtocolError | httpx.ReadError)
    assert isinstance(outcomes[1], httpx.Response)


async def test_a_client_that_dies_in_the_middle_of_its_call_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with running_sandbox() as running:
        address = httpx.URL(running.url)
        _, writer = await asyncio.open_connection(address.host, address.port)
        head = f"POST /bot{running.token}/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        writer.write(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\nchat_id=1".encode())
        await writer.drain()
        await asyncio.sleep(0.1)  # the server has begun to read
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=running.url, trust_env=False, verify=False) as client:
            assert (await client.get("/sandbox/calls")).json() == {"calls": []}
    assert capsys.readouterr().err == ""
