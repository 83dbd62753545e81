"""The analysis of a chat in a few lines, for a message."""

from datetime import date

from shared.markup import escape_value
from workers.handlers.export.tally import Analysis, Person

MAX_SUMMARY_CHARACTERS = 3500
SHOWN_NAME_CHARACTERS = 40
_LEFT_TO_RIGHT = "\u200e"
"""After a name, so that the digits behind a right-to-left one stay where they belong."""


def summarise(analysis: Analysis, group_name: str) -> str:
    """What a person wants to know first, in the HTML subset of messages, at most MAX_SUMMARY_CHARACTERS long.

    Names come out of an uploaded file: they are escaped and nothing in them is tappable. ``group_name`` is
    what the export was expected to be of; another name in the export is pointed out.
    """
    replies, media = analysis.replies / analysis.messages, analysis.media / analysis.messages
    lines = [
        *_heading(analysis, group_name),
        *_period(analysis),
        "",
        f"Members: <b>{analysis.members:,}</b>, of whom {analysis.writers:,} wrote",
        f"Messages: <b>{analysis.messages:,}</b> and {analysis.service_messages:,} service messages",
        f"Replies: {replies:.0%} · with media: {media:.0%} · reactions: {analysis.reactions:,}",
        *_busiest(analysis),
    ]
    if analysis.top_people:
        lines += ["", "<b>Most active</b>"]
    for rank, person in enumerate(analysis.top_people, start=1):
        lines.append(_person(rank, person, analysis.messages))
    return "\n".join(lines)


def _heading(analysis: Analysis, group_name: str) -> list[str]:
    heading = [f"<b>{_shown(analysis.chat_name or group_name)}</b>"]
    names = {name for name in (analysis.chat_name.strip(), group_name.strip()) if name}
    if len(names) > 1:
        heading.append(f"<i>Note: the group is called {_shown(group_name)}.</i>")
    return heading


def _period(analysis: Analysis) -> list[str]:
    days = list(analysis.messages_by_day)
    if not days:
        return []
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    if first == last:
        return [_day(first)]
    return [f"{_day(first)} – {_day(last)} ({(last - first).days + 1:,} days)"]


def _busiest(analysis: Analysis) -> list[str]:
    if not analysis.messages_by_day:
        return []
    day, count = max(analysis.messages_by_day.items(), key=lambda item: item[1])
    hour = max(range(24), key=analysis.messages_by_hour.__getitem__)
    return [
        f"Busiest day: {_day(date.fromisoformat(day))} ({count:,})",
        f"Busiest hour: {hour:02}:00–{(hour + 1) % 24:02}:00",
    ]


def _person(rank: int, person: Person, of_messages: int) -> str:
    share = person.messages / of_messages
    return f"{rank}. {_shown(person.name)}{_LEFT_TO_RIGHT} — {person.messages:,} ({share:.1%})"


def _shown(name: str) -> str:
    one_line = " ".join(name.split())
    if len(one_line) > SHOWN_NAME_CHARACTERS:
        one_line = one_line[: SHOWN_NAME_CHARACTERS - 1] + "…"
    return escape_value(one_line).strip() or "?"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
