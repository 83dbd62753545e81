"""Updates that nobody could have made: each kind that python-telegram-bot knows, whole at first, then spoilt.

What an update consists of is read from the library's own classes, so that a newer one brings its news along.
"""

import inspect
import itertools
import random
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import telegram
from telegram import Message, TelegramObject, Update

from shared.models import Json

FIRST_STRANGER = 7_000_000_000
STRANGERS = 300
ANONYMOUS_ADMIN = 1087968824
UNKNOWN_KINDS = (
    "a_kind_of_next_year",
    "",
    "message ",
    "Message",
    "update_id_",
    "ünknown",
    "callback_query\0",
)
PLAIN_TEXTS = (
    "text",
    "yes",
    "/start",
    "/cancel",
    "/tasks",
    "/help x",
    "/groups@stepgram_bot",
    "no",
    "1",
    "{}",
)
STATUSES = ("member", "left", "kicked", "administrator", "creator", "restricted", "of next year")

Sample = Callable[[random.Random], Any]

SAMPLES: dict[str, Sample] = {
    "bool": lambda chance: chance.random() < 0.5,
    "datetime": lambda chance: 1_800_000_000 + chance.randrange(10**6),
    "int": lambda chance: chance.randrange(1, 10**6),
    "timedelta": lambda chance: chance.randrange(1, 10**6),
    "float": lambda chance: chance.random() * 90,
}
"""By the word in a type's name."""


def attributes(kind: type[TelegramObject]) -> dict[str, inspect.Parameter]:
    """What an object of the library is made of."""
    known = dict(inspect.signature(kind.__init__).parameters)
    return {name: each for name, each in known.items() if name not in {"self", "api_kwargs"}}


MESSAGE_ATTRIBUTES = list(attributes(Message))


@cache
def _classes() -> dict[str, type[TelegramObject]]:
    found: dict[str, type[TelegramObject]] = {}
    waiting = list(TelegramObject.__subclasses__())
    while waiting:
        each = waiting.pop()
        found[each.__name__] = each
        waiting += each.__subclasses__()
    return found | {"MaybeInaccessibleMessage": Message}


@dataclass(frozen=True)
class _Part:
    """One thing that an object is made of."""

    key: str
    is_needed: bool
    is_many: bool
    kind: type[TelegramObject] | None
    simple: Sample


_known_parts: dict[str, dict[str, _Part]] = {}


def _parts(kind: type[TelegramObject]) -> dict[str, _Part]:
    if kind.__name__ not in _known_parts:
        _known_parts[kind.__name__] = {name: _part(name, each) for name, each in attributes(kind).items()}
    return _known_parts[kind.__name__]


def _part(name: str, parameter: inspect.Parameter) -> _Part:
    words = re.findall(r"\w+", str(parameter.annotation))
    return _Part(
        key="from" if name == "from_user" else name,
        is_needed=parameter.default is parameter.empty,
        is_many=not {"Sequence", "tuple", "list"}.isdisjoint(words),
        kind=next((_classes()[word] for word in words if word in _classes()), None),
        simple=_simple(name, words),
    )


def _simple(name: str, words: Sequence[str]) -> Sample:
    if name == "status":
        return lambda chance: chance.choice(STATUSES)
    if name in {"migrate_to_chat_id", "migrate_from_chat_id"}:
        return lambda chance: -chance.randrange(1, 10**13)
    for word, sample in SAMPLES.items():
        if word in words:
            return sample
    return lambda chance: chance.choice(PLAIN_TEXTS)


def whole(
    kind: type[TelegramObject], chance: random.Random, depth: int = 0, also: Collection[str] = ()
) -> Json:
    """An object as Telegram could send it: what it must have, what ``also`` names, and now and then more."""
    made: Json = {}
    for name, part in _parts(kind).items():
        is_wanted = part.is_needed or name in also or (depth <= 2 and chance.random() < 0.06)
        if is_wanted and (depth <= 5 or part.kind is None):
            count = chance.randrange(3) if part.is_many else 1
            found = [
                part.simple(chance) if part.kind is None else whole(part.kind, chance, depth + 1)
                for _ in range(count)
            ]
            made[part.key] = found if part.is_many else found[0]
    return made


@dataclass
class BadUpdates:
    """Makes them, the same for the same seed.

    ``people`` are those who do nothing of it: what happens in their private chats is done by strangers, and
    their buttons in ``data`` are tapped by others. ``groups`` are real supergroups.
    """

    seed: int
    people: Sequence[int]
    groups: Sequence[int]
    data: Sequence[str]
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def make(self, count: int) -> list[Json]:
        """So many updates, without their numbers."""
        kinds = itertools.cycle(str(kind.value) for kind in telegram.constants.UpdateType)
        names = itertools.cycle(MESSAGE_ATTRIBUTES)
        makers: Iterator[Callable[[], Json]] = itertools.cycle(
            [
                lambda: {"message": self._message(next(names))},
                lambda: self._of_kind(next(kinds)),
                lambda: {"callback_query": self._tap()},
                lambda: {"message": self._message(next(names))},
                lambda: self._of_kind(next(kinds)),
                self._strange,
            ]
        )
        return [self._spoilt(next(makers)()) for _ in range(count)]

    def _of_kind(self, kind: str) -> Json:
        inner = _parts(Update)[kind].kind
        assert inner is not None, kind
        if inner is Message:
            return {kind: self._message(self.chance.choice(MESSAGE_ATTRIBUTES))}
        if kind == "callback_query":
            return {kind: self._tap()}
        part = whole(inner, self.chance)
        person, chat = self._stranger(), self._strangers_place()
        for name, known in (("from", person), ("user", person), ("chat", chat)):
            if name in part:
                part[name] = known
        return {kind: part}

    def _strange(self) -> Json:
        """Of an unknown kind, of no kind, or of several at once."""
        message, tap = {"message": self._message("text")}, {"callback_query": self._tap()}
        return self.chance.choice(
            [
                {self.chance.choice(UNKNOWN_KINDS): self._garbage()},
                {},
                {**message, **tap},
                {**tap, "edited_message": self._message("text")},
                {**message, self.chance.choice(UNKNOWN_KINDS): self._garbage()},
                {"my_chat_member": self._garbage()},
            ]
        )

    def _message(self, attribute: str) -> Json:
        also = [attribute, "text"] if self.chance.random() < 0.5 else [attribute]
        message = whole(Message, self.chance, also=[*also, "from_user"])
        person, chat = self._stranger(), self._place()
        own = chat is None
        message |= {"from": person, "chat": self._private(person["id"]) if own else chat}
        if self.chance.random() < 0.3:
            message |= {"message_thread_id": 5, "is_topic_message": True}
        return message

    def _tap(self) -> Json:
        tap = whole(telegram.CallbackQuery, self.chance, also=["message", "data"])
        message = self._message("text")
        person = self.chance.choice([message["from"], self._stranger(), None])
        data = self.chance.choice(self.data)
        if person is None:
            person = self._person(self.chance.choice(self.people))
            message["chat"] = self.chance.choice([self._private(person["id"]), message["chat"]])
            data = self._other(data)
        return tap | {"from": person, "message": message, "data": data}

    def _other(self, data: str) -> Any:
        """Data that no button has."""
        at = self.chance.randrange(len(data))
        return self.chance.choice(
            [data[:at], data[:at] + "?" + data[at + 1 :], "", "x" * 64, "\0", None, 5, data[at + 1 :]]
        )

    def _person(self, user_id: int) -> Json:
        return {"id": user_id, "is_bot": False, "first_name": "Somebody"}

    def _stranger(self) -> Json:
        if self.chance.random() < 0.03:
            return {"id": ANONYMOUS_ADMIN, "is_bot": True, "first_name": "Group"}
        return self._person(FIRST_STRANGER + self.chance.randrange(STRANGERS))

    def _private(self, user_id: int) -> Json:
        return {"id": user_id, "type": "private", "first_name": "Somebody"}

    def _place(self) -> Json | None:
        """Where somebody writes; None is their own private chat."""
        if self.chance.random() < 0.1:
            return self._private(self.chance.choice(self.people))
        real = [{"id": each, "type": "supergroup", "title": "Group"} for each in self.groups]
        return self.chance.choice([None, None, *real, self._strangers_place()])

    def _strangers_place(self) -> Json:
        kind = self.chance.choice(["group", "supergroup", "channel", "private"])
        number = FIRST_STRANGER + self.chance.randrange(STRANGERS)
        return {
            "id": number if kind == "private" else -number,
            "type": kind,
            "title": "Theirs",
            "is_forum": True,
        }

    def _spoilt(self, update: Json) -> Json:
        for _ in range(self.chance.choice([0, 1, 1, 1, 2, 3])):
            self._spoil(update)
        return update

    def _spoil(self, whole_part: Any) -> None:
        """Spoil one thing somewhere in it."""
        part = whole_part
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                return
            key = self.chance.choice(keys)
            inner = part[key]
            if not isinstance(inner, dict | list) or not inner or self.chance.random() < 0.25:
                break
            part = inner
        if self.chance.random() < 0.3:
            del part[key]
        else:
            part[key] = self._instead_of(inner)

    def _instead_of(self, value: Any) -> Any:
        another: list[Any] = [str(value)[:50], [value], {"x": value}, 7, -7.5, True, "", [], {}]
        huge = [2**63, -(2**63) - 1, 2**63 - 1, 10**30, -1, 0, "x" * 5000, "😀" * 3000, [1] * 1000, 1e308]
        rude = ["\0", "a\0b", "\ud800", "\u202e", float("nan"), float("inf"), self._garbage()]
        return self.chance.choice([None, *another, None, *huge, *rude])

    def _garbage(self, depth: int = 0) -> Any:
        if depth > 4 or self.chance.random() < 0.2:
            return self.chance.choice([None, 1, "x", True, 1.5, "\0", 10**40])
        inner = [self._garbage(depth + 1) for _ in range(self.chance.randrange(3))]
        return inner if self.chance.random() < 0.5 else {str(at): each for at, each in enumerate(inner)}
