"""Looks at the engine: login, version, permissions, ids, history, polls of one worker id."""

import asyncio
import time
import uuid
from datetime import datetime
from email.utils import parsedate_to_datetime

from shared.doctor.check import Finding, attempt, compare_clocks, fail, ok, skip, warn
from shared.engine.client import EngineClient
from shared.engine.errors import EngineFault, EngineUnauthorized, EngineUnavailable, UserIdRefused
from shared.engine.rest import READ_TIMEOUT_S, path_of
from shared.engine.task_records import TopicFetch
from shared.settings import Settings

ENGINE, PERMISSIONS, IDS = "engine", "engine permissions", "engine user ids"
HISTORY, WORKER_IDS, CLOCK = "engine history", "engine worker ids", "engine clock"
AFTER_LOGIN = (PERMISSIONS, IDS, HISTORY, WORKER_IDS, CLOCK)

OLDEST_CAMUNDA = (7, 24)

DEFINITION, INSTANCE, BATCH, USER, MEMBERSHIP = 6, 8, 13, 1, 3
NEEDED = ((DEFINITION, "READ"), (DEFINITION, "READ_INSTANCE"), (DEFINITION, "UPDATE_INSTANCE"),
          (DEFINITION, "READ_HISTORY"))  # fmt: skip
WANTED = {
    (DEFINITION, "CREATE_INSTANCE"): "/groups",
    (INSTANCE, "CREATE"): "/groups",
    (BATCH, "CREATE"): "cancellable steps without on_cancel",
    (USER, "CREATE"): "engine users of people",
    (MEMBERSHIP, "CREATE"): "engine users of people",
}
KINDS = {DEFINITION: "Process definition", INSTANCE: "Process instance", BATCH: "Batch", USER: "User",
         MEMBERSHIP: "Group membership"}  # fmt: skip
GRANT = "an administrator grants it, see docs/how-to/existing-engine.md"

MAX_ID = 64
TOO_LONG = f"tg_user_{'0' * MAX_ID}"

MEND = "set ENGINE_URL, ENGINE_USERNAME and ENGINE_PASSWORD to those of an engine that runs"

POLL_S = 1.5
HEAD_START_S = 0.4


class _Probe(EngineClient):
    """The engine, and what only a doctor asks of it."""

    async def version(self) -> str:
        return str((await self._call("GET", "/version"))["version"])

    async def now(self) -> datetime:
        """The engine's clock, or that of what stands before it, in whole seconds."""
        answer = await self._exchange("GET", "/version", READ_TIMEOUT_S, {})
        return parsedate_to_datetime(answer.headers["Date"])

    async def may(self, resource_type: int, permission: str) -> bool:
        """Whether our user has a permission on every resource of a type; true where nothing is checked."""
        query = {
            "permissionName": permission,
            "resourceName": KINDS[resource_type],
            "resourceType": resource_type,
        }
        return bool((await self._call("GET", "/authorization/check", params=query))["authorized"])

    async def definitions(self) -> int:
        """How many process definitions our user may see."""
        return int((await self._call("GET", "/process-definition/count"))["count"])

    async def remove_user(self, user_id: str) -> None:
        """Remove a user that the doctor made."""
        await self._call("DELETE", path_of("user", user_id))

    async def some_instance(self) -> str | None:
        """A running process instance, if there is one that we may see."""
        found = await self._call("GET", "/process-instance", params={"maxResults": 1})
        return str(found[0]["id"]) if found else None

    async def has_history(self, instance_id: str | None) -> bool:
        """Whether the history has an activity, of one instance or at all."""
        query = {"maxResults": 1} | ({"processInstanceId": instance_id} if instance_id else {})
        return bool(await self._call("GET", "/history/activity-instance", params=query))


async def examine(settings: Settings) -> list[Finding]:
    """All checks of the engine. One request tries the login: the engine counts wrong passwords."""
    async with _Probe.from_settings(settings) as engine:
        first = await attempt(ENGINE, _version(engine), MEND)
        if first.state == "fail":
            return [first, *(skip(name, "the engine cannot be asked") for name in AFTER_LOGIN)]
        rest = (
            attempt(PERMISSIONS, _permissions(engine)),
            attempt(IDS, _user_ids(engine)),
            attempt(HISTORY, _history(engine)),
            attempt(WORKER_IDS, _worker_ids(engine)),
            attempt(CLOCK, compare_clocks(CLOCK, engine.now(), precision_s=1.0)),
        )
        return [first, *await asyncio.gather(*rest)]


async def _version(engine: _Probe) -> Finding:
    version = await engine.version()
    if not version.startswith("7."):
        return ok(ENGINE, f"Operaton {version}")
    minor = version.split(".")[1]
    if minor.isdigit() and (7, int(minor)) < OLDEST_CAMUNDA:
        return warn(
            ENGINE, f"Camunda {version}, older than what is tested", "use Camunda 7.24 or Operaton 1.0"
        )
    return ok(ENGINE, f"Camunda {version}")


async def _permissions(engine: _Probe) -> Finding:
    missing = [each for each in (*NEEDED, *WANTED) if not await engine.may(*each)]
    if not missing:
        return ok(PERMISSIONS, "all that is needed, or the engine checks none")
    named = ", ".join(f"{permission} on {KINDS[kind]}" for kind, permission in missing)
    if not set(missing) & set(NEEDED):
        unable = ", ".join(sorted({WANTED[each] for each in missing}))
        return warn(PERMISSIONS, f"missing: {named}; there will be no {unable}", GRANT)
    if await engine.definitions():
        found = f"not for every process: {named}; without them a process's steps are not fetched, silently"
        return warn(PERMISSIONS, found, f"where your processes do not have them, {GRANT}")
    return fail(PERMISSIONS, f"missing: {named}; no step is fetched, silently", GRANT)


async def _user_ids(engine: _Probe) -> Finding:
    """Whether ids like tg_user_1 are allowed, asked by one that is too long to be made.

    The engine looks at the characters first and its database at the length, so either refusal tells.
    """
    try:
        await engine.create_user(TOO_LONG, "", "", uuid.uuid4().hex)
    except UserIdRefused:
        return warn(
            IDS,
            "tg_user_ID is refused: people are served, but no engine users are made for them",
            "set generalResourceWhitelistPattern and userResourceWhitelistPattern to [a-zA-Z0-9_-]+, see"
            " docs/how-to/existing-engine.md",
        )
    except EngineUnauthorized:
        return skip(IDS, "our user may not make users, so the engine does not say")
    except EngineFault as error:
        if error.type != "ProcessEnginePersistenceException":
            raise
    else:
        await engine.remove_user(TOO_LONG[:MAX_ID])  # a database that cuts off what is too long
    return ok(IDS, "tg_user_ID is allowed")


async def _history(engine: _Probe) -> Finding:
    """The level is not told by REST, but it shows: a running instance has its activities."""
    running = await engine.some_instance()
    if await engine.has_history(running):
        return ok(HISTORY, "activities are remembered")
    if running is None:
        return skip(HISTORY, "cannot be told before a process runs; level activity or higher is needed")
    return fail(
        HISTORY,
        "a running instance has no activities, so steps that are taken back are not noticed",
        "set the engine's history level to activity or higher, or grant READ_HISTORY",
    )


async def _worker_ids(engine: _Probe) -> Finding:
    """Two polls of one worker id at once, of a topic that nobody uses: both must be let wait to their end."""
    nobody = f"stepgram-doctor-{uuid.uuid4().hex}"
    first = asyncio.create_task(_poll(engine, nobody))
    await asyncio.sleep(HEAD_START_S)
    second = asyncio.create_task(_poll(engine, nobody))
    waited_s, other_s = await asyncio.gather(first, second)
    if other_s is None:
        return fail(WORKER_IDS, "the engine ends a long poll at once", "see what stands between us and it")
    if waited_s is None or waited_s < POLL_S * 0.8:
        return fail(
            WORKER_IDS,
            "a second poll of a worker id ends the first; the fleet has one id for its human steps",
            "remove the engine's context parameter fetch-and-lock-unique-worker-request",
        )
    return ok(WORKER_IDS, "one worker id may poll twice at once")


async def _poll(engine: _Probe, nobody: str) -> float | None:
    """How long a poll was let wait, None if it was cut off."""
    begin = time.monotonic()
    try:
        await engine.fetch_and_lock(nobody, [TopicFetch(nobody, lock_s=1)], max_tasks=1, poll_s=POLL_S)
    except EngineUnavailable:
        return None
    return time.monotonic() - begin
