"""Messages of a chat that are to go go together, and what Telegram refuses to delete says why it stays."""

from collections.abc import Sequence

import pytest

from shared import endings, outbox
from shared.errors import WorldError
from shared.markup import Rich
from shared.models import Json, Prompt
from shared.queues import Later, claim
from shared.service import Services
from shared.telegram.sender import Sender
from tests.fakes.conversation import Conversation
from tests.fakes.rows import a_prompt, all_of, change, lapse
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions
from tests.fakes.waiting import running, until

QUESTION: Json = {
    "text": "Sure?",
    "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "x"}]]},
}
OVER = Rich("It is over")


@pytest.fixture
def services(fakes: Fakes) -> Services:
    return fakes.services


def sender_of(services: Services) -> Sender:
    return Sender(services.db, services.bot, services.storage, services.governor)


async def shown(services: Services, chat_id: int, count: int) -> list[Prompt]:
    """So many messages of a chat, sent."""
    sender = sender_of(services)
    for _ in range(count):
        await a_prompt(services.db, chat_id, content=QUESTION)
        async with services.db.begin() as tx:
            (prompt,) = await claim(tx, outbox.SENDING, 1, 60)
        await sender.send(prompt)
    return list(await all_of(services.db, Prompt, Prompt.chat_id == chat_id))


async def take_away(services: Services, prompts: Sequence[Prompt]) -> None:
    async with services.db.begin() as tx:
        await endings.take_away(tx, prompts, OVER)


async def due(services: Services, limit: int = 1) -> Sequence[Prompt]:
    async with services.db.begin() as tx:
        return await claim(tx, outbox.CHANGES, limit, 60)


async def make_all(services: Services) -> None:
    """Make every change that is due, one after the other."""
    while rows := await due(services):
        await sender_of(services).change(rows[0])


async def methods(telegram: Telegram) -> list[str]:
    """The calls that delete or edit, in order."""
    wanted = ("deleteMessages", "deleteMessage", "editMessageText")
    calls = [call for name in wanted for call in await telegram.calls(name)]
    return [call["method"] for call in sorted(calls, key=lambda call: call["n"])]


async def states(services: Services) -> set[str]:
    return {prompt.state for prompt in await all_of(services.db, Prompt)}


async def test_what_goes_together_costs_one_call(services: Services, telegram: Telegram) -> None:
    ann, bob = await telegram.ann(), await telegram.ann("Bob")
    await take_away(services, await shown(services, ann, 5) + await shown(services, bob, 1))
    await make_all(services)
    assert await methods(telegram) == ["deleteMessages", "deleteMessage"]
    assert await telegram.texts(ann) == await telegram.texts(bob) == []
    assert await states(services) == {"retired"}
    assert {prompt.claim for prompt in await all_of(services.db, Prompt)} == {None}


async def test_a_step_that_is_to_leave_nothing_is_deleted_by_one_call(
    fakes: Fakes, telegram: Telegram
) -> None:
    talk = Conversation(fakes, telegram)
    ann = await telegram.ann()
    asks = {"form_a": None, "form_b": None, "action_yes": "Yes"}
    await talk.ask(ann, asks, {"form_a.required": "true", "after": "delete"})
    await talk.say(ann, "One")
    await talk.say(ann, "Two")
    await talk.tap(ann, "Yes")
    assert await talk.telegram.texts(ann) == []
    (call,) = await telegram.calls("deleteMessages")
    assert len(call["params"]["message_ids"]) == 3


async def test_a_hundred_go_by_one_call_and_the_next_by_another(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    await take_away(services, await shown(services, ann, 102))
    await make_all(services)
    assert await methods(telegram) == ["deleteMessages", "deleteMessages"]
    assert await telegram.texts(ann) == []


async def test_one_that_cannot_go_keeps_no_other_and_says_why_it_stays(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    old = await shown(services, ann, 1)
    await telegram.advance(49 * 3600)
    await take_away(services, old + await shown(services, ann, 3))
    await make_all(services)
    made = await methods(telegram)
    assert made[0] == "deleteMessages"
    assert sorted(made[1:]) == ["deleteMessage"] * 4 + ["editMessageText"] * 1
    assert await telegram.texts(ann) == ["It is over"]
    assert captions(await telegram.last(ann)) == []
    assert await states(services) == {"retired"}


async def test_what_is_known_to_be_too_old_takes_nothing_along(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    old, *young = await shown(services, ann, 4)
    await change(services.db, old, sent_at=old.sent_at and old.sent_at.replace(year=2020))
    await take_away(services, [old, *young])
    await make_all(services)
    assert sorted(await methods(telegram)) == ["deleteMessage", "deleteMessages"]
    assert await telegram.texts(ann) == []


@pytest.mark.parametrize("kind", ["500", "lost_answer"])
async def test_a_call_that_failed_loses_no_deletion(
    services: Services, telegram: Telegram, kind: str
) -> None:
    ann = await telegram.ann()
    await take_away(services, await shown(services, ann, 3))
    await telegram.fault(kind, "deleteMessages")
    (first,) = await due(services)
    with pytest.raises(WorldError):
        await sender_of(services).change(first)
    others = [prompt for prompt in await all_of(services.db, Prompt) if prompt.id != first.id]
    assert [(prompt.claim, prompt.attempts) for prompt in others] == [(None, 0)] * 2, "they are free at once"
    await lapse(services.db, Prompt)
    await make_all(services)
    assert await telegram.texts(ann) == []
    assert await states(services) == {"retired"}


async def test_whoever_died_with_a_call_has_it_made_again(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    prompts = await shown(services, ann, 3)
    await take_away(services, prompts)
    (first,) = await due(services)
    await sender_of(services)._deletions.take_along(first)
    await telegram.call("deleteMessages", chat_id=ann, message_ids=[each.message_id for each in prompts])
    assert await due(services, 10) == [], "they are in hand"
    await lapse(services.db, Prompt)
    await make_all(services)
    assert await states(services) == {"retired"}


async def test_of_those_that_are_taken_at_once_the_eldest_takes_the_others_along(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    await take_away(services, await shown(services, ann, 3))
    eldest, *others = await due(services, 10)
    for each in others:
        with pytest.raises(Later):
            await sender_of(services).change(each)
    for each in others:  # as the loop gives them back
        await change(services.db, each, claim=None, attempts=0)
    await sender_of(services).change(eldest)
    assert await methods(telegram) == ["deleteMessages"]
    assert await states(services) == {"retired"}


async def test_an_elder_that_failed_holds_nobody_up(services: Services, telegram: Telegram) -> None:
    ann = await telegram.ann()
    await take_away(services, await shown(services, ann, 3))
    (eldest,) = await due(services)
    await telegram.fault("429", "deleteMessages", retry_after=0)
    with pytest.raises(WorldError):
        await sender_of(services).change(eldest)
    await change(services.db, eldest, claim=None)
    await make_all(services)
    assert len(await telegram.texts(ann)) == 1


async def test_changes_that_are_no_deletions_are_made_one_by_one(
    services: Services, telegram: Telegram
) -> None:
    ann = await telegram.ann()
    prompts = await shown(services, ann, 3)
    async with services.db.begin() as tx:
        await endings.retire(tx, prompts, Rich("✓ Yes"))
    await make_all(services)
    assert await methods(telegram) == ["editMessageText"] * 3


async def test_side_by_side_the_loops_of_two_processes_delete_everything(
    fakes: Fakes, services: Services, telegram: Telegram
) -> None:
    ann, bob = await telegram.ann(), await telegram.ann("Bob")
    await take_away(services, await shown(services, ann, 30) + await shown(services, bob, 30))
    loops = [services.loop(outbox.CHANGES, sender_of(services).change, concurrency=4) for _ in range(2)]
    async with running(*(loop.run for loop in loops)):
        await until(lambda: _all_retired(services), "all are gone")
    assert await telegram.texts(ann) == await telegram.texts(bob) == []
    assert len(await methods(telegram)) <= 20, "at least three by each call"


async def _all_retired(services: Services) -> bool:
    return await states(services) == {"retired"}
