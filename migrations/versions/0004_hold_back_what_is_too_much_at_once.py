"""Hold back what is too much at once: places in a chat, and prompts that wait for one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OLD = ("queued", "sent", "editing", "retiring", "deleting", "retired", "failed", "undeliverable")


def _states(names: tuple[str, ...]) -> str:
    return f"state IN ({', '.join(repr(name) for name in names)})"


def upgrade() -> None:
    op.add_column(
        "pending_replies",
        sa.Column("shown_at", sa.TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=True),
    )
    op.create_index(
        "ix_pending_replies_places",
        "pending_replies",
        ["chat_id", "shown_at"],
        postgresql_where=sa.text("state IN ('parked', 'posted', 'undeliverable')"),
    )
    op.drop_constraint(op.f("ck_prompts_state"), "prompts")
    op.create_check_constraint(op.f("ck_prompts_state"), "prompts", _states(("held", *OLD)))
    op.create_index(
        "ix_prompts_held", "prompts", ["due_at", "id"], postgresql_where=sa.text("state IN ('held')")
    )
    op.create_index(
        "ix_prompts_held_order", "prompts", ["chat_id", "id"], postgresql_where=sa.text("state = 'held'")
    )


def downgrade() -> None:
    op.execute("UPDATE prompts SET state = 'queued', due_at = now() WHERE state = 'held'")
    op.drop_index("ix_prompts_held_order", table_name="prompts")
    op.drop_index("ix_prompts_held", table_name="prompts")
    op.drop_constraint(op.f("ck_prompts_state"), "prompts")
    op.create_check_constraint(op.f("ck_prompts_state"), "prompts", _states(OLD))
    op.drop_index("ix_pending_replies_places", table_name="pending_replies")
    op.drop_column("pending_replies", "shown_at")
