import io
import time

import pytest
from rich.console import Console
from rich.text import Text

from devstack.demo.transcript import Line, Note, Transcript


class Page:
    """A transcript on a page of that width, in a log without a terminal or on one."""

    def __init__(self, width: int = 100, *, terminal: bool = False) -> None:
        self._file = io.StringIO()
        console = Console(
            file=self._file,
            width=width,
            force_terminal=terminal,
            color_system="truecolor" if terminal else None,
            highlight=False,
        )
        self.transcript = Transcript(console)
        self.began = time.time()

    def line(self, after_s: float, who: str, body: str) -> None:
        self.transcript.add(Line(self.began + after_s, who, Text(body)))

    def note(self, after_s: float, text: str, process: str = "audit") -> None:
        self.transcript.add(Note(self.began + after_s, process, text))

    def printed(self, until_s: float = 1000.0, notes_until_s: float | None = None) -> list[str]:
        notes_until = None if notes_until_s is None else self.began + notes_until_s
        self.transcript.print_until(self.began + until_s, notes_until)
        return self._file.getvalue().splitlines()


def cells(row: str) -> tuple[str, str]:
    left, _, right = row.partition("│")
    return left.strip(), right.strip()


def test_news_are_printed_in_the_order_of_time_whoever_came_first() -> None:
    page = Page()
    page.line(2.0, "Ada > Stepgram", "second")
    page.line(1.0, "Ada > Stepgram", "first")
    assert [cells(row)[0] for row in page.printed()] == [
        "1.0 Ada > Stepgram    first",
        "2.0 Ada > Stepgram    second",
    ]


def test_what_is_too_fresh_waits_for_older_news() -> None:
    page = Page()
    page.line(2.0, "Ada > Stepgram", "fresh")
    assert page.printed(until_s=1.0) == []
    page.line(1.5, "Ada > Stepgram", "late but older")
    assert "late but older" in page.printed(until_s=3.0)[0]


def test_a_note_stands_beside_the_line_that_follows_it() -> None:
    page = Page()
    page.note(1.0, "waits at Explain and confirm")
    page.line(1.2, "Stepgram > Ada", "Community audit\n[Continue] [Cancel]")
    assert [cells(row) for row in page.printed()] == [
        ("1.2 Stepgram > Ada    Community audit", "audit"),
        ("[Continue] [Cancel]", "▸ waits at Explain and confirm"),
    ]


def test_a_note_that_no_line_follows_is_printed_alone_once_it_is_old() -> None:
    page = Page()
    page.note(1.0, "ends: Done")
    assert page.printed(until_s=1.5, notes_until_s=0.5) == []
    assert [cells(row) for row in page.printed(until_s=2.5, notes_until_s=1.5)] == [
        ("1.0", "audit"),
        ("", "▸ ends: Done"),
    ]


def test_a_process_is_named_where_another_one_spoke_before() -> None:
    page = Page()
    page.note(1.0, "starts", "audit")
    page.note(1.1, "waits at Confirm", "audit")
    page.note(1.2, "starts", "hello")
    rights = [cells(row)[1] for row in page.printed()]
    assert rights == ["audit", "▸ starts", "▸ waits at Confirm", "hello", "▸ starts"]


def test_a_persons_turn_stands_apart_from_what_the_bot_said() -> None:
    page = Page()
    page.line(1.0, "Stepgram > Ada", "Hello")
    page.line(2.0, "Ada > Stepgram", "/groups")
    assert [cells(row)[0] for row in page.printed()] == [
        "1.0 Stepgram > Ada    Hello",
        "",
        "2.0 Ada > Stepgram    /groups",
    ]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_row_is_wider_than_the_page(width: int) -> None:
    page = Page(width)
    page.note(0.5, "waits at a step whose name is rather long for its column, and 漢字 are wide")
    page.line(1.0, "Stepgram > Ada", "Busiest hour: 20:00–21:00 " * 9 + "1. 翔太 " * 20 + "x" * 200)
    console = Console(width=1000)
    assert all(console.measure(Text(row)).maximum <= width for row in page.printed())


def test_a_log_gets_no_control_codes_and_a_terminal_gets_colours() -> None:
    def escapes(*, terminal: bool) -> bool:
        page = Page(terminal=terminal)
        page.line(1.0, "Ada > Stepgram", "hi")
        return "\x1b" in "\n".join(page.printed())

    assert not escapes(terminal=False)
    assert escapes(terminal=True)
