"""Links to the bot from the shell: to a step, or to a process."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared import replies, transitions
from shared.db import Database
from shared.engine.client import EngineClient
from shared.errors import ConfigurationError, StepgramError
from shared.links import to_bot
from shared.models import PendingReply
from shared.settings import Settings
from shared.signing import LINKS, Link, derive_key, short_key, sign_link
from shared.steps.durations import read_duration
from shared.telegram.account import account


class NothingToLinkTo(StepgramError):
    """There is no such process, or no such step that waits."""


@dataclass(frozen=True)
class Wanted:
    """What a link is to lead to: one of ``process``, ``step`` (the id of a pending reply) and ``task``."""

    expires: str
    process: str | None = None
    tenant: str | None = None
    person: int | None = None
    step: int | None = None
    task: str | None = None


async def link(settings: Settings, wanted: Wanted) -> str:
    """The address of a link that holds for the given time; one to a person's step serves that person only.

    Raises:
        NothingToLinkTo: see there.
        ConfigurationError: the time is none.
    """
    try:
        until = datetime.now(UTC) + timedelta(seconds=read_duration(wanted.expires))
    except ValueError as error:
        raise ConfigurationError(f"--expires {wanted.expires!r}: {error}") from error
    to, person = await (_process if wanted.process is not None else _step)(settings, wanted)
    key = derive_key(settings.bot_token.get_secret_value(), LINKS)
    return to_bot((await account(settings)).name, sign_link(to, until, person, key))


async def _process(settings: Settings, wanted: Wanted) -> tuple[Link, int | None]:
    process = wanted.process or ""
    async with EngineClient.from_settings(settings) as engine:
        if await engine.latest_definition(process, wanted.tenant) is None:
            raise NothingToLinkTo(f"the engine has no process {process!r}")
    return Link("process", short_key(process, wanted.tenant)), wanted.person


async def _step(settings: Settings, wanted: Wanted) -> tuple[Link, int | None]:
    reply = await _waiting(settings, wanted)
    name = repr(wanted.task) if wanted.step is None else str(wanted.step)
    if reply is None or reply.state not in transitions.OPEN:
        state = "is not there" if reply is None else f"is {reply.state}"
        raise NothingToLinkTo(f"the step {name} {state}; a link leads to one that waits")
    return Link("step", str(reply.id)), wanted.person or reply.recipient_id


async def _waiting(settings: Settings, wanted: Wanted) -> PendingReply | None:
    behind_pooler = settings.database_direct_url is not None
    db = Database(settings.database_url, pool_size=1, behind_pooler=behind_pooler)
    try:
        async with db.begin() as tx:
            if wanted.step is not None:
                return await replies.by_id(tx, wanted.step)
            return await replies.by_task(tx, wanted.task or "")
    finally:
        await db.aclose()
