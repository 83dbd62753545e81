"""`stepgram`: the operator's commands."""

import argparse
import asyncio
import sys
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, OperationalError

from shared import logs
from shared.db import driver_url
from shared.engine.client import EngineClient
from shared.errors import ConfigurationError, StepgramError
from shared.settings import Settings, load_settings


def main() -> None:
    """Run one command; an error is one line that says what to do."""
    parser = argparse.ArgumentParser(
        prog="stepgram", description="The human steps of BPMN processes, in Telegram."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's tables to this version")
    deploy = commands.add_parser("deploy", help="deploy BPMN files to the engine")
    deploy.add_argument("files", nargs="+", type=Path, metavar="FILE")
    deploy.add_argument("--tenant", help="the tenant that the processes belong to")
    doctor = commands.add_parser("doctor", help="check all that Stepgram needs, and say how to mend it")
    doctor.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args()
    try:
        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format)
        if options.command == "migrate":
            _migrate(settings)
        elif options.command == "doctor":
            sys.exit(asyncio.run(_doctor(settings, options.format)))
        else:
            asyncio.run(_deploy(settings, options.files, options.tenant))
    except (StepgramError, OSError) as error:
        sys.exit(f"stepgram {options.command}: {error}")


def _migrate(settings: Settings) -> None:
    import migrations

    engine = create_engine(driver_url(settings.database_direct_url or settings.database_url))
    try:
        with engine.begin() as connection:
            migrations.upgrade(connection)
    except OperationalError as error:
        raise ConfigurationError(f"DATABASE_URL: the database does not answer: {error.orig}") from error
    except DBAPIError as error:  # such as a role that may not make tables
        raise ConfigurationError(f"DATABASE_URL: the database refuses: {error.orig}") from error
    except CommandError as error:
        raise ConfigurationError(f"the tables belong to a newer version: {error}") from error
    finally:
        engine.dispose()
    sys.stdout.write(f"the tables are at revision {migrations.latest()}\n")


async def _doctor(settings: Settings, form: str) -> int:
    from shared.doctor import report

    findings = await report.examine(settings)
    sys.stdout.write(f"{report.told(findings, form)}\n")
    return 0 if report.is_well(findings) else 1


async def _deploy(settings: Settings, files: list[Path], tenant: str | None) -> None:
    contents = {path.name: path.read_bytes() for path in files}
    async with EngineClient.from_settings(settings) as engine:
        for name, content in contents.items():
            for definition in await engine.deploy(name, {name: content}, tenant_id=tenant):
                sys.stdout.write(f"{name}: {definition.key} version {definition.version} ({definition.id})\n")
