"""`stepgram`: the operator's commands. Each imports what it needs, so that `--help` waits for nothing."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from shared import texts
from shared.errors import ConfigurationError, StepgramError

if TYPE_CHECKING:
    from shared.authoring.lint import Topics
    from shared.settings import Settings

Served = Callable[[Iterable[str]], "Topics"]
"""The topics that are served, with those of the modules named."""


def _none_served(_: Iterable[str]) -> "Topics":
    from shared.authoring.lint import Topics

    return Topics()


def main(served: Served = _none_served) -> None:
    """Run one command; an error is one line that says what to do."""
    options = _parser().parse_args()
    try:
        if options.command == "lint":
            sys.exit(_lint(options, served))
        if options.command == "preview":
            _preview(options, served)
            return
        from shared import logs
        from shared.settings import load_settings

        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format)
        if options.command == "migrate":
            _migrate(settings)
        elif options.command == "doctor":
            sys.exit(asyncio.run(_doctor(settings, options)))
        elif options.command == "deploy":
            asyncio.run(_deploy(settings, options, served))
        elif options.command == "files":
            sys.exit(asyncio.run(_files(settings, options.format)))
        elif options.command == "link":
            sys.stdout.write(f"{asyncio.run(_link(settings, options))}\n")
        else:
            asyncio.run(_instances(settings, options))
    except (StepgramError, OSError) as error:
        if options.command == "lint":
            sys.stderr.write(f"stepgram lint: {error}\n")
        sys.exit(2 if options.command == "lint" else f"stepgram {options.command}: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stepgram", description="The human steps of BPMN processes, in Telegram."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's tables to this version")
    lint = commands.add_parser("lint", help="check BPMN files; needs no settings")
    lint.add_argument("files", nargs="+", type=Path, metavar="FILE")
    lint.add_argument("--format", choices=("text", "json", "github"), default="text")
    preview = commands.add_parser("preview", help="show the steps of a BPMN file as people will see them")
    preview.add_argument("file", type=Path, metavar="FILE")
    preview.add_argument("--element", metavar="ID", help="this step only")
    preview.add_argument("--vars", type=Path, metavar="FILE", help="values of process variables, as JSON")
    preview.add_argument(
        "--language",
        choices=texts.LANGUAGES,
        default=texts.DEFAULT,
        help="in which it is shown",
    )
    preview.add_argument("--html", type=Path, metavar="FILE", help="write a page instead of text")
    deploy = commands.add_parser("deploy", help="check BPMN files and deploy them to the engine")
    deploy.add_argument("files", nargs="+", type=Path, metavar="FILE")
    deploy.add_argument("--tenant", help="the tenant that the processes belong to")
    deploy.add_argument("--no-lint", action="store_true", help="deploy whatever the check finds")
    for each in (lint, deploy):
        each.add_argument(
            "--topic", action="append", default=[], metavar="NAME", help="a topic that others serve"
        )
    start = commands.add_parser("start", help="start an instance of a process")
    start.add_argument("key", metavar="KEY")
    start.add_argument(
        "--var", action="append", default=[], metavar="NAME=VALUE", help="a variable; JSON, else text"
    )
    start.add_argument("--business-key")
    start.add_argument("--tenant", help="the tenant that the process belongs to")
    ps = commands.add_parser("ps", help="list the instances that run")
    ps.add_argument("--key", help="of this process only")
    ps.add_argument("--limit", type=int, default=50, help="at most so many (50)")
    show = commands.add_parser("show", help="show one instance, and who is asked")
    show.add_argument("instance", metavar="INSTANCE")
    link = commands.add_parser("link", help="make a link that opens a step or starts a process in the chat")
    what = link.add_mutually_exclusive_group(required=True)
    what.add_argument("--start", metavar="KEY", help="a process")
    what.add_argument("--step", type=int, metavar="ID", help="a step, by the id of its pending reply")
    what.add_argument("--task", metavar="ID", help="a step, by the id of its external task")
    link.add_argument("--expires", default="P7D", metavar="DURATION", help="how long it holds (P7D)")
    link.add_argument("--for", type=int, dest="person", metavar="USER", help="it serves this person only")
    link.add_argument("--tenant", help="the tenant that the process belongs to")
    compare = commands.add_parser("files", help="compare the bucket with the rows of files")
    compare.add_argument("--format", choices=("text", "json"), default="text")
    doctor = commands.add_parser("doctor", help="check all that Stepgram needs, and say how to mend it")
    doctor.add_argument("--format", choices=("text", "json"), default="text")
    doctor.add_argument(
        "--fix", action="store_true", help="set the bucket's CORS rules as the upload page needs them"
    )
    return parser


def _load_plugins() -> None:
    from shared.files import validators
    from shared.steps import fields

    fields.load()
    validators.load()


def _preview(options: argparse.Namespace, served: Served) -> None:
    from shared.authoring.preview import as_html, as_terminal, previews
    from shared.settings import TopicSettings

    _load_plugins()
    try:
        values = json.loads(options.vars.read_text()) if options.vars else {}
    except ValueError as error:
        raise ConfigurationError(f"--vars {options.vars} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f'--vars {options.vars} must be an object like {{"amount": 12}}')
    topics = served(TopicSettings().topic_modules)
    with texts.speaking(texts.Voice(options.language)):
        shown = previews(options.file.read_bytes(), topics, values, options.element)
    if not shown:
        what = f"an element {options.element!r}" if options.element else "a step"
        raise ConfigurationError(f"{options.file} does not have {what} that asks a person")
    if options.html:
        options.html.write_text(as_html(shown))
    else:
        sys.stdout.write(as_terminal(shown))


def _lint(options: argparse.Namespace, served: Served) -> int:
    """0: nothing found; 1: findings; 2: a file that cannot be read."""
    from shared.authoring.lint import check_files, told
    from shared.settings import TopicSettings

    _load_plugins()
    topics = served(TopicSettings().topic_modules).with_names(options.topic)
    findings = check_files(options.files, topics)
    if text := told(findings, options.format):
        sys.stdout.write(f"{text}\n")
    return 2 if any(each.rule == "unreadable" for each in findings) else int(bool(findings))


def _migrate(settings: "Settings") -> None:
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError, OperationalError

    import migrations
    from shared.db import driver_url

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


async def _doctor(settings: "Settings", options: argparse.Namespace) -> int:
    from shared.doctor import report

    findings = await report.examine(settings, fix=options.fix)
    sys.stdout.write(f"{report.told(findings, options.format)}\n")
    return 0 if report.is_well(findings) else 1


async def _files(settings: "Settings", form: str) -> int:
    """0: bucket and rows agree; 1: they do not, and each difference was told."""
    from shared.operating import files

    agrees = True
    async for line in files.told(settings, as_json=form == "json"):
        agrees = False
        sys.stdout.write(f"{line}\n")
    if agrees and form == "text":
        sys.stdout.write("the bucket and the rows of files agree\n")
    return 0 if agrees else 1


async def _deploy(settings: "Settings", options: argparse.Namespace, served: Served) -> None:
    from shared.engine.client import EngineClient
    from shared.operating import deploying

    topics = served(settings.topic_modules).with_names(options.topic)
    _load_plugins()
    for path in options.files:
        path.open("rb").close()
    if not options.no_lint:
        deploying.refuse_findings(options.files, topics)
    async with EngineClient.from_settings(settings) as engine:
        async for line in deploying.deploy(engine, options.files, options.tenant, topics):
            sys.stdout.write(f"{line}\n")


async def _link(settings: "Settings", options: argparse.Namespace) -> str:
    from shared.operating import links

    given = options.start, options.tenant, options.person, options.step, options.task
    return await links.link(settings, links.Wanted(options.expires, *given))


async def _instances(settings: "Settings", options: argparse.Namespace) -> None:
    from shared.engine.client import EngineClient
    from shared.operating import instances

    async with EngineClient.from_settings(settings) as engine:
        if options.command == "start":
            given = instances.variables(options.var)
            started = await engine.start_process(options.key, options.business_key, given, options.tenant)
            sys.stdout.write(f"{started}\n")
        elif options.command == "ps":
            sys.stdout.write(f"{await instances.running(engine, options.key, options.limit)}\n")
        else:
            async for line in instances.shown(engine, settings, options.instance):
                sys.stdout.write(f"{line}\n")
