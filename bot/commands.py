"""The commands, and the menus that they open."""

import asyncio
from dataclasses import replace

import structlog
from telegram import BotCommand, MessageEntity
from telegram.error import TelegramError

from bot import deciding, dialogs, groups, links, overview, preferences, starting
from bot.context import Context
from shared import outbox, people, replies, texts
from shared.models import PendingReply
from shared.queues import pause_s
from shared.service import Part, Services
from shared.signing import Tap
from shared.steps.model import Step

log = structlog.get_logger(__name__)

COMMANDS = ("start", "new", "groups", "tasks", "status", "history", "cancel", "assign", "settings", "help")
"""As Telegram shows them, with the words of the catalogue's ``command-NAME``."""

PERSONAL = frozenset({"tasks", "status", "history", "new", "cancel"})
"""What is told nobody else: in a group they are sent to their private chat."""

SHOWN_TASKS = 10


def registration(services: Services) -> Part:
    """Tell Telegram the commands, once per process; retried until it listens."""

    async def run(stopping: asyncio.Event) -> None:
        failures = 0
        while not stopping.is_set():
            try:
                await _register(services)
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


async def _register(services: Services) -> None:
    """The commands in every language; who has none of ours gets the default one's."""
    for language in (None, *texts.LANGUAGES):
        voice = texts.default_voice()
        with texts.speaking(replace(voice, language=language or voice.language)):
            told = [BotCommand(name, texts.say(f"command-{name}")) for name in COMMANDS]
        await services.bot.set_my_commands(told, language_code=language)


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
        "settings": _settings,
    }.get(command)
    if command in PERSONAL and not context.is_private:
        await context.say(texts.say("groups-in-private"))
    elif handler is not None:
        await handler(context)
    elif context.is_private:
        await context.say(texts.say("unknown-command"))


async def _start(context: Context) -> None:
    if not context.is_private:
        await groups.command(context)
        return
    token = (context.message.text or "").partition(" ")[2].strip()
    is_known = await people.has_started(context.tx, context.user.id)
    await context.meet(wants_engine_user=True)
    if not (token and is_known):
        await context.say(texts.hello(context.user.first_name))
    await outbox.reachable_again(context.tx, context.chat_id)
    if token:
        await links.follow(context, token)


async def _settings(context: Context) -> None:
    await context.meet()
    await preferences.command(context, (context.message.text or "").partition(" ")[2])


async def _help(context: Context) -> None:
    await context.say(texts.say("help"))


def _step(reply: PendingReply) -> Step:
    return Step.of(reply.step)


async def _cancel(context: Context) -> None:
    rows = []
    for reply in await replies.open_in_chat(context.tx, context.chat_id):
        step = _step(reply)
        title = overview.title_of(step)
        if reply.dialog_open and reply.answers:
            rows.append([context.button(texts.say("button-leave", title=title), "cl", reply.id)])
        if step.cancellable:
            rows.append([context.button(texts.say("button-cancel-step", title=title), "cw", reply.id)])
    await context.say(
        texts.say("cancel-which") if rows else texts.say("cancel-nothing"), rows[: 2 * SHOWN_TASKS]
    )


async def tapped(context: Context, tap: Tap) -> bool:
    """A button of /tasks or /cancel; False if it is none of these."""
    handler = {"ts": links.show, "cl": _leave, "cw": _sure, "cy": _cancelled, "cn": _kept}.get(tap.item)
    if handler is None or not tap.option.isdigit():
        return False
    dialog = await dialogs.open_dialog(context, int(tap.option))
    if dialog is None or not await dialogs.may_answer(context, dialog, context.user):
        context.toast(texts.say("outdated"))
        return True
    context.toast()
    await handler(context, dialog)
    return True


async def _leave(context: Context, dialog: dialogs.Dialog) -> None:
    await dialog.leave()


async def _sure(context: Context, dialog: dialogs.Dialog) -> None:
    rows = [
        [
            context.button(texts.say("button-cancel-yes"), "cy", dialog.reply.id),
            context.button(texts.say("button-cancel-no"), "cn", dialog.reply.id),
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
    await dialog.end(outcome, texts.say("cancel-done"), context.user.id, context.user.full_name)
    await context.menu(texts.say("cancel-done"))


async def _kept(context: Context, dialog: dialogs.Dialog) -> None:
    await context.menu(texts.say("cancel-kept"))
