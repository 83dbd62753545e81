"""Process instances from the shell: start one, list what runs, look at one."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from shared import replies
from shared.db import Database, DatabaseUnavailable
from shared.engine.client import EngineClient
from shared.engine.errors import NotFound
from shared.engine.tasks import Variables
from shared.engine.values import to_engine
from shared.errors import ConfigurationError, StepgramError
from shared.settings import Settings

LONGEST = 200
"""Characters of a value that are shown."""

HEAD = ("INSTANCE", "PROCESS", "VERSION", "BUSINESS KEY", "WAITS AT")


class NoSuchInstance(StepgramError):
    """The engine knows no such process instance, neither running nor in its history."""


def variables(given: Sequence[str]) -> Variables:
    """Variables as NAME=VALUE, in the engine's form: JSON where the value parses as such, else text.

    Raises:
        ConfigurationError: one has no name or no ``=``, or a number that no engine takes.
    """
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise ConfigurationError(f"--var {each!r}: NAME=VALUE is expected, like amount=12")
        try:
            found[name] = to_engine(_read(value))
        except ValueError as error:
            raise ConfigurationError(f"--var {each!r}: {error}") from error
    return found


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


async def running(engine: EngineClient, key: str | None, limit: int) -> str:
    """A table of the instances that run, with the activities where each waits."""
    versions: dict[str, int] = {}
    rows: list[tuple[str, ...]] = []
    for instance in await engine.running_instances(key, limit):
        if instance.definition_id not in versions:
            versions[instance.definition_id] = (await engine.definition(instance.definition_id)).version
        version = str(versions[instance.definition_id])
        at = ", ".join(await engine.places(instance.id)) or "-"
        rows.append((instance.id, instance.definition_key, version, instance.business_key or "-", at))
    return "\n".join(_table([HEAD, *rows])) if rows else "nothing runs"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


async def shown(engine: EngineClient, settings: Settings, instance_id: str) -> AsyncIterator[str]:
    """Everything of one instance, line by line: state, variables, places, incidents, pending replies.

    Raises:
        NoSuchInstance: the engine knows none of that id.
    """
    instance = await engine.process_instance(instance_id)
    past = None if instance else await engine.history_instance(instance_id)
    if instance is not None:
        version = (await engine.definition(instance.definition_id)).version
        state = "suspended" if instance.suspended else "running"
        key = instance.business_key or "-"
        yield f"{instance.definition_key} version {version}, business key {key}, {state}"
        yield f"waits at: {', '.join(await engine.places(instance_id)) or '-'}"
    elif past is not None:
        ended = f"{past.ended_at:%Y-%m-%d %H:%M:%S} UTC" if past.ended_at else "-"
        key = past.business_key or "-"
        yield f"{past.definition_key}, business key {key}, {past.state.lower()}, ended {ended}"
    else:
        raise NoSuchInstance(f"the engine knows no instance {instance_id!r}")
    for name, value in (await _values(engine, instance_id, runs=instance is not None)).items():
        yield f"variable {name} = {_short(value)}"
    for message in await engine.incidents(instance_id):
        yield f"incident: {message}"
    async for line in _replies(settings, instance_id):
        yield line


async def _values(engine: EngineClient, instance_id: str, *, runs: bool) -> dict[str, Any]:
    try:
        if runs:
            return await engine.instance_variables(instance_id)
    except NotFound:
        pass  # it has just ended
    return dict(sorted((await engine.history_variables(instance_id)).items()))


async def _replies(settings: Settings, instance_id: str) -> AsyncIterator[str]:
    if not settings.database_url:
        yield "pending replies: DATABASE_URL is not set"
        return
    behind_pooler = settings.database_direct_url is not None
    db = Database(settings.database_url, pool_size=1, behind_pooler=behind_pooler)
    try:
        async with db.begin() as tx:
            found = await replies.by_instance(tx, instance_id)
    except DatabaseUnavailable as error:
        yield f"pending replies: the database does not answer: {error}"
        return
    finally:
        await db.aclose()
    for reply in found:
        yield f"pending reply {reply.id}: {reply.activity_id} is {reply.state}, chat {reply.chat_id}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
