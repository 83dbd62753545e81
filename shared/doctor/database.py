"""Looks at the database: does it answer, is it ours, and can LISTEN and leadership reach it."""

import asyncio
from datetime import datetime

import psycopg
from sqlalchemy import text

from shared.db import Database, direct_connection
from shared.doctor.check import Finding, attempt, compare_clocks, fail, ok, one_line, skip
from shared.settings import Settings

OLDEST = 13
"""The first PostgreSQL with gen_random_uuid() of its own."""

SERVER, TABLES, DIRECT, CLOCK = "database", "database tables", "database LISTEN", "database clock"


MEND = "set DATABASE_URL to postgresql://USER:PASSWORD@HOST:PORT/NAME of a server that runs"
MEND_DIRECT = "let DATABASE_DIRECT_URL name the server itself, past any pooler"


async def examine(settings: Settings) -> list[Finding]:
    """All checks of the database."""
    db = Database(settings.database_url, pool_size=3, behind_pooler=settings.database_direct_url is not None)
    try:
        server = await attempt(SERVER, _server(db), MEND)
        if server.state == "fail":
            away = [skip(name, "the database does not answer") for name in (TABLES, CLOCK, DIRECT)]
            return [server, *away]
        rest = (
            attempt(TABLES, _tables(db)),
            attempt(CLOCK, compare_clocks(CLOCK, _now(db))),
            attempt(DIRECT, _direct(settings), MEND_DIRECT),
        )
        return [server, *await asyncio.gather(*rest)]
    finally:
        await db.aclose()


async def _server(db: Database) -> Finding:
    async with db.begin() as tx:
        version = str(await tx.scalar(text("SHOW server_version")))
        recovering = await tx.scalar(text("SELECT pg_is_in_recovery()"))
    if recovering:
        return fail(SERVER, "a standby, which takes no rows", "let DATABASE_URL name the primary")
    if int(version.split(".")[0].split("beta")[0]) < OLDEST:
        return fail(SERVER, f"PostgreSQL {version}", f"use PostgreSQL {OLDEST} or newer; the tests use 18")
    return ok(SERVER, f"PostgreSQL {version}")


async def _tables(db: Database) -> Finding:
    problem = await db.problem()
    return fail(TABLES, problem) if problem else ok(TABLES, "are those of this version")


async def _now(db: Database) -> datetime:
    async with db.begin() as tx:
        now: datetime = (await tx.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return now


async def _direct(settings: Settings) -> Finding:
    """Who listens here hears: so it is no transaction pooler, and leadership works as well."""
    try:
        async with await direct_connection(settings.database_direct_url or settings.database_url) as direct:
            await direct.execute("LISTEN stepgram_doctor")
            heard = await (await direct.execute("SELECT pg_listening_channels()")).fetchone()
    except psycopg.Error as error:
        return fail(DIRECT, one_line(str(error)), MEND_DIRECT)
    if heard is None:
        return fail(DIRECT, "a pooler swallows LISTEN", MEND_DIRECT)
    return ok(DIRECT, "a direct connection hears")
