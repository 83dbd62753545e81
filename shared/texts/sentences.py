"""Sentences that are put together: several of the catalogue's in one, or with markup around a value."""

from collections.abc import Sequence
from datetime import date, datetime

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


def send_a_file(accept: tuple[str, ...]) -> str:
    """A file is asked for, and how to send it."""
    return say("send-a-file", what=_a_file(accept))


def send_as_document(accept: tuple[str, ...]) -> str:
    """A picture came where a file was asked for."""
    return say("send-as-document", what=_a_file(accept))


def _a_file(accept: tuple[str, ...]) -> str:
    return say("a-file-of", kinds=_kinds(accept)) if accept else say("a-file")


def _kinds(accept: tuple[str, ...]) -> str:
    kinds, *others = accept
    for other in others:
        kinds = say("or-between", left=kinds, right=other)
    return kinds


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


def file_refused(reason: str, accept: tuple[str, ...], max_bytes: int) -> str:
    """Why a file was not taken, in one polite sentence."""
    match reason:
        case "wrong_extension":
            return say("file-wrong-extension", kinds=_kinds(accept))
        case "wrong_content" if accept:
            return say("file-wrong-content", kinds=_kinds(accept))
        case "wrong_content":
            return say("file-wrong-content-name")
        case "empty":
            return say("file-empty")
        case "too_large":
            return say("file-too-large", size=formats.size(max_bytes))
        case "too_large_for_telegram":
            return say("file-too-large-for-telegram", size=formats.size(max_bytes))
        case "one_is_on_its_way":
            return say("one-is-on-its-way")
        case "enough_for_today":
            return say("file-enough-for-today")
        case _:
            return say("file-refused")


def file_stored(name: str, size_bytes: int) -> str:
    """A file arrived and was kept."""
    return say("file-stored", name=esc(name), size=formats.size(size_bytes))
