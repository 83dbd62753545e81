from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from devstack.people import Person, Shown, Town, Unexpected, captions
from devstack.sandbox.serve import RunningSandbox, running_sandbox


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def town(sandbox: RunningSandbox) -> AsyncIterator[Town]:
    async with Town(sandbox.url) as made:
        yield made


async def bot_says(sandbox: RunningSandbox, town: Town, to: Person, text: str, *buttons: str) -> int:
    keyboard = [[{"text": caption, "callback_data": caption} for caption in buttons]]
    body = {"chat_id": to.chat_id, "text": text, "reply_markup": {"inline_keyboard": keyboard}}
    answer = await town.http.post(f"/bot{sandbox.token}/sendMessage", json=body)
    return int(answer.raise_for_status().json()["result"]["message_id"])


async def test_what_was_seen_is_not_seen_again(sandbox: RunningSandbox, town: Town) -> None:
    ada = await town.person("Ada")
    await ada.say("/start")
    await bot_says(sandbox, town, ada, "Hello")
    await ada.sees("Hello")
    with pytest.raises(Unexpected, match=r"Ada should see 'Hello', but the chat shows:\n  Ada: /start"):
        await ada.sees("Hello", patience_s=0)
    assert (await ada.sees("Hello", old=True))["text"] == "Hello"


async def test_a_wait_is_from_what_a_person_did_to_its_first_answer_or_to_a_step(
    sandbox: RunningSandbox, town: Town
) -> None:
    ada = await town.person("Ada")
    await ada.say("/start")
    for text in ("Stored", "Again", "The chart"):
        await bot_says(sandbox, town, ada, text)
    ada.read = 0
    await ada.sees("Stored", old=True)
    await ada.sees("Again", old=True)
    await ada.sees("The chart", old=True, step="Review the result")
    assert [(wait.person, wait.step) for wait in town.waits] == [("Ada", ""), ("Ada", "Review the result")]
    assert 0 < town.waits[0].waited_s <= town.waits[1].waited_s


async def test_a_tap_is_told_before_it_happens(sandbox: RunningSandbox, town: Town) -> None:
    ada = await town.person("Ada")
    await ada.say("/start")
    await bot_says(sandbox, town, ada, "Go on?", "Yes", "No")
    told: list[tuple[str, list[str], str]] = []

    async def on_tap(person: Person, message: Shown, caption: str) -> None:
        told.append((person.name, captions(message), caption))

    town.on_tap = on_tap
    await ada.tap("No")
    assert told == [("Ada", ["Yes", "No"], "No")]


async def test_a_message_that_is_gone_has_changed(sandbox: RunningSandbox, town: Town) -> None:
    ada = await town.person("Ada")
    await ada.say("/start")
    message_id = await bot_says(sandbox, town, ada, "Go on?", "Yes")
    shown = await ada.sees("Go on?")
    with pytest.raises(Unexpected, match=r"Ada waited for a change of: Stepgram: Go on\? \[Yes\]"):
        await ada.sees_change(shown, lambda now: not captions(now), patience_s=0)
    body = {"chat_id": ada.chat_id, "message_id": message_id}
    (await town.http.post(f"/bot{sandbox.token}/deleteMessage", json=body)).raise_for_status()
    assert await ada.sees_change(shown, lambda now: not captions(now)) is None
