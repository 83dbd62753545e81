"""A page of the documentation as somebody follows it: what to type, what appears then, and who says what."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.people import Person, captions, words
from devstack.product import CHECKOUT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ADDITION = re.compile(
    r"Add these lines to the `(?P<parent>\S+)` of the step `(?P<step>\w+)` in `(?P<file>\S+)`"
)
_BUTTONS = re.compile(r"\s*(?:\[[^\]]+\]\s*)+")
_END = "the-end-of-it"
_OF_ITS_OWN = {".devstack", ".git", ".hypothesis"}
STOP_S = 40.0


@dataclass(frozen=True)
class Block:
    """One block of code of a page, with the prose above it."""

    kind: str
    text: str
    above: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    found, at = [], 0
    for match in FENCE.finditer(page):
        found.append(Block(match[1], match[2], page[at : match.start()]))
        at = match.end()
    return found


def fits(claimed: str, output: str) -> bool:
    """Whether an output is what a page says; ``…`` stands for anything."""
    parts = [re.escape(part) for part in claimed.strip().split("…")]
    return re.fullmatch(".*".join(parts), output.strip(), re.DOTALL) is not None


@dataclass(frozen=True)
class Line:
    """What somebody says in a chat: the lines of a message, and its buttons."""

    who: str
    said: tuple[str, ...]
    buttons: tuple[str, ...]

    def is_in(self, message: Mapping[str, Any]) -> bool:
        """Whether a message shows all of it, in order."""
        text, shown = words(message), captions(message)
        pattern = ".*".join(re.escape(part) for line in self.said for part in line.split("…"))
        return re.search(pattern, text, re.DOTALL) is not None and set(self.buttons) <= set(shown)


def conversation(text: str) -> list[Line]:
    """The lines of a chat: ``NAME: words``, more of them further in, and ``[Buttons]``."""
    found: list[Line] = []
    for line in text.splitlines():
        new = re.match(r"(?P<who>\w+): +(?P<rest>.*)", line)
        who, rest = (new["who"], new["rest"]) if new else (found[-1].who, line.strip())
        before = None if new else found.pop()
        tapped = tuple(re.findall(r"\[([^\]]+)\]", rest)) if _BUTTONS.fullmatch(rest) else ()
        said = () if tapped else (rest,)
        found.append(
            Line(
                who,
                (*(before.said if before else ()), *said),
                (*(before.buttons if before else ()), *tapped),
            )
        )
    return found


async def play(person: Person, lines: Sequence[Line]) -> None:
    """Say and tap what one person does in a chat, and see what the bot does."""
    for line in lines:
        if line.who != person.name:
            await person.sees(where=line.is_in, buttons=list(line.buttons))
        elif line.buttons:
            await person.tap(line.buttons[0])
        else:
            await person.say("\n".join(line.said))


def checkout_in(folder: Path) -> Path:
    """The checkout once more, with a state of its own: what is made in it stays there."""
    for each in CHECKOUT.iterdir():
        if each.name not in _OF_ITS_OWN:
            (folder / each.name).symlink_to(each)
    return folder


def add_lines(folder: Path, block: Block) -> None:
    """Write lines into a diagram where the prose above them says."""
    said = _ADDITION.search(" ".join(block.above.split()))
    assert said is not None, f"the page does not say where to add {block.text}"
    file = folder / said["file"]
    xml = file.read_text()
    step = xml.index(f'id="{said["step"]}"')
    end = xml.index(f"</{said['parent']}>", step)
    file.write_text(xml[:end] + block.text + xml[end:])


class Terminal:
    """A shell in which one command follows another."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, commands: str) -> tuple[str, int]:
        """What some lines print, and how the last of them ended."""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None
        assert writer is not None
        writer.write(f"{commands}\nprintf '\\n%s %s\\n' {_END} $?\n".encode())
        printed: list[str] = []
        while not (line := (await reader.readline()).decode()).startswith(_END):
            assert line, f"the shell has ended: {''.join(printed)}"
            printed.append(line)
        return "".join(printed)[:-1], int(line.split()[1])


@asynccontextmanager
async def terminal(folder: Path) -> AsyncIterator[Terminal]:
    """A shell in a folder, ended with the block."""
    process = await _started("bash", "--noprofile", "--norc", folder=folder, stdin=asyncio.subprocess.PIPE)
    try:
        yield Terminal(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def staying(command: str, folder: Path) -> AsyncIterator[asyncio.Queue[str]]:
    """A command in a terminal of its own, as long as the block runs; its lines. Ctrl-C ends it."""
    process = await _started("bash", "-c", f"exec {command}", folder=folder)
    assert process.stdout is not None
    printed: asyncio.Queue[str] = asyncio.Queue()
    reading = asyncio.create_task(_read(process.stdout, printed))
    try:
        yield printed
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(reading, process.wait())
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            raise


async def _read(source: asyncio.StreamReader, printed: asyncio.Queue[str]) -> None:
    """Take every line as it comes, so that nobody waits to print one; the empty one is the end."""
    while line := (await source.readline()).decode():
        printed.put_nowait(line)
    printed.put_nowait("")


# A shell starts what is in the background deaf to Ctrl-C; a terminal does not.
_IN_A_TERMINAL = (
    "import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
)


async def _started(*command: str, folder: Path, stdin: int | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _IN_A_TERMINAL,
        *command,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
