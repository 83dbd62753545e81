"""Taps on buttons. A tap is believed by its signature and the rows, never by what its message says."""

import re
from datetime import date
from typing import cast

from telegram import InaccessibleMessage

from bot import collecting, commands, deciding, groups, overview, page_offers, preferences, starting
from bot.context import Context
from bot.dialogs import Dialog, how_it_ended, may_answer, open_dialog, was_handed_over
from shared import endings, outbox, texts, transitions
from shared.models import Json, Prompt
from shared.signing import Tap, verify
from shared.steps import keyboards
from shared.steps.fields import InvalidAnswer, Widget, options_of, read_answer, skipped, ticked
from shared.steps.widgets import Rows, View, page_of, widget_of


async def tapped(context: Context) -> None:
    """Somebody tapped a button."""
    user = context.user
    tap = verify(context.query.data, user.id, context.key)
    if context.query.message is None:  # all our buttons are under messages of ours
        context.toast(texts.say("outdated"), alert=True)
    elif tap is None:
        await _refuse_unsigned(context)
    elif tap.pending_reply_id == 0:
        await _menu(context, tap)
    else:
        await _of_step(context, tap)


async def _refuse_unsigned(context: Context) -> None:
    """A forged button, or one that was made for somebody else."""
    message = context.query.message
    prompt = message and await outbox.by_message(context.tx, message.chat.id, message.message_id)
    reply = None
    if prompt and prompt.pending_reply_id is not None:
        reply = await transitions.lock_reply(context.tx, prompt.pending_reply_id)
    foreign = reply is not None and reply.recipient_id not in (None, context.user.id)
    context.toast(texts.say("not-yours") if foreign else texts.say("outdated"), alert=True)


async def _menu(context: Context, tap: Tap) -> None:
    await context.meet()
    for menu in (groups, starting, overview, preferences, commands):
        if await menu.tapped(context, tap):
            return
    context.toast(texts.say("outdated"))


async def _of_step(context: Context, tap: Tap) -> None:
    dialog = await open_dialog(context, tap.pending_reply_id)
    if dialog is None:
        await _over(context, tap)
        return
    if not await _refused(context, dialog, tap):
        await _by_item(context, dialog, tap)


async def _refused(context: Context, dialog: Dialog, tap: Tap) -> bool:
    """Whether this person must not tap this just now; they are told why."""
    taken = dialog.reply.claimed_by is not None
    if was_handed_over(context, dialog):
        context.toast(texts.say("handed-over"), alert=True)
        await _touched(context, dialog.reply.id)
    elif dialog.reply.chat_id != context.chat_id:
        context.toast(texts.say("not-yours"), alert=True)
    elif tap.item == "c" and taken:
        return False  # an administrator may give back what somebody else has
    elif not await may_answer(context, dialog, context.user):
        whose = texts.claimed_by(dialog.reply.claimed_by_name) if taken else texts.say("not-yours")
        context.toast(whose, alert=True)
    elif dialog.step.claim and not taken and tap.item != "c":
        context.toast(texts.say("claim-first"), alert=True)
    else:
        return False
    return True


async def _by_item(context: Context, dialog: Dialog, tap: Tap) -> None:
    kind, number = tap.item[:1], tap.item[1:]
    index = int(number) if number.isdigit() else None
    if kind == "c" and dialog.step.claim:
        await (deciding.give_back if tap.option == "0" else deciding.take)(context, dialog)
    elif kind == "d":
        await _open(context, dialog)
    elif kind == "s":
        await _accepted(context, dialog)
        await dialog.show_again()
    elif kind == "r":
        await _review(context, dialog, tap.option)
    elif kind == "e" and tap.option.isdigit():
        await _edit(context, dialog, int(tap.option))
    elif tap.item == "p":
        await _turn_actions(context, dialog, tap.option)
    elif kind == "q" and index is not None:
        await _choose(context, dialog, index, tap.option)
    elif kind == "a" and index is not None:
        await _act(context, dialog, index)
    else:
        context.toast(texts.say("outdated"))


async def _over(context: Context, tap: Tap) -> None:
    """The step is over: say honestly how it ended, and see to it that this button goes too."""
    reply = await transitions.lock_reply(context.tx, tap.pending_reply_id)
    context.toast(how_it_ended(reply), alert=True)
    prompt = await _touched(context, reply.id if reply else None)
    # Whoever sends taps with a program of their own may name any message, also one of an open step.
    if prompt is not None and prompt.pending_reply_id == tap.pending_reply_id:
        await endings.retire(context.tx, [prompt])


async def _accepted(context: Context, dialog: Dialog) -> None:
    """The tap counts, also on a copy of a prompt that we did not know of."""
    context.toast()
    await _touched(context, dialog.reply.id)


async def _touched(context: Context, reply_id: int | None) -> Prompt | None:
    """The message that was tapped; one that no row knows is adopted, and its buttons go."""
    message = context.query.message
    if message is None or isinstance(message, InaccessibleMessage):
        return None
    prompt = await outbox.by_message(context.tx, message.chat.id, message.message_id)
    if prompt is None:
        await outbox.adopt(context.tx, message.chat.id, message.message_id, reply_id)
    return prompt


async def _gets_the_focus(context: Context, dialog: Dialog) -> bool:
    """Open the step's dialog, so that texts are answers to it; if another one is open, say so."""
    if await transitions.open_dialog(context.tx, dialog.reply.id, dialog.reply.chat_id):
        return True
    context.toast(texts.say("busy-with-another"), alert=True)
    return False


async def _open(context: Context, dialog: Dialog) -> None:
    """Answer: begin the form, unless another one is open in this chat."""
    if dialog.reply.dialog_open:  # an earlier tap has begun it, and its question is asked
        await _accepted(context, dialog)
        return
    if not await _gets_the_focus(context, dialog):
        return
    await _accepted(context, dialog)
    await endings.retire(context.tx, await outbox.of_reply(context.tx, dialog.reply.id))
    await dialog.go_on(context.user.id, context.user.full_name)


async def _review(context: Context, dialog: Dialog, option: str) -> None:
    """The buttons under the answers: Submit, Edit, and back from there."""
    if dialog.next_ask is not None:
        context.toast(texts.say("already-here"))
    elif option == "1" and not dialog.step.actions:
        await _accepted(context, dialog)
        await dialog.finish(None, context.user.id, context.user.full_name)
    elif option == "0":
        await _show(context, dialog, keyboards.edit_rows(dialog.step, dialog.answers, dialog.sign))
    else:
        await _show(context, dialog, keyboards.closing_rows(dialog.step, dialog.sign))


async def _turn_actions(context: Context, dialog: Dialog, option: str) -> None:
    """Another page of the step's own buttons, for everybody who sees them."""
    if dialog.next_ask is not None:
        context.toast(texts.say("already-here"))
    elif not option.isdigit():
        context.toast()
    elif dialog.step.claim:
        name = dialog.reply.claimed_by_name
        rows = keyboards.claim_rows(dialog.step, dialog.sign, name, int(option))
        await _show(context, dialog, rows)
    else:
        await _show(context, dialog, keyboards.closing_rows(dialog.step, dialog.sign, int(option)))


async def _edit(context: Context, dialog: Dialog, index: int) -> None:
    """One answer is to be given anew; the others stay."""
    if dialog.next_ask is not None or index >= len(dialog.step.asks):
        context.toast(texts.say("already-here"))
    elif await _gets_the_focus(context, dialog):
        await _accepted(context, dialog)
        await dialog.ask_again(index)


async def _show(context: Context, dialog: Dialog, rows: Rows) -> bool:
    """Other buttons under the message that was tapped; False where it was a copy that no row knew."""
    context.toast()
    prompt = await _touched(context, dialog.reply.id)
    if prompt is not None:
        await outbox.change_buttons(context.tx, prompt, keyboards.inline_keyboard(rows))
    return prompt is not None


async def _choose(context: Context, dialog: Dialog, index: int, option: str) -> None:
    if index != dialog.next_ask:
        context.toast(texts.say("already-here"))
        return
    way, number = option[:1], option[1:]
    if option == "n":
        context.toast()
    elif option == "u" and dialog.step.asks[index].is_file:
        await page_offers.tapped(context, dialog, dialog.step.asks[index])
    elif way == "x" and number.isdigit() and dialog.step.asks[index].takes_many:
        await _accepted(context, dialog)
        await collecting.take_away(dialog, dialog.step.asks[index], int(number))
    elif way in {"p", "m", "t", "a"} and number.isdigit():
        await _turn(context, dialog, index, way, int(number))
    elif option == "b" and index > 0:
        if await _gets_the_focus(context, dialog):
            await _accepted(context, dialog)
            await dialog.ask_again(index - 1)
    else:
        await _answer(context, dialog, index, option)


async def _turn(context: Context, dialog: Dialog, index: int, way: str, number: int) -> None:
    """Another page, another month, or a tick: the question stays."""
    ask = dialog.step.asks[index]
    view = View(page=number)
    if way == "a":
        view = View(actions=number)
    elif way == "m":
        year, month = divmod(number, 100)
        if not (1 <= year <= 9999 and 1 <= month <= 12):
            context.toast(texts.say("outdated"))
            return
        view = View(month=date(year, month, 1))
    elif way == "t":
        options = options_of(ask)
        if number >= len(options):
            context.toast(texts.say("outdated"))
            return
        partial = dialog.answers.get(ask.name, {})
        chosen, value = list(partial.get("chosen", [])), options[number].value
        chosen = [each for each in chosen if each != value] if value in chosen else [*chosen, value]
        await dialog.keep(ask.name, {**partial, "chosen": chosen})
        view = View(page=page_of(number))
    rows = keyboards.question_rows(dialog.step, index, dialog.sign, dialog.answers, view)
    if not await _show(context, dialog, rows):
        await dialog.go_on(context.user.id, context.user.full_name)


async def _answer(context: Context, dialog: Dialog, index: int, option: str) -> None:
    try:
        kept = await _tapped_answer(dialog, index, option)
    except InvalidAnswer as error:
        context.toast(str(error), alert=True)
        return
    if kept is None:
        context.toast(texts.say("outdated"))
    elif await _gets_the_focus(context, dialog):
        await _accepted(context, dialog)
        await dialog.take(index, kept, context.user.id, context.user.full_name)


async def _tapped_answer(dialog: Dialog, index: int, option: str) -> Json | None:
    """What a button under a question answers; None if it is none of this question's.

    Raises:
        InvalidAnswer: too few or too many are ticked or sent, or the day is out of range.
    """
    ask = dialog.step.asks[index]
    partial = dialog.answers.get(ask.name, {})
    options = options_of(ask)
    if option == "s" and not ask.required:
        return skipped(ask)
    if option == "d" and ask.takes_many:
        return await collecting.done(dialog, ask)
    if option == "k" and "before" in partial and not ask.takes_many:
        return cast("Json", partial["before"])
    if option == "d" and widget_of(ask) is Widget.MANY:
        return ticked(ask, partial.get("chosen", []))
    if (day := re.fullmatch(r"y(\d{4})(\d{2})(\d{2})", option)) and widget_of(ask) is Widget.CALENDAR:
        return read_answer(ask, "-".join(day.groups()))
    if option.isdigit() and int(option) < len(options) and widget_of(ask) is Widget.ONE:
        return read_answer(ask, options[int(option)].value)
    return None


async def _act(context: Context, dialog: Dialog, index: int) -> None:
    if index >= len(dialog.step.actions):
        context.toast(texts.say("outdated"))
        return
    action = dialog.step.actions[index]
    if dialog.next_ask is not None and not action.without_form:
        context.toast(texts.say("questions-first"), alert=True)
        return
    if dialog.step.votes:
        await deciding.vote(context, dialog, index)
        return
    await _accepted(context, dialog)
    await dialog.finish(action.name, context.user.id, context.user.full_name)
