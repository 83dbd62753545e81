"""The analysis in a child process: what goes in and out, memory, and that no child outlives its use."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from devstack.exports import ExportPlan, export_bytes, export_chunks
from devstack.exports.broken import broken_export
from shared.children import ROOT
from shared.errors import WorldError
from shared.files.telegram_export import ExportRefused
from workers.handlers.export.process import PACKAGE, AnalysisBroken, analyse
from workers.handlers.export.tally import Analysis

PLAN = ExportPlan(size_bytes=200_000, people=30, days=20)
MEMORY_LIMIT_BYTES = 150_000_000


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return tmp_path / "chart.png"


def picture_in(chart: Path) -> bool:
    return chart.exists() and chart.read_bytes().startswith(b"\x89PNG")


async def nobody_listens(messages: int, read_bytes: int) -> None:
    pass


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(0)


async def endless() -> AsyncIterator[bytes]:
    """An export whose end never comes, though its bucket keeps answering."""
    yield export_bytes(PLAN).rstrip(b"\n]} ")
    while True:
        await asyncio.sleep(0.01)
        yield b" "


def children() -> list[psutil.Process]:
    return psutil.Process().children()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """After each test of this file, however it ended, there is no child more than before, and no zombie."""
    before = set(children())
    yield
    assert set(children()) <= before


async def until_child_runs() -> psutil.Process:
    """The child, once it is the program that it was started as."""
    while True:
        for child in children():
            with suppress(psutil.Error):
                if PACKAGE in child.cmdline():
                    return child
        await asyncio.sleep(0.01)


async def test_the_child_gives_the_analysis_and_the_chart(chart: Path) -> None:
    analysis = await analyse(stream(export_chunks(PLAN)), chart, nobody_listens)
    assert analysis.messages > 300
    assert len(analysis.messages_by_day) == PLAN.days
    assert picture_in(chart)


async def test_names_of_all_scripts_make_the_child_complain_of_nothing(
    chart: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await analyse(stream(export_chunks(ExportPlan(size_bytes=300_000, seed=5))), chart, nobody_listens)
    assert "Warning" not in capfd.readouterr().err


async def test_a_bad_export_is_refused_through_the_child_and_leaves_no_chart(chart: Path) -> None:
    with pytest.raises(ExportRefused, match="stops in the middle"):
        await analyse(stream([broken_export("truncated")]), chart, nobody_listens)
    assert not picture_in(chart)


async def test_an_empty_export_is_refused_through_the_child(chart: Path) -> None:
    with pytest.raises(ExportRefused, match="empty"):
        await analyse(stream([]), chart, nobody_listens)


async def test_a_file_that_is_clearly_none_is_refused_before_its_end(chart: Path) -> None:
    async def endless_html() -> AsyncIterator[bytes]:
        while True:
            yield b"<html>" * 10_000

    with pytest.raises(ExportRefused, match="HTML"):
        await analyse(endless_html(), chart, nobody_listens)


async def test_progress_is_told_while_the_export_is_read(chart: Path) -> None:
    told: list[tuple[int, int]] = []
    heard = asyncio.Event()

    async def on_progress(messages: int, read_bytes: int) -> None:
        told.append((messages, read_bytes))
        heard.set()

    async def slow() -> AsyncIterator[bytes]:
        export = export_bytes(PLAN)
        yield export[:150_000]
        while not heard.is_set():
            await asyncio.sleep(0.02)
            yield b" "
        yield export[150_000:]

    await analyse(slow(), chart, on_progress)
    assert told[0][0] > 100
    assert told[0][1] >= 150_000


async def test_a_bucket_that_fails_half_way_is_no_bad_export(chart: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield export_bytes(PLAN)[:100_000]
        raise WorldError("the bucket went away")

    with pytest.raises(WorldError, match="went away"):
        await analyse(failing(), chart, nobody_listens)


async def test_a_broken_connection_to_the_bucket_is_not_taken_for_a_child_that_has_seen_enough(
    chart: Path,
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await analyse(failing(), chart, nobody_listens)


async def test_a_child_that_was_killed_is_an_error_and_no_answer(chart: Path) -> None:
    running = asyncio.create_task(analyse(endless(), chart, nobody_listens))
    (await until_child_runs()).kill()
    with pytest.raises(AnalysisBroken, match="status -9"):
        await running


async def test_cancelled_the_analysis_leaves_no_child_behind(chart: Path) -> None:
    running = asyncio.create_task(analyse(endless(), chart, nobody_listens))
    child = await until_child_runs()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not child.is_running()


async def test_the_child_knows_no_secret_of_its_parent(chart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOKEN", "123:secret")
    running = asyncio.create_task(analyse(endless(), chart, nobody_listens))
    child = await until_child_runs()
    assert "BOT_TOKEN" not in child.environ()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


ORPHAN_MAKER = """
import asyncio, sys
from pathlib import Path
from workers.handlers.export.process import analyse

async def endless():
    yield b'{"messages": ['
    await asyncio.Event().wait()

async def ignore(messages, read_bytes): pass

asyncio.run(analyse(endless(), Path(sys.argv[1]), ignore))
"""


def test_a_child_whose_parent_was_killed_ends_by_itself(chart: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN_MAKER, str(chart)], cwd=ROOT) as parent:
        try:
            known = psutil.Process(parent.pid)
            while not known.children():
                time.sleep(0.01)
            orphan = known.children()[0]
        finally:
            parent.kill()
    psutil.wait_procs([orphan], timeout=20)
    assert not orphan.is_running()


# --- memory --------------------------------------------------------------------------------------


def peak_bytes(process_id: int | str) -> int:
    """The most memory that a process ever had, from Linux."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0  # ended, but not yet reaped


def forget_own_peak() -> int:
    """From here on our own peak is that of what follows; the memory that we have now."""
    Path("/proc/self/clear_refs").write_text("5")
    return int(psutil.Process().memory_info().rss)


async def measured(size_bytes: int, chart: Path) -> tuple[Analysis, int, int]:
    """The analysis of an export of that size, the child's peak and by how much this process grew."""
    child_peak_bytes = 0

    async def watch() -> None:
        nonlocal child_peak_bytes
        child = await until_child_runs()
        while child.is_running():
            child_peak_bytes = max(child_peak_bytes, peak_bytes(child.pid))
            await asyncio.sleep(0.01)

    before_bytes = forget_own_peak()
    watching = asyncio.create_task(watch())
    try:
        analysis = await analyse(
            stream(export_chunks(ExportPlan(size_bytes=size_bytes, people=3000))), chart, nobody_listens
        )
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return analysis, child_peak_bytes, peak_bytes("self") - before_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_does_not_grow_with_the_size_of_the_export(chart: Path) -> None:
    small, small_peak_bytes, _ = await measured(6_000_000, chart)
    large, large_peak_bytes, growth_bytes = await measured(60_000_000, chart)
    assert large.messages > 9 * small.messages
    assert 20_000_000 < large_peak_bytes < MEMORY_LIMIT_BYTES
    assert large_peak_bytes - small_peak_bytes < 8_000_000
    assert growth_bytes < 20_000_000
