"""Start the version of a process that was chosen, and those of tenants."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX, TABLE = "uq_process_starts_running", "process_starts"
RUNNING = sa.text("state IN ('queued', 'started')")


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("definition_id", sa.Text()))
    op.add_column(TABLE, sa.Column("tenant_id", sa.Text(), server_default="", nullable=False))
    op.drop_index(INDEX)
    columns = ["definition_key", "tenant_id", "business_key"]
    op.create_index(INDEX, TABLE, columns, unique=True, postgresql_where=RUNNING)


def downgrade() -> None:
    op.drop_index(INDEX)
    # What only a tenant tells apart cannot be kept apart any more.
    op.execute("UPDATE process_starts SET state = 'ended' WHERE state = 'started' AND tenant_id <> ''")
    op.execute("UPDATE process_starts SET state = 'failed' WHERE state = 'queued' AND tenant_id <> ''")
    op.create_index(INDEX, TABLE, ["definition_key", "business_key"], unique=True, postgresql_where=RUNNING)
    for name in ("tenant_id", "definition_id"):
        op.drop_column(TABLE, name)
