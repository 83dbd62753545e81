"""Files against a real clamd: what it finds is infected, and without its word nothing passes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.doctor import scanner
from shared.errors import ConfigurationError
from shared.files import FileRefused, scanning
from shared.files.scanning import Infected, ScannerAway, scan, version
from tests.fakes.services import settings_with
from tests.support.clamd import SIGNATURE, Clamd, running_clamd, virus

MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clamd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clamd]:
    async with running_clamd(tmp_path_factory.mktemp("clamd"), more="StreamMaxLength 5M") as running:
        yield running


async def pieces(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("content", [b"harmless", b"", b"x" * 3 * MIB], ids=["short", "empty", "long"])
async def test_a_harmless_file_passes(clamd: Clamd, content: bytes) -> None:
    await scan(clamd.address, pieces(content))


@pytest.mark.parametrize("size_bytes", [0, MIB])
async def test_what_clamd_finds_is_infected_by_its_name_for_it(clamd: Clamd, size_bytes: int) -> None:
    with pytest.raises(Infected) as infected:
        await scan(clamd.address, pieces(await virus(size_bytes)))
    assert infected.value.signature.startswith(SIGNATURE)


async def test_clamd_is_reached_by_tcp_too(tmp_path: Path) -> None:
    async with running_clamd(tmp_path, tcp=True) as other:
        assert (await version(other.address)).startswith("ClamAV")
        await scan(other.address, pieces(b"harmless"))
        with pytest.raises(Infected):
            await scan(other.address, pieces(await virus()))


@pytest.mark.parametrize("size_bytes", [6 * MIB, 40 * MIB])
async def test_a_file_that_is_larger_than_clamd_takes_is_refused(clamd: Clamd, size_bytes: int) -> None:
    with pytest.raises(FileRefused) as refused:
        await scan(clamd.address, pieces(b"x" * size_bytes))
    assert refused.value.reason == "cannot_be_scanned"


async def test_a_file_of_which_clamd_has_not_seen_everything_is_refused(tmp_path: Path) -> None:
    more = "MaxFileSize 1M\nAlertExceedsMax yes"
    async with running_clamd(tmp_path, more=more) as strict:
        with pytest.raises(FileRefused) as refused:
            await scan(strict.address, pieces(b"x" * 2 * MIB))
    assert refused.value.reason == "cannot_be_scanned"


async def test_without_clamd_nothing_passes(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for address in (str(tmp_path / "nowhere.ctl"), f"127.0.0.1:{port}"):
            with pytest.raises(ScannerAway):
                await scan(address, pieces(b"harmless"))


async def test_a_clamd_that_dies_under_a_file_lets_nothing_pass(tmp_path: Path) -> None:
    async with running_clamd(tmp_path) as mortal:

        async def dying() -> AsyncIterator[bytes]:
            yield b"x" * MIB
            await mortal.stop()
            yield b"x" * MIB

        with pytest.raises(ScannerAway):
            await scan(mortal.address, dying())


@pytest.mark.parametrize(
    "said", [b"stream: lstat() failed. ERROR\0", b"UNKNOWN COMMAND\0", b"", b"stream: OK"]
)
async def test_an_answer_that_is_no_verdict_lets_nothing_pass(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        writer.write(said)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ScannerAway):
            await scan(f"127.0.0.1:{port}", pieces(b"harmless"))


async def test_a_clamd_that_says_nothing_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(MIB):
            pass
        writer.close()

    monkeypatch.setattr(scanning, "VERDICT_LIMIT_S", 0.05)
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ScannerAway, match="TimeoutError"):
            await scan(f"127.0.0.1:{port}", pieces(b"harmless"))


@pytest.mark.parametrize("address", ["nonsense", "host:", ":3310", "host:port"])
async def test_an_address_that_is_none_names_its_setting(address: str) -> None:
    with pytest.raises(ConfigurationError, match="CLAMD_ADDRESS"):
        await version(address)


async def test_the_doctor_tells_whether_something_is_found(clamd: Clamd, tmp_path: Path) -> None:
    (found,) = await scanner.examine(settings_with(clamd_address=clamd.address))
    assert (found.state, SIGNATURE in found.found) == ("ok", True)
    (found,) = await scanner.examine(settings_with(clamd_address=str(tmp_path / "nowhere")))
    assert (found.state, "CLAMD_ADDRESS" in found.mend) == ("fail", True)
    (found,) = await scanner.examine(settings_with())
    assert found.state == "skip"


async def test_the_doctor_warns_of_a_scanner_that_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_clamd(tmp_path) as blind:

        async def harmless() -> AsyncIterator[bytes]:
            yield b"harmless"

        monkeypatch.setattr(scanner, "harmless_virus", harmless)
        (found,) = await scanner.examine(settings_with(clamd_address=blind.address))
    assert (found.state, "freshclam" in found.mend) == ("warn", True)
