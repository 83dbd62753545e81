"""The parent's side of the analysis: feeds a child process and listens to it.

A child, because the file is untrusted, costs seconds of CPU, and leaves its memory behind when it ends.
"""

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import AsyncIterable, Awaitable, Callable
from pathlib import Path
from typing import Any

from shared.children import kill, running
from shared.errors import StepgramError
from shared.files.telegram_export import ExportRefused
from workers.handlers.export.tally import Analysis

PACKAGE = "workers.handlers.export"
MAX_LINE_BYTES = 4_000_000
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Numerical libraries else keep a buffer for each core."""


class AnalysisBroken(StepgramError):
    """The child ended without an answer: a bug, whose traceback is in this process' log, or it was killed."""


OnProgress = Callable[[int, int], Awaitable[None]]
"""Awaited now and then with the messages and bytes read so far."""


async def analyse(export: AsyncIterable[bytes], chart: Path, on_progress: OnProgress) -> Analysis:
    """Count what is in the export and draw it to ``chart`` (PNG), with constant memory here and there.

    Cancelled, it ends the child and waits for its end.

    Raises:
        ExportRefused: the file is no usable export.
        AnalysisBroken: the child ended without an answer.
    """
    async with running(PACKAGE, str(chart), max_line_bytes=MAX_LINE_BYTES, environment=ONE_THREAD) as child:
        pump = asyncio.create_task(_pump(export, child))
        try:
            answer = await _listen(child, on_progress)
            if answer is None:
                await pump  # raises what kept it from reading the export
                raise AnalysisBroken(f"the analysis of an export ended with status {await child.wait()}")
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
    if "refused" in answer:
        raise ExportRefused(answer["refused"]["reason"])
    return Analysis.from_json(answer["result"])


async def _pump(export: AsyncIterable[bytes], child: Process) -> None:
    """Hand the export to the child, until its end or until the child has seen enough."""
    stdin = child.stdin
    assert stdin is not None  # noqa: S101
    try:
        async for chunk in export:
            if not await _write(stdin, chunk):
                break
    except BaseException:
        kill(child)  # to the child an end of file would look like a truncated export
        raise
    stdin.close()


async def _write(stdin: asyncio.StreamWriter, chunk: bytes) -> bool:
    """Whether the child still listens."""
    stdin.write(chunk)
    try:
        await stdin.drain()
    except ConnectionError:
        return False
    return True


async def _listen(child: Process, on_progress: OnProgress) -> dict[str, Any] | None:
    """The child's last word; None if it ended without one."""
    assert child.stdout is not None  # noqa: S101
    async for line in child.stdout:
        said: dict[str, Any] = json.loads(line)
        if "progress" not in said:
            return said
        await on_progress(said["progress"]["messages"], said["progress"]["bytes"])
    return None
