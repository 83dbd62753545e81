"""A proxy before the engine that can swallow its answers: what was asked is done, and nobody is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from devstack.ports import HOST

_OF_THE_CONNECTION = {"connection", "host", "content-length", "transfer-encoding", "content-encoding"}


@dataclass
class Cutting:
    """What the proxy is to swallow, and how often it has done so."""

    url: str = ""
    swallow: dict[str, int] = field(default_factory=dict)
    swallowed: int = 0

    def takes(self, path: str) -> bool:
        """Whether this answer is to be swallowed."""
        for end, left in self.swallow.items():
            if left and path.endswith(end):
                self.swallow[end] -= 1
                self.swallowed += 1
                return True
        return False


@asynccontextmanager
async def cutting(engine_url: str) -> AsyncIterator[Cutting]:
    """Forward to the engine from a free port as long as the block runs."""
    made = Cutting()
    pipes: set[asyncio.Task[None]] = set()
    base, _, root = engine_url.rpartition("/")
    async with httpx.AsyncClient(base_url=base, timeout=40, trust_env=False) as http:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if task := asyncio.current_task():
                pipes.add(task)
                task.add_done_callback(pipes.discard)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, httpx.HTTPError):
                while await _one(reader, writer, http, made):
                    pass
            writer.close()

        server = await asyncio.start_server(serve, HOST, 0)
        made.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/{root}"
        try:
            yield made
        finally:
            server.close()
            for pipe in list(pipes):
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            await server.wait_closed()


async def _one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, http: httpx.AsyncClient, made: Cutting
) -> bool:
    """One request and its answer; False when the connection is over."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    verb, path, _ = head[0].split(" ")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    length = next((int(value) for name, value in headers.items() if name.lower() == "content-length"), 0)
    body = await reader.readexactly(length)
    answer = await http.request(verb, path, content=body, headers=_end_to_end(headers))
    if made.takes(path.partition("?")[0]):
        return False
    lines = [f"HTTP/1.1 {answer.status_code} X", f"content-length: {len(answer.content)}"]
    lines += [f"{name}: {value}" for name, value in _end_to_end(answer.headers).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.content)
    await writer.drain()
    return True


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION}
