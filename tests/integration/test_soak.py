"""Tables and indexes stay bounded, however many steps and updates have gone through them."""

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy import text

from devstack.stack import Stack, create_database
from shared.db import Database
from shared.pruning import Ages, is_more, prune

AGES = Ages(closed_s=86_400, updates_s=86_400, set_aside_s=86_400)
CYCLES, STEPS = 6, 2_500
TABLES = ("pending_replies", "prompts", "deadlines", "uploads", "updates", "rate_buckets")

# A day of the fleet, statement for statement as rows live: made, moved through their states, grown old.
DAY = (
    """INSERT INTO pending_replies (state, external_task_id, topic, activity_id, activity_instance_id,
         process_instance_id, execution_id, process_definition_id, process_definition_key, step, chat_id,
         due_at)
       SELECT 'parked', gen_random_uuid(), 'render_task', 'ask', gen_random_uuid(), gen_random_uuid(),
         gen_random_uuid(), 'audit:1:1', 'audit', jsonb_build_object('title', repeat('x', 300)), n, now()
       FROM generate_series(1, :steps) AS n""",
    """INSERT INTO prompts (state, pending_reply_id, chat_id, kind, content, message_id)
       SELECT 'queued', id, chat_id, 'notice', jsonb_build_object('text', repeat('x', 300)), id
       FROM pending_replies WHERE state = 'parked'""",
    """INSERT INTO deadlines (state, pending_reply_id, kind, every_s, due_at)
       SELECT 'waiting', id, kind, 3600, now() + interval '30 days'
       FROM pending_replies, unnest(ARRAY['remind', 'expire']) AS kind WHERE state = 'parked'""",
    "UPDATE prompts SET claim = gen_random_uuid(), due_at = now() + interval '10 s' WHERE state = 'queued'",
    """INSERT INTO rate_buckets (key, arrival_at) SELECT 'chat:' || (:cycle * :steps + n), now()
       FROM generate_series(1, :steps) AS n""",
    "UPDATE rate_buckets SET arrival_at = now()",
    "UPDATE prompts SET state = 'sent', claim = NULL, sent_at = now() WHERE state = 'queued'",
    "UPDATE pending_replies SET state = 'posted' WHERE state = 'parked'",
    "UPDATE deadlines SET claim = gen_random_uuid(), due_at = now() WHERE kind = 'remind' AND done = 0",
    "UPDATE deadlines SET claim = NULL, done = 1, due_at = now() + interval '2 h' WHERE kind = 'remind'",
    "UPDATE pending_replies SET due_at = now() + interval '1 day' WHERE state = 'posted'",
    """INSERT INTO updates (bot_id, update_id, order_key, payload, state)
       SELECT 1, :cycle * :steps + n, 'taps:' || n, jsonb_build_object('text', repeat('x', 500)), 'queued'
       FROM generate_series(1, :steps) AS n""",
    "UPDATE updates SET claim = gen_random_uuid(), due_at = now() WHERE state = 'queued'",
    "UPDATE updates SET state = 'handled', claim = NULL WHERE state = 'queued'",
    """INSERT INTO uploads (state, pending_reply_id, variable, chat_id, message_id, user_id, user_name,
         file_id, name, object_key, delete_at) SELECT 'stored', id, 's3_x', chat_id, id, chat_id, 'Ann', 'f',
         'x.json', 'tasks/' || gen_random_uuid(), now() + interval '1 hour'
       FROM pending_replies WHERE state = 'posted' AND id % 5 = 0""",
    """UPDATE pending_replies SET state = 'answered', outcome = jsonb_build_object('kind', 'complete')
       WHERE state = 'posted'""",
    "UPDATE prompts SET state = 'retiring' WHERE state = 'sent'",
    "UPDATE prompts SET state = 'retired' WHERE state = 'retiring'",
    "UPDATE pending_replies SET state = 'completed', closed_at = now() WHERE state = 'answered'",
    # a day later
    "UPDATE pending_replies SET closed_at = closed_at - interval '25 hours' WHERE closed_at IS NOT NULL",
    "UPDATE updates SET created_at = created_at - interval '25 hours' WHERE state = 'handled'",
    """UPDATE uploads SET created_at = created_at - interval '25 hours',
         delete_at = delete_at - interval '25 hours'""",
    "UPDATE rate_buckets SET arrival_at = arrival_at - interval '25 hours'",
)


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(stack: Stack, world_template: str) -> AsyncIterator[Database]:
    """A database with our tables that nobody else has written to."""
    database = Database(await create_database(stack, "tests_soak", world_template), pool_size=2)
    yield database
    await database.aclose()


async def live_a_day(db: Database, cycle: int) -> None:
    for statement in DAY:
        async with db.begin() as tx:
            known = {
                name: value for name, value in (("steps", STEPS), ("cycle", cycle)) if f":{name}" in statement
            }
            await tx.execute(text(statement), known)


async def vacuum(db: Database) -> None:
    """What autovacuum does in its own time."""
    async with db.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM (ANALYZE, TRUNCATE false) " + ", ".join(TABLES)))


async def sizes(db: Database) -> dict[str, int]:
    """Bytes of each table with its indexes and whatever is stored beside it."""
    async with db.begin() as tx:
        return {
            name: await tx.scalar(text("SELECT pg_total_relation_size(to_regclass(:name))"), {"name": name})
            or 0
            for name in TABLES
        }


async def take_away(db: Database) -> bool:
    """What the uploader does with objects whose retention is over; whether there were any."""
    async with db.begin() as tx:
        done = "UPDATE uploads SET state = 'removed' WHERE state = 'removing' RETURNING id"
        return bool((await tx.scalars(text(done))).all())


async def test_tables_stay_bounded_however_much_goes_through_them(fresh: Database) -> None:
    history = []
    for cycle in range(CYCLES):
        await live_a_day(fresh, cycle)
        await vacuum(fresh)
        more = True
        while more:
            more = is_more(await prune(fresh, AGES)) or await take_away(fresh)
        history.append(await sizes(fresh))
        await vacuum(fresh)
    async with fresh.begin() as tx:
        left = {name: await tx.scalar(text(f"SELECT count(*) FROM {name}")) for name in TABLES}
    assert left == dict.fromkeys(TABLES, 0)
    # The first days find the size that one day takes; from then on room is used again.
    growth = {name: history[-1][name] / max(day[name] for day in history[:3]) for name in TABLES}
    assert max(growth.values()) < 1.2, history
