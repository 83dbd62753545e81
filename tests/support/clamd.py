"""A real clamd with one signature of our own: it finds the EICAR test string and nothing else."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack.ports import HOST, choose
from shared.doctor.scanner import harmless_virus
from shared.errors import WorldError
from shared.files.scanning import version

HOW_TO_GET_ONE = (
    "No clamd found, so scanning was NOT tested against a real ClamAV. Get one: "
    "Debian: apt-get install clamav-daemon; Fedora: dnf install clamd; macOS: brew install clamav."
)
SIGNATURE = "Stepgram.Test.EICAR"
START_LIMIT_S = 60.0

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/opt/clamav/sbin")


@dataclass
class Clamd:
    """A running clamd."""

    address: str
    process: asyncio.subprocess.Process

    async def stop(self) -> None:
        """End it, if it runs."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


async def virus(size_bytes: int = 0) -> bytes:
    """What it finds; with a size, behind so many harmless bytes."""
    return b"".join([chunk async for chunk in harmless_virus()]).rjust(size_bytes, b".")


def find_clamd() -> str:
    """The path of a clamd; without one the test is skipped, loudly."""
    path = shutil.which("clamd") or next(
        (f"{each}/clamd" for each in _PLACES if Path(f"{each}/clamd").is_file()), None
    )
    if path is None:
        pytest.skip(HOW_TO_GET_ONE)
    return path


@asynccontextmanager
async def running_clamd(folder: Path, *, tcp: bool = False, more: str = "") -> AsyncIterator[Clamd]:
    """Run a clamd over a unix socket, or over TCP, with further lines of its configuration."""
    program = find_clamd()
    database = folder / "signatures"
    database.mkdir(parents=True)
    pattern = (await virus()).hex()
    (database / "own.ndb").write_text(f"{SIGNATURE}:0:*:{pattern}\n")
    # The path of a socket has some 100 characters; pytest's folders can be longer.
    socket = f"/tmp/clamd-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.ctl"
    port = choose()
    place = f"TCPSocket {port}\nTCPAddr {HOST}\n" if tcp else f"LocalSocket {socket}\n"
    configuration = folder / "clamd.conf"
    configuration.write_text(
        f"Foreground yes\nDatabaseDirectory {database}\nTemporaryDirectory {folder}\n{place}{more}\n"
    )
    log = (folder / "clamd.log").open("wb")
    process = await asyncio.create_subprocess_exec(program, "-c", str(configuration), stdout=log, stderr=log)
    clamd = Clamd(f"{HOST}:{port}" if tcp else socket, process)
    try:
        await _until_it_answers(clamd, folder)
        yield clamd
    finally:
        await clamd.stop()
        log.close()
        with suppress(FileNotFoundError):
            os.unlink(socket)


async def _until_it_answers(clamd: Clamd, folder: Path) -> None:
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            if clamd.process.returncode is not None:
                raise RuntimeError(f"clamd ended: {(folder / 'clamd.log').read_text()}")
            try:
                await version(clamd.address)
            except WorldError:
                await asyncio.sleep(0.05)  # until its socket is there
            else:
                return
