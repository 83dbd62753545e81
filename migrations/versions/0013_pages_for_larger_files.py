"""Pages on which a browser sends files for one person and one question."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PAGE = "fk_uploads_page_id"
WAITING = sa.text("state IN ('open', 'taken')")
MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "upload_pages",
        sa.Column("pending_reply_id", sa.BigInteger(), nullable=False),
        sa.Column("variable", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("session_hash", sa.Text()),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("claim", sa.Uuid()),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lapses", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'taken', 'closed')", name=op.f("ck_upload_pages_state")),
        sa.CheckConstraint(
            "state <> 'taken' OR session_hash IS NOT NULL", name=op.f("ck_upload_pages_session")
        ),
        sa.ForeignKeyConstraint(
            ["pending_reply_id"],
            ["pending_replies.id"],
            name=op.f("fk_upload_pages_pending_reply_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_pages")),
    )
    op.create_index("ix_upload_pages_open", "upload_pages", ["due_at", "id"], postgresql_where=WAITING)
    op.create_index("ix_upload_pages_pending_reply_id", "upload_pages", ["pending_reply_id"])
    op.add_column("uploads", sa.Column("page_id", sa.BigInteger()))
    op.create_foreign_key(op.f(PAGE), "uploads", "upload_pages", ["page_id"], ["id"], ondelete="SET NULL")
    op.create_index(
        "ix_uploads_page_id", "uploads", ["page_id"], postgresql_where=sa.text("page_id IS NOT NULL")
    )
    op.create_check_constraint(op.f("ck_uploads_sending"), "uploads", "state <> 'sending' OR source = 'page'")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_uploads_sending"), "uploads", type_="check")
    op.drop_index("ix_uploads_page_id", table_name="uploads")
    op.drop_constraint(op.f(PAGE), "uploads", type_="foreignkey")
    op.drop_column("uploads", "page_id")
    op.drop_table("upload_pages")
