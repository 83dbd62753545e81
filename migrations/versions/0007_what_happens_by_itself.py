"""What is to happen by itself while a step waits: reminders, escalation, expiry."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WAITING = sa.text("state IN ('waiting')")


def upgrade() -> None:
    op.create_table(
        "deadlines",
        sa.Column("pending_reply_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("every_s", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lapses", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'failed')", name=op.f("ck_deadlines_state")),
        sa.CheckConstraint("kind IN ('remind', 'escalate', 'expire')", name=op.f("ck_deadlines_kind")),
        sa.ForeignKeyConstraint(
            ["pending_reply_id"],
            ["pending_replies.id"],
            name=op.f("fk_deadlines_pending_reply_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
        sa.UniqueConstraint("pending_reply_id", "kind", name=op.f("uq_deadlines_pending_reply_id")),
    )
    op.create_index(op.f("ix_deadlines_waiting"), "deadlines", ["due_at", "id"], postgresql_where=WAITING)


def downgrade() -> None:
    op.drop_table("deadlines")
