"""The tutorial, followed to the letter: its commands, its chats, and what it says is printed."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.people import Person, Town
from devstack.product import CHECKOUT
from tests.support.tutorial import (
    Block,
    Terminal,
    add_lines,
    blocks,
    checkout_in,
    conversation,
    fits,
    play,
    staying,
    terminal,
)

PAGE = CHECKOUT / "docs" / "tutorial" / "first-process.md"
START_S = 120.0
LOOK_S = 15.0
ONLY_LOOKS = ("stepgram show ", "stepgram ps")
"""What may be asked again until it is as the page says: a process goes on by itself."""

_WEB_CHAT = re.compile(r"The web chat is at +(http://\S+)/#(\d+)/\2$", re.MULTILINE)
_THE_READERS_OWN = re.compile(r"^ADA=\d+$", re.MULTILINE)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A checkout of the reader's own. Where Postgres runs as somebody else, they must get to it."""
    with tempfile.TemporaryDirectory(prefix="stepgram-tutorial-") as name:
        made = Path(name)
        made.chmod(0o755)
        yield checkout_in(made)


async def test_the_tutorial_leads_to_what_it_says(folder: Path) -> None:
    first, *rest = blocks(PAGE.read_text())
    assert first.kind == "sh"
    async with staying(first.text.strip(), folder) as printed:
        url, ada_id = await _guide(printed)
        async with Town(url) as town, terminal(folder) as shell:
            await _follow(rest, folder, shell, Person(town, ada_id, ada_id, "Ada"))


async def _guide(printed: asyncio.Queue[str]) -> tuple[str, int]:
    """The address of the web chat, and who one is there."""
    text = ""
    async with asyncio.timeout(START_S):
        while not (found := _WEB_CHAT.search(text)):
            line = await printed.get()
            assert line, f"it has ended: {text}"
            text += line
    return found[1], int(found[2])


async def _follow(page: list[Block], folder: Path, shell: Terminal, ada: Person) -> None:
    for block, after in zip(page, [*page[1:], None], strict=True):
        if block.kind == "chat":
            await play(ada, conversation(block.text))
        elif block.kind == "xml":
            add_lines(folder, block)
        elif block.kind == "sh":
            commands = _THE_READERS_OWN.sub(f"ADA={ada.user_id}", block.text)
            await _type(shell, commands, after.text if after and after.kind == "text" else None)
        else:
            assert block.kind == "text", f"nobody knows what to do with {block}"


async def _type(shell: Terminal, commands: str, claimed: str | None) -> None:
    """Run what a block says; it prints what the next one claims, or ends well where that claims nothing."""
    output, code = await shell.run(commands)
    give_up = asyncio.get_running_loop().time() + LOOK_S
    while claimed is not None and not fits(claimed, output) and commands.startswith(ONLY_LOOKS):
        if asyncio.get_running_loop().time() > give_up:
            break
        output, code = await shell.run(commands)
    if claimed is None:
        assert code == 0, f"{commands}: {output}"
    else:
        assert fits(claimed, output), f"{commands}: {output}"
