"""Ends a stack whose owner died: `python -m devstack.guard STATE_DIR` waits until its input closes.

The owner holds the other end of the pipe, so the system closes it however the owner ends.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from devstack.errors import StackBusyError
from devstack.processes import end_all, spawn
from devstack.state import State

_CHECKOUT = Path(__file__).parent.parent
# A process that dies closes its files one by one: the pipe may be gone while the lock still stands.
_TAKEOVER_S = 10.0


@asynccontextmanager
async def guarding(state: State) -> AsyncIterator[psutil.Process]:
    """Have the processes of `state` ended, should this process die inside the block. Yields the guard."""
    reader, writer = os.pipe()
    try:
        guard = spawn(
            [sys.executable, "-m", "devstack.guard", str(state.folder)],
            {**os.environ, "PYTHONPATH": str(_CHECKOUT)},
            state.log_file("guard"),
            stdin=reader,
        )
    finally:
        os.close(reader)
    try:
        yield guard
    finally:
        os.close(writer)
        if not state.processes:  # else it waits for our lock, to do what we could not
            await asyncio.to_thread(guard.wait)


def main() -> None:
    """Wait for the end of the input, then end what the owner has left."""
    sys.stdin.buffer.read()
    state = State(Path(sys.argv[1]))
    left = list(state.processes.values())
    sys.stdout.write(
        f"the owner of {state.folder} has gone and left {sorted(state.processes) or 'nothing'}\n"
    )
    sys.stdout.flush()
    give_up = time.monotonic() + _TAKEOVER_S
    while left and time.monotonic() < give_up:
        try:
            with state.lock():
                news = [part for part, record in state.processes.items() if record not in left]
                asyncio.run(end_all(state, keep=news))
                return
        except StackBusyError:  # the owner, still dying, or a new one
            time.sleep(0.05)


if __name__ == "__main__":
    main()
