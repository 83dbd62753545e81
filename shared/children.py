"""Child processes for what is untrusted or heavy: they know no secret, and never outlive their use.

A child costs its own memory and leaves none behind, can be stopped at any line, keeps the event loop free.
It inherits none of this process' settings: no password or token is within reach of whatever a file does.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
"""Where a child finds our packages."""

KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "MPLCONFIGDIR", "PYTHONPATH")
_NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


@asynccontextmanager
async def running(
    module: str,
    *arguments: str,
    max_line_bytes: int,
    environment: Mapping[str, str] = _NOTHING_MORE,
    pass_fds: Sequence[int] = (),
) -> AsyncIterator[Process]:
    """``python -m MODULE ARGUMENTS`` with pipes to it and from it; afterwards it has ended.

    ``max_line_bytes`` is the longest line that it may say.
    """
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        limit=max_line_bytes,
        cwd=ROOT,
        env=kept | dict(environment),
        pass_fds=pass_fds,
    )
    try:
        yield child
    except BaseException:
        kill(child)
        raise
    finally:
        await child.wait()  # after its last word it ends by itself


def kill(child: Process) -> None:
    """End a child at once; one that has ended is no error."""
    with suppress(ProcessLookupError):
        child.kill()
