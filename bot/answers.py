"""What people answer in words, or share by a key: texts, corrections, contacts, places, people."""

from bot.context import Context
from bot.dialogs import Dialog, has_expired, may_answer, open_dialog, target, was_handed_over
from shared import endings, outbox, replies, texts
from shared.markup import escape_value, render_html
from shared.steps import keyboards
from shared.steps.conversation import Draft
from shared.steps.fields import InvalidAnswer, Widget, read_answer, skipped
from shared.steps.model import Step
from shared.steps.widgets import View, keyboard_of, matching, widget_of


async def text_received(context: Context, text: str) -> None:
    """A free text: the answer to a question, or a polite word that nothing is open."""
    dialog, index = await target(context)
    if dialog is None or index is None:
        if await has_expired(context):
            await context.say(texts.say("time-is-up"))
        elif context.is_private:
            await context.say(texts.say("already-here") if index is not None else texts.say("nothing-open"))
        return
    if context.message.sender_chat is not None:
        await context.say(texts.say("anonymous-admin"))
        return
    if not await may_answer(context, dialog, context.user):
        if was_handed_over(context, dialog):
            await context.say(texts.say("handed-over"))
        return
    if index != dialog.next_ask:
        await context.say(texts.say("already-here"))
        return
    if not await _steers(context, dialog, index, text):
        await _take_text(context, dialog, index, text)


async def _steers(context: Context, dialog: Dialog, index: int, text: str) -> bool:
    """Whether it was a key of the question's own keyboard, which Telegram sends as words."""
    ask = dialog.step.asks[index]
    if not context.is_private or keyboard_of(ask, ()) is None:
        return False
    if text == texts.say("button-back") and index > 0:
        await dialog.ask_again(index - 1)
        return True
    if text == texts.say("button-skip") and not ask.required:
        await dialog.take(index, skipped(ask), context.user.id, context.user.full_name)
        return True
    return False


async def _take_text(context: Context, dialog: Dialog, index: int, text: str) -> None:
    ask = dialog.step.asks[index]
    if ask.is_file:
        await context.say(texts.send_a_file(ask))
        return
    reply_to = None if context.is_private else context.message.message_id
    try:
        kept = read_answer(ask, text)
    except InvalidAnswer as error:
        if await _offer_matching(dialog, index, text, reply_to):
            return
        await context.say(escape_value(str(error)))
        return
    kept["message"] = context.message.message_id
    await dialog.take(index, kept, context.user.id, context.user.full_name, reply_to=reply_to)


async def _offer_matching(dialog: Dialog, index: int, text: str, reply_to: int | None) -> bool:
    """Words that are in some captions of a list find these."""
    found = matching(dialog.step.asks[index], text)
    if not found:
        return False
    rows = keyboards.question_rows(dialog.step, index, dialog.sign, dialog.answers, View(only=found))
    await dialog.post(
        Draft(
            "dialog_prompt",
            render_html(texts.say("which-option")),
            item=f"q{index}",
            rows=rows,
            reply_to=reply_to,
            thread_id=dialog.step.thread_id,
        )
    )
    return True


async def text_edited(context: Context, text: str) -> None:
    """Somebody corrected what they had written: the answer that it was, or was meant to be."""
    message = context.message
    for reply in await replies.open_in_chat(context.tx, context.chat_id):
        step = Step.of(reply.step)
        for number, ask in enumerate(step.asks):
            if reply.answers.get(ask.name, {}).get("message") == message.message_id:
                await _correct(context, reply.id, number, text)
                return
    dialog, index = await target(context)
    if dialog is None or index is None or index != dialog.next_ask or message.sender_chat is not None:
        return
    # What was written before the question was asked is not its answer.
    asked = await outbox.of_reply(context.tx, dialog.reply.id, items=[f"q{index}"])
    shown = [prompt.message_id for prompt in asked if prompt.message_id is not None]
    if shown and message.message_id > min(shown) and await may_answer(context, dialog, context.user):
        await _take_text(context, dialog, index, text)


async def _correct(context: Context, reply_id: int, index: int, text: str) -> None:
    """Change an answer that was given; the step must still be open."""
    dialog = await open_dialog(context, reply_id)
    if dialog is None or not await may_answer(context, dialog, context.user):
        return
    ask = dialog.step.asks[index]
    try:
        kept = read_answer(ask, text)
    except InvalidAnswer as error:
        await context.say(escape_value(str(error)))
        return
    await dialog.keep(ask.name, {**kept, "message": context.message.message_id})
    await context.say(texts.say("answer-changed", value=escape_value(str(kept["shown"]))))
    if dialog.next_ask is None:  # the closing buttons stand under all answers
        await endings.retire_all(context.tx, reply_id)
        await dialog.go_on(context.user.id, context.user.full_name)


async def shared(context: Context) -> bool:
    """A contact, a place or a person that was shared by a button; False if no question waits for it."""
    message = context.message
    if message.contact is not None:
        widget, text = Widget.CONTACT, "+" + message.contact.phone_number.lstrip("+")
    elif message.location is not None:
        widget, text = Widget.LOCATION, f"{message.location.latitude}, {message.location.longitude}"
    elif message.users_shared is not None and message.users_shared.users:
        widget, text = Widget.USER, str(message.users_shared.users[0].user_id)
    else:
        return False
    dialog, index = await target(context)
    if dialog is None or index is None or index != dialog.next_ask:
        return False
    if widget_of(dialog.step.asks[index]) is not widget or not await may_answer(
        context, dialog, context.user
    ):
        return False
    await _take_text(context, dialog, index, text)
    return True
