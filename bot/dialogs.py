"""The conversation about one step: questions one by one, the buttons at the end, the outcome."""

from dataclasses import dataclass
from functools import cached_property

from telegram import Message, User

from bot.context import ASK_TIMEOUT_S, Context, asking_the_engine
from shared import endings, outbox, replies, texts, transitions, uploads
from shared.db import Tx
from shared.errors import StepgramError
from shared.markup import escape_value, render_html
from shared.models import Json, PendingReply
from shared.service import Services
from shared.signing import derive_key
from shared.steps import conversation, keyboards
from shared.steps.contract import ENGINE_GROUP
from shared.steps.conversation import Draft
from shared.steps.keyboards import Sign
from shared.steps.model import Ask, Step

LATELY_S = 60.0
"""Who answers so soon after the time was up has perhaps not seen that it is."""


class WhichQuestion(StepgramError):
    """A reply to a copy of a question that several steps have asked in the same words."""


@dataclass
class Dialog:
    """One open step, locked by this transaction."""

    tx: Tx
    services: Services
    reply: PendingReply

    @cached_property
    def step(self) -> Step:
        """What the author described."""
        return Step.of(self.reply.step)

    @property
    def answers(self) -> Json:
        """The answers so far."""
        return self.reply.answers

    @property
    def next_ask(self) -> int | None:
        """The question that is asked now."""
        return conversation.next_ask(self.step, self.answers)

    @cached_property
    def sign(self) -> Sign:
        """Makes the callback data of this step's buttons."""
        return keyboards.signer(
            self.reply.id,
            self.step.recipient_id,
            derive_key(self.services.settings.bot_token.get_secret_value()),
        )

    async def may_be_answered_by(self, user_id: int) -> bool:
        """Whether a person may answer: its recipient, or in a group whoever its rule allows.

        Of a step that one person takes it is that person, whom an administrator may have chosen.
        """
        step = self.step
        if self.reply.claimed_by is not None:
            return user_id == self.reply.claimed_by
        if step.recipient_id is not None:
            return user_id == step.recipient_id
        if isinstance(step.allow, tuple):
            return user_id in step.allow
        if step.allow == "anyone":
            return True
        if step.allow == "admins":
            return await _is_admin(self.services, self.reply.chat_id, user_id)
        async with asking_the_engine():
            group = step.allow.removeprefix(ENGINE_GROUP)
            return await self.services.engine.is_member(f"tg_user_{user_id}", group)

    async def post(self, *drafts: Draft) -> None:
        """Queue the next messages of this step."""
        await outbox.post(
            self.tx, self.reply.chat_id, drafts, pending_reply_id=self.reply.id, priority=outbox.REPLY
        )

    async def take(
        self, index: int, kept: Json, by: int, by_name: str, *, reply_to: int | None = None
    ) -> None:
        """Keep the answer to a question and go on: the next question, the closing buttons, or the end."""
        await self.keep(self.step.asks[index].name, kept)
        note = render_html(texts.answered_by(str(kept["shown"]), None))
        await endings.retire(
            self.tx, await outbox.of_reply(self.tx, self.reply.id, items=[f"q{index}"]), note
        )
        await self.go_on(by, by_name, reply_to=reply_to)

    async def keep(self, name: str, kept: Json) -> None:
        """Store one answer, whole or in part."""
        self.reply.answers = {**self.answers, name: kept}
        await transitions.keep_answers(self.tx, self.reply.id, self.reply.answers)

    async def ask_again(self, index: int, *, reply_to: int | None = None) -> None:
        """Ask a question that has an answer; that one can be kept."""
        ask, name = self.step.asks[index], self.step.asks[index].name
        # Of several files the list says what there is, and it can be changed before Done is tapped again.
        old = {} if ask.takes_many else self.answers.get(name, {})
        await self.keep(name, {"before": old} if "value" in old else old)
        await endings.retire(self.tx, await outbox.of_reply(self.tx, self.reply.id))
        await self.go_on(self.reply.recipient_id or 0, "", reply_to=reply_to)

    async def go_on(self, by: int, by_name: str, *, reply_to: int | None = None) -> None:
        """Ask what is next, or end the step when nothing is left to ask."""
        upcoming = self.next_ask
        if upcoming is not None:
            asked = conversation.question(self.step, upcoming, self.sign, self.answers, reply_to=reply_to)
            await self.post(asked)
            await self._list_what_there_is()
            return
        closing = conversation.closing(self.step, self.answers, self.sign)
        if closing is not None:
            await transitions.close_dialog(
                self.tx, self.reply.id
            )  # what is left is a tap, which needs no focus
            await self.post(closing)
            return
        await self.finish(None, by, by_name)

    async def finish(self, action: str | None, by: int, by_name: str) -> bool:
        """End the step with an action, or without one; False if somebody was faster."""
        outcome = conversation.outcome(self.step, self.answers, action, self.reply.votes)
        caption = next((known.caption for known in self.step.actions if known.name == action), "")
        return await self.end(outcome, caption or texts.say("done"), by, by_name)

    async def end(self, outcome: Json, caption: str, by: int, by_name: str) -> bool:
        """End the step with what the engine is to be told; its buttons go and the decision is shown."""
        if not await transitions.answer(self.tx, self.reply.id, outcome, by, by_name):
            return False
        await self._clean_up(texts.answered_by(caption, by_name))
        return True

    async def _clean_up(self, note: str) -> None:
        """What is left of the step's messages is for its author to say."""
        after = self.step.after
        prompts = await outbox.of_reply(self.tx, self.reply.id, ended=after != "keep")
        if after == "keep":
            await endings.retire(self.tx, prompts, render_html(note))
            return
        heading = f"<b>{escape_value(self.step.title)}</b><br/>" if self.step.title else ""
        summary = render_html(heading + note)
        if after == "summarise":
            await endings.summarise(self.tx, prompts, summary)
        else:
            await endings.take_away(self.tx, prompts, summary)

    async def show_again(self) -> None:
        """Post the step anew, at the question where it stands; the older copy loses its buttons."""
        await endings.retire_all(self.tx, self.reply.id)
        await transitions.place(self.tx, self.reply.id, shown=True)
        shown = conversation.shown_anew(
            self.step,
            self.answers,
            self.sign,
            dialog_open=self.reply.dialog_open,
            claimed_by=self.reply.claimed_by_name,
        )
        await self.post(*shown)
        if self.reply.dialog_open:
            await self._list_what_there_is()

    async def list_files(self, ask: Ask, *, anew: bool = False) -> None:
        """Say which files have come for a question, in one message that is edited.

        ``anew``: in a new one at the end of the chat, and the older one goes.
        """
        key = f"files:{self.reply.id}:{ask.name}"
        if anew:
            await outbox.end_shown(self.tx, key)
        await outbox.forget_ended(self.tx, key)
        files = [
            texts.Listed(each.id, each.name, each.size_bytes, each.done_bytes, each.state == "stored")
            for each in await uploads.of_variable(self.tx, self.reply.id, ask.name)
        ]
        draft = conversation.file_list(self.step, self.step.asks.index(ask), self.sign, files)
        await outbox.show(
            self.tx,
            key,
            self.reply.chat_id,
            draft,
            pending_reply_id=self.reply.id,
            priority=outbox.REPLY,
        )

    async def _list_what_there_is(self) -> None:
        """Under a question for several files that is asked again: those that have come before."""
        upcoming = self.next_ask
        if upcoming is None or not self.step.asks[upcoming].takes_many:
            return
        ask = self.step.asks[upcoming]
        if await uploads.of_variable(self.tx, self.reply.id, ask.name):
            await self.list_files(ask, anew=True)

    async def leave(self) -> None:
        """Close the form but not the step: the answers so far are kept, another form may be opened."""
        await endings.retire_all(self.tx, self.reply.id)
        await transitions.close_dialog(self.tx, self.reply.id)
        rich = render_html(texts.say("left", title=escape_value(self.step.title)))
        await self.post(
            Draft(
                "dialog_prompt",
                rich,
                item="actions",
                rows=(((texts.say("button-answer"), self.sign("d", "")),),),
            )
        )


async def open_dialog(context: Context, reply_id: int) -> Dialog | None:
    """The open step with its row locked, or None if it is over."""
    reply = await transitions.lock_reply(context.tx, reply_id)
    if reply is None or reply.state not in transitions.OPEN:
        return None
    return Dialog(context.tx, context.services, reply)


def was_handed_over(context: Context, dialog: Dialog) -> bool:
    """Whether this chat had the step until it went to another one."""
    return dialog.step.escalated_from == context.chat_id


def how_it_ended(reply: PendingReply | None) -> str:
    """What whoever comes too late for a step is told."""
    if reply is None:
        return texts.say("outdated")
    if reply.state == "withdrawn":
        return texts.say("withdrawn")
    if reply.answered_by is not None:
        return texts.taken(reply.answered_by_name, reply.answered_at)
    return texts.say("time-is-up") if transitions.has_expired(reply) else texts.say("outdated")


async def has_expired(context: Context) -> bool:
    """Whether a message replies to a step that has expired, or comes just when one of its chat does."""
    replied = context.message.reply_to_message
    prompt = replied and await outbox.by_message(context.tx, context.chat_id, replied.message_id)
    if prompt and prompt.pending_reply_id is not None:
        reply = await transitions.lock_reply(context.tx, prompt.pending_reply_id)
        return reply is not None and transitions.has_expired(reply)
    return context.is_private and await transitions.expired_lately(context.tx, context.chat_id, LATELY_S)


async def may_answer(context: Context, dialog: Dialog, user: User) -> bool:
    """Whether a person may answer a step here and now."""
    return not was_handed_over(context, dialog) and await dialog.may_be_answered_by(user.id)


async def is_admin(context: Context, chat_id: int, user: User) -> bool:
    """Whether a person is an administrator of a group, by Telegram's word of this moment."""
    return await _is_admin(context.services, chat_id, user.id)


async def _is_admin(services: Services, chat_id: int, user_id: int) -> bool:
    found = await services.bot.get_chat_administrators(chat_id, read_timeout=ASK_TIMEOUT_S)
    return any(each.user.id == user_id for each in found)


async def target(context: Context) -> tuple[Dialog | None, int | None]:
    """The step that a message answers, and the question: what it replies to, else the one open dialog.

    Raises:
        WhichQuestion: it replies to what several steps may have asked.
    """
    message = context.message
    if message.reply_to_message is not None:
        prompt = await outbox.by_message(context.tx, context.chat_id, message.reply_to_message.message_id)
        item = str(prompt.content.get("item") or "") if prompt else ""
        if prompt and prompt.pending_reply_id is not None and item.startswith("q"):
            return await open_dialog(context, prompt.pending_reply_id), int(item[1:])
        if prompt is None and (asked := await _asked_by_copy(context, message.reply_to_message)):
            return await _behind_copy(context, message.reply_to_message, asked)
    if not context.is_private:
        return None, None
    reply_id = await replies.dialog_of_chat(context.tx, context.chat_id)
    dialog = None if reply_id is None else await open_dialog(context, reply_id)
    return dialog, None if dialog is None else dialog.next_ask


async def _asked_by_copy(context: Context, replied: Message) -> set[tuple[int, str]]:
    """What a message of ours that no row knows may have asked: its words say of what it is a copy."""
    is_ours = replied.from_user is not None and replied.from_user.id == context.services.settings.bot_id
    if not is_ours or not replied.text:
        return set()
    return await outbox.questions_that_say(context.tx, context.chat_id, replied.text)


async def _behind_copy(
    context: Context, replied: Message, asked: set[tuple[int, str]]
) -> tuple[Dialog | None, int | None]:
    if len(asked) > 1:
        raise WhichQuestion
    ((reply_id, item),) = asked
    await outbox.adopt(context.tx, context.chat_id, replied.message_id, reply_id)
    return await open_dialog(context, reply_id), int(item[1:])
