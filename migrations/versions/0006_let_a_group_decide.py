"""Let a group decide: one of its members claims a step, or its members vote."""

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


def downgrade() -> None:
    for name in ("votes", "claimed_by_name", "claimed_by"):
        op.drop_column("pending_replies", name)
