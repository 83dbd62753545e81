"""A load balancer for trials: one address, connections handed to replicas in turn."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from devstack.ports import HOST


@asynccontextmanager
async def balancing(ports: Sequence[int], served: list[int] | None = None) -> AsyncIterator[str]:
    """Listen on a free port as long as the block runs; yields its address. A dead replica is passed over.

    The port that each connection went to is added to `served`.
    """
    turn = itertools.cycle(ports)
    pipes: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            pipes.add(task)
            task.add_done_callback(pipes.discard)
        for _ in ports:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                port = next(turn)
                there, back = await asyncio.open_connection(HOST, port)
                if served is not None:
                    served.append(port)
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
                return
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for pipe in list(pipes):
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        await server.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
