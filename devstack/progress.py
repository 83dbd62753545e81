"""Shows on a terminal, or line by line in a log, how the parts come up."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from devstack.reporting import Report, Stage

_MARKS = {"working": " ", "ready": "[green]✓[/]", "failed": "[red]✗[/]", "stopped": "[dim]–[/]"}


@contextmanager
def showing_progress(console: Console) -> Iterator[Report]:
    """Give a report that shows what it is told on `console`, one line per part that changes in place.

    Without a terminal every change is a line of its own, and of a count only its quarters.
    """
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.fields[mark]} [bold]{task.description}"),
        TextColumn("{task.fields[text]}"),
        _BarOfCounts(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)


class _BarOfCounts(ProgressColumn):
    """A bar where something is counted, nothing elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width=30)

    def render(self, task: Task) -> RenderableType:
        return Text() if task.total is None or task.finished else self._bar.render(task)


class _Bars:
    """One line per part, changed in place."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(
        self, part: str, text: str, *, stage: Stage = "working", done: int = 0, total: int = 0
    ) -> None:
        if part not in self._tasks:
            self._tasks[part] = self._progress.add_task(f"{part:<10}", mark="", text="", total=None)
        finished = stage != "working"
        self._progress.update(
            self._tasks[part],
            mark=_MARKS[stage],
            text=text,
            completed=1 if finished else done,
            total=1 if finished else total or None,
        )


class _Lines:
    """One line per news."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, object] = {}

    def __call__(
        self, part: str, text: str, *, stage: Stage = "working", done: int = 0, total: int = 0
    ) -> None:
        news = (done * 4 // total) if total else text
        if self._last.get(part) == news:
            return
        self._last[part] = news
        count = f" ({done}/{total})" if total else ""
        self._console.print(f"{part:<10} {text}{count}", style="red" if stage == "failed" else "")
