"""The commands, and the menus that they open."""

import asyncio

import structlog
from telegram import BotCommand, MessageEntity
from telegram.error import TelegramError

from bot import deciding, dialogs, groups, overview, starting
from bot.context import Context
from shared import outbox, replies, texts
from shared.models import PendingReply
from shared.queues import pause_s
from shared.service import Part, Services
from shared.signing import Tap
from shared.steps.model import Step

log = structlog.get_logger(__name__)

COMMANDS = {
    "start": "what I do",
    "new": "what you may start",
    "groups": "your groups, and what can be started for them",
    "tasks": "what waits for you",
    "status": "where your processes stand",
    "history": "what you have answered",
    "cancel": "leave or end what waits for you",
    "assign": "in a group, as a reply to a step: who is to do it",
    "help": "what I do and how",
}
PERSONAL = frozenset({"tasks", "status", "history", "new", "cancel"})
"""What is told nobody else: in a group they are sent to their private chat."""

SHOWN_TASKS = 10


def registration(services: Services) -> Part:
    """Tell Telegram the commands, once per process; retried until it listens."""

    async def run(stopping: asyncio.Event) -> None:
        failures = 0
        while not stopping.is_set():
            try:
                await services.bot.set_my_commands([BotCommand(*each) for each in COMMANDS.items()])
            except TelegramError as error:
                failures += 1
                log.warning("cannot register the commands", error=error.message)
                try:
                    await asyncio.wait_for(stopping.wait(), pause_s(failures, 60))
                except TimeoutError:
                    continue
            else:
                await stopping.wait()

    return run


async def command_of(context: Context) -> str | None:
    """The command that a message begins with, if it is for this bot; without slash and bot name."""
    message = context.message
    first = message.entities[0] if message.text and message.entities else None
    if first is None or first.type != MessageEntity.BOT_COMMAND or first.offset != 0:
        return None
    name, _, addressee = message.parse_entity(first)[1:].partition("@")
    if addressee and addressee.lower() != await _username(context.services):
        return None
    return name.lower()


_usernames: dict[int, str] = {}


async def _username(services: Services) -> str:
    """The bot's own name in lower case, asked once."""
    bot_id = services.settings.bot_id
    if bot_id not in _usernames:
        _usernames[bot_id] = ((await services.bot.get_me()).username or "").lower()
    return _usernames[bot_id]


async def run(context: Context, command: str) -> None:
    """Run a command."""
    handler = {
        "start": _start,
        "help": _help,
        "groups": groups.command,
        "new": starting.command,
        "tasks": overview.tasks,
        "status": overview.status,
        "history": overview.history,
        "cancel": _cancel,
        "assign": deciding.assign,
    }.get(command)
    if command in PERSONAL and not context.is_private:
        await context.say(texts.GROUPS_IN_PRIVATE)
    elif handler is not None:
        await handler(context)
    elif context.is_private:
        await context.say(texts.UNKNOWN_COMMAND)


async def _start(context: Context) -> None:
    if not context.is_private:
        await groups.command(context)
        return
    await context.meet(wants_engine_user=True)
    await context.say(texts.hello(context.user.first_name))
    await outbox.reachable_again(context.tx, context.chat_id)


async def _help(context: Context) -> None:
    await context.say(texts.HELP)


def _step(reply: PendingReply) -> Step:
    return Step.model_validate(reply.step)


async def _cancel(context: Context) -> None:
    rows = []
    for reply in await replies.open_in_chat(context.tx, context.chat_id):
        step = _step(reply)
        title = overview.title_of(step)
        if reply.dialog_open and reply.answers:
            rows.append([context.button(texts.BUTTON_LEAVE.format(title=title), "cl", reply.id)])
        if step.cancellable:
            rows.append([context.button(texts.BUTTON_CANCEL_STEP.format(title=title), "cw", reply.id)])
    await context.say(texts.CANCEL_WHICH if rows else texts.CANCEL_NOTHING, rows[: 2 * SHOWN_TASKS])


async def tapped(context: Context, tap: Tap) -> bool:
    """A button of /tasks or /cancel; False if it is none of these."""
    handler = {"ts": _show, "cl": _leave, "cw": _sure, "cy": _cancelled, "cn": _kept}.get(tap.item)
    if handler is None or not tap.option.isdigit():
        return False
    dialog = await dialogs.open_dialog(context, int(tap.option))
    if dialog is None or not await dialogs.may_answer(context, dialog, context.user):
        context.toast(texts.OUTDATED)
        return True
    context.toast()
    await handler(context, dialog)
    return True


async def _show(context: Context, dialog: dialogs.Dialog) -> None:
    await dialog.show_again()


async def _leave(context: Context, dialog: dialogs.Dialog) -> None:
    await dialog.leave()


async def _sure(context: Context, dialog: dialogs.Dialog) -> None:
    rows = [
        [
            context.button(texts.BUTTON_CANCEL_YES, "cy", dialog.reply.id),
            context.button(texts.BUTTON_CANCEL_NO, "cn", dialog.reply.id),
        ]
    ]
    await context.menu(texts.cancel_sure(overview.title_of(dialog.step)), rows)


async def _cancelled(context: Context, dialog: dialogs.Dialog) -> None:
    step = dialog.step
    if not step.cancellable:
        return
    outcome = {"kind": "cancel_instance", "reason": f"cancelled by tg_user_{context.user.id} in Telegram"}
    if step.on_cancel:
        outcome = {"kind": "bpmn_error", "code": step.on_cancel, "message": outcome["reason"]}
    await dialog.end(outcome, texts.CANCEL_DONE, context.user.id, context.user.full_name)
    await context.menu(texts.CANCEL_DONE)


async def _kept(context: Context, dialog: dialogs.Dialog) -> None:
    await context.menu(texts.CANCEL_KEPT)
