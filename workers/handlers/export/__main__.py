"""``python -m workers.handlers.export CHART``: the export on standard input, JSON lines on standard output.

``{"progress": {"messages": …, "bytes": …}}`` now and then, and at the end either
``{"result": {…}}`` (the analysis; its chart is in the file CHART) or ``{"refused": {"reason": "…"}}``.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from shared.files.telegram_export import ExportReader, ExportRefused
from workers.handlers.export.tally import Analysis, Tally

CHUNK_BYTES = 1 << 16
PROGRESS_INTERVAL_S = 0.5
NICENESS = 5
"""The worker's event loop goes first; leases and heartbeats must not wait for a count."""


class Readable(Protocol):
    """A file, as far as it is needed here."""

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes; none at the end."""


Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Analyse standard input; ends by itself when the parent has gone, with its pipe."""
    os.nice(NICENESS)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the parent too, which decides
    try:
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as export:
            analysis = read(export, _say)
    except ExportRefused as refusal:
        _say({"refused": {"reason": str(refusal)}})
        return
    _draw(analysis, Path(sys.argv[1]))
    _say({"result": analysis.to_json()})


def read(export: Readable, say: Say) -> Analysis:
    """Count what is in the export, in constant memory.

    Raises:
        ExportRefused: it is no usable export.
    """
    tally = Tally()
    reader = ExportReader(tally.add)
    read_bytes = 0
    due_s = time.monotonic() + PROGRESS_INTERVAL_S
    while chunk := export.read(CHUNK_BYTES):
        reader.feed(chunk)
        read_bytes += len(chunk)
        if time.monotonic() >= due_s:
            say({"progress": {"messages": tally.messages, "bytes": read_bytes}})
            due_s = time.monotonic() + PROGRESS_INTERVAL_S
    reader.close()
    return tally.result(reader.chat)


def _draw(analysis: Analysis, path: Path) -> None:
    from workers.handlers.export.chart import draw  # 60 MB that a refused file need not cost

    draw(analysis, path)


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
