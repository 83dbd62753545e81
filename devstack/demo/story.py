"""Two people and a group: what they do and give; the checks compare it with what is left of it."""

import asyncio
from dataclasses import dataclass

import httpx

from devstack.audit import Audit
from devstack.demo.engine import start_process
from devstack.people import Person, Shown, Town

GROUP = "Chess Club"
FILES = ("community_audit.bpmn", "hello_approval.bpmn")


@dataclass(frozen=True)
class Cast:
    """Who takes part, and the audit that Ada is going to do."""

    ada: Person
    ben: Person
    group_id: int
    audit: Audit
    reason: str = "We had pizza last Friday"


async def gather_cast(town: Town) -> Cast:
    """Make Ada, who administers the group, and Ben, who is a plain member of it."""
    ada, ben = await town.person("Ada"), await town.person("Ben")
    group_id = await town.group(GROUP, admins=[ada], members=[ben])
    return Cast(ada, ben, group_id, Audit(ada, GROUP))


async def play(cast: Cast, engine: httpx.AsyncClient) -> str:
    """Play it all; the id of Ben's process instance. Raises Unexpected when somebody waits in vain."""
    await cast.ben.in_chat(cast.group_id).say("Does anybody know how lively we really are?")
    await cast.ada.in_chat(cast.group_id).say("Let me have it counted.")
    await _ben_has_no_group(cast.ben)
    await cast.audit.start()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_audit(cast.audit))
            bens = group.create_task(_ben_is_asked(cast, engine))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return bens.result()


async def _ben_has_no_group(ben: Person) -> None:
    await ben.say("/start")
    await ben.sees("Hello Ben")
    await ben.say("/groups")
    await ben.sees("I know no group where I am a member and you are an administrator")


async def _audit(audit: Audit) -> None:
    await audit.upload_after_mistakes()
    await audit.review()


async def _ben_is_asked(cast: Cast, engine: httpx.AsyncClient) -> str:
    """Ben has a step of his own while Ada's audit goes on, started as any other system would."""
    ben = cast.ben
    ben.begin_to_wait()
    instance = await start_process(engine, "hello_approval", "pizza", telegram_user_id=ben.user_id)
    await ben.sees("pizza", buttons=["Approve"], step="Approve or say why not")
    await ben.say(cast.reason)
    await ben.sees("Your decision", buttons=["Approve", "Reject"])
    await ben.tap("Reject")
    await ben.sees("your decision is on record", where=_says_rejected, step="Tell the decision")
    return instance


def _says_rejected(message: Shown) -> bool:
    return "rejected" in str(message.get("text"))
