"""Sentences that are put together: several of the catalogue's in one, or with markup around a value."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from shared.markup import escape_value as esc
from shared.texts import formats
from shared.texts.voice import say, voice


def held_back(count: int, *, is_more: bool) -> str:
    """What a chat is told of the steps that are held back; ``is_more``: they were not counted further."""
    return say("held-back-many" if is_more else "held-back", count=count)


def answer_until(moment: datetime) -> str:
    """The line under the title of a step that expires."""
    return f"<i>{esc(say('until', moment=f'{formats.moment(moment)} {voice().zone}'))}</i>"


def time_left(seconds: float) -> str:
    """What is added to that line when the time grows short."""
    return " · " + say("time-left", span=formats.span(seconds))


def reminder(title: str, moment: datetime | None) -> str:
    """The message that reminds somebody of a step."""
    words = say("reminder", title=f"<b>{esc(title)}</b>") if title else say("reminder-untitled")
    return f"{words}<br/>{answer_until(moment)}" if moment else words


def ended(title: str, note: str) -> str:
    """The message that says why a step is over whose prompts have no room for it."""
    return f"<b>{esc(title)}</b><br/>{note}" if title else note


def hello(first_name: str) -> str:
    """The greeting of /start."""
    return f"{say('hello', name=esc(first_name))} {say('help')}"


def tasks_heading(first: int, last: int, count: int) -> str:
    """The head of a page of what waits."""
    if count > last - first + 1:
        return say("tasks-heading-page", first=first, last=last, count=count)
    return say("tasks-heading")


def task_line(title: str, process: str, since: datetime, until: datetime | None) -> str:
    """One step that waits, and until when where it waits no longer."""
    line = say(
        "task-line", title=f"<b>{esc(title)}</b>", process=esc(process), since=formats.short_moment(since)
    )
    due = say("task-due", moment=formats.short_moment(until)) if until else ""
    return ", ".join(filter(None, (f"• {line}", due)))


def history_line(when: datetime | None, title: str, answer: str) -> str:
    """One answer."""
    return f"• {formats.short_moment(when)} <b>{esc(title)}</b>: {esc(answer)}"


def stands_at(process: str, places: Sequence[str]) -> str:
    """Where an instance stands, with the safe HTML subset."""
    return say("stands-at", process=f"<b>{esc(process)}</b>", places=esc(", ".join(places)))


def plain_place(process: str, places: Sequence[str]) -> str:
    """The same as the caption of a picture, which has no markup."""
    return say("stands-at", process=process, places=", ".join(places))


def confirm_import(group: str) -> str:
    """The last question before the audit of a group."""
    return say("confirm-import", group=f"<b>{esc(group)}</b>")


def group_heading(group: str) -> str:
    """The head of a group's menu."""
    return f"<b>{esc(group)}</b>"


def cancel_sure(title: str) -> str:
    """The question before a step is cancelled."""
    return say("cancel-sure", title=esc(title))


def wrong_length(low: float | None, high: float | None, found: int) -> str:
    """A text is too short or too long."""
    return say("wrong-length", range=_range(low, high), found=found)


def wrong_count(low: float | None, high: float | None, found: int) -> str:
    """Too few or too many were chosen."""
    return say("wrong-count", range=_range(low, high), found=found)


def day_out_of_range(first: date | None, last: date | None) -> str:
    """A day is too early or too late."""
    if first is not None and last is not None:
        return say("day-out-of-range", first=formats.day(first), last=formats.day(last))
    if first is not None:
        return say("day-too-early", first=formats.day(first))
    return say("day-too-late", last=formats.day(last)) if last is not None else ""


def out_of_range(low: float | None, high: float | None) -> str:
    """A number is too small or too large."""
    return say("out-of-range", range=_range(low, high))


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return say("range-both", low=_bound(low), high=_bound(high))
    if low is not None:
        return say("range-low", low=_bound(low))
    return say("range-high", high=_bound(high or 0))


def _bound(number: float) -> str:
    return formats.number(int(number) if number.is_integer() else number)


def wrong_pattern(help_text: str | None) -> str:
    """A text does not match its pattern."""
    return say("wrong-pattern", help=help_text or say("wrong-pattern-help"))


def question(label: str, number: int, total: int, help_text: str | None, unit: str | None) -> str:
    """One question of a form, with the safe HTML subset."""
    progress = f"{say('question-of', number=number, total=total)} " if total > 1 else ""
    with_unit = f"{esc(label)} ({esc(unit)})" if unit else esc(label)
    lines = [f"{progress}<b>{with_unit}</b>"]
    if help_text:
        lines.append(f"<i>{esc(help_text)}</i>")
    return "<br/>".join(lines)


class Asked(Protocol):
    """What is known of a file that is asked for; see shared.steps.model.Ask."""

    @property
    def accept(self) -> tuple[str, ...]:
        """Extensions."""

    @property
    def types(self) -> Sequence[str]:
        """What it may be in Telegram."""

    @property
    def min_files(self) -> int:
        """How many at least."""

    @property
    def max_files(self) -> int:
        """How many at most."""


class Listed(NamedTuple):
    """A file as the list of them shows it; ``done_bytes`` of ``size_bytes`` are in the bucket, if known."""

    number: int
    name: str
    size_bytes: int | None
    done_bytes: int | None
    is_stored: bool


def send_a_file(ask: Asked) -> str:
    """A file is asked for, or several are, and how to send it."""
    how = say("send-a-file", what=_a_file(ask.accept)) if {*ask.types} == {"document"} else _media(ask)
    if ask.max_files == 1:
        return how
    if ask.min_files == 1:
        return f"{how} {say('send-up-to', most=ask.max_files)}"
    return f"{how} {say('send-several', least=ask.min_files, most=ask.max_files)}"


def send_another_way(ask: Asked) -> str:
    """Something came that is a file, and not of the sort that is asked for."""
    only_files = {*ask.types} == {"document"}
    return say("send-as-document", what=_a_file(ask.accept)) if only_files else _media(ask)


def _media(ask: Asked) -> str:
    kinds = _or([_kind(kind) for kind in ask.types])
    return (
        say("send-media-of", kinds=kinds, accept=_or(ask.accept))
        if ask.accept
        else say("send-media", kinds=kinds)
    )


def _kind(kind: str) -> str:
    match kind:
        case "photo":
            return say("kind-photo")
        case "video":
            return say("kind-video")
        case "audio":
            return say("kind-audio")
        case "voice":
            return say("kind-voice")
        case _:
            return say("kind-document")


def file_list(files: Sequence[Listed], most: int) -> str:
    """The files that have come so far, and how many more may."""
    lines = [_file_line(number, each) for number, each in enumerate(files, 1)]
    left = most - len(files)
    last = say("files-more", count=left) if left > 0 else say("files-full")
    return "<br/>".join([say("files-so-far") if files else say("files-none"), *lines, f"<i>{last}</i>"])


def _file_line(number: int, file: Listed) -> str:
    size = "" if file.size_bytes is None else f" ({formats.size(file.size_bytes)})"
    if file.is_stored:
        return f"{number}. {esc(file.name)}{size}"
    return f"{number}. ⏳ {esc(file.name)}{size}{_share(file.done_bytes, file.size_bytes)}"


def _share(done_bytes: int | None, size_bytes: int | None) -> str:
    if not done_bytes or not size_bytes:
        return ""
    return ", " + say("per-cent", number=min(99, 100 * done_bytes // size_bytes))


def file_progress(name: str, done_bytes: int, size_bytes: int | None) -> str:
    """How far a file is on its way."""
    size = "" if size_bytes is None else f" ({formats.size(size_bytes)})"
    return f"⏳ {esc(name)}{size}{_share(done_bytes, size_bytes)}"


def _a_file(accept: tuple[str, ...]) -> str:
    return say("a-file-of", kinds=_or(accept)) if accept else say("a-file")


def _or(words: Sequence[str]) -> str:
    said, *others = words
    for other in others:
        said = say("or-between", left=said, right=other)
    return said


def upload_link(label: str, until: datetime) -> str:
    """The message with a link to the upload page."""
    words = say("upload-link", label=f"<b>{esc(label)}</b>", moment=formats.clock(until))
    return f"{words}<br/><i>{say('upload-link-once')}</i>"


def page_kinds(accept: tuple[str, ...]) -> str:
    """Which files the upload page takes."""
    return say("page-kinds", kinds=_or(accept))


def page_count(least: int, most: int) -> str:
    """How many files the upload page takes."""
    return say("page-up-to", most=most) if least == 1 else say("page-several", least=least, most=most)


def page_words(accept: tuple[str, ...], limit: int) -> dict[str, str]:
    """What the script of the upload page says; it puts the values in braces itself."""
    return {
        "wrong_kind": file_refused("wrong_extension", accept) if accept else "",
        "empty": say("file-empty"),
        "too_large": file_refused("too_large", accept, limit),
        "too_many": say("page-too-many"),
        "waiting": say("page-waiting"),
        "sending": say("page-sending", percent="{percent}", size="{size}"),
        "left": say("page-left", span="{span}"),
        "paused": say("page-paused", percent="{percent}"),
        "offline": say("page-offline"),
        "interrupted": say("page-interrupted", percent="{percent}"),
        "checking": say("page-checking"),
        "stored": say("page-stored"),
        "all_done": say("page-all-done"),
        "now_done": say("page-now-done", done=say("page-done")),
        "pause": say("page-pause"),
        "resume": say("page-resume"),
        "remove": say("page-remove"),
        "again": say("page-again"),
        "pause_of": say("page-pause-of", name="{name}"),
        "resume_of": say("page-resume-of", name="{name}"),
        "remove_of": say("page-remove-of", name="{name}"),
        "again_of": say("page-again-of", name="{name}"),
        "progress_of": say("page-progress-of", name="{name}"),
        "not_the_same": say("page-not-the-same", name="{name}"),
        "failed": say("try-again"),
    }


def claimed_by(name: str | None) -> str:
    """Somebody else has taken the step."""
    return say("claimed-by", name=name or say("somebody"))


def answered_by(caption: str, name: str | None) -> str:
    """The line under a prompt that was answered."""
    return (
        say("answered-by", caption=esc(caption), name=esc(name))
        if name
        else say("answered", caption=esc(caption))
    )


def taken(name: str | None, at: datetime | None) -> str:
    """Somebody was faster."""
    return say("already-answered-by", name=name, at=formats.clock(at)) if name else say("already-answered")


def file_refused(reason: str, accept: tuple[str, ...], max_bytes: int = 0, most: int = 1) -> str:
    """Why a file was not taken, in one polite sentence."""
    say_why = _WHY_NOT.get(reason)
    return say("file-refused") if say_why is None else say_why(_Refused(accept, max_bytes, most))


class _Refused(NamedTuple):
    accept: tuple[str, ...]
    max_bytes: int
    most: int


def _wrong_content(it: _Refused) -> str:
    return say("file-wrong-content", kinds=_or(it.accept)) if it.accept else say("file-wrong-content-name")


_WHY_NOT: dict[str, Callable[[_Refused], str]] = {
    "wrong_extension": lambda it: say("file-wrong-extension", kinds=_or(it.accept)),
    "wrong_content": _wrong_content,
    "empty": lambda _: say("file-empty"),
    "too_large": lambda it: say("file-too-large", size=formats.size(it.max_bytes)),
    "too_large_for_telegram": lambda it: say("file-too-large-for-telegram", size=formats.size(it.max_bytes)),
    "one_only": lambda _: say("file-one-only"),
    "too_many": lambda it: say("file-too-many", count=it.most),
    "twice": lambda _: say("file-twice"),
    "one_is_on_its_way": lambda _: say("one-is-on-its-way"),
    "enough_for_today": lambda _: say("file-enough-for-today"),
    "two_in_one": lambda _: say("file-two-in-one"),
    "too_complex": lambda _: say("file-too-complex"),
    "cannot_be_scanned": lambda _: say("file-cannot-be-scanned"),
    "archive_unreadable": lambda _: say("file-archive-unreadable"),
    "archive_encrypted": lambda _: say("file-archive-encrypted"),
    "archive_broken": lambda _: say("file-archive-broken"),
    "archive_too_large": lambda _: say("file-archive-too-large"),
    "archive_too_deep": lambda _: say("file-archive-too-deep"),
    "archive_unsafe": lambda _: say("file-archive-unsafe"),
    "image_too_large": lambda _: say("file-image-too-large"),
    "image_broken": lambda _: say("file-image-broken"),
    "image_kind": lambda _: say("file-image-kind"),
}


def file_stored(name: str, size_bytes: int) -> str:
    """A file arrived and was kept."""
    return say("file-stored", name=esc(name), size=formats.size(size_bytes))
