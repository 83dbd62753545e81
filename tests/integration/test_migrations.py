"""The migrations alone make the tables, and they make what the models say."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

import migrations
from devstack.stack import Stack, create_database
from shared.db import SCHEMA_REVISION, Database, driver_url
from shared.models import Base, PendingReply
from tests.conftest import migrate
from tests.fakes.rows import a_reply, an_update, new_reply
from tests.fakes.waiting import until

OPTIONS = {"compare_type": True, "compare_server_default": True}


@pytest_asyncio.fixture(loop_scope="session")
async def empty(stack: Stack) -> AsyncIterator[Database]:
    """A database without tables."""
    database = Database(await create_database(stack, "tests_empty"), pool_size=3)
    yield database
    await database.aclose()


def url_of(database: Database) -> str:
    """Its address, password included."""
    return database.engine.url.render_as_string(hide_password=False)


async def run_migrations(database: Database) -> None:
    """As `stepgram migrate` does."""
    await asyncio.to_thread(migrate, url_of(database))


def downgrade(url: str) -> None:
    """Undo every version."""
    engine = create_engine(driver_url(url))
    with engine.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    engine.dispose()


def left_overs(connection: Connection) -> set[str]:
    """Tables, functions and indexes of ours."""
    found = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )
    )
    return set(found.scalars())


async def test_the_migrations_make_what_the_models_say(db: Database) -> None:
    async with db.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts=OPTIONS), Base.metadata)
        )
    assert differences == []


def checks_of(connection: Connection, table: str) -> list[Any]:
    """The check constraints of a table."""
    return list(inspect(connection).get_check_constraints(table))


async def test_the_constraints_have_the_models_conditions(db: Database) -> None:
    """Autogenerate compares neither checks nor the conditions of partial indexes."""
    async with db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            name = table.name
            checks = await connection.run_sync(checks_of, name)
            made = {str(check["name"]): check["sqltext"] for check in checks}
            wanted = {str(each.name): each for each in table.constraints if hasattr(each, "sqltext")}
            assert set(made) == set(wanted)
            for check_name, check in wanted.items():
                for word in str(check.sqltext).split("'")[1::2]:
                    assert f"'{word}'" in made[check_name], (check_name, word)
            rows = await connection.execute(
                text("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :name"), {"name": name}
            )
            definitions = {row.indexname: row.indexdef for row in rows}
            for index in table.indexes:
                condition = index.dialect_options["postgresql"]["where"]
                definition = definitions[str(index.name)]
                assert (" WHERE " in definition) == (condition is not None), index.name
                for word in str(condition).split("'")[1::2]:
                    assert f"'{word}'" in definition, (index.name, word)


def test_the_code_needs_the_newest_revision() -> None:
    assert migrations.latest() == SCHEMA_REVISION


async def test_a_downgrade_leaves_nothing(empty: Database) -> None:
    await run_migrations(empty)
    await asyncio.to_thread(downgrade, url_of(empty))
    async with empty.engine.connect() as connection:
        rest = await connection.run_sync(left_overs)
    assert rest <= {"alembic_version", "alembic_version_pkc"}


async def test_two_migrations_at_once_make_the_tables_once(empty: Database) -> None:
    await asyncio.gather(*(run_migrations(empty) for _ in range(3)))
    await run_migrations(empty)
    async with empty.begin() as tx:
        assert (await tx.scalars(text("SELECT version_num FROM alembic_version"))).all() == [SCHEMA_REVISION]


async def test_a_process_waits_for_its_tables(empty: Database) -> None:
    stopping = asyncio.Event()
    waiting = asyncio.create_task(empty.wait_until_ready(stopping))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await run_migrations(empty)
    await until(waiting.done, "the process goes on")
    await waiting


async def test_a_process_that_waits_for_its_database_can_be_stopped() -> None:
    away = Database("postgresql://nobody:x@127.0.0.1:1/nothing")
    stopping = asyncio.Event()
    waiting = asyncio.create_task(away.wait_until_ready(stopping))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    stopping.set()
    await asyncio.wait_for(waiting, 5)
    await away.aclose()


# the invariants that are constraints


async def test_a_task_has_one_row(db: Database) -> None:
    new = vars(new_reply())
    with pytest.raises(IntegrityError, match="uq_pending_replies_external_task_id"):
        async with db.begin() as tx:
            tx.add_all([PendingReply(**new, state="parked"), PendingReply(**new, state="posted")])


@pytest.mark.parametrize("state", ["answered", "completed"])
async def test_an_answered_row_has_an_answer(db: Database, state: str) -> None:
    with pytest.raises(IntegrityError, match="ck_pending_replies_outcome"):
        await a_reply(db, state=state, outcome=None)


async def test_an_unknown_state_cannot_be_written(db: Database) -> None:
    with pytest.raises(IntegrityError, match="ck_pending_replies_state"):
        await a_reply(db, state="lost")
    with pytest.raises(IntegrityError, match="ck_updates_state"):
        await an_update(db, state="lost")


async def test_a_private_chat_has_one_open_dialog(db: Database) -> None:
    await a_reply(db, dialog_open=True)
    with pytest.raises(IntegrityError, match="uq_pending_replies_open_dialog"):
        await a_reply(db, dialog_open=True)
    await a_reply(db, state="answered", dialog_open=True)


async def test_a_dead_row_takes_its_prompts_along(db: Database) -> None:
    reply_id = await a_reply(db)
    async with db.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO prompts (pending_reply_id, chat_id, kind, content, state)"
                " VALUES (:id, 1, 'notice', '{}', 'queued')"
            ),
            {"id": reply_id},
        )
        await tx.execute(text("DELETE FROM pending_replies"))
        assert await tx.scalar(text("SELECT count(*) FROM prompts")) == 0
