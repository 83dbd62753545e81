"""Steps that a group decides: one of its people takes a step, or several vote on it."""

from telegram import MessageEntity

from bot.context import ASK_TIMEOUT_S, Context, asking_the_engine
from bot.dialogs import Dialog, is_admin, open_dialog
from shared import outbox, people, texts, transitions
from shared.models import Prompt
from shared.steps import conversation, keyboards
from shared.steps.contract import ENGINE_GROUP
from shared.steps.widgets import page_of

NAMES_SHOWN = 200
"""Characters of the names under what was decided."""


async def take(context: Context, dialog: Dialog) -> None:
    """I take it: from now on nobody else answers."""
    user = context.user
    if dialog.reply.claimed_by is not None:
        context.toast(
            texts.claimed_by(dialog.reply.claimed_by_name), alert=dialog.reply.claimed_by != user.id
        )
        return
    context.toast()
    await _give(context, dialog, user.id, user.full_name)


async def give_back(context: Context, dialog: Dialog) -> None:
    """Give it back: whoever has it, or an administrator of the group."""
    owner = dialog.reply.claimed_by
    if owner is None:
        context.toast(texts.say("outdated"))
    elif owner == context.user.id or await is_admin(context, dialog.reply.chat_id, context.user):
        context.toast()
        await _shown_as_of(context, dialog, None)
    else:
        context.toast(texts.claimed_by(dialog.reply.claimed_by_name), alert=True)


async def _shown_as_of(context: Context, dialog: Dialog, owner: tuple[int, str] | None) -> None:
    """The step has another owner, or none, and is shown anew to the group."""
    await transitions.release_step(context.tx, dialog.reply.id)
    dialog.reply.claimed_by = dialog.reply.claimed_by_name = None
    dialog.reply.dialog_open = False
    if owner is not None:
        await _claimed(context, dialog, *owner)
    await dialog.show_again()


async def _claimed(context: Context, dialog: Dialog, user_id: int, name: str) -> None:
    await transitions.claim_step(context.tx, dialog.reply.id, user_id, name)
    dialog.reply.claimed_by, dialog.reply.claimed_by_name = user_id, name


async def _give(context: Context, dialog: Dialog, user_id: int, name: str) -> None:
    await _claimed(context, dialog, user_id, name)
    rows = keyboards.claim_rows(dialog.step, dialog.sign, name)
    keyboard = keyboards.inline_keyboard(rows)
    for prompt in await outbox.of_reply(context.tx, dialog.reply.id, items=["actions"]):
        await outbox.change_buttons(context.tx, prompt, keyboard)


async def assign(context: Context) -> None:
    """`/assign NAME`, as a reply to a step: an administrator says who has it."""
    replied = context.message.reply_to_message
    prompt = None
    if replied is not None:
        prompt = await outbox.by_message(context.tx, context.chat_id, replied.message_id)
    dialog = await _claimable(context, prompt)
    if dialog is None:
        await context.say(texts.say("assign-how"))
    elif not await is_admin(context, context.chat_id, context.user):
        await context.say(texts.say("assign-admins"))
    elif (person := await _named(context)) is None:
        await context.say(texts.say("assign-whom"))
    else:
        await _shown_as_of(context, dialog, person)


async def _claimable(context: Context, prompt: Prompt | None) -> Dialog | None:
    if prompt is None or prompt.pending_reply_id is None:
        return None
    dialog = await open_dialog(context, prompt.pending_reply_id)
    return dialog if dialog is not None and dialog.step.claim else None


async def _named(context: Context) -> tuple[int, str] | None:
    """The person whom a command mentions."""
    message = context.message
    for entity, text in message.parse_entities().items():
        if entity.type == MessageEntity.TEXT_MENTION and entity.user is not None:
            return entity.user.id, entity.user.full_name
        if entity.type == MessageEntity.MENTION:
            return await people.by_username(context.tx, text.removeprefix("@"))
    return None


async def vote(context: Context, dialog: Dialog, index: int) -> None:
    """One vote; with the one that was needed, the step is decided."""
    step, user = dialog.step, context.user
    action = step.actions[index]
    votes = {**dialog.reply.votes, str(user.id): {"action": action.name, "name": user.full_name}}
    await transitions.keep_votes(context.tx, dialog.reply.id, votes)
    dialog.reply.votes = votes
    context.toast(texts.say("your-vote", caption=action.caption))
    agreeing = [str(each["name"]) for each in votes.values() if each["action"] == action.name]
    if len(agreeing) >= await _needed(context, dialog):
        await dialog.finish(action.name, user.id, keyboards.shortened(", ".join(agreeing), NAMES_SHOWN))
        return
    draft = conversation.ballot(step, dialog.sign, votes, page_of(index))
    for prompt in await outbox.of_reply(context.tx, dialog.reply.id, items=["actions"]):
        await outbox.edit(context.tx, prompt, draft)


async def _needed(context: Context, dialog: Dialog) -> int:
    """How many must agree; of a majority, of those who may vote now."""
    step = dialog.step
    if isinstance(step.votes, int):
        return step.votes
    if isinstance(step.allow, tuple):
        voters = len(step.allow)
    elif step.allow == "admins":
        found = await context.services.bot.get_chat_administrators(
            dialog.reply.chat_id, read_timeout=ASK_TIMEOUT_S
        )
        voters = sum(not each.user.is_bot for each in found)
    elif step.allow == "anyone":
        # All members but this bot; other bots cannot be told from people.
        voters = await context.services.bot.get_chat_member_count(
            dialog.reply.chat_id, read_timeout=ASK_TIMEOUT_S
        )
        voters -= 1
    else:
        async with asking_the_engine():
            voters = await context.services.engine.member_count(step.allow.removeprefix(ENGINE_GROUP))
    return voters // 2 + 1
