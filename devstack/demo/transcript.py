"""The transcript: what people see on the left, where the engine stands beside it, in the order of time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from devstack.waiting import beside

HOLD_S = 0.3
"""News wait so long for older news of the other source."""

NOTE_HOLD_S = 1.0
"""A note waits so long for a line to stand beside."""

_TIME_WIDTH, _WHO_WIDTH = 5, 16
_NOTE_WIDTH, _NARROW_NOTE_WIDTH = 30, 22
_NARROW = 100
_POLL_S = 0.05


@dataclass(frozen=True)
class Line:
    """Something that somebody saw or did; `at` is seconds since the epoch, `who` like "Ada > Stepgram"."""

    at: float
    who: str
    body: Text


@dataclass(frozen=True)
class Note:
    """Something that happened in the engine to an instance of that process."""

    at: float
    process: str
    text: str


class Transcript:
    """Takes lines and notes as they come and prints them in columns, each when it is HOLD_S old."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._last_at = time.time()
        self._waiting: list[Line | Note] = []
        self._last_process = self._last_speaker = ""
        self._note_width = _NOTE_WIDTH if console.width >= _NARROW else _NARROW_NOTE_WIDTH
        others = _TIME_WIDTH + len(" ") + _WHO_WIDTH + len("  ") + len(" │ ") + self._note_width
        self._body_width = max(console.width - others, _NARROW_NOTE_WIDTH)

    def add(self, news: Line | Note) -> None:
        """Take something to print."""
        self._waiting.append(news)

    @asynccontextmanager
    async def printing(self) -> AsyncIterator[None]:
        """Print as long as the block runs, and at its end what is left."""
        self._row("s", "who > whom", Text("what they see", style="dim"), [Text("in the engine", style="dim")])
        try:
            async with beside(self._print_on()):
                yield
        finally:
            self.print_until(time.time())

    async def _print_on(self) -> None:
        while True:
            now = time.time()
            self.print_until(now - HOLD_S, notes_until=now - NOTE_HOLD_S)
            await asyncio.sleep(_POLL_S)

    def print_until(self, moment: float, notes_until: float | None = None) -> None:
        """Print what happened before a moment; a note stands beside the line that follows it.

        Notes that no line follows are left for the next time, unless they are older than `notes_until`.
        """
        due = sorted((news for news in self._waiting if news.at <= moment), key=lambda news: news.at)
        self._waiting = [news for news in self._waiting if news.at > moment]
        notes: list[Note] = []
        for news in due:
            if isinstance(news, Note):
                notes.append(news)
            else:
                self._line(news, notes)
                notes = []
        if notes and notes[0].at <= (moment if notes_until is None else notes_until):
            self._line(Line(notes[0].at, "", Text()), notes)
        else:
            self._waiting += notes

    def _line(self, line: Line, notes: list[Note]) -> None:
        speaker = line.who.split(" ")[0]
        if self._last_speaker == "Stepgram" and speaker not in {"Stepgram", ""}:
            self._row("", "", Text(), [])  # a person's turn
        self._last_speaker = speaker
        self._last_at = max(self._last_at, line.at)
        margin = [part for note in notes for part in self._worded(note)]
        self._row(f"{self._last_at - self._began:.1f}", line.who, line.body, margin)

    def _worded(self, note: Note) -> list[Text]:
        """The lines of a note, below the name of its process where that is another than before."""
        first, *more = Text(note.text, style="yellow").wrap(self._console, self._note_width - 2)
        lines = [Text("▸ ", style="yellow") + first, *(Text("  ") + line for line in more)]
        if note.process != self._last_process:
            self._last_process = note.process
            lines.insert(0, Text(note.process, style="dim yellow"))
        return lines

    def _row(self, since: str, who: str, body: Text, margin: list[Text]) -> None:
        """Print one row of the columns, line by line."""
        wrapped = list(body.wrap(self._console, self._body_width, overflow="fold")) if body else []
        for number in range(max(1, len(wrapped), len(margin))):
            first = number == 0
            row = Text(f"{since if first else '':>{_TIME_WIDTH}} ", style="")
            row.stylize("dim")
            row.append(f"{who if first else '':<{_WHO_WIDTH}}  ", style=_colour(who))
            row.append_text(_padded(wrapped[number] if number < len(wrapped) else Text(), self._body_width))
            row.append(" │", style="dim")
            if number < len(margin):
                row.append(" ").append_text(margin[number])
            row.rstrip()
            self._console.print(row, soft_wrap=True)


def _padded(line: Text, width: int) -> Text:
    line = line.copy()
    line.rstrip()
    line.pad_right(width - line.cell_len)
    return line


def _colour(who: str) -> str:
    """People in colours, the bot plain."""
    return {"Ada": "bold cyan", "Ben": "bold magenta"}.get(who.split(" ")[0], "bold")
