"""Counts what happened in a chat, message by message.

Memory grows with people, days and kinds of things, never with messages: about 0.3 kB for each person who was
ever seen (a full supergroup of 200,000 people takes 60 MB), and a bounded number
of anything else.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from shared.files.telegram_export import NO_MESSAGES, Entry, ExportRefused

TOP_PEOPLE = 8
TOP_REACTIONS = 5
FIRST_YEAR = "2013"
"""Telegram is no older; exports write 1970 where a date is missing."""
MAX_REACTION_KINDS = 500
MAX_TOPICS = 10_000
MAX_NAME_CHARACTERS = 128
DELETED_ACCOUNT = "Deleted account"

_HOURS = {f"{hour:02}": hour for hour in range(24)}
_MEDIA_TYPES = frozenset(
    ("sticker", "voice_message", "video_message", "video_file", "audio_file", "animation")
)
_JOINING = frozenset(("create_group", "invite_members"))
_FIRST_ID_OF_NO_USER = 1 << 32
"""Exports before 2021 have bare numbers for ids, where groups and channels stand above all users."""


@dataclass(frozen=True)
class Person:
    """Someone who wrote, with the name that the export gives."""

    name: str
    messages: int


@dataclass(frozen=True)
class Analysis:
    """What was counted in one export. Days and hours are those of the clock of whoever exported."""

    chat_name: str
    chat_type: str
    members: int
    """Everybody who wrote, acted, was invited or joined; invited people are known by name only."""
    writers: int
    messages: int
    service_messages: int
    replies: int
    media: int
    reactions: int
    top_people: tuple[Person, ...]
    """Most active first; channels and the group itself are no people."""
    messages_by_day: dict[str, int]
    """ISO date to messages, ascending, without the silent days."""
    messages_by_hour: tuple[int, ...]
    """24 numbers."""
    media_by_type: dict[str, int]
    top_reactions: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values, with the shares worked out (0 to 1)."""
        shares = {"reply_share": self._share(self.replies), "media_share": self._share(self.media)}
        return {**asdict(self), **shares}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Analysis":
        """What ``to_json`` gave."""
        fields = {name: values[name] for name in cls.__dataclass_fields__}
        people = tuple(Person(**person) for person in values["top_people"])
        by_hour = tuple(values["messages_by_hour"])
        return cls(**{**fields, "top_people": people, "messages_by_hour": by_hour})

    def _share(self, part: int) -> float:
        return round(part / self.messages, 4)


class Tally:
    """Takes the entries of an export one by one and gives the :class:`Analysis` at the end."""

    def __init__(self) -> None:
        self.messages = 0
        self._service_messages = 0
        self._replies = 0
        self._media: Counter[str] = Counter()
        self._reactions: Counter[str] = Counter()
        self._by_day: Counter[str] = Counter()
        self._by_hour = [0] * 24
        self._messages_of: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._joined_names: set[str] = set()
        self._topics: set[Any] = set()

    def add(self, entry: Entry) -> None:
        """Count one entry; whatever is malformed in it counts nowhere."""
        kind = entry.get("type")
        if kind == "message":
            self._add_message(entry)
        elif kind == "service":
            self._add_service(entry)

    def _add_message(self, entry: Entry) -> None:
        self.messages += 1
        self._add_moment(entry.get("date"))
        if person := _person_id(entry.get("from_id")):
            self._messages_of[person] += 1
            self._meet(person, entry.get("from"))
        answered = entry.get("reply_to_message_id")
        # in a forum the messages of a topic "reply" to the message that opened it
        if answered and answered not in self._topics:
            self._replies += 1
        if kind := _media_kind(entry):
            self._media[kind] += 1
        for reaction in entry.get("reactions", ()):
            self._add_reaction(reaction)

    def _add_moment(self, written: object) -> None:
        """Count a local time like ``2024-01-31T18:05:00``."""
        if not isinstance(written, str):
            return
        day, hour = written[:10], _HOURS.get(written[11:13])
        if hour is not None and (day in self._by_day or _is_day(day)):
            self._by_day[day] += 1
            self._by_hour[hour] += 1

    def _add_reaction(self, reaction: dict[str, Any]) -> None:
        count = reaction.get("count")
        if type(count) is not int or count < 1:
            return
        label = str(reaction.get("emoji") or reaction.get("type"))
        known = label in self._reactions or len(self._reactions) < MAX_REACTION_KINDS
        self._reactions[label if known else "other"] += count

    def _add_service(self, entry: Entry) -> None:
        self._service_messages += 1
        action = entry.get("action")
        if person := _person_id(entry.get("actor_id")):
            self._meet(person, entry.get("actor"))
        if action in _JOINING:
            self._joined_names.update(_name(name) for name in entry.get("members", ()) if name)
        elif action == "topic_created" and len(self._topics) < MAX_TOPICS:
            self._topics.add(entry.get("id"))

    def _meet(self, person: str, name: object) -> None:
        if person not in self._names:
            self._names[person] = _name(name)

    def result(self, chat: Entry) -> Analysis:
        """What was counted, of the chat with these fields of its own.

        Raises:
            ExportRefused: nobody wrote anything.
        """
        if not self.messages:
            raise ExportRefused(NO_MESSAGES)
        met_by_name_only = self._joined_names.difference(self._names.values())
        top = self._messages_of.most_common(TOP_PEOPLE)
        return Analysis(
            chat_name=_name(chat.get("name"), ""),
            chat_type=str(chat.get("type") or ""),
            members=len(self._names) + len(met_by_name_only),
            writers=len(self._messages_of),
            messages=self.messages,
            service_messages=self._service_messages,
            replies=self._replies,
            media=self._media.total(),
            reactions=self._reactions.total(),
            top_people=tuple(Person(self._names[person], count) for person, count in top),
            messages_by_day=dict(sorted(self._by_day.items())),
            messages_by_hour=tuple(self._by_hour),
            media_by_type=dict(self._media.most_common()),
            top_reactions=dict(self._reactions.most_common(TOP_REACTIONS)),
        )


def _person_id(peer: object) -> str | None:
    """The id of a user; None for the group itself, for channels, and where there is no sender."""
    if isinstance(peer, str):
        return peer if peer.startswith("user") else None
    if type(peer) is int and 0 < peer < _FIRST_ID_OF_NO_USER:
        return f"user{peer}"
    return None


def _name(name: object, otherwise: str = DELETED_ACCOUNT) -> str:
    return name[:MAX_NAME_CHARACTERS] if isinstance(name, str) else otherwise


def _media_kind(entry: Entry) -> str | None:
    media_type = entry.get("media_type")
    if media_type in _MEDIA_TYPES:
        return str(media_type)
    if "photo" in entry:
        return "photo"
    return "file" if "file" in entry else None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return FIRST_YEAR <= text[:4] < "2100"
