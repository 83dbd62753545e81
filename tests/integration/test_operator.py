"""The operator's commands, as `stepgram` runs them."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

import migrations
from devstack.stack import Stack, create_database
from shared import cli

Run = Callable[..., str | None]


@pytest_asyncio.fixture(loop_scope="session")
async def empty_url(stack: Stack) -> str:
    """A database without tables."""
    return await create_database(stack, "tests_cli")


@pytest.fixture
def stepgram(monkeypatch: pytest.MonkeyPatch, logging_as_before: None) -> Run:
    """Runs a command with its environment; why it ended, None if all went well."""

    def run(*arguments: str, **environment: str) -> str | None:
        for name in ("DATABASE_URL", "DATABASE_DIRECT_URL", "ENGINE_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["stepgram", *arguments])
        try:
            cli.main()
        except SystemExit as end:
            return str(end.code)
        return None

    return run


async def test_migrate_makes_the_tables_and_may_be_repeated(
    stepgram: Run, empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert await asyncio.to_thread(stepgram, "migrate", DATABASE_URL=empty_url) is None
        assert f"the tables are at revision {migrations.latest()}" in capsys.readouterr().out


async def test_migrate_goes_past_a_pooler_where_it_is_told_the_way(stepgram: Run, empty_url: str) -> None:
    away = "postgresql://nobody:x@127.0.0.1:1/nothing"
    why = await asyncio.to_thread(stepgram, "migrate", DATABASE_URL=away, DATABASE_DIRECT_URL=empty_url)
    assert why is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://nobody:x@127.0.0.1:1/nothing", "DATABASE_URL: the database does not answer"),
        ("mysql://h/d", "DATABASE_URL must look like postgresql://"),
        ("", "DATABASE_URL must look like postgresql://"),
    ],
)
def test_a_database_that_cannot_be_migrated_is_one_line(stepgram: Run, url: str, told: str) -> None:
    why = stepgram("migrate", DATABASE_URL=url)
    assert (why or "").startswith(f"stepgram migrate: {told}")


async def test_a_role_that_may_not_make_tables_is_one_line(stepgram: Run, stack: Stack) -> None:
    url = await create_database(stack, "tests_cli_refused")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER DATABASE tests_cli_refused SET default_transaction_read_only = on")
    why = await asyncio.to_thread(stepgram, "migrate", DATABASE_URL=url)
    assert (why or "").startswith("stepgram migrate: DATABASE_URL: the database refuses: ")


async def test_tables_of_a_newer_version_are_one_line(stepgram: Run, stack: Stack) -> None:
    url = await create_database(stack, "tests_cli_newer")
    assert await asyncio.to_thread(stepgram, "migrate", DATABASE_URL=url) is None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    why = await asyncio.to_thread(stepgram, "migrate", DATABASE_URL=url)
    assert (why or "").startswith("stepgram migrate: the tables belong to a newer version: ")


async def test_a_file_that_is_not_there_is_one_line(stepgram: Run) -> None:
    why = await asyncio.to_thread(stepgram, "deploy", "/no/such.bpmn", ENGINE_URL="http://127.0.0.1:1")
    assert "stepgram deploy: " in (why or "")
    assert "/no/such.bpmn" in (why or "")


async def test_an_engine_that_does_not_answer_is_one_line(stepgram: Run, tmp_path: Path) -> None:
    file = tmp_path / "p.bpmn"
    file.write_text("<x/>")
    environment = {"ENGINE_URL": "http://127.0.0.1:1/engine-rest"}
    why = await asyncio.to_thread(stepgram, "deploy", str(file), **environment)
    assert (why or "").startswith("stepgram deploy: ")
    assert "\n" not in (why or "")


async def test_a_process_is_deployed(
    stepgram: Run, stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    engine_url = stack.env["ENGINE_URL"]
    why = await asyncio.to_thread(stepgram, "deploy", "bpmn/community_audit.bpmn", ENGINE_URL=engine_url)
    assert why is None
    assert "community_audit.bpmn: community_audit version" in capsys.readouterr().out
