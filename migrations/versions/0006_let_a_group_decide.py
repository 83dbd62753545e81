"""Let a group decide: one of its members claims a step, or its members vote; and find what a person did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pending_replies", sa.Column("claimed_by", sa.BigInteger()))
    op.add_column("pending_replies", sa.Column("claimed_by_name", sa.Text()))
    votes = sa.Column("votes", JSONB(none_as_null=True), server_default=sa.text("'{}'"), nullable=False)
    op.add_column("pending_replies", votes)
    op.create_index(
        "ix_pending_replies_claimed_by",
        "pending_replies",
        ["claimed_by"],
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.create_index(
        "ix_pending_replies_answered_by",
        "pending_replies",
        ["answered_by", "answered_at"],
        postgresql_where=sa.text("answered_by IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_pending_replies_answered_by")
    op.drop_index("ix_pending_replies_claimed_by")
    for name in ("votes", "claimed_by_name", "claimed_by"):
        op.drop_column("pending_replies", name)
