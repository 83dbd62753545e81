"""Starting processes from the chat: what a person may start, and the form of its start event."""

import re

import structlog

from bot.context import Context
from bot.startable import startable
from shared import outbox, starts, texts, transitions
from shared.engine.bpmn import StartInfo
from shared.engine.records import DeployedDefinition
from shared.engine.values import to_engine
from shared.errors import AuthorError
from shared.models import Json
from shared.signing import Tap, short_key
from shared.steps import contract, conversation, keyboards
from shared.steps.keys import START_KEYS
from shared.steps.model import Step
from shared.steps.reading import Declared

log = structlog.get_logger(__name__)

BUSINESS_KEY = "business_key"
NEVER_S = 100 * 365 * 86_400.0
"""A form that nobody fills in is nobody's lease."""


async def command(context: Context) -> None:
    """`/new`: the processes that this person may start."""
    await context.meet(wants_engine_user=True)
    rows = [[context.button(_caption(each), "sd", _short(each))] for each in await startable(context)]
    await context.say(texts.say("startable") if rows else texts.say("nothing-startable"), rows)


async def tapped(context: Context, tap: Tap) -> bool:
    """A button of /new; False if it is none. Whether the person may is asked again."""
    if tap.item != "sd":
        return False
    chosen = await startable_as(context, tap.option)
    if chosen is None:
        context.toast(texts.say("outdated"), alert=True)
        return True
    context.toast()
    menu = context.query.message
    await begin(context, chosen, f"start:{context.user.id}:{menu.message_id if menu else 0}:{tap.option}")
    return True


async def startable_as(context: Context, short: str) -> DeployedDefinition | None:
    """The process of that short key, if this person may start it."""
    return next((each for each in await startable(context) if _short(each) == short), None)


async def begin(context: Context, definition: DeployedDefinition, own: str, nth: str = "") -> None:
    """Show the form of a process or start it, once for each ``own`` name; ``nth`` sets its forms apart."""
    try:
        await _begin(context, definition, own, nth)
    except AuthorError as error:
        reason = str(error)  # says all
        log.error("a start form cannot be shown", process=definition.key, reason=reason)  # noqa: TRY400
        await context.say(texts.say("cannot-start"))


def _caption(definition: DeployedDefinition) -> str:
    name = keyboards.shortened(definition.name or definition.key)
    tenant = keyboards.shortened(definition.tenant_id, 20) if definition.tenant_id else ""
    return " · ".join(filter(None, (name, tenant, f"v{definition.version}")))


def _short(definition: DeployedDefinition) -> str:
    """A process as callback data has room for it: the key, and whose it is."""
    return short_key(definition.key, definition.tenant_id)


async def _begin(context: Context, definition: DeployedDefinition, own: str, nth: str) -> None:
    """Show the form of the start event; start at once where it asks nothing."""
    info = await context.services.definitions.start(definition.id, definition.key)
    if info is None:
        raise AuthorError(f"process {definition.key!r} has no start event by which people start it")
    step = _step(context, definition, info)
    if step is None:
        variables, by = started_by(context.user.id), context.user.id
        wish = starts.Wish(definition.key, own, variables, by, definition.id, definition.tenant_id)
        made = await starts.request(context.tx, wish)
        await context.say(texts.say("starting") if made else texts.say("already-here"))
        return
    new = transitions.NewReply(
        external_task_id=own + nth,
        topic=starts.START_TOPIC,
        activity_id=info.id,
        activity_instance_id="",
        process_instance_id="",
        execution_id="",
        process_definition_id=definition.id,
        process_definition_key=definition.key,
        business_key=info.properties.get(BUSINESS_KEY) or own + nth,
        tenant_id=definition.tenant_id,
        step=step.model_dump(mode="json", exclude_defaults=True),
        chat_id=context.chat_id,
        recipient_id=context.user.id,
    )
    reply, is_new = await transitions.park(context.tx, new, lease_due_s=NEVER_S)
    if not is_new:  # tapped twice
        return
    has_dialog = await transitions.open_dialog(context.tx, reply.id, context.chat_id)
    sign = keyboards.signer(reply.id, context.user.id, context.key)
    drafts = conversation.opening(step.spoken(), sign, dialog_open=has_dialog)
    await outbox.post(context.tx, context.chat_id, drafts, pending_reply_id=reply.id, priority=outbox.REPLY)


def _step(context: Context, definition: DeployedDefinition, info: StartInfo) -> Step | None:
    """The start event's form as a step, None where it asks nothing.

    Raises:
        AuthorError: what the start event says is not of the contract.
    """
    said = {name: value for name, value in info.properties.items() if name not in START_KEYS}
    said.setdefault("title", definition.name or definition.key)
    values = {"telegram_user_id": context.user.id}
    if not any(contract.is_item(name) and name not in contract.OF_THE_STEP for name in said):
        return None
    step = contract.read_step(Declared(activity=info.id, names=(), values=values, properties=said))
    if step.actions or any(ask.is_file for ask in step.asks):
        raise AuthorError(f"start event {info.id!r}: a start form has fields only, no action_… and no s3_…")
    if step.is_timed:
        raise AuthorError(f"start event {info.id!r}: nobody is waited for, so nothing happens by itself")
    return step.model_copy(update={"cancellable": True, "review": step.review or not step.asks})


def started_by(user_id: int) -> Json:
    """The variables of every process that is started from the chat."""
    return {"telegram_user_id": dict(to_engine(user_id))}


def business_key_of(template: str, variables: Json) -> str:
    """The business key of an instance: ``${name}`` stands for an answer."""

    def value(match: re.Match[str]) -> str:
        typed = variables.get(match[1]) or {}
        text = "" if typed.get("value") is None else str(typed["value"])
        return text[:16].removesuffix("T00:00") if typed.get("type") == "Date" else text

    return re.sub(r"\$\{\s*(\w+)\s*\}", value, template)[:255]
