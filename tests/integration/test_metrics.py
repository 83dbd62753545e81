"""Metrics: counted where it happens, and after the commit alone; the fleet's figures stay cheap."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from structlog.testing import capture_logs

from shared import backlog, inbox, metrics, outbox, transitions
from shared.backlog import Backlog
from shared.db import Database
from shared.engine.errors import EngineUnavailable
from shared.engine.rest import Rest, operation_of
from shared.markup import render_html
from shared.models import PendingReply
from shared.queues import Later, Loop, claim_with_tasks, settle
from shared.steps.conversation import Draft
from shared.wakeups import Wakeups
from tests.fakes.rows import a_prompt, a_reply, an_update, get, lapse, new_reply
from tests.fakes.services import settings_with
from tests.fakes.waiting import running, until

STEP = {"process": "audit", "activity": "ask", "topic": "render_task"}


def value(name: str, **labels: str) -> float:
    """A figure of the registry, 0 if it was never counted."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_step_is_counted_and_logged_at_each_turn_under_one_id(db: Database) -> None:
    names = ("created", "posted", "answered", "withdrawn")
    before = {name: value(f"stepgram_steps_{name}_total", **STEP) for name in names}
    completed = value("stepgram_steps_completed_total", outcome="completed", **STEP)
    new = new_reply()
    with capture_logs() as lines:
        async with db.begin() as tx:
            reply, _ = await transitions.park(tx, new, lease_due_s=9)
        for _ in range(2):
            async with db.begin() as tx:
                await transitions.posted(tx, reply.id)
                await transitions.answer(tx, reply.id, {"kind": "complete", "variables": {}}, 7, "Ada")
        async with db.begin() as tx:
            await transitions.park(tx, new, lease_due_s=9)
            await transitions.withdrawn(tx, reply.id)
            await transitions.completed(tx, (await transitions.lock_reply(tx, reply.id)) or reply)
    grown = {name: value(f"stepgram_steps_{name}_total", **STEP) - before[name] for name in names}
    assert grown == {"created": 1, "posted": 1, "answered": 1, "withdrawn": 0}
    assert value("stepgram_steps_completed_total", outcome="completed", **STEP) == completed + 1
    mine = [line["event"] for line in lines if line.get("task") == new.external_task_id]
    assert mine == ["step created", "step posted", "step answered", "step completed"]


async def test_what_is_rolled_back_is_not_counted(db: Database) -> None:
    before = value("stepgram_steps_created_total", **STEP)
    with pytest.raises(LookupError):  # noqa: PT012
        async with db.begin() as tx:
            await transitions.park(tx, new_reply(), lease_due_s=9)
            raise LookupError
    assert value("stepgram_steps_created_total", **STEP) == before


@pytest.mark.parametrize(
    ("error", "outcome", "set_aside"),
    [(None, "ok", 0), (Later("not now", retry_after_s=60), "Later", 0), (OSError("broken"), "OSError", 0)],
)
async def test_every_handling_of_a_row_is_measured_by_its_outcome(
    db: Database, error: Exception | None, outcome: str, set_aside: int
) -> None:
    await an_update(db)
    labels = {"queue": "updates", "outcome": outcome}
    before = value("stepgram_queue_handling_seconds_count", **labels)

    async def handle(row: Any) -> None:
        if error:
            raise error
        async with db.begin() as tx:
            await settle(tx, row, state="handled")

    loop = Loop(inbox.UPDATES, handle, db, Wakeups("postgresql://nowhere"), poll_s=0.05)
    async with running(loop.run):
        await until(lambda: value("stepgram_queue_handling_seconds_count", **labels) > before, "it counts")


async def test_rows_are_claimed_with_the_task_of_their_step(db: Database) -> None:
    reply_id = await a_reply(db)
    task = (await get(db, PendingReply, reply_id)).external_task_id
    await a_prompt(db, 1, pending_reply_id=reply_id)
    await a_prompt(db, 2)
    await lapse(db, PendingReply)
    async with db.begin() as tx:
        leases = await claim_with_tasks(tx, transitions.LEASES, 10, 60)
        prompts = await claim_with_tasks(tx, outbox.SENDING, 10, 60)
        updates = await claim_with_tasks(tx, inbox.UPDATES, 10, 60)
    assert [task for _, task in leases] == [task]
    assert [task for _, task in prompts] == [task, None]
    assert updates == []


def test_an_engine_call_is_named_without_its_ids() -> None:
    assert operation_of("POST", "/external-task/fetchAndLock") == "POST /external-task/fetchAndLock"
    assert operation_of("POST", "/external-task/a-b%2Fc/lock") == "POST /external-task/{id}/lock"
    assert operation_of("GET", "/process-instance/x/variables/name") == (
        "GET /process-instance/{id}/variables/{id}"
    )


async def test_an_engine_that_is_away_is_measured_by_its_error() -> None:
    labels = {"operation": "GET /version", "outcome": "EngineUnavailable"}
    before = value("stepgram_engine_request_seconds_count", **labels)
    async with Rest.from_settings(settings_with()) as rest:
        with pytest.raises(EngineUnavailable):
            await rest._call("GET", "/version")
    assert value("stepgram_engine_request_seconds_count", **labels) == before + 1


# the figures of the fleet


async def test_the_backlog_is_told_by_queue_and_by_state(db: Database) -> None:
    old = text("now() - interval '100 s'")
    await a_reply(db, state="posted", created_at=old)
    await a_reply(db, state="undeliverable")
    await a_reply(db, state="answered", answered_at=old)
    await a_reply(db, state="completed", created_at=text("now() - interval '1 day'"))
    await a_reply(db, state="posted", due_at=old)
    await an_update(db)
    await an_update(db, state="poison")
    async with db.begin() as tx:
        await outbox.post(tx, 5, [Draft("notice", render_html("x"))] * 3)
    await Backlog(db).refresh()
    lengths = {
        name: value("stepgram_queue_length", queue=name)
        for name in ("updates", "prompts", "changes", "completions", "leases", "uploads")
    }
    assert lengths == {
        "updates": 1,
        "prompts": 3,
        "changes": 0,
        "completions": 1,
        "leases": 1,
        "uploads": 0,
    }
    assert 100 <= value("stepgram_queue_oldest_age_seconds", queue="leases") < 160
    assert 100 <= value("stepgram_step_oldest_age_seconds", state="posted") < 160
    assert 100 <= value("stepgram_step_oldest_age_seconds", state="answered") < 160
    assert value("stepgram_step_oldest_age_seconds", state="undeliverable") < 60
    assert value("stepgram_database_up") == 1


async def test_several_scrapes_cost_one_look(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = Backlog._look

    async def counted(self: Backlog, tx: Any) -> None:
        nonlocal looks
        looks += 1
        await look(self, tx)

    monkeypatch.setattr(Backlog, "_look", counted)
    figures = Backlog(db)
    await asyncio.gather(*(figures.refresh() for _ in range(5)))
    assert looks == 1


async def test_without_a_database_the_figures_say_so_and_show_nothing_old(db: Database) -> None:
    await an_update(db)
    await Backlog(db).refresh()
    away = Database("postgresql://nobody:x@127.0.0.1:1/nothing")
    await Backlog(away).refresh()
    await away.aclose()
    assert metrics.REGISTRY.get_sample_value("stepgram_queue_length", {"queue": "updates"}) is None
    assert value("stepgram_database_up") == 0
    assert b"stepgram_database_up 0.0" in metrics.exposition()


def rows_read(plan: dict[str, Any]) -> Iterator[float]:
    """The rows that each scan of a plan read, those that it threw away too."""
    if "Scan" in plan["Node Type"] and plan["Node Type"] != "Subquery Scan":
        read = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield read * plan["Actual Loops"]
    for inner in plan.get("Plans", ()):
        yield from rows_read(inner)


PARKED, CLOSED = 20_000, 20_000


async def test_the_figures_do_not_read_all_that_is_parked(db: Database) -> None:
    many = text(
        "INSERT INTO pending_replies (external_task_id, topic, activity_id, activity_instance_id,"
        " process_instance_id, execution_id, process_definition_id, process_definition_key, step, chat_id,"
        " state, outcome, due_at) SELECT 't' || n, 't', 'a', 'a', 'p', 'e', 'd', 'k', '{}', n,"
        " CASE WHEN n <= :closed THEN 'completed' ELSE 'posted' END, '{}',"
        " now() + random() * interval '10 h' FROM generate_series(1, :all) n"
    )
    async with db.begin() as tx:
        await tx.execute(many, {"closed": CLOSED, "all": CLOSED + PARKED})
        await tx.execute(text("ANALYZE pending_replies"))
    async with db.begin() as tx:
        first = await tx.scalar(text("SELECT min(id) FROM pending_replies WHERE state = 'posted'"))
        read = 0.0
        for statement in (backlog.queues_statement(), backlog.steps_statement(first or 0)):
            compiled = statement.compile(
                dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
                compile_kwargs={"literal_binds": True},
            )
            connection = await tx.connection()
            explained = await connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}".replace("%%", "%")
            )
            read += sum(rows_read(explained.scalar_one()[0]["Plan"]))
    assert read < PARKED / 4
