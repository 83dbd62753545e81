"""The parent's side of what looks into files: starts the child, reads the file to it, and takes its word.

The child has no address of the bucket and no key: it asks for pieces, so this works on every store alike.
"""

import asyncio
import json
import signal
from asyncio.subprocess import Process
from contextlib import suppress
from typing import Any, BinaryIO

from shared.children import running
from shared.errors import StepgramError, WorldError
from shared.files.kinds import FileRefused
from shared.storage.errors import call

MODULE = "shared.files.child"
MEMORY_BYTES = 1 << 30
"""Address space of a child; what it really uses for an archive or a table is some 30 MB."""

CPU_S = 300
LIMIT_S = 900.0
"""A file that the store gives too slowly is tried again later."""

_MAX_LINE_BYTES = 1_000_000


class ChildBroken(StepgramError):
    """The child ended without a word: a bug, of ours or of a validator; its traceback is in this log."""


async def look_into(
    file: BinaryIO, *, result: BinaryIO | None = None, limit_s: float = LIMIT_S, **order: Any
) -> None:
    """Let a child do what is ordered with ``file``; what it writes, if anything, goes to ``result``.

    Cancelled, it ends the child and waits for its end.

    Raises:
        FileRefused: the child's verdict; ``too_complex`` where it used up its memory or time.
        WorldError: reading the file took too long, or failed.
        ChildBroken: see there.
    """
    order = {"memory_bytes": MEMORY_BYTES, "cpu_s": CPU_S, **order}
    if result is not None:
        order["result"] = result.fileno()
    fds = () if result is None else (result.fileno(),)
    try:
        async with (
            asyncio.timeout(limit_s),
            running(MODULE, max_line_bytes=_MAX_LINE_BYTES, pass_fds=fds) as child,
        ):
            answer = await _serve(child, file, order)
    except TimeoutError as error:
        raise WorldError(f"a file could not be looked into within {limit_s:g} s") from error
    if answer is None:
        # Killed by the kernel for its time (SIGXCPU, then SIGKILL), or for the memory of the machine.
        if child.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
            raise FileRefused("too_complex")
        raise ChildBroken(f"looking into a file ended with status {child.returncode}")
    if "refused" in answer:
        raise FileRefused(answer["refused"]["reason"], **answer["refused"]["params"])


async def _serve(child: Process, file: BinaryIO, order: dict[str, Any]) -> dict[str, Any] | None:
    """Read to the child what it asks for, until its last word; None if it ends without one."""
    assert child.stdin is not None  # noqa: S101
    assert child.stdout is not None  # noqa: S101
    with suppress(ConnectionError):  # it has ended: its last word, or none, is still to be read
        await _send(child.stdin, json.dumps(order).encode() + b"\n")
    async for line in child.stdout:
        said: dict[str, Any] = json.loads(line)
        if "read" not in said:
            return said
        data = await _piece(file, *said["read"])
        with suppress(ConnectionError):
            await _send(child.stdin, len(data).to_bytes(8, "big") + data)
    return None


async def _piece(file: BinaryIO, offset: int, size: int) -> bytes:
    def read() -> bytes:
        file.seek(offset)
        return file.read(size)

    return await call("reading a file", read)


async def _send(stdin: asyncio.StreamWriter, data: bytes) -> None:
    stdin.write(data)
    await stdin.drain()
