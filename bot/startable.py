"""What a person may start: each process once, in the version that its author wants."""

from collections.abc import Sequence

import structlog

from bot.context import Context, asking_the_engine
from shared.engine.errors import UnreadableDiagram
from shared.engine.records import DeployedDefinition

log = structlog.get_logger(__name__)

VERSION = "version"
LATEST = "latest"


async def startable(context: Context) -> Sequence[DeployedDefinition]:
    """The processes that a person may start, by name; those of a tenant for its members.

    Raises:
        EngineError: the engine does not say.
    """
    user_id, engine = f"tg_user_{context.user.id}", context.services.engine
    async with asking_the_engine():
        newest = await engine.startable(user_id)
        is_shared = all(each.tenant_id is None for each in newest)
        tenants = frozenset() if is_shared else await engine.tenants_of(user_id)
        own = [each for each in newest if each.tenant_id is None or each.tenant_id in tenants]
        chosen = [await _chosen(context, each) for each in own]
    return [each for each in chosen if each is not None]


async def _chosen(context: Context, newest: DeployedDefinition) -> DeployedDefinition | None:
    """The version that the latest one names; None where there is none such."""
    try:
        info = await context.services.definitions.start(newest.id, newest.key)
    except UnreadableDiagram:
        return newest  # whoever starts it is told
    named = (info.properties.get(VERSION) or "").strip() if info else ""
    if named in {"", LATEST, str(newest.version)}:
        return newest
    found = await context.services.engine.version_of(newest.key, named, newest.tenant_id)
    if found is None:
        log.error("there is no such version to start", process=newest.key, version=named)
    return found
