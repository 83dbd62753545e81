"""A wire to a server that can be cut in the middle of what it carries, at any byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 * 1024


@dataclass
class Relay:
    """Passes bytes on unseen; when the next of ``cuts`` is reached, every wire is cut."""

    url: str = ""
    cuts: list[int] = field(default_factory=list)
    """How many bytes have gone to the server then, in all since the relay began; ascending."""
    passed_bytes: int = 0
    been_cut: int = 0
    _wires: set[asyncio.StreamWriter] = field(default_factory=set)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
            if up:
                self.passed_bytes += len(chunk)
                if self.cuts and self.passed_bytes >= self.cuts[0]:
                    del self.cuts[0]
                    self.been_cut += 1
                    for wire in self._wires:
                        wire.transport.abort()

    async def serve(self, server: str, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """Carry what one client says and hears."""
        to = urlsplit(server)
        other, far = await asyncio.open_connection(to.hostname, to.port)
        wires = {near, far}
        self._wires |= wires
        try:
            await asyncio.gather(self._carry(reader, far, up=True), self._carry(other, near, up=False))
        except ConnectionError:
            pass
        finally:
            self._wires -= wires
            for wire in wires:
                wire.transport.abort()


@asynccontextmanager
async def a_relay(server_url: str) -> AsyncIterator[Relay]:
    """A relay to that server as long as the block runs; its ``url`` takes the place of the server's."""
    relay = Relay()
    server = await asyncio.start_server(partial(relay.serve, server_url), "127.0.0.1")
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        for wire in relay._wires:
            wire.transport.abort()
