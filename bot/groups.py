"""Groups: which the bot is in, whose administrator the person is, and what can be started for them."""

import asyncio

from telegram import (
    Chat,
    ChatFullInfo,
    ChatMember,
    KeyboardButton,
    KeyboardButtonRequestChat,
    ReplyKeyboardMarkup,
)
from telegram.error import BadRequest, Forbidden

from bot import dialogs
from bot.context import ASK_TIMEOUT_S, Context
from shared import models, outbox, people, replies, starts, texts, transitions
from shared.engine.values import to_engine
from shared.errors import WorldError
from shared.signing import Tap
from shared.steps.widgets import Button

PROCESS = "community_audit"
ANONYMOUS_ADMIN = 1087968824
"""The user as whom every anonymous administrator writes."""

PRESENT = {ChatMember.MEMBER, ChatMember.ADMINISTRATOR, ChatMember.OWNER}
ASKED_AT_ONCE = 8


async def membership_changed(context: Context) -> None:
    """The bot was added, promoted, removed, blocked or unblocked."""
    change = context.update.my_chat_member
    if change is None:
        return
    chat, now = change.chat, change.new_chat_member
    present = now.status in PRESENT or bool(getattr(now, "is_member", False))
    if present:
        await outbox.reachable_again(context.tx, chat.id)
    if chat.type == Chat.PRIVATE:
        return
    await people.remember_group(context.tx, chat.id, chat.type, chat.title or "", is_member=present)


async def moved(context: Context, new_id: int) -> None:
    """The group became a supergroup: its steps go with it."""
    await people.group_moved(context.tx, context.chat_id, new_id)
    await transitions.move_chat(context.tx, context.chat_id, new_id)


async def seen(context: Context, chat: Chat) -> None:
    """A message came from a group, so the bot is in it, unless it is the news that somebody left."""
    if context.message.left_chat_member is None:
        await people.remember_group(context.tx, chat.id, chat.type, chat.title or "", is_member=True)


async def command(context: Context) -> None:
    """/groups: the groups where this person is an administrator."""
    if not context.is_private:
        anonymous = context.user.id == ANONYMOUS_ADMIN
        await context.say(texts.say("anonymous-admin") if anonymous else texts.say("groups-in-private"))
        return
    known = await people.groups(context.tx)
    gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def mine(group: models.Chat) -> bool:
        async with gate:
            return await _is_admin(context, group.chat_id)

    flags = await asyncio.gather(*(mine(group) for group in known))
    rows = [
        [context.button(group.title, "gs", group.chat_id)]
        for group, is_mine in zip(known, flags, strict=True)
        if is_mine
    ]
    await context.say(texts.say("groups") if rows else texts.say("no-groups"), rows)
    await context.say(texts.say("or-pick-a-group"), keyboard=_pick_keyboard())


def _pick_keyboard() -> models.Json:
    request = KeyboardButtonRequestChat(1, chat_is_channel=False, bot_is_member=True)
    button = KeyboardButton(texts.say("button-pick-group"), request_chat=request)
    return ReplyKeyboardMarkup([[button]], resize_keyboard=True, one_time_keyboard=True).to_dict()


async def picked(context: Context, chat_id: int) -> None:
    """The person picked a group with the button."""
    try:
        chat = await context.services.bot.get_chat(chat_id, read_timeout=ASK_TIMEOUT_S)
    except (BadRequest, Forbidden):
        await context.say(texts.say("not-a-member"))
        return
    await people.remember_group(context.tx, chat.id, chat.type, chat.title or "", is_member=True)
    if not await _is_admin(context, chat_id):
        await context.say(texts.say("not-an-admin"))
        return
    await context.say(_heading(chat), _menu_rows(context, chat_id))


async def _is_admin(context: Context, chat_id: int) -> bool:
    """Ask Telegram now whether the person is an administrator of a group."""
    try:
        return await dialogs.is_admin(context, chat_id, context.user)
    except (BadRequest, Forbidden):
        return False


def _heading(chat: models.Chat | ChatFullInfo) -> str:
    return texts.group_heading(chat.title or "")


def _menu_rows(context: Context, chat_id: int) -> list[list[Button]]:
    return [[context.button(texts.say("button-settings"), "gm", chat_id)]]


async def tapped(context: Context, tap: Tap) -> bool:
    """A button of the groups' menus; False if it is none of these."""
    handler = {
        "gs": _menu,
        "gm": _settings,
        "gi": _confirm,
        "gy": _start,
        "gn": _cancelled,
        "go": _go_on,
    }.get(tap.item)
    if handler is None:
        return False
    group = await people.group(context.tx, int(tap.option))
    if group is None or not await _is_admin(context, group.chat_id):
        context.toast(texts.say("not-an-admin"), alert=True)
        return True
    context.toast()
    await handler(context, group)
    return True


async def _menu(context: Context, group: models.Chat) -> None:
    await context.menu(_heading(group), _menu_rows(context, group.chat_id))


async def _settings(context: Context, group: models.Chat) -> None:
    rows = [
        [context.button(texts.say("button-import"), "gi", group.chat_id)],
        [context.button(texts.say("button-back"), "gs", group.chat_id)],
    ]
    await context.menu(_heading(group), rows)


async def _confirm(context: Context, group: models.Chat) -> None:
    rows = [
        [
            context.button(texts.say("button-start"), "gy", group.chat_id),
            context.button(texts.say("button-cancel"), "gn", group.chat_id),
        ]
    ]
    await context.menu(texts.confirm_import(group.title), rows)


async def _cancelled(context: Context, group: models.Chat) -> None:
    await context.menu(texts.say("start-cancelled"))


async def _start(context: Context, group: models.Chat) -> None:
    """Start the audit; the row is unique per business key, so two taps start one."""
    user_id = context.user.id
    business_key = f"import_{group.chat_id}_{user_id}"
    variables = {
        "group_id": to_engine(group.chat_id),
        "telegram_user_id": to_engine(user_id),
        "group_name": to_engine(group.title),
    }
    for _ in range(2):
        if await starts.request(context.tx, starts.Wish(PROCESS, business_key, variables, user_id)):
            await context.menu(texts.say("starting"))
            return
        known = await starts.running(context.tx, PROCESS, business_key)
        if known is None or known.state != "started" or await runs(context, PROCESS, business_key):
            break
        await starts.ended(context.tx, known.id)
    rows = [[context.button(texts.say("button-go-on"), "go", group.chat_id)]]
    await context.menu(texts.say("already-running"), rows)


async def runs(context: Context, process: str, business_key: str, tenant_id: str | None = None) -> bool:
    """Whether the engine still runs the instance; where it cannot say, it is taken to run."""
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            return bool(await context.services.engine.active_instances(business_key, process, tenant_id))
    except (WorldError, TimeoutError):
        return True


async def _go_on(context: Context, group: models.Chat) -> None:
    """Show again what waits in the running instance."""
    business_key = f"import_{group.chat_id}_{context.user.id}"
    waiting = await replies.open_in_chat(context.tx, context.chat_id)
    mine = [reply for reply in waiting if reply.business_key == business_key]
    await context.menu(texts.say("here-it-is") if mine else texts.say("nothing-waits-there"))
    for reply in mine:
        dialog = await dialogs.open_dialog(context, reply.id)
        if dialog is not None:
            await dialog.show_again()
