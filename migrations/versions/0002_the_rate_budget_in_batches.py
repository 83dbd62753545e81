"""The rate budget is taken for several messages at once, and its table needs no log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# take_budget of the first version stays: processes of that version go on while others are already replaced.

TAKE_BUDGETS = """
CREATE FUNCTION take_budgets(bot_key text, bot_every_s float8, ahead_s float8, bot_bursts float8[],
                             chat_keys text[], chat_every_s float8[], chat_bursts float8[], costs float8[])
RETURNS TABLE (granted boolean, wait_s float8, bot_wait_s float8) LANGUAGE plpgsql AS $$
-- GCRA for several messages in turn, each over the bucket of the bot and that of its chat; takes from both
-- or from neither. Everybody locks the bot first, so the order of the chats does not matter.
-- granted: may go in wait_s, at most ahead_s; else wait_s tells when it could have gone, and bot_wait_s how
-- much of that is the bot's.
DECLARE
    bot rate_buckets; chat rate_buckets; at timestamptz; bot_next timestamptz; chat_next timestamptz;
BEGIN
    LOOP
        SELECT * INTO bot FROM rate_buckets WHERE key = bot_key FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO rate_buckets (key, arrival_at) VALUES (bot_key, '-infinity') ON CONFLICT DO NOTHING;
    END LOOP;
    at := clock_timestamp();
    FOR i IN 1 .. cardinality(chat_keys) LOOP
        SELECT * INTO chat FROM rate_buckets WHERE key = chat_keys[i] FOR UPDATE;
        bot_next := greatest(bot.arrival_at, at) + make_interval(secs => costs[i] * bot_every_s);
        chat_next := greatest(chat.arrival_at, at) + make_interval(secs => costs[i] * chat_every_s[i]);
        bot_wait_s := greatest(0,
            extract(epoch FROM bot_next - at) - greatest(bot_bursts[i], costs[i]) * bot_every_s,
            extract(epoch FROM bot.halted_until - at));
        wait_s := greatest(bot_wait_s,
            extract(epoch FROM chat_next - at) - greatest(chat_bursts[i], costs[i]) * chat_every_s[i],
            extract(epoch FROM chat.halted_until - at));
        granted := wait_s <= greatest(ahead_s, 0.000001);
        IF granted THEN
            bot.arrival_at := bot_next;
            INSERT INTO rate_buckets (key, arrival_at) VALUES (chat_keys[i], chat_next)
                ON CONFLICT (key) DO UPDATE SET arrival_at = excluded.arrival_at;
        END IF;
        RETURN NEXT;
    END LOOP;
    UPDATE rate_buckets SET arrival_at = bot.arrival_at
        WHERE key = bot_key AND arrival_at IS DISTINCT FROM bot.arrival_at;
END $$
"""

HALT_BUDGET = """
CREATE FUNCTION halt_budget(bot_key text, chat_key text, halt_s float8, at_once_s float8, chats_mean_bot int)
RETURNS void LANGUAGE plpgsql AS $$
-- Halts a chat, and the bot when so many chats were halted within at_once_s. Locks bot, then chat.
DECLARE
    at timestamptz; until timestamptz;
BEGIN
    INSERT INTO rate_buckets (key, arrival_at) VALUES (bot_key, '-infinity') ON CONFLICT DO NOTHING;
    PERFORM 1 FROM rate_buckets WHERE key = bot_key FOR UPDATE;
    at := clock_timestamp();
    until := at + make_interval(secs => halt_s);
    INSERT INTO rate_buckets AS b (key, arrival_at, halted_until, halted_at)
        VALUES (chat_key, '-infinity', until, at)
        ON CONFLICT (key) DO UPDATE
        SET halted_until = greatest(b.halted_until, excluded.halted_until), halted_at = excluded.halted_at;
    IF (SELECT count(*) FROM rate_buckets
        WHERE starts_with(key, bot_key || ':') AND halted_at > at - make_interval(secs => at_once_s)
        ) >= chats_mean_bot THEN
        UPDATE rate_buckets SET halted_until = greatest(halted_until, until) WHERE key = bot_key;
    END IF;
END $$
"""


def upgrade() -> None:
    # A lost bucket is a full one; what a write-ahead log would keep is worth less than its flush per message.
    op.execute("ALTER TABLE rate_buckets SET UNLOGGED")
    op.execute("ALTER TABLE rate_buckets SET (fillfactor = 50)")
    op.add_column("rate_buckets", sa.Column("halted_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.execute(TAKE_BUDGETS)
    op.execute(HALT_BUDGET)
    # Reminders came between prompts and bulk.
    op.execute("UPDATE prompts SET priority = 3 WHERE priority = 2 AND state = 'queued'")


def downgrade() -> None:
    op.execute("UPDATE prompts SET priority = 2 WHERE priority = 3 AND state = 'queued'")
    op.execute("DROP FUNCTION halt_budget")
    op.execute("DROP FUNCTION take_budgets")
    op.drop_column("rate_buckets", "halted_at")
    op.execute("ALTER TABLE rate_buckets RESET (fillfactor)")
    op.execute("ALTER TABLE rate_buckets SET LOGGED")
