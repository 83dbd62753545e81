"""What a judge may know of a run: engine, chats, calls of the sandbox, bucket, and what people noticed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.words import Question


@dataclass(frozen=True)
class Ack:
    """Somebody saw that their answer was taken."""

    question: Question
    at: float


@dataclass(frozen=True)
class Post:
    """A question that Telegram accepted, whether or not its answer reached us."""

    question: Question
    chat_id: int
    message_id: int
    text: str
    at: float
    answer_was_lost: bool = False


@dataclass(frozen=True)
class Button:
    """A message that can still be tapped."""

    question: Question
    chat_id: int
    message_id: int


@dataclass(frozen=True)
class Disturbance:
    """A time in which an accepted send may have gone unrecorded: a kill, or Postgres being away."""

    what: str
    begin: float
    end: float


@dataclass(frozen=True)
class Instance:
    """A process instance by the engine's history; `runs` are the completed runs of its service tasks."""

    id: str
    business_key: str
    state: str
    ends: Sequence[str]
    variables: Mapping[str, Any]
    runs: Mapping[str, int]
    successes: Mapping[str, int] = field(default_factory=dict)
    """How often the completion of each external task is in the log."""
    incidents: Sequence[str] = ()


@dataclass(frozen=True)
class Evidence:
    """Everything together."""

    instances: Sequence[Instance]
    posts: Sequence[Post]
    acks: Sequence[Ack]
    disturbances: Sequence[Disturbance]
    buttons: Sequence[Button]
    untouchable: Sequence[Button]
    """Buttons that stayed although somebody tapped them when everything was over."""
    objects: Mapping[str, str]
    """Key and SHA-256 of each object of the bucket."""
    multipart: Sequence[str]
    troubles: Sequence[str] = ()
