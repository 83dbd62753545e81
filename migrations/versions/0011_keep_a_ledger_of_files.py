"""Rows of files outlive their steps: they are the ledger of what lies in the bucket."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATE, SOURCE, PLACE = "ck_uploads_state", "ck_uploads_source", "ck_uploads_object_key"
STEP = "fk_uploads_pending_reply_id"
BEFORE = "state IN ('queued', 'stored', 'refused', 'failed', 'abandoned')"
AFTER = (
    "state IN ('sending', 'queued', 'arrived', 'stored', 'removing', 'removed', 'refused', 'failed',"
    " 'abandoned', 'infected')"
)


def upgrade() -> None:
    op.add_column("uploads", sa.Column("source", sa.Text(), server_default="telegram", nullable=False))
    op.add_column("uploads", sa.Column("kind", sa.Text(), server_default="document", nullable=False))
    op.add_column("uploads", sa.Column("media_group_id", sa.Text()))
    op.add_column("uploads", sa.Column("local_path", sa.Text()))
    op.add_column("uploads", sa.Column("multipart_id", sa.Text()))
    op.add_column("uploads", sa.Column("done_bytes", sa.BigInteger()))
    op.add_column("uploads", sa.Column("delete_at", sa.TIMESTAMP(timezone=True)))
    for column in ("pending_reply_id", "message_id", "file_id"):
        op.alter_column("uploads", column, nullable=True)
    op.drop_constraint(op.f(STATE), "uploads", type_="check")
    op.create_check_constraint(op.f(STATE), "uploads", AFTER)
    op.create_check_constraint(
        op.f(SOURCE), "uploads", "source = 'page' OR source = 'telegram' AND file_id IS NOT NULL"
    )
    op.create_check_constraint(
        op.f(PLACE), "uploads", "state NOT IN ('arrived', 'stored', 'infected') OR object_key IS NOT NULL"
    )
    op.drop_constraint(op.f(STEP), "uploads", type_="foreignkey")
    op.create_foreign_key(
        op.f(STEP), "uploads", "pending_replies", ["pending_reply_id"], ["id"], ondelete="SET NULL"
    )
    op.drop_index("ix_uploads_queued", table_name="uploads")
    op.create_index(
        "ix_uploads_queued",
        "uploads",
        ["due_at", "id"],
        postgresql_where=sa.text("state IN ('queued', 'arrived', 'removing')"),
    )
    op.create_index("uq_uploads_object_key", "uploads", ["object_key"], unique=True)
    op.create_index("ix_uploads_user_id", "uploads", ["user_id", "created_at"])
    op.create_index("ix_uploads_chat_id", "uploads", ["chat_id", "created_at"])
    op.create_index(
        "ix_uploads_delete_at",
        "uploads",
        ["delete_at"],
        postgresql_where=sa.text("state = 'stored' AND delete_at IS NOT NULL"),
    )
    op.create_index("ix_uploads_over", "uploads", ["state", "created_at"])


def downgrade() -> None:
    for index in ("over", "delete_at", "chat_id", "user_id", "queued"):
        op.drop_index(f"ix_uploads_{index}", table_name="uploads")
    op.drop_index("uq_uploads_object_key", table_name="uploads")
    op.drop_constraint(op.f(STEP), "uploads", type_="foreignkey")
    op.drop_constraint(op.f(PLACE), "uploads", type_="check")
    op.drop_constraint(op.f(SOURCE), "uploads", type_="check")
    op.drop_constraint(op.f(STATE), "uploads", type_="check")
    op.execute(
        "DELETE FROM uploads WHERE pending_reply_id IS NULL OR message_id IS NULL OR file_id IS NULL"
        " OR state IN ('sending', 'arrived', 'removing', 'removed', 'infected')"
    )
    op.create_check_constraint(op.f(STATE), "uploads", BEFORE)
    op.create_foreign_key(
        op.f(STEP), "uploads", "pending_replies", ["pending_reply_id"], ["id"], ondelete="CASCADE"
    )
    for column in ("pending_reply_id", "message_id", "file_id"):
        op.alter_column("uploads", column, nullable=False)
    for column in (
        "delete_at", "done_bytes", "multipart_id", "local_path", "media_group_id", "kind", "source",
    ):  # fmt: skip
        op.drop_column("uploads", column)
    op.create_index(
        "ix_uploads_queued", "uploads", ["due_at", "id"], postgresql_where=sa.text("state IN ('queued')")
    )
