"""The messages of a generated export, one after the other as JSON text.

The text is put together from pieces that are JSON already: a generic encoder would make hundreds of
megabytes slow.
"""

import json
from bisect import bisect_right
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import NamedTuple

from devstack.exports.vocabulary import (
    EMOJI,
    ENTITIES,
    FIRST_NAMES,
    HOSTILE_NAMES,
    LAST_NAMES,
    MEDIA,
    PHRASES,
    SKIPPED_FILE,
    WHOLE_NAMES,
)

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
LOCAL_TIME_AHEAD_S = 2 * 3600
"""The exporting machine's clock: ``date`` is its local time, ``date_unixtime`` is universal."""

CHAT_ID = 1834000001
HOUR_WEIGHTS = (3, 2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 10, 9, 8, 8, 8, 9, 11, 13, 15, 14, 10, 6)
WEEKDAY_WEIGHTS = (10, 10, 11, 13, 11, 6, 7)
INDENT = "   "


class Person(NamedTuple):
    """Someone who writes; both as JSON text."""

    name: str
    id: str


def quote(text: str) -> str:
    """The text as a JSON string, with letters of all scripts left as they are."""
    return json.dumps(text, ensure_ascii=False)


class Calendar:
    """Says when a message was sent: days differ, weekends are quiet, nights too, and interest grows."""

    def __init__(self, days: int, random: Random) -> None:
        self._first_s = int(FIRST_DAY.timestamp())
        moods = [random.uniform(0.5, 1.4) * (3 if random.random() < 0.02 else 1) for _ in range(days)]
        weights = [
            mood * WEEKDAY_WEIGHTS[day % 7] * (1 + day / days) * hour_weight
            for day, mood in enumerate(moods)
            for hour_weight in HOUR_WEIGHTS
        ]
        self._hours = list(accumulate(weights, initial=0.0))

    def at(self, share: float) -> int:
        """Unix time of the exporter's local clock when that share (0 to 1) of all was written."""
        goal = share * self._hours[-1]
        hour = min(bisect_right(self._hours, goal), len(self._hours) - 1) - 1
        begin, end = self._hours[hour], self._hours[hour + 1]
        return self._first_s + hour * 3600 + min(int((goal - begin) / (end - begin) * 3600), 3599)


class Author:
    """Writes the parts of one export's text; the same arguments always give the same text."""

    def __init__(self, people: int, days: int, seed: int, control_characters: bool) -> None:
        self._random = Random(seed)  # noqa: S311
        self._calendar = Calendar(days, self._random)
        self._people = [self._person(number) for number in range(people)]
        self._activity = list(accumulate(1 / (rank + 2) for rank in range(people)))
        self._phrases = [quote(phrase) for phrase in PHRASES]
        if control_characters:
            self._phrases.append('"1=412\\x012=97180\\x0B and a \\\\x backslash"')
        self._id = 0
        self._topics: list[int] = []

    def head(self, name: str) -> str:
        """The beginning of the export, up to its first message."""
        self._id += 1
        first = self._service("create_group", self._calendar.at(0))
        return (
            f'{{\n "name": {quote(name)},\n "type": "private_supergroup",\n "id": {CHAT_ID},\n'
            f' "messages": [\n{_object(first)}'
        )

    def tail(self) -> str:
        """The end of the export."""
        return "\n ]\n}\n"

    def message(self, share: float) -> str:
        """The next message or service message, sent when that share (0 to 1) of all was written."""
        self._id += 1 if self._random.random() < 0.9 else 2  # numbers of deleted messages are missing
        now_s = self._calendar.at(share)
        if self._random.random() < 0.02:
            return ",\n" + _object(self._service(self._random.choice(SERVICE_ACTIONS), now_s))
        return ",\n" + _object(self._message(now_s))

    def _person(self, number: int) -> Person:
        user_id = self._random.randrange(10_000_000, 7_900_000_000)
        if number % 17 == 5:
            name = quote(HOSTILE_NAMES[number // 17 % len(HOSTILE_NAMES)])
        elif number % 23 == 4:
            name = "null"  # a deleted account
        elif number % 4 == 3:
            name = quote(self._random.choice(WHOLE_NAMES))
        else:
            name = quote(f"{self._random.choice(FIRST_NAMES)} {self._random.choice(LAST_NAMES)}".strip())
        return Person(name, f'"user{user_id}"')

    def _somebody(self) -> Person:
        return self._random.choices(self._people, cum_weights=self._activity)[0]

    def _stamp(self, kind: str, now_s: int) -> list[str]:
        local = datetime.fromtimestamp(now_s, UTC)
        return [
            f'"id": {self._id}',
            f'"type": "{kind}"',
            f'"date": "{local:%Y-%m-%dT%H:%M:%S}"',
            f'"date_unixtime": "{now_s - LOCAL_TIME_AHEAD_S}"',
        ]

    def _service(self, action: str, now_s: int) -> list[str]:
        actor = self._somebody()
        fields = self._stamp("service", now_s)
        fields += [f'"actor": {actor.name}', f'"actor_id": {actor.id}', f'"action": "{action}"']
        if action in {"create_group", "invite_members", "remove_members"}:
            names = [person.name for person in self._random.sample(self._people, min(3, len(self._people)))]
            fields.append(f'"members": {_array(names)}')
        elif action == "join_group_by_link":
            fields.append(f'"inviter": {self._somebody().name}')
        elif action == "pin_message":
            fields.append(f'"message_id": {max(1, self._id - 5)}')
        elif action == "topic_created":
            self._topics.append(self._id)
            fields.append('"title": "help"')
        return [*fields, '"text": ""', '"text_entities": []']

    def _message(self, now_s: int) -> list[str]:
        chance = self._random.random
        fields = self._stamp("message", now_s)
        if chance() < 0.05:
            fields += [f'"edited": "{datetime.fromtimestamp(now_s + 60, UTC):%Y-%m-%dT%H:%M:%S}"']
            fields += [f'"edited_unixtime": "{now_s + 60 - LOCAL_TIME_AHEAD_S}"']
        sender = self._sender()
        fields += [f'"from": {sender.name}', f'"from_id": {sender.id}']
        if chance() < 0.04:
            fields.append(f'"forwarded_from": {self._somebody().name}')
        if chance() < 0.25:
            fields.append(
                f'"reply_to_message_id": {max(1, self._id - int(self._random.expovariate(0.2)) - 1)}'
            )
        elif self._topics and chance() < 0.1:
            fields.append(f'"reply_to_message_id": {self._topics[-1]}')
        if chance() < 0.14:
            fields += self._media()
        fields += self._text()
        if chance() < 0.15:
            fields.append(f'"reactions": {self._reactions(now_s)}')
        return fields

    def _sender(self) -> Person:
        if self._random.random() < 0.01:  # an anonymous administrator writes as the group itself
            return Person(quote("The admins"), f'"channel{CHAT_ID}"')
        return self._somebody()

    def _media(self) -> list[str]:
        chance = self._random.random()
        if chance < 0.5:
            return [f'"photo": "{SKIPPED_FILE}"', '"width": 1280', '"height": 960']
        if chance < 0.53:
            point = _nested(['"latitude": 52.520008', '"longitude": 13.404954'])
            return [f'"location_information": {point}']
        media_type, mime_type, lasts = self._random.choice(MEDIA)
        fields = [f'"file": "{SKIPPED_FILE}"']
        if media_type:
            fields.append(f'"media_type": "{media_type}"')
        if mime_type:
            fields.append(f'"mime_type": "{mime_type}"')
        if lasts:
            fields.append(f'"duration_seconds": {self._random.randrange(1, 300)}')
        return fields

    def _text(self) -> list[str]:
        plain = self._random.choice(self._phrases)
        part = _nested(['"type": "plain"', f'"text": {plain}'], INDENT + " ")
        if self._random.random() > 0.12:
            return [f'"text": {plain}', f'"text_entities": {_array([part])}']
        kind, text, extra = self._random.choice(ENTITIES)
        fields = [f'"type": "{kind}"', f'"text": {quote(text)}', *([extra] if extra else [])]
        entity = _nested(fields, INDENT + " ")
        return [f'"text": {_array([plain, entity])}', f'"text_entities": {_array([part, entity])}']

    def _reactions(self, now_s: int) -> str:
        return _array([self._reaction(now_s) for _ in range(self._random.choice((1, 1, 2)))])

    def _reaction(self, now_s: int) -> str:
        count = int(self._random.expovariate(0.4)) + 1
        kind = self._random.random()
        if kind < 0.03:
            return _nested(['"type": "paid"', f'"count": {count}'], INDENT + " ")
        emoji = f'"emoji": "{self._random.choice(EMOJI)}"'
        head = ['"type": "emoji"', f'"count": {count}', emoji]
        if kind < 0.1:
            head = ['"type": "custom_emoji"', f'"count": {count}', '"document_id": "5345906554510012647"']
        person = self._somebody()
        date = f'"date": "{datetime.fromtimestamp(now_s + 30, UTC):%Y-%m-%dT%H:%M:%S}"'
        recent = _nested([f'"from": {person.name}', f'"from_id": {person.id}', date], INDENT + "   ")
        return _nested([*head, f'"recent": [\n{INDENT}   {recent}\n{INDENT}  ]'], INDENT + " ")


SERVICE_ACTIONS = (
    "invite_members",
    "invite_members",
    "join_group_by_link",
    "join_group_by_link",
    "join_group_by_request",
    "remove_members",
    "pin_message",
    "group_call",
    "edit_group_photo",
    "topic_created",
)


def _object(fields: list[str]) -> str:
    return "  {\n" + INDENT + f",\n{INDENT}".join(fields) + "\n  }"


def _nested(fields: list[str], indent: str = INDENT) -> str:
    return "{\n" + indent + " " + f",\n{indent} ".join(fields) + "\n" + indent + "}"


def _array(items: list[str]) -> str:
    return "[\n" + INDENT + " " + f",\n{INDENT} ".join(items) + "\n" + INDENT + "]"
