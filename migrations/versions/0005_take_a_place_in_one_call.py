"""Take a place in a chat in one call: every step that is parked asks for one."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TAKE_PLACE = """
CREATE FUNCTION take_place(reply bigint, chat bigint, at_once bigint, keeps_s float8)
RETURNS boolean LANGUAGE plpgsql AS $$
-- Whether an open step that is being parked is shown at once; its row says so, or that it is held back.
-- One at a time for each chat: of two steps not both may find the last place free.
DECLARE
    shown bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(chat);
    SELECT count(*) INTO shown FROM (
        SELECT 1 FROM pending_replies
        WHERE chat_id = chat AND state IN ('parked', 'posted', 'undeliverable')
          AND shown_at > now() - make_interval(secs => keeps_s) AND id <> reply
        LIMIT at_once
    ) AS places;
    IF shown < at_once
       AND NOT EXISTS (SELECT 1 FROM prompts WHERE chat_id = chat AND state = 'held') THEN
        -- Of steps that are parked together none has a place before its turn.
        UPDATE pending_replies SET shown_at = now() WHERE id = reply AND shown_at IS NULL;
        RETURN true;
    END IF;
    UPDATE pending_replies SET shown_at = NULL WHERE id = reply;
    RETURN false;
END $$
"""


def upgrade() -> None:
    op.execute(TAKE_PLACE)


def downgrade() -> None:
    op.execute("DROP FUNCTION take_place")
