"""``python -m shared.files.child``: looks into a file that its parent, ``process``, holds.

Its order is one JSON line on standard input. It says JSON lines on standard output: as often as it likes
``{"read": [offset, bytes]}``, answered by eight bytes of length and so many bytes; then ``{"done": null}`` or
``{"refused": {"reason": …, "params": {…}}}``.
"""

import io
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from shared.files.kinds import FileRefused

if TYPE_CHECKING:
    from typing_extensions import Buffer

BUFFER_BYTES = 1024 * 1024
NICENESS = 5
"""The parent's event loop goes first."""

Order = dict[str, Any]


class Parent:
    """The parent, who has the file."""

    def __init__(self) -> None:
        # Whatever a library or a validator prints must not be taken for an answer.
        self._said = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._heard = sys.stdin.buffer

    def order(self) -> Order:
        """What is to be done."""
        order: Order = json.loads(self._heard.readline())
        return order

    def say(self, line: dict[str, Any]) -> None:
        """Tell the parent something."""
        self._said.write(json.dumps(line).encode() + b"\n")
        self._said.flush()

    def read(self, offset: int, size: int) -> bytes:
        """A piece of the file."""
        self.say({"read": [offset, size]})
        return self._heard.read(int.from_bytes(self._heard.read(8), "big"))


class ParentsFile(io.RawIOBase):
    """The file as the parent reads it to us."""

    def __init__(self, parent: Parent, size_bytes: int) -> None:
        super().__init__()
        self._parent = parent
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        """See io.IOBase."""
        return True

    def seekable(self) -> bool:
        """See io.IOBase."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See io.IOBase."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        return self._at

    def readinto(self, buffer: "Buffer", /) -> int:
        """See io.RawIOBase."""
        target = memoryview(buffer).cast("B")
        wanted = max(0, min(len(target), self._size_bytes - self._at))
        data = self._parent.read(self._at, wanted) if wanted else b""
        target[: len(data)] = data
        self._at += len(data)
        return len(data)


def _archive(file: BinaryIO, order: Order) -> None:
    from shared.files import archives

    limits = archives.Limits(**order["limits"])
    archives.check(file, order["size_bytes"], order["extension"], limits)


def _strip(file: BinaryIO, order: Order) -> None:
    from shared.files import images

    with os.fdopen(order["result"], "r+b") as result:
        images.strip(file, result, order["extension"])


def _validate(file: BinaryIO, order: Order) -> None:
    from shared import texts
    from shared.files import validators

    validators.load()
    with texts.speaking(texts.Voice(order["language"])):
        try:
            validators.VALIDATORS[order["validator"]].check(file, order["argument"])
        except validators.InvalidFile as invalid:
            raise FileRefused("invalid_content", sentence=str(invalid)) from invalid


JOBS: dict[str, Callable[[BinaryIO, Order], None]] = {
    "archive": _archive,
    "strip": _strip,
    "validate": _validate,
}


def main() -> None:
    """Do the one thing that is ordered."""
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the parent too, which decides
    parent = Parent()
    order = parent.order()
    _limit(resource.RLIMIT_AS, order["memory_bytes"])
    _limit(resource.RLIMIT_CPU, order["cpu_s"])
    file = io.BufferedReader(ParentsFile(parent, order["size_bytes"]), BUFFER_BYTES)
    try:
        JOBS[order["job"]](file, order)
    except FileRefused as refused:
        parent.say({"refused": {"reason": refused.reason, "params": refused.params}})
    except (MemoryError, RecursionError):
        parent.say({"refused": {"reason": "too_complex", "params": {}}})
    else:
        parent.say({"done": None})


def _limit(what: int, most: int) -> None:
    with suppress(ValueError, OSError):  # not every system knows every limit
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
