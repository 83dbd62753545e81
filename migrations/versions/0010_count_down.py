"""How long a step still waits is said in its prompt, by a deadline of its own."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = "ck_deadlines_kind"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "deadlines", type_="check")
    op.create_check_constraint(op.f(NAME), "deadlines", "kind IN ('remind', 'escalate', 'expire', 'count')")


def downgrade() -> None:
    op.execute("DELETE FROM deadlines WHERE kind = 'count'")
    op.drop_constraint(op.f(NAME), "deadlines", type_="check")
    op.create_check_constraint(op.f(NAME), "deadlines", "kind IN ('remind', 'escalate', 'expire')")
