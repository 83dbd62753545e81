"""The one outbox: every message of ours is a row before it is sent, and is changed through its row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Executable,
    ScalarSelect,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.db import Tx, given, notify
from shared.models import Json, Prompt
from shared.queues import Queue, birth, hand_over, kept, settle, settled_as, task_of
from shared.steps.conversation import REMINDER as REMINDS
from shared.steps.conversation import Draft

REPLY, PROMPT, REMINDER, BULK = 0, 1, 2, 3
"""Lanes: an answer to somebody who waits goes before a new step, that before reminders, and bulk is last."""

OVERDUE_S = 60.0
"""A message of a lower lane that waited so long goes among the prompts, however many those are."""

# The index of what waits has the order of the claims, so a claim costs the same whatever waits behind.
_NEW: dict[str, Any] = {"order_key": "chat_id", "first": ("priority",), "poison": "failed"}

SENDING = Queue("prompts", Prompt, ("queued",), **_NEW)
"""New messages, in order within each chat."""

REPLIES = Queue("replies", Prompt, ("queued",), only=(Prompt.priority == REPLY,), **_NEW)
"""Those of them that somebody waits for; with a loop of their own they find a free hand."""

OVERDUE = Queue(
    "overdue_prompts",
    Prompt,
    ("queued",),
    only=(Prompt.priority > PROMPT, Prompt.created_at < func.now() - timedelta(seconds=OVERDUE_S)),
    **_NEW | {"first": ()},
)
"""Those of them that would be passed over for ever, oldest first."""

CHANGES = Queue("changes", Prompt, ("editing", "retiring", "deleting"), poison="failed")
"""Messages to edit, to close or to take away; never before the next new message of their chat."""

HELD = Queue("held", Prompt, ("held",))
"""Messages of steps that have no place in their chat yet; only a chat's oldest is ever due."""

NEVER = timedelta(days=36_500)
"""Until when a message that is held back and is not its chat's oldest waits, unless it is woken."""

TABLE = cast("Table", Prompt.__table__)


@dataclass(frozen=True)
class Post:
    """New messages for a chat, in order; those that are ``held`` wait for a place (:mod:`shared.places`)."""

    chat_id: int
    drafts: Sequence[Draft]
    pending_reply_id: int | None = None
    held: bool = False


async def post(
    tx: Tx,
    chat_id: int,
    drafts: Iterable[Draft],
    *,
    pending_reply_id: int | None = None,
    dedupe: str | None = None,
    priority: int = PROMPT,
    keyboard: Json | None = None,
) -> list[int]:
    """Queue messages for a chat, in order. With ``dedupe``, a repetition of the same call queues nothing.

    ``keyboard`` is a reply_markup of the Bot API for the messages, where they have no buttons of their own.
    """
    what = Post(chat_id, list(drafts), pending_reply_id)
    return await post_all(tx, [what], dedupe=dedupe, priority=priority, keyboard=keyboard)


async def post_all(
    tx: Tx,
    posts: Sequence[Post],
    *,
    dedupe: str | None = None,
    priority: int = PROMPT,
    keyboard: Json | None = None,
) -> list[int]:
    """As :func:`post`, for many chats in one statement; what this process has room for, it sends itself."""
    queue = REPLIES if priority == REPLY else SENDING
    drafts = [(each, number, draft) for each in posts for number, draft in enumerate(each.drafts)]
    ours = kept(tx, queue, (None if each.held else each.chat_id for each, _, _ in drafts))
    rows = [
        {
            "place": place,
            "chat_id": each.chat_id,
            "kind": draft.kind,
            "content": draft.content() | ({"reply_markup": keyboard} if keyboard else {}),
            "pending_reply_id": each.pending_reply_id,
            "dedupe_key": None if dedupe is None else f"{dedupe}:{number}",
            "is_held": each.held,
            "is_ours": ours[place],
        }
        for place, (each, number, draft) in enumerate(drafts)
    ]
    if not rows:
        return []
    made = (await tx.execute(_post_statement(tx, rows, priority, queue))).all()
    handed = {row.chat_id for row in made if row.claim is not None}
    for row in made:
        if row.claim is not None:
            columns = row._asdict()
            task = columns.pop("task")
            hand_over(tx, queue, Prompt(**columns), task)
    # Whatever stands behind one of ours is woken when that is sent.
    if others := sorted({row.chat_id for row in made if row.state == "queued"} - handed):
        await _lift(tx, others, priority)
        await notify(tx, queue.name)
    return [row.id for row in made]


def _post_statement(tx: Tx, rows: Sequence[Json], priority: int, queue: Queue[Prompt]) -> Executable:
    new = given(
        rows, place=BigInteger(), chat_id=BigInteger(), kind=Text(), content=JSONB(),
        pending_reply_id=BigInteger(), dedupe_key=Text(), is_held=Boolean(), is_ours=Boolean(),
    ).c  # fmt: skip
    born = birth(tx, queue, new.is_ours, new.chat_id)
    values: dict[str, Any] = {
        "chat_id": new.chat_id,
        "kind": new.kind,
        "content": new.content,
        "pending_reply_id": new.pending_reply_id,
        "dedupe_key": new.dedupe_key,
        "priority": literal(priority, BigInteger()),
        "state": case((new.is_held, "held"), else_="queued"),
        **born,
        "due_at": case((new.is_held, func.now() + NEVER), else_=born["due_at"]),
    }
    statement = insert(TABLE).from_select(list(values), select(*values.values()).order_by(new.place))
    return statement.on_conflict_do_nothing().returning(*TABLE.c, task_of(Prompt).label("task"))


async def _lift(tx: Tx, chat_ids: Sequence[int], priority: int) -> None:
    """Let what waits for a chat go as soon as the newest of its messages: they go in order."""
    slower = (
        select(Prompt.id)
        .where(Prompt.chat_id.in_(chat_ids), Prompt.state == "queued", Prompt.priority > priority)
        .with_for_update(skip_locked=True)  # a sender that holds one is about to be done with it
    )
    await tx.execute(
        update(Prompt)
        .where(Prompt.id.in_(slower))
        .values(priority=priority)
        .execution_options(synchronize_session=False)
    )


async def show(
    tx: Tx,
    key: str,
    chat_id: int,
    draft: Draft,
    *,
    pending_reply_id: int | None = None,
    priority: int = PROMPT,
    every_s: float = 0,
) -> None:
    """Show something in the one message named ``key``: sent first, then edited; the newest content wins.

    It is edited ``every_s`` at most.
    """
    statement = insert(Prompt).values(
        chat_id=chat_id,
        kind=draft.kind,
        state="queued",
        content=draft.content(),
        dedupe_key=key,
        pending_reply_id=pending_reply_id,
        priority=priority,
    )
    # An edit that nobody has taken yet, or a message not yet sent, simply carries the newer content.
    again = statement.on_conflict_do_update(
        index_elements=["dedupe_key"],
        set_={
            "content": statement.excluded.content,
            "state": case((Prompt.state == "sent", "editing"), else_=Prompt.state),
            "due_at": case(
                (Prompt.state == "queued", Prompt.due_at),
                (and_(Prompt.state == "editing", literal(every_s > 0)), Prompt.due_at),
                else_=_now_unless_in_hand(every_s),
            ),
        },
        where=and_(
            Prompt.state.in_(("queued", "sent", "editing")), Prompt.content != statement.excluded.content
        ),
    )
    state = await tx.scalar(again.returning(Prompt.state))
    if state == "queued":
        await notify(tx, (REPLIES if priority == REPLY else SENDING).name)
    elif state == "editing":
        await notify(tx, CHANGES.name)


def rest_key(chat_id: int) -> str:
    """The name of the one message that tells a chat how many steps are held back."""
    return f"rest:{chat_id}"


async def end_shown(tx: Tx, key: str) -> None:
    """Take the message named ``key`` away; the next one of that name is a new message."""
    await delete_shown(tx, Prompt.dedupe_key == key)


async def forget_ended(tx: Tx, key: str) -> None:
    """Let the message named ``key`` be a new one next time, where the last one lost its buttons and stays."""
    over = Prompt.dedupe_key == key, Prompt.state.not_in(("held", "queued", "sent", "editing"))
    await tx.execute(
        update(Prompt).where(*over).values(dedupe_key=None).execution_options(synchronize_session=False)
    )


async def delete_shown(tx: Tx, which: ColumnElement[bool]) -> None:
    """Delete messages; one that a sender has in hand goes when it is sent."""
    never_sent = and_(Prompt.message_id.is_(None), Prompt.claim.is_(None))
    await tx.execute(
        update(Prompt)
        .where(which)
        .values(
            dedupe_key=None,
            # One that is too old to delete keeps its words.
            content=Prompt.content.op("-")("reply_markup"),
            state=case((never_sent, "retired"), else_="deleting"),
            due_at=_now_unless_in_hand(),
        )
        .execution_options(synchronize_session=False)
    )
    await notify(tx, CHANGES.name)


def _now_unless_in_hand(after_s: float = 0) -> ColumnElement[datetime]:
    """When a change is due. Two at once could reach Telegram in either order, so one in hand ends first."""
    return case((Prompt.claim.is_(None), func.now() + timedelta(seconds=after_s)), else_=Prompt.due_at)


def _oldest_held(chat_id: int) -> ScalarSelect[int]:
    held = Prompt.chat_id == chat_id, Prompt.state == "held"
    return select(Prompt.id).where(*held).order_by(Prompt.id).limit(1).scalar_subquery()


async def wake_held(tx: Tx, chat_id: int) -> bool:
    """Let the oldest message that is held back ask for a place at once; False if there is none."""
    # Whoever asks for it just now counts places as they were: its claim ends, and it is asked for again.
    woken = await tx.scalar(
        update(Prompt)
        .where(Prompt.id == _oldest_held(chat_id))
        .values(due_at=func.now(), claim=None)
        .returning(Prompt.id)
        .execution_options(synchronize_session=False)
    )
    if woken is not None:
        await notify(tx, HELD.name)
    return woken is not None


async def look_after_held(tx: Tx, chat_id: int, within_s: float) -> None:
    """Let the oldest message that is held back ask for a place within some seconds, if not sooner."""
    soon = func.now() + timedelta(seconds=within_s)
    await tx.execute(
        update(Prompt)
        .where(Prompt.id == _oldest_held(chat_id), Prompt.due_at > soon)
        .values(due_at=soon)
        .execution_options(synchronize_session=False)
    )


async def release(tx: Tx, pending_reply_id: int) -> None:
    """Queue the messages of a step that were held back."""
    await tx.execute(
        update(Prompt)
        .where(Prompt.pending_reply_id == pending_reply_id, Prompt.state == "held")
        .values(state="queued", due_at=func.now(), claim=None, attempts=0, last_error=None)
        .execution_options(synchronize_session=False)
    )
    await notify(tx, SENDING.name)


async def edit(tx: Tx, prompt: Prompt, draft: Draft) -> None:
    """Give a message that is shown another content."""
    await _give_content(tx, prompt, draft.content(), literal(REPLY))


async def reword(tx: Tx, prompt: Prompt, content: Json) -> None:
    """Give a message that is shown other words when there is nothing more urgent to say."""
    await _give_content(tx, prompt, content, case((Prompt.state == "sent", REMINDER), else_=Prompt.priority))


async def _give_content(tx: Tx, prompt: Prompt, content: Json, priority: ColumnElement[int]) -> None:
    await tx.execute(
        update(Prompt)
        .where(Prompt.id == prompt.id, Prompt.state.in_(("sent", "editing")))
        .values(content=content, state="editing", due_at=_now_unless_in_hand(), priority=priority)
        .execution_options(synchronize_session=False)
    )
    await notify(tx, CHANGES.name)


async def change_buttons(tx: Tx, prompt: Prompt, keyboard: Json) -> None:
    """Give a message that is shown other buttons; its words stay."""
    await tx.execute(
        update(Prompt)
        .where(Prompt.id == prompt.id, Prompt.state.in_(("queued", "sent", "editing")))
        .values(
            content=Prompt.content.op("||")(literal({"reply_markup": keyboard}, JSONB())),
            state=case((Prompt.state == "queued", "queued"), else_="editing"),
            due_at=case((Prompt.state == "queued", Prompt.due_at), else_=_now_unless_in_hand()),
            priority=REPLY,
        )
        .execution_options(synchronize_session=False)
    )
    await notify(tx, CHANGES.name)


async def record_sent(tx: Tx, prompt: Prompt, message_id: int) -> None:
    """Note that a message was sent, whatever has become of its row or of the sender's claim meanwhile.

    What was retired or given newer content while it was on its way is changed next; so is a message that was
    touched, and adopted, before its sender came here.
    """
    touched = await tx.scalar(
        delete(Prompt)
        .where(Prompt.chat_id == prompt.chat_id, Prompt.message_id == message_id, Prompt.id != prompt.id)
        .returning(Prompt.id)
    )
    state = case(
        (Prompt.state == "retired" if touched is None else true(), "retiring"),
        (Prompt.state != "queued", Prompt.state),
        (Prompt.content == prompt.content, "sent"),
        else_="editing",
    )
    statement = (
        update(Prompt)
        .where(Prompt.id == prompt.id, Prompt.message_id.is_(None))
        .values(
            message_id=message_id,
            sent_at=func.now(),
            state=state,
            content=Prompt.content if touched is None else Prompt.content.op("-")("reply_markup"),
            due_at=func.now(),
            claim=None,
            attempts=0,
            last_error=None,
        )
        .returning(Prompt.state)
    )
    recorded = await tx.scalar(statement)
    if recorded is None:
        # Sent twice: the row knows the other copy, so this one gets a row of its own and loses its buttons.
        await adopt(tx, prompt.chat_id, message_id, prompt.pending_reply_id)
    if recorded != "sent":
        await notify(tx, CHANGES.name)
    await _free_the_next(tx, prompt.chat_id)


async def _free_the_next(tx: Tx, chat_id: int) -> None:
    """Wake the senders if something waited behind a message of a chat."""
    waits = select(Prompt.priority).where(Prompt.chat_id == chat_id, Prompt.state == "queued")
    lane = await tx.scalar(waits.order_by(Prompt.id).limit(1))
    if lane is not None:
        await notify(tx, (REPLIES if lane == REPLY else SENDING).name)


async def record_unreachable(tx: Tx, prompt: Prompt, reason: str) -> None:
    """Note that the person of a chat cannot be reached; the message waits for them, unless it was retired.

    Raises:
        LostClaim: the claim lapsed and another sender tries.
    """
    state = case((Prompt.state == "queued", "undeliverable"), else_="retired")
    await settle(tx, prompt, state=state, last_error=reason)


async def record_changed(tx: Tx, prompt: Prompt) -> None:
    """Note that a change was made. Whatever was asked of the message meanwhile is due next.

    Raises:
        LostClaim: the claim lapsed and another sender makes the change.
    """
    done = "sent" if prompt.state == "editing" else "retired"
    as_asked = and_(Prompt.state == prompt.state, Prompt.content == prompt.content)
    state = case((as_asked, done), else_=Prompt.state)
    if await settled_as(tx, prompt, state=state, due_at=func.now()) != done:
        await notify(tx, CHANGES.name)


async def of_reply(
    tx: Tx, pending_reply_id: int, *, items: Sequence[str] | None = None, ended: bool = False
) -> Sequence[Prompt]:
    """The messages of a step that are waiting or shown, oldest first.

    Only those of ``items`` if given; with ``ended`` also those that lost their buttons and are still there.
    """
    waiting = Prompt.state.in_(("held", "queued", "sent", "editing", "undeliverable"))
    still_there = and_(Prompt.state.in_(("retiring", "retired")), Prompt.message_id.is_not(None))
    found = await tx.scalars(
        select(Prompt)
        .where(Prompt.pending_reply_id == pending_reply_id, or_(waiting, still_there) if ended else waiting)
        .order_by(Prompt.id)
        .with_for_update()
    )
    return [each for each in found if items is None or each.content.get("item") in items]


async def newest_shown(tx: Tx, reply_ids: Sequence[int]) -> dict[int, Prompt]:
    """The newest message of each of some steps that is shown and can be answered."""
    shown = Prompt.state.in_(("sent", "editing")), Prompt.message_id.is_not(None), Prompt.kind != REMINDS
    of_these = Prompt.pending_reply_id.in_(reply_ids), *shown
    newest = select(func.max(Prompt.id)).where(*of_these).group_by(Prompt.pending_reply_id)
    found = await tx.scalars(select(Prompt).where(Prompt.id.in_(newest)))
    return {each.pending_reply_id: each for each in found if each.pending_reply_id is not None}


async def by_message(tx: Tx, chat_id: int, message_id: int) -> Prompt | None:
    """The message of ours that a reply or a tap refers to."""
    found = await tx.scalar(select(Prompt).where(Prompt.chat_id == chat_id, Prompt.message_id == message_id))
    return found if isinstance(found, Prompt) else None


async def questions_that_say(tx: Tx, chat_id: int, words: str) -> set[tuple[int, str]]:
    """The questions of a chat that were asked in these words: the ids of their steps, and their items."""
    said = Prompt.content["text"].astext
    found = await tx.execute(
        select(Prompt.pending_reply_id, Prompt.content["item"].astext)
        .where(
            Prompt.chat_id == chat_id,
            Prompt.pending_reply_id.is_not(None),
            Prompt.content["item"].astext.startswith("q"),
            # Under a question that was answered stands a line that says so.
            or_(
                func.btrim(said, " \n") == words.strip(),
                said.startswith(words.strip() + "\n\n", autoescape=True),
            ),
        )
        .limit(50)
    )
    return {(reply_id, item) for reply_id, item in found}


async def adopt(tx: Tx, chat_id: int, message_id: int, pending_reply_id: int | None) -> None:
    """Take the buttons off a message that we know only because it was touched.

    Its sending was accepted but the answer was lost, so no row carries its id.
    """
    statement = insert(Prompt).values(
        chat_id=chat_id,
        message_id=message_id,
        pending_reply_id=pending_reply_id,
        kind="action_buttons",
        state="retiring",
        content={},
    )
    await tx.execute(statement.on_conflict_do_nothing())
    await notify(tx, CHANGES.name)


async def move_chat(tx: Tx, old_id: int, new_id: int) -> None:
    """Send what waits for a group to its new id."""
    moved = Prompt.chat_id == old_id, Prompt.state.in_(("held", "queued"))
    await tx.execute(update(Prompt).where(*moved).values(chat_id=new_id))


async def reachable_again(tx: Tx, chat_id: int) -> int:
    """Queue what could not be delivered to a chat, now that its person is back; the number of messages."""
    found = await tx.scalars(
        update(Prompt)
        .where(Prompt.chat_id == chat_id, Prompt.state == "undeliverable")
        .values(state="queued", due_at=func.now(), attempts=0, claim=None)
        .returning(Prompt.id)
    )
    count = len(found.all())
    if count:
        await notify(tx, SENDING.name)
        await notify(tx, REPLIES.name)
    return count
