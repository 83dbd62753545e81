"""The outbox: order in a chat, messages changed while they are on their way, and nothing said twice."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import endings, outbox
from shared.db import Database
from shared.markup import Rich, render_html
from shared.models import Json, Prompt
from shared.outbox import BULK, CHANGES, OVERDUE, PROMPT, REMINDER, REPLIES, REPLY, SENDING
from shared.queues import LostClaim, Queue, claim
from shared.steps.conversation import Draft
from tests.fakes.rows import a_prompt, a_reply, all_of, change, get, lapse
from tests.fakes.steps import ANN

BOB = ANN + 1
BUTTONS: Json = {"inline_keyboard": [[{"text": "Yes", "callback_data": "x"}]]}
FORCED: Json = {"force_reply": True, "selective": True}
WITH_BUTTONS: Json = {"text": "Sure?", "reply_markup": BUTTONS}
NOTE = Rich("✓ Yes")


def notice(text: str, **more: Any) -> Draft:
    """A plain message."""
    return Draft("notice", Rich(text), **more)


async def post(db: Database, *texts: str, chat_id: int = ANN, **options: Any) -> list[int]:
    """Queue plain messages."""
    async with db.begin() as tx:
        return await outbox.post(tx, chat_id, [notice(text) for text in texts], **options)


async def take(db: Database, queue: Queue[Prompt] = SENDING, limit: int = 100) -> Sequence[Prompt]:
    """Claim messages to send or to change."""
    async with db.begin() as tx:
        return await claim(tx, queue, limit, 60)


async def sent(db: Database, prompt: Prompt, message_id: int) -> None:
    """Record that a message was sent."""
    async with db.begin() as tx:
        await outbox.record_sent(tx, prompt, message_id)


async def changed(db: Database, prompt: Prompt) -> None:
    """Record that a change was made."""
    async with db.begin() as tx:
        await outbox.record_changed(tx, prompt)


async def retire(db: Database, prompt_id: int, note: Rich | None = NOTE) -> Prompt:
    """Retire one message; its row afterwards."""
    async with db.begin() as tx:
        await endings.retire(tx, [await get(db, Prompt, prompt_id)], note)
    return await get(db, Prompt, prompt_id)


async def show(db: Database, text: str, key: str = "progress:1") -> Prompt:
    """Show a text in the message of that key; its row afterwards."""
    async with db.begin() as tx:
        await outbox.show(tx, key, ANN, Draft("notice", Rich(text)))
    return (await all_of(db, Prompt, Prompt.dedupe_key == key))[0]


def is_due(prompt: Prompt) -> bool:
    """Whether its time has come."""
    return prompt.due_at <= datetime.now(UTC)


# order


async def test_a_chat_gets_its_messages_one_after_the_other(db: Database) -> None:
    await post(db, "A1", "A2")
    await post(db, "B1", chat_id=BOB)
    await post(db, "A3")
    order = []
    for number in range(3):
        heads = await take(db)
        order.append([prompt.content["text"] for prompt in heads])
        assert not await take(db), "the next one waits until this one is sent"
        for prompt in heads:
            await sent(db, prompt, 10 * number + prompt.chat_id)
    assert order == [["A1", "B1"], ["A2"], ["A3"]]


@pytest.mark.parametrize("state", ["sent", "editing", "retiring", "retired", "failed", "undeliverable"])
async def test_only_what_is_still_to_be_sent_holds_up_its_chat(db: Database, state: str) -> None:
    await a_prompt(db, ANN, state=state)
    (later,) = await post(db, "next")
    assert [prompt.id for prompt in await take(db)] == [later]


async def test_an_answer_goes_before_the_prompts_of_other_chats(db: Database) -> None:
    await post(db, "prompt", chat_id=1)
    await post(db, "bulk", chat_id=2, priority=BULK)
    await post(db, "reply", chat_id=3, priority=REPLY)
    told = [(await take(db, limit=1))[0].content["text"] for _ in range(3)]
    assert told == ["reply", "prompt", "bulk"]


async def test_the_lanes_go_one_after_the_other_and_each_by_age(db: Database) -> None:
    for chat_id, lane in enumerate((BULK, REMINDER, PROMPT, REPLY) * 2, start=1):
        await post(db, str(lane), chat_id=chat_id, priority=lane)
    order = [(await take(db, limit=1))[0].chat_id for _ in range(8)]
    assert order == [4, 8, 3, 7, 2, 6, 1, 5]


async def test_a_reply_finds_a_free_hand_beside_all_others(db: Database) -> None:
    await post(db, "prompt", chat_id=1)
    await post(db, "reply", chat_id=2, priority=REPLY)
    assert [prompt.content["text"] for prompt in await take(db, REPLIES)] == ["reply"]


async def test_a_reply_takes_what_waits_before_it_in_its_chat_along_and_keeps_the_order(db: Database) -> None:
    await post(db, "bulk", chat_id=1, priority=BULK)
    await post(db, "foreign bulk", chat_id=2, priority=BULK)
    await post(db, "reply", chat_id=1, priority=REPLY)
    order = []
    for number in range(2):
        (prompt,) = await take(db, REPLIES)
        order.append(prompt.content["text"])
        await sent(db, prompt, number + 1)
    assert order == ["bulk", "reply"]
    assert not await take(db, REPLIES)


async def test_what_was_passed_over_for_a_minute_is_taken_all_the_same(db: Database) -> None:
    for chat_id, age_s in ((1, 30), (2, 70), (3, 61)):
        (waiting,) = await post(db, "bulk", chat_id=chat_id, priority=BULK)
        await change(db, Prompt, waiting, created_at=datetime.now(UTC) - timedelta(seconds=age_s))
    (old_prompt,) = await post(db, "prompt", chat_id=4)
    await change(db, Prompt, old_prompt, created_at=datetime.now(UTC) - timedelta(seconds=99))
    assert [prompt.chat_id for prompt in await take(db, OVERDUE)] == [2, 3]


async def test_what_is_posted_keeps_its_step_kind_and_keyboard(db: Database) -> None:
    reply_id = await a_reply(db)
    keyboard = {"keyboard": [[{"text": "Pick"}]]}
    async with db.begin() as tx:
        draft = notice("x", item="q0")
        await outbox.post(tx, ANN, [draft], pending_reply_id=reply_id, keyboard=keyboard)
    (row,) = await all_of(db, Prompt)
    assert (row.pending_reply_id, row.kind, row.priority) == (reply_id, "notice", PROMPT)
    assert row.content == {"text": "x", "item": "q0", "reply_markup": keyboard}


async def test_a_repetition_with_the_same_key_posts_nothing(db: Database) -> None:
    assert len(await post(db, "A", "B", dedupe="step:1")) == 2
    assert await post(db, "A", "B", dedupe="step:1") == []
    assert len(await post(db, "A", "B", dedupe="step:2")) == 2
    assert len(await post(db, "A")) == len(await post(db, "A")) == 1


async def test_of_many_repetitions_at_once_one_posts(db: Database) -> None:
    posted = await asyncio.gather(*(post(db, "A", "B", dedupe="step:1") for _ in range(8)))
    assert sum(map(len, posted)) == len(await all_of(db, Prompt)) == 2


# retiring

RETIRED_AS = [
    # state, in hand, keyboard, state afterwards
    ("queued", False, BUTTONS, "retired"),
    ("queued", False, None, "retired"),
    ("queued", True, BUTTONS, "retiring"),
    ("queued", True, FORCED, "deleting"),
    ("queued", True, None, "queued"),
    ("sent", False, BUTTONS, "retiring"),
    ("sent", False, FORCED, "deleting"),
    ("sent", False, None, "sent"),
    ("editing", False, BUTTONS, "retiring"),
    ("editing", True, BUTTONS, "retiring"),
    ("editing", False, None, "editing"),
    ("undeliverable", False, BUTTONS, "retired"),
    ("undeliverable", False, None, "retired"),
    ("retiring", False, None, "retiring"),
    ("deleting", False, None, "deleting"),
    ("retired", False, None, "retired"),
    ("failed", False, None, "failed"),
]


@pytest.mark.parametrize(("state", "in_hand", "keyboard", "afterwards"), RETIRED_AS)
async def test_a_message_is_retired_by_what_has_become_of_it(
    db: Database, state: str, in_hand: bool, keyboard: Json | None, afterwards: str
) -> None:
    content = {"text": "Sure?"} | ({"reply_markup": keyboard} if keyboard else {})
    token = {"claim": "1" * 32, "due_at": datetime.now(UTC) + timedelta(seconds=50)} if in_hand else {}
    row = await retire(db, await a_prompt(db, ANN, state=state, content=content, **token))
    assert row.state == afterwards
    assert "reply_markup" not in row.content
    if in_hand:
        assert row.claim is not None, "whoever has it in hand finishes first"
        assert not is_due(row)
    elif afterwards in {"retiring", "deleting"} != {state}:
        assert is_due(row)


async def test_a_retired_message_says_why(db: Database) -> None:
    content = {**WITH_BUTTONS, "entities": [{"type": "bold", "offset": 0, "length": 4}]}
    row = await retire(
        db, await a_prompt(db, ANN, state="sent", content=content), render_html("<i>✓ Yes</i>")
    )
    assert row.content["text"] == "Sure?\n\n✓ Yes"
    assert [(each["type"], each["offset"]) for each in row.content["entities"]] == [
        ("bold", 0),
        ("italic", 7),
    ]


async def test_a_picture_without_a_caption_gets_the_reason_alone(db: Database) -> None:
    content = {"text": "", "photo": "p.png", "reply_markup": BUTTONS}
    row = await retire(db, await a_prompt(db, ANN, state="sent", content=content))
    assert row.content == {"text": "✓ Yes", "entities": [], "photo": "p.png"}


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        ({"text": "x" * (4096 - 7)}, True),
        ({"text": "x" * (4096 - 6)}, False),
        ({"text": "x" * (1024 - 7), "photo": "p"}, True),
        ({"text": "x" * (1024 - 6), "photo": "p"}, False),
        ({"text": "x" * (1024 - 6), "document": "p"}, False),
    ],
)
async def test_a_reason_that_does_not_fit_is_left_out(db: Database, content: Json, fits: bool) -> None:
    prompt_id = await a_prompt(db, ANN, state="sent", content={**content, "reply_markup": BUTTONS})
    row = await retire(db, prompt_id)
    assert row.content["text"] == content["text"] + ("\n\n✓ Yes" if fits else "")


async def test_all_messages_of_a_step_that_is_over_are_retired(db: Database) -> None:
    reply_id = await a_reply(db)
    mine = {
        state: await a_prompt(db, ANN, state=state, content=WITH_BUTTONS, pending_reply_id=reply_id)
        for state in ("queued", "sent", "editing", "undeliverable", "retired", "failed")
    }
    foreign = await a_prompt(db, ANN, state="sent", content=WITH_BUTTONS)
    async with db.begin() as tx:
        await endings.retire_all(tx, reply_id, NOTE)
    states = {state: (await get(db, Prompt, prompt_id)).state for state, prompt_id in mine.items()}
    assert states == {
        "queued": "retired",
        "sent": "retiring",
        "editing": "retiring",
        "undeliverable": "retired",
        "retired": "retired",
        "failed": "failed",
    }
    assert (await get(db, Prompt, foreign)).state == "sent"


async def test_the_messages_of_some_items_can_be_found(db: Database) -> None:
    reply_id = await a_reply(db)
    for item in ("q0", "q1", None):
        content = {"text": "x"} | ({"item": item} if item else {})
        await a_prompt(db, ANN, state="sent", content=content, pending_reply_id=reply_id)
    async with db.begin() as tx:
        found = await outbox.of_reply(tx, reply_id, items=["q1"])
        assert [prompt.content["item"] for prompt in found] == ["q1"]
        assert len(await outbox.of_reply(tx, reply_id)) == 3


# on its way


async def test_a_sent_message_is_known_by_its_id(db: Database) -> None:
    await post(db, "A")
    (prompt,) = await take(db)
    await sent(db, prompt, 77)
    row = await get(db, Prompt, prompt.id)
    assert (row.state, row.message_id, row.claim, row.attempts) == ("sent", 77, None, 0)
    assert row.sent_at is not None
    async with db.begin() as tx:
        known = await outbox.by_message(tx, ANN, 77)
        assert known is not None
        assert known.id == row.id
        assert await outbox.by_message(tx, BOB, 77) is None


async def test_what_was_retired_on_its_way_is_retired_when_its_id_is_known(db: Database) -> None:
    prompt_id = await a_prompt(db, ANN, content=WITH_BUTTONS)
    (prompt,) = await take(db)
    await retire(db, prompt_id)
    assert not await take(db, CHANGES), "its id is not known yet"
    await sent(db, prompt, 77)
    (change_due,) = await take(db, CHANGES)
    assert (change_due.state, change_due.message_id) == ("retiring", 77)
    assert "reply_markup" not in change_due.content
    await changed(db, change_due)
    assert (await get(db, Prompt, prompt_id)).state == "retired"


async def test_what_was_dropped_while_a_slow_sender_had_it_loses_its_buttons(db: Database) -> None:
    prompt_id = await a_prompt(db, ANN, content=WITH_BUTTONS)
    (slow,) = await take(db)
    await retire(db, prompt_id)
    await lapse(db, Prompt)
    (orphan,) = await take(db, CHANGES)
    await changed(db, orphan)
    assert (await get(db, Prompt, prompt_id)).state == "retired"
    await sent(db, slow, 77)
    assert [prompt.message_id for prompt in await take(db, CHANGES)] == [77]


async def test_a_sender_that_lost_its_claim_still_records_its_message(db: Database) -> None:
    await post(db, "A")
    (late,) = await take(db)
    await lapse(db, Prompt)
    (holder,) = await take(db)
    await sent(db, late, 77)
    await sent(db, holder, 78)
    row = await get(db, Prompt, late.id)
    assert (row.state, row.message_id) == ("sent", 77)
    assert not await take(db)
    (copy,) = await take(db, CHANGES)
    assert (copy.state, copy.message_id, copy.content) == ("retiring", 78, {}), (
        "the second copy loses its buttons"
    )


async def test_a_message_that_was_touched_before_it_was_recorded_loses_its_buttons(db: Database) -> None:
    await a_prompt(db, ANN, content=WITH_BUTTONS)
    (prompt,) = await take(db)
    async with db.begin() as tx:
        await outbox.adopt(tx, ANN, 77, None)
    await sent(db, prompt, 77)
    (row,) = await all_of(db, Prompt)
    assert (row.id, row.state, row.message_id) == (prompt.id, "retiring", 77)
    assert "reply_markup" not in row.content


async def test_an_unknown_message_that_was_touched_loses_its_buttons(db: Database) -> None:
    async with db.begin() as tx:
        await outbox.adopt(tx, ANN, 77, None)
        await outbox.adopt(tx, ANN, 77, None)
    (row,) = await take(db, CHANGES)
    assert (row.state, row.message_id, row.content) == ("retiring", 77, {})


async def test_a_known_message_is_not_adopted(db: Database) -> None:
    await a_prompt(db, ANN, state="sent", message_id=77, content=WITH_BUTTONS)
    async with db.begin() as tx:
        await outbox.adopt(tx, ANN, 77, None)
    assert [row.state for row in await all_of(db, Prompt)] == ["sent"]


# changes


@pytest.mark.parametrize(
    ("state", "becomes"), [("sent", "editing"), ("editing", "editing"), ("retired", "retired")]
)
async def test_only_a_message_that_is_shown_is_edited(db: Database, state: str, becomes: str) -> None:
    prompt_id = await a_prompt(db, ANN, state=state, message_id=77, content=WITH_BUTTONS)
    async with db.begin() as tx:
        await outbox.edit(tx, await get(db, Prompt, prompt_id), notice("new"))
    row = await get(db, Prompt, prompt_id)
    assert row.state == becomes
    assert (row.content == {"text": "new"}) == (state != "retired")


async def test_of_two_changes_the_second_follows_the_first(db: Database) -> None:
    """Two edits at once could reach Telegram in either order."""
    prompt_id = await a_prompt(db, ANN, state="editing", message_id=77, content=WITH_BUTTONS)
    (in_hand,) = await take(db, CHANGES)
    async with db.begin() as tx:
        await outbox.edit(tx, in_hand, notice("second", rows=((("No", "n"),),)))
    await retire(db, prompt_id)
    assert not await take(db, CHANGES), "the first is still on its way"
    await changed(db, in_hand)
    (after,) = await take(db, CHANGES)
    assert (after.state, after.content["text"]) == ("retiring", "second\n\n✓ Yes")
    await changed(db, after)
    assert (await get(db, Prompt, prompt_id)).state == "retired"


@pytest.mark.parametrize(
    ("state", "done"), [("editing", "sent"), ("retiring", "retired"), ("deleting", "retired")]
)
async def test_a_change_that_was_made_is_done(db: Database, state: str, done: str) -> None:
    prompt_id = await a_prompt(db, ANN, state=state, message_id=77)
    (in_hand,) = await take(db, CHANGES)
    await changed(db, in_hand)
    row = await get(db, Prompt, prompt_id)
    assert (row.state, row.claim) == (done, None)
    with pytest.raises(LostClaim):
        await changed(db, in_hand)


# one message that is kept up to date


async def test_a_text_is_shown_in_one_message_and_the_newest_wins(db: Database) -> None:
    assert (await show(db, "10 %")).state == "queued"
    assert (await show(db, "20 %")).state == "queued"
    (prompt,) = await take(db)
    assert prompt.content == {"text": "20 %"}
    await sent(db, prompt, 77)
    assert (await show(db, "30 %")).state == "editing"
    assert (await show(db, "40 %")).state == "editing"
    (edit,) = await take(db, CHANGES)
    assert (edit.content, edit.message_id) == ({"text": "40 %"}, 77)
    await changed(db, edit)
    assert [row.state for row in await all_of(db, Prompt)] == ["sent"]


async def test_a_text_that_came_while_the_message_was_sent_is_edited_in(db: Database) -> None:
    await show(db, "10 %")
    (prompt,) = await take(db)
    row = await show(db, "20 %")
    assert (row.state, row.claim) == ("queued", prompt.claim)
    await sent(db, prompt, 77)
    (edit,) = await take(db, CHANGES)
    assert edit.content == {"text": "20 %"}


async def test_a_text_that_came_while_the_message_was_edited_follows_at_once(db: Database) -> None:
    await a_prompt(db, ANN, state="editing", message_id=77, content={"text": "10 %"}, dedupe_key="progress:1")
    (in_hand,) = await take(db, CHANGES)
    await show(db, "20 %")
    assert not await take(db, CHANGES)
    await changed(db, in_hand)
    (after,) = await take(db, CHANGES)
    assert after.content == {"text": "20 %"}


async def test_a_text_that_came_back_to_what_is_shown_needs_no_edit(db: Database) -> None:
    await show(db, "10 %")
    (prompt,) = await take(db)
    await show(db, "20 %")
    await show(db, "10 %")
    await sent(db, prompt, 77)
    assert (await get(db, Prompt, prompt.id)).state == "sent"


@pytest.mark.parametrize("state", ["undeliverable", "failed", "retired"])
async def test_a_message_that_is_not_shown_is_not_kept_up_to_date(db: Database, state: str) -> None:
    await a_prompt(db, ANN, state=state, content={"text": "10 %"}, dedupe_key="progress:1")
    row = await show(db, "20 %")
    assert (row.state, row.content) == (state, {"text": "10 %"})


async def test_of_many_that_show_at_once_all_share_one_message(db: Database) -> None:
    await asyncio.gather(*(show(db, f"{n} %") for n in range(8)))
    assert len(await all_of(db, Prompt)) == 1


# people who cannot be reached


async def test_what_could_not_be_delivered_is_posted_in_order_when_the_person_is_back(db: Database) -> None:
    first, second = await post(db, "A", "B")
    for _ in range(2):
        (prompt,) = await take(db)
        async with db.begin() as tx:
            await outbox.record_unreachable(tx, prompt, "bot was blocked by the user")
    foreign = await a_prompt(db, BOB, state="undeliverable")
    row = await get(db, Prompt, first)
    assert (row.state, row.last_error) == ("undeliverable", "bot was blocked by the user")
    async with db.begin() as tx:
        assert await outbox.reachable_again(tx, ANN) == 2
        assert await outbox.reachable_again(tx, ANN) == 0
    order = []
    for number in (1, 2):
        (prompt,) = await take(db)
        order.append(prompt.id)
        await sent(db, prompt, number)
    assert order == [first, second]
    assert (await get(db, Prompt, foreign)).state == "undeliverable"


async def test_a_retired_message_does_not_wait_for_its_person(db: Database) -> None:
    prompt_id = await a_prompt(db, ANN, content=WITH_BUTTONS)
    (prompt,) = await take(db)
    await retire(db, prompt_id)
    async with db.begin() as tx:
        await outbox.record_unreachable(tx, prompt, "blocked")
        assert await outbox.reachable_again(tx, ANN) == 0
    assert (await get(db, Prompt, prompt_id)).state == "retired"


async def test_what_waits_for_a_group_follows_it_to_its_new_id(db: Database) -> None:
    old, new = -5, -1005
    waiting = await a_prompt(db, old)
    shown = await a_prompt(db, old, state="sent", message_id=1)
    async with db.begin() as tx:
        await outbox.move_chat(tx, old, new)
    assert (await get(db, Prompt, waiting)).chat_id == new
    assert (await get(db, Prompt, shown)).chat_id == old, "it lives under the old id"
    await change(db, Prompt, shown, state="retired")
