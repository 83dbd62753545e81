"""The tables. A row that waits for somebody carries :class:`Queued`, and its state is the queue entry."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


class Base(DeclarativeBase):
    """The metadata that migrations/ is held equal to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        datetime: TIMESTAMP(timezone=True),
        # None is SQL's NULL: JSON's own null would pass every "IS NOT NULL".
        Json: JSONB(none_as_null=True),
    }


class Queued(Base):
    """What every queue's row has: when it is due, who holds it, how often it was tried."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    state: Mapped[str]
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    claim: Mapped[uuid.UUID | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    lapses: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def _states(*names: str) -> CheckConstraint:
    return CheckConstraint(f"state IN ({', '.join(repr(name) for name in names)})", name="state")


def _waiting(table: str, *names: str, first: str = "due_at") -> Index:
    """The index that a claim walks: only rows that wait are in it, so closed rows cost nothing."""
    states = ", ".join(repr(name) for name in names)
    return Index(f"ix_{table}_{names[0]}", first, "id", postgresql_where=text(f"state IN ({states})"))


class PendingReply(Queued):
    """A step that waits for its person. One row per external task, kept when it is over."""

    __tablename__ = "pending_replies"
    __table_args__ = (
        # A task that the engine hands out again, to any process, meets the row of the first time.
        UniqueConstraint("external_task_id"),
        _states(
            "parked",
            "posted",
            "undeliverable",
            "answered",
            "completed",
            "cancelled",
            "withdrawn",
            "expired",
            "failed",
        ),
        # An answer exists exactly when somebody gave it, and says what to tell the engine.
        CheckConstraint("state NOT IN ('answered', 'completed') OR outcome IS NOT NULL", name="outcome"),
        _waiting("pending_replies", "parked", "posted", "undeliverable"),
        _waiting("pending_replies", "answered"),
        # In a private chat plain text goes to the one open dialog; there must not be two.
        Index(
            "uq_pending_replies_open_dialog",
            "chat_id",
            unique=True,
            postgresql_where=text(
                "dialog_open AND chat_id > 0 AND state IN ('parked', 'posted', 'undeliverable')"
            ),
        ),
        Index("ix_pending_replies_chat_id", "chat_id", "state"),
        # How many steps a chat shows, and how many are held back, whatever else it has seen.
        Index(
            "ix_pending_replies_places",
            "chat_id",
            "shown_at",
            postgresql_where=text("state IN ('parked', 'posted', 'undeliverable')"),
        ),
        Index("ix_pending_replies_activity_instance_id", "activity_instance_id"),
        # What a person has taken in groups, and what they answered.
        Index("ix_pending_replies_claimed_by", "claimed_by", postgresql_where=text("claimed_by IS NOT NULL")),
        Index(
            "ix_pending_replies_answered_by",
            "answered_by",
            "answered_at",
            postgresql_where=text("answered_by IS NOT NULL"),
        ),
        # Pruning walks it from the oldest on; what waits is not in it.
        Index("ix_pending_replies_closed", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    )

    external_task_id: Mapped[str]
    topic: Mapped[str]
    activity_id: Mapped[str]
    activity_instance_id: Mapped[str]
    process_instance_id: Mapped[str]
    execution_id: Mapped[str]
    process_definition_id: Mapped[str]
    process_definition_key: Mapped[str]
    business_key: Mapped[str | None]
    tenant_id: Mapped[str | None]
    step: Mapped[Json]
    chat_id: Mapped[int]
    recipient_id: Mapped[int | None]
    answers: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    dialog_open: Mapped[bool] = mapped_column(server_default=false())
    claimed_by: Mapped[int | None]
    claimed_by_name: Mapped[str | None]
    votes: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    outcome: Mapped[Json | None]
    answered_by: Mapped[int | None]
    answered_by_name: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    undeliverable_since: Mapped[datetime | None]
    shown_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]


class Prompt(Queued):
    """One Telegram message of ours: waiting to be sent, shown, or being changed or taken away."""

    __tablename__ = "prompts"
    __table_args__ = (
        _states(
            "held", "queued", "sent", "editing", "retiring", "deleting", "retired", "failed", "undeliverable"
        ),
        # Posting is repeated by id, never by content: the same prompt of a step exists once.
        UniqueConstraint("dedupe_key"),
        Index("uq_prompts_message", "chat_id", "message_id", unique=True),
        _waiting("prompts", "queued", first="priority"),
        _waiting("prompts", "editing", "retiring", "deleting"),
        _waiting("prompts", "held"),
        Index("ix_prompts_held_order", "chat_id", "id", postgresql_where=text("state = 'held'")),
        Index("ix_prompts_chat_order", "chat_id", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_prompts_pending_reply_id", "pending_reply_id"),
        Index("ix_prompts_loose", "created_at", postgresql_where=text("pending_reply_id IS NULL")),
    )

    pending_reply_id: Mapped[int | None] = mapped_column(ForeignKey("pending_replies.id", ondelete="CASCADE"))
    dedupe_key: Mapped[str | None]
    chat_id: Mapped[int]
    kind: Mapped[str]
    content: Mapped[Json]
    priority: Mapped[int] = mapped_column(server_default=text("1"))
    message_id: Mapped[int | None]
    sent_at: Mapped[datetime | None]


class Update(Queued):
    """One update of Telegram, stored before it is acknowledged."""

    __tablename__ = "updates"
    __table_args__ = (
        _states("queued", "handled", "poison"),
        # Telegram delivers again whatever it is not sure of; the first delivery counts.
        UniqueConstraint("bot_id", "update_id"),
        _waiting("updates", "queued"),
        Index("ix_updates_order", "order_key", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_updates_over", "state", "created_at", postgresql_where=text("state <> 'queued'")),
    )

    bot_id: Mapped[int]
    update_id: Mapped[int]
    order_key: Mapped[str]
    payload: Mapped[Json]


class Upload(Queued):
    """A file that a person sent for a step, on its way to the bucket or in it: the bucket's ledger.

    Its row outlives its step, for the object does.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        _states(
            "sending",
            "queued",
            "arrived",
            "stored",
            "removing",
            "removed",
            "refused",
            "failed",
            "abandoned",
            "infected",
        ),
        CheckConstraint("source = 'page' OR source = 'telegram' AND file_id IS NOT NULL", name="source"),
        CheckConstraint("state <> 'sending' OR source = 'page'", name="sending"),
        # What lies in the bucket can be found there, and belongs to one row.
        CheckConstraint(
            "state NOT IN ('arrived', 'stored', 'infected') OR object_key IS NOT NULL", name="object_key"
        ),
        Index("uq_uploads_object_key", "object_key", unique=True),
        UniqueConstraint("chat_id", "message_id"),
        _waiting("uploads", "queued", "arrived", "removing"),
        Index("ix_uploads_pending_reply_id", "pending_reply_id"),
        # What somebody has sent today, and what a group has.
        Index("ix_uploads_user_id", "user_id", "created_at"),
        Index("ix_uploads_chat_id", "chat_id", "created_at"),
        Index(
            "ix_uploads_delete_at",
            "delete_at",
            postgresql_where=text("state = 'stored' AND delete_at IS NOT NULL"),
        ),
        Index("ix_uploads_over", "state", "created_at"),
        Index("ix_uploads_page_id", "page_id", postgresql_where=text("page_id IS NOT NULL")),
    )

    pending_reply_id: Mapped[int | None] = mapped_column(
        ForeignKey("pending_replies.id", ondelete="SET NULL")
    )
    page_id: Mapped[int | None] = mapped_column(ForeignKey("upload_pages.id", ondelete="SET NULL"))
    variable: Mapped[str]
    chat_id: Mapped[int]
    message_id: Mapped[int | None]
    user_id: Mapped[int]
    user_name: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="telegram")
    """``telegram``, by its file_id; or ``page``: a browser sends it to the bucket itself."""
    kind: Mapped[str] = mapped_column(server_default="document")
    """What it was in Telegram: document, photo, video, audio, voice."""
    file_id: Mapped[str | None]
    media_group_id: Mapped[str | None]
    name: Mapped[str]
    mime_type: Mapped[str | None]
    """As declared; from ``arrived`` on as found."""
    size_bytes: Mapped[int | None]
    """As declared; from ``arrived`` on as found."""
    done_bytes: Mapped[int | None]
    """How many are in the bucket, now and then while it is on its way."""
    local_path: Mapped[str | None]
    """Where a Bot API server of one's own has put it, as long as it may lie there."""
    object_key: Mapped[str | None]
    multipart_id: Mapped[str | None]
    """S3's name of the upload that a browser sends the parts of."""
    sha256: Mapped[str | None]
    delete_at: Mapped[datetime | None]


class SentFile(Base):
    """The file_id of an object that a bot has sent: a copy for somebody else needs no upload."""

    __tablename__ = "sent_files"
    __table_args__ = (Index("ix_sent_files_used_at", "used_at"),)

    bot_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    object_key: Mapped[str] = mapped_column(primary_key=True)
    etag: Mapped[str]
    """Of the content that was sent; an object that was replaced is uploaded anew."""
    file_id: Mapped[str]
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UploadPage(Queued):
    """A page for one person and one question of a step, on which files are sent by a browser.

    It waits to be closed: an open one when its link expires, a taken one when nobody may come back any more.
    """

    __tablename__ = "upload_pages"
    __table_args__ = (
        _states("open", "taken", "closed"),
        # One browser takes a page, and is known by it.
        CheckConstraint("state <> 'taken' OR session_hash IS NOT NULL", name="session"),
        _waiting("upload_pages", "open", "taken"),
        Index("ix_upload_pages_pending_reply_id", "pending_reply_id"),
    )

    pending_reply_id: Mapped[int] = mapped_column(ForeignKey("pending_replies.id", ondelete="CASCADE"))
    variable: Mapped[str]
    chat_id: Mapped[int]
    user_id: Mapped[int]
    user_name: Mapped[str]
    until: Mapped[datetime]
    """Until when a browser may take it."""
    session_hash: Mapped[str | None]
    """SHA-256 in hex of what only that browser knows."""


class Deadline(Queued):
    """Something that is to happen by itself while a step waits for its person."""

    __tablename__ = "deadlines"
    __table_args__ = (
        _states("waiting", "failed"),
        CheckConstraint("kind IN ('remind', 'escalate', 'expire', 'count')", name="kind"),
        UniqueConstraint("pending_reply_id", "kind"),
        _waiting("deadlines", "waiting"),
    )

    pending_reply_id: Mapped[int] = mapped_column(ForeignKey("pending_replies.id", ondelete="CASCADE"))
    kind: Mapped[str]
    every_s: Mapped[int]
    done: Mapped[int] = mapped_column(server_default=text("0"))


class Person(Queued):
    """Somebody who has met the bot; waits, in state queued, for their engine user."""

    __tablename__ = "people"
    __table_args__ = (
        _states("none", "queued", "made", "refused"),
        UniqueConstraint("user_id"),
        _waiting("people", "queued"),
    )

    user_id: Mapped[int]
    first_name: Mapped[str]
    last_name: Mapped[str | None]
    username: Mapped[str | None]
    language_code: Mapped[str | None]
    language: Mapped[str | None]
    time_zone: Mapped[str | None]
    quiet_hours: Mapped[str | None]


class Chat(Base):
    """A group that the bot knows of, from updates; a bot cannot list its groups."""

    __tablename__ = "chats"

    chat_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str]
    title: Mapped[str]
    is_member: Mapped[bool]
    language: Mapped[str | None]
    time_zone: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class ProcessStart(Queued):
    """A wish to start a process: the row precedes the start, so two taps make one instance."""

    __tablename__ = "process_starts"
    __table_args__ = (
        _states("queued", "started", "ended", "failed"),
        Index(
            "uq_process_starts_running",
            "definition_key",
            "tenant_id",
            "business_key",
            unique=True,
            postgresql_where=text("state IN ('queued', 'started')"),
        ),
        _waiting("process_starts", "queued"),
    )

    definition_key: Mapped[str]
    definition_id: Mapped[str | None]
    """The version to start; without it the latest one."""
    tenant_id: Mapped[str] = mapped_column(server_default="")
    """Empty without a tenant: of two that are NULL, each would be unique."""
    business_key: Mapped[str]
    variables: Mapped[Json]
    requested_by: Mapped[int]
    process_instance_id: Mapped[str | None]


class Chore(Queued):
    """Something done again and again by whichever process takes it, such as the withdrawal feed."""

    __tablename__ = "chores"
    __table_args__ = (_states("waiting"), UniqueConstraint("name"), _waiting("chores", "waiting"))

    name: Mapped[str]
    cursor: Mapped[str | None]


class RateBucket(Base):
    """The fleet's rate budget of a bot or a chat: GCRA's theoretical arrival time, and a halt by a 429."""

    __tablename__ = "rate_buckets"
    # A bucket that a crash of the database loses is a full one; every message updates two in place.
    __table_args__ = {"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}}  # noqa: RUF012

    key: Mapped[str] = mapped_column(primary_key=True)
    arrival_at: Mapped[datetime]
    halted_until: Mapped[datetime | None]
    halted_at: Mapped[datetime | None]
