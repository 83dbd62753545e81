"""python -m devstack.sandbox: serve a sandbox until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from devstack.sandbox.serve import running_sandbox
from devstack.sandbox.state import DEFAULT_TOKEN


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8081, help="0 for any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--token", action="append", help=f"a bot; repeatable (default {DEFAULT_TOKEN})")
    parser.add_argument("--files", type=Path, help="where files are kept (default: a temporary folder)")
    parser.add_argument("--local", type=Path, help="play a local Bot API server: getFile puts files there")
    parser.add_argument("--port-file", type=Path, help="the port is written there once the server answers")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running_sandbox(
        tokens=options.token or [DEFAULT_TOKEN],
        files_dir=options.files,
        host=options.host,
        port=options.port,
    ) as running:
        # A database that outlives this sandbox must not meet its groups' ids again.
        running.sandbox.first_group_id += int(time.time())
        running.sandbox.downloads.local_dir = options.local
        if options.port_file is not None:
            await asyncio.to_thread(_write_port, options.port_file, running.url)
        sys.stdout.write(f"{running.url}\n")
        sys.stdout.flush()
        await stop.wait()


def _write_port(target: Path, url: str) -> None:
    """Write the port so that a reader never sees half of it."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.write_text(url.rpartition(":")[2])
    draft.replace(target)


if __name__ == "__main__":
    asyncio.run(run(parse(sys.argv[1:])))
