"""Links to the bot, `t.me/BOT?start=TOKEN`: they open a step or begin a process, and give nobody a right."""

from datetime import UTC, datetime, timedelta

from bot import dialogs, groups, page_offers, starting
from bot.context import Context
from shared import outbox, replies, starts, texts, transitions
from shared.engine.records import DeployedDefinition
from shared.links import to_message
from shared.models import PendingReply
from shared.signing import LINKS, derive_key, verify_link

AGAIN_AFTER = timedelta(minutes=1)
"""Whoever follows a link to a process twice within it wants one instance, also where that ends at once."""


async def follow(context: Context, token: str) -> None:
    """Do what a link is for, if it is ours, still holds, and this person may; else say so and do nothing."""
    key = derive_key(context.services.settings.bot_token.get_secret_value(), LINKS)
    link = verify_link(token, context.user.id, key)
    if link is None:
        await context.say(texts.say("link-not-valid"))
    elif link.kind == "step":
        await _to_step(context, int(link.subject))
    elif link.kind == "upload":
        await page_offers.follow(context, int(link.subject))
    else:
        # The end of the token is its signature: as good as the link's own name.
        await _to_process(context, link.subject, f"start:{context.user.id}:{token[-16:]}")


async def _to_step(context: Context, reply_id: int) -> None:
    dialog = await dialogs.open_dialog(context, reply_id)
    if dialog is None:
        reply = await transitions.lock_reply(context.tx, reply_id)
        is_theirs = reply is not None and reply.recipient_id == context.user.id
        await context.say(dialogs.how_it_ended(reply) if is_theirs else texts.say("link-not-valid"))
    elif not await dialogs.may_answer(context, dialog, context.user):
        await context.say(texts.say("link-not-valid"))
    else:
        await show(context, dialog)


async def show(context: Context, dialog: dialogs.Dialog) -> None:
    """Show a step anew in its own chat; from another one, point to it."""
    if dialog.reply.chat_id == context.chat_id:
        await dialog.show_again()
    else:
        await _point_to_group(context, dialog.reply)


async def _point_to_group(context: Context, reply: PendingReply) -> None:
    """A group's step stays where everybody in it sees who answers."""
    prompt = (await outbox.newest_shown(context.tx, [reply.id])).get(reply.id)
    address = prompt and to_message(prompt.chat_id, prompt.message_id, prompt.content.get("thread_id"))
    rows = [[(texts.say("button-go-there"), address)]] if address else []
    await context.say(texts.say("answer-in-group"), rows)


async def _to_process(context: Context, short: str, own: str) -> None:
    chosen = await starting.startable_as(context, short)
    if chosen is None:
        await context.say(texts.say("link-not-valid"))
        return
    form = await replies.newest_form(context.tx, context.chat_id, own)
    dialog = form and await dialogs.open_dialog(context, form.id)
    if dialog:
        await dialog.show_again()
        return
    await _let_go_of_what_is_over(context, chosen, own)
    await starting.begin(context, chosen, own, f":{context.message.message_id}")


async def _let_go_of_what_is_over(context: Context, process: DeployedDefinition, own: str) -> None:
    """The instance that the link has started before does not keep it from starting another, once it ended."""
    known = await starts.running(context.tx, process.key, own, process.tenant_id)
    if known is None or known.state != "started" or datetime.now(UTC) - known.created_at < AGAIN_AFTER:
        return
    if not await groups.runs(context, process.key, own, process.tenant_id):
        await starts.ended(context.tx, known.id)
