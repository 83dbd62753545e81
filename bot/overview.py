"""What a person can look up: what waits for them, where their processes stand, what they answered."""

import asyncio
from collections.abc import Sequence

from telegram import InputFile

from bot.context import Context, asking_the_engine
from shared import outbox, replies, texts, transitions
from shared.drawing import draw
from shared.links import to_message
from shared.models import PendingReply, Prompt
from shared.signing import Tap
from shared.steps.keyboards import shortened
from shared.steps.model import Step
from shared.steps.widgets import Button

PAGE = 8
SHOWN = 10
TITLE_CHARACTERS = 40


def title_of(step: Step) -> str:
    """A step's title as a button has room for it."""
    return shortened(step.title or "…", TITLE_CHARACTERS)


def _title(reply: PendingReply) -> str:
    return title_of(Step.of(reply.step))


async def tasks(context: Context) -> None:
    """`/tasks`: what waits, since when, until when, and a button for each."""
    html, rows = await _tasks_page(context, 0)
    await context.say(html, rows)


async def _tasks_page(context: Context, page: int) -> tuple[str, Sequence[Sequence[Button]]]:
    waiting, count = await replies.waiting_for(context.tx, context.user.id, page * PAGE, PAGE)
    if not waiting:
        return texts.say("no-tasks"), ()
    ids = [reply.id for reply in waiting]
    handed_over = await replies.handed_over_at(context.tx, ids)
    shown = await outbox.newest_shown(context.tx, [reply.id for reply in waiting if reply.chat_id < 0])
    lines = [
        texts.task_line(
            _title(reply),
            reply.process_definition_key,
            reply.created_at,
            Step.of(reply.step).until or handed_over.get(reply.id),
        )
        for reply in waiting
    ]
    rows = [[_show_button(context, reply, shown.get(reply.id))] for reply in waiting]
    turn = []
    if page > 0:
        turn.append(context.button("‹", "tp", page - 1))
    if (page + 1) * PAGE < count:
        turn.append(context.button("›", "tp", page + 1))
    heading = texts.tasks_heading(page * PAGE + 1, page * PAGE + len(waiting), count)
    return "<br/>".join([heading, *lines]), [*rows, *([turn] if turn else [])]


def _show_button(context: Context, reply: PendingReply, shown: Prompt | None) -> Button:
    """Leads to a group's message where that has an address; else shows the step, or says where it is."""
    caption = texts.say("button-show", title=_title(reply))
    address = shown and to_message(shown.chat_id, shown.message_id, shown.content.get("thread_id"))
    return (caption, address) if address else context.button(caption, "ts", reply.id)


async def history(context: Context) -> None:
    """`/history`: what the person answered, newest first."""
    found = await replies.answered_by(context.tx, context.user.id, SHOWN)
    lines = [texts.history_line(reply.answered_at, _title(reply), _answer_of(reply)) for reply in found]
    await context.say("<br/>".join([texts.say("history"), *lines]) if lines else texts.say("no-history"))


def _answer_of(reply: PendingReply) -> str:
    """What a person answered, in a few words."""
    step, outcome = Step.of(reply.step), reply.outcome or {}
    if outcome.get("kind") != "complete":
        return texts.say("cancel-done")
    chosen = (outcome["variables"].get("action") or {}).get("value")
    captions = [action.caption for action in step.actions if action.name == chosen]
    told = [str(answer["shown"]) for answer in reply.answers.values() if "value" in answer]
    return shortened(", ".join([*told, *captions]) or texts.say("done"), 100)


async def status(context: Context) -> None:
    """`/status`: the process instances of the person that still run."""
    newest = await replies.instances_of(context.tx, context.user.id, SHOWN)
    engine = context.services.engine
    async with asking_the_engine():
        running = await asyncio.gather(
            *(engine.process_instance(each.process_instance_id) for each in newest)
        )
    rows = [
        [context.button(_caption(reply), "si", reply.id)]
        for reply, instance in zip(newest, running, strict=True)
        if instance is not None
    ]
    await context.say(texts.say("status") if rows else texts.say("no-status"), rows)


def _caption(reply: PendingReply) -> str:
    key = reply.business_key if reply.business_key and not reply.business_key.startswith("start:") else ""
    return " · ".join(filter(None, (reply.process_definition_key, shortened(key, 30))))


async def tapped(context: Context, tap: Tap) -> bool:
    """A button of /tasks that turns its page, or one of /status; False if it is none."""
    if tap.item == "tp" and tap.option.isdigit():
        context.toast()
        await context.menu(*await _tasks_page(context, int(tap.option)))
        return True
    if tap.item != "si" or not tap.option.isdigit():
        return False
    reply = await transitions.lock_reply(context.tx, int(tap.option))
    if reply is None:
        context.toast(texts.say("outdated"))
        return True
    context.toast()
    await _show_place(context, reply)
    return True


async def _show_place(context: Context, reply: PendingReply) -> None:
    """The diagram with the places where an instance stands; in words where there is no diagram."""
    engine = context.services.engine
    async with asking_the_engine():
        places = await engine.places(reply.process_instance_id)
        activities = await engine.history_activities(reply.process_instance_id) if places else []
        xml = await engine.definition_xml(reply.process_definition_id)
    if not places:
        await context.say(texts.say("no-status"))
        return
    done = {each.activity_id for each in activities if each.ended_at is not None} - set(places)
    picture = await asyncio.to_thread(draw, xml, here=places, done=done)
    names = {each.activity_id: each.activity_name or each.activity_id for each in activities}
    words = texts.stands_at(reply.process_definition_key, [names.get(each, each) for each in places])
    if picture is None:
        await context.say(words)
        return
    chat_id, bot = context.chat_id, context.services.bot
    caption = texts.plain_place(reply.process_definition_key, [names.get(each, each) for each in places])

    async def send() -> None:
        await bot.send_photo(chat_id, InputFile(picture, filename="status.png"), caption=caption[:1024])

    context.after.append(send)
