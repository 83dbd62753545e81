"""Prune what is over: indexes of the closed rows by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_pending_replies_closed",
        "pending_replies",
        ["closed_at"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_prompts_loose", "prompts", ["created_at"], postgresql_where=sa.text("pending_reply_id IS NULL")
    )
    op.create_index(
        "ix_updates_over", "updates", ["state", "created_at"], postgresql_where=sa.text("state <> 'queued'")
    )


def downgrade() -> None:
    op.drop_index("ix_updates_over", table_name="updates")
    op.drop_index("ix_prompts_loose", table_name="prompts")
    op.drop_index("ix_pending_replies_closed", table_name="pending_replies")
