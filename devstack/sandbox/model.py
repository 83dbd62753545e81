"""People, chats, messages and files: what the sandbox's world is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from devstack.sandbox.values import Json, JsonValue

ANONYMOUS_ADMIN_ID = 1087968824
SERVICE_FIELDS = frozenset(
    {
        "group_chat_created",
        "supergroup_chat_created",
        "new_chat_members",
        "left_chat_member",
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "forum_topic_created",
    }
)


class ChatType(StrEnum):
    """Telegram's kinds of chats (channels are left out)."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"


class Status(StrEnum):
    """What somebody is in a chat."""

    CREATOR = "creator"
    ADMINISTRATOR = "administrator"
    MEMBER = "member"
    LEFT = "left"
    KICKED = "kicked"

    @property
    def is_inside(self) -> bool:
        """Whether that is a member."""
        return self not in {Status.LEFT, Status.KICKED}

    @property
    def is_admin(self) -> bool:
        """Whether that has an administrator's rights."""
        return self in {Status.CREATOR, Status.ADMINISTRATOR}


@dataclass(slots=True)
class User:
    """A person or a bot."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = ""
    is_bot: bool = False


ANONYMOUS_ADMIN = User(ANONYMOUS_ADMIN_ID, "Group", username="GroupAnonymousBot", is_bot=True)


@dataclass(slots=True)
class Member:
    """Somebody's place in a chat."""

    user: User
    status: Status
    is_anonymous: bool = False


@dataclass(slots=True)
class StoredFile:
    """A file that was sent; photos have one per size. Ids are valid for the bots that have seen it."""

    id: str
    unique_id: str
    kind: str  # "document" or "photo"
    name: str
    mime_type: str
    size_bytes: int
    path: Path
    number: int
    width: int = 0
    height: int = 0
    bot_ids: set[int] = field(default_factory=set)
    path_valid_until: float = 0.0


@dataclass(slots=True)
class Markup:
    """A checked reply_markup: inline buttons are the message's, anything else is a person's keyboard."""

    inline: list[list[Json]] | None = None
    keyboard: Json | None = None

    @property
    def is_selective(self) -> bool:
        """Whether only the mentioned and the replied-to person see the keyboard."""
        return self.keyboard is not None and bool(self.keyboard.get("selective"))


@dataclass(slots=True)
class Message:
    """A message as the chat shows it now; `content` holds the Bot API fields that differ by kind."""

    id: int
    chat: Chat
    sender: User
    date: int
    content: Json
    sender_chat: Chat | None = None
    reply_to: int | None = None
    thread_id: int | None = None
    markup: Markup = field(default_factory=Markup)
    album_id: str | None = None
    forward_origin: Json | None = None
    files: list[StoredFile] = field(default_factory=list)
    reactions: dict[int, list[JsonValue]] = field(default_factory=dict)
    edit_date: int | None = None
    edits: int = 0
    deleted: bool = False

    @property
    def is_service(self) -> bool:
        """Whether it tells of the chat itself (who came, who left)."""
        return not SERVICE_FIELDS.isdisjoint(self.content)

    @property
    def text(self) -> str:
        """Text or caption; empty when there is none."""
        return str(self.content.get("text") or self.content.get("caption") or "")


@dataclass(slots=True)
class Chat:
    """A private chat of one person with one bot, a group or a supergroup."""

    id: int
    type: ChatType
    title: str = ""
    person: User | None = None  # the other side of a private chat
    bot_id: int = 0  # of a private chat
    members: dict[int, Member] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    next_message_id: int = 1
    privacy: bool = True
    is_forum: bool = False
    topics: set[int] = field(default_factory=set)
    is_started: bool = True
    is_blocked: bool = False
    migrated_to: int | None = None

    @property
    def is_private(self) -> bool:
        """Whether it is a conversation of two."""
        return self.type is ChatType.PRIVATE

    def member(self, user_id: int) -> Member | None:
        """That person's place, None for someone who never was in it."""
        return self.members.get(user_id)

    def status_of(self, user_id: int) -> Status:
        """What the person is here; a stranger counts as left."""
        member = self.members.get(user_id)
        return member.status if member else Status.LEFT

    def visible(self, message_id: int | None) -> Message | None:
        """The message unless it is unknown or deleted."""
        message = self.messages.get(message_id) if message_id is not None else None
        return message if message and not message.deleted else None


@dataclass(slots=True)
class CallbackQuery:
    """A tap on an inline button, until it is answered or too old."""

    id: str
    bot_id: int
    chat: Chat
    user: User
    created_at: float
    answered: bool = False
    text: str = ""
    show_alert: bool = False
    url: str = ""
