"""How people and groups wish to be spoken to: language, time zone, quiet hours."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("people", "chats"):
        op.add_column(table, sa.Column("language", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("time_zone", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("quiet_hours", sa.Text(), nullable=True))
    # The moment of an expiry was kept in words, of which language and zone cannot be made others.
    op.execute("UPDATE pending_replies SET step = step - 'until' WHERE step ? 'until' AND closed_at IS NULL")


def downgrade() -> None:
    op.drop_column("people", "quiet_hours")
    for table in ("chats", "people"):
        op.drop_column(table, "time_zone")
        op.drop_column(table, "language")
