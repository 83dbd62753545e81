"""ClamAV: a stored object is streamed to clamd, which says what it found.

By clamd's own protocol (``man clamd``, INSTREAM): aioclamd, the one maintained client for asyncio, speaks TCP
only and sends kilobytes, each through a thread; clamav-client is under the GPL and blocks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from shared.errors import ConfigurationError, StepgramError, WorldError
from shared.files.kinds import FileRefused

log = structlog.get_logger(__name__)

CONNECT_LIMIT_S = 10.0
SEND_LIMIT_S = 60.0
"""Between two pieces; clamd's own ReadTimeout is 120 s."""

VERDICT_LIMIT_S = 300.0
"""clamd's own MaxScanTime is 120 s."""

_TOO_LARGE = "size limit exceeded"
_NOT_ALL = "Heuristics.Limits.Exceeded"
"""What clamd calls, with AlertExceedsMax, a file of which it has not looked at everything."""


class Infected(StepgramError):
    """ClamAV found something; ``signature`` is its name for it."""

    def __init__(self, signature: str) -> None:
        super().__init__(f"infected: {signature}")
        self.signature = signature


class ScannerAway(WorldError):
    """clamd does not answer, or not as it should; nothing passes meanwhile."""


async def scan(address: str, chunks: AsyncIterator[bytes]) -> None:
    """Let clamd at ``address`` look at a file, in constant memory.

    Raises:
        Infected: it found something.
        FileRefused: cannot_be_scanned, for it is larger than clamd takes.
        ScannerAway: there is no verdict; it is to be asked again.
        ConfigurationError: CLAMD_ADDRESS is malformed.
    """
    async with _connected(address) as (reader, writer):
        # clamd closes at once when it has had enough: what it says then must be heard before that is met.
        verdict = asyncio.create_task(reader.readuntil(b"\0"))
        try:
            with suppress(ConnectionError):
                await _send(writer, chunks, verdict)
            async with asyncio.timeout(VERDICT_LIMIT_S):
                _judge(_text(await verdict))
        finally:
            verdict.cancel()
            await asyncio.gather(verdict, return_exceptions=True)


async def version(address: str) -> str:
    """What clamd says of itself and its signatures.

    Raises:
        ScannerAway, ConfigurationError: see there.
    """
    async with _connected(address) as (reader, writer):
        writer.write(b"zVERSION\0")
        async with asyncio.timeout(CONNECT_LIMIT_S):
            return _text(await reader.readuntil(b"\0"))


async def _send(
    writer: asyncio.StreamWriter, chunks: AsyncIterator[bytes], verdict: "asyncio.Task[bytes]"
) -> None:
    """Send a file in pieces, until its end or until there is a verdict."""
    writer.write(b"zINSTREAM\0")
    async for chunk in chunks:
        if verdict.done():
            return
        if chunk:  # none is the end of the file to clamd
            writer.write(len(chunk).to_bytes(4, "big") + chunk)
            async with asyncio.timeout(SEND_LIMIT_S):
                await writer.drain()
    writer.write(bytes(4))
    await writer.drain()


def _judge(verdict: str) -> None:
    if verdict == "stream: OK":
        return
    if _TOO_LARGE in verdict or _NOT_ALL in verdict:
        log.warning("a file is larger than clamd takes; see StreamMaxLength in clamd.conf", said=verdict)
        raise FileRefused("cannot_be_scanned")
    if verdict.startswith("stream: ") and verdict.endswith(" FOUND"):
        raise Infected(verdict.removeprefix("stream: ").removesuffix(" FOUND"))
    raise ScannerAway(f"clamd at CLAMD_ADDRESS says {verdict[:200]!r}")


def _text(answer: bytes) -> str:
    return answer.rstrip(b"\0").decode("utf-8", "replace").strip()


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection for one command, whose every failure is ScannerAway."""
    writer = None
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            reader, writer = await _open(address)
        yield reader, writer
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
        raise ScannerAway(f"clamd at CLAMD_ADDRESS: {type(error).__name__} {error}".strip()) from error
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError, TimeoutError):
                await writer.wait_closed()


async def _open(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address)
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigurationError(f"CLAMD_ADDRESS is {address!r}; a socket's path or HOST:PORT is expected")
    return await asyncio.open_connection(host.strip("[]"), int(port))
