"""getUpdates: ids, confirmation, age, long polls and conflicts."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from devstack.sandbox.updates import CONFLICT_PAUSE_S
from tests.unit.sandbox.conftest import SECOND_TOKEN
from tests.unit.sandbox.lab import Lab, inline


def texts(updates: list[Any]) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def test_update_ids_are_consecutive(lab: Lab) -> None:
    ann = await lab.person()
    for text in "abc":
        await lab.say(ann, text)
    ids = [update["update_id"] for update in await lab.call("getUpdates")]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]


async def test_an_offset_confirms_what_is_before_it(lab: Lab) -> None:
    ann = await lab.person()
    for text in "abc":
        await lab.say(ann, text)
    first = (await lab.call("getUpdates"))[0]["update_id"]
    assert texts(await lab.call("getUpdates", offset=first + 1)) == ["b", "c"]
    assert texts(await lab.call("getUpdates")) == ["b", "c"]


async def test_an_offset_from_another_world_confirms_nothing(lab: Lab) -> None:
    ann = await lab.person()
    await lab.say(ann, "a")
    assert texts(await lab.call("getUpdates", offset=2_000_000_000)) == ["a"]
    assert texts(await lab.call("getUpdates", offset=5)) == ["a"]


async def test_a_negative_offset_keeps_only_the_last(lab: Lab) -> None:
    ann = await lab.person()
    for text in "abc":
        await lab.say(ann, text)
    assert texts(await lab.call("getUpdates", offset=-1)) == ["c"]
    assert texts(await lab.call("getUpdates")) == ["c"]


async def test_a_limit_cuts_the_batch(lab: Lab) -> None:
    ann = await lab.person()
    for text in "abc":
        await lab.say(ann, text)
    assert texts(await lab.call("getUpdates", limit=2)) == ["a", "b"]


async def test_only_allowed_kinds_are_queued_and_the_choice_is_remembered(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    await lab.call("getUpdates", allowed_updates=["callback_query"])
    await lab.say(ann, "not wanted")
    await lab.press(ann, sent, caption="Yes")
    (update,) = await lab.updates()
    assert update["callback_query"]["data"] == "Yes"
    await lab.call("getUpdates", allowed_updates=[])
    await lab.say(ann, "wanted again")
    assert texts(await lab.updates()) == ["wanted again"]


async def test_a_long_poll_ends_with_the_first_update(lab: Lab) -> None:
    ann = await lab.person()
    poll = asyncio.create_task(lab.call("getUpdates", timeout=10))
    await lab.in_progress("getUpdates")
    await lab.say(ann, "hello")
    started = time.monotonic()
    assert texts(await poll) == ["hello"]
    assert time.monotonic() - started < 1


async def test_a_long_poll_ends_empty_when_its_time_is_up(lab: Lab) -> None:
    assert await lab.call("getUpdates", timeout=1) == []


async def test_a_second_poller_terminates_the_older_one(lab: Lab) -> None:
    ann = await lab.person()
    older = asyncio.create_task(lab.answer("getUpdates", timeout=10))
    await lab.in_progress("getUpdates")
    newer = asyncio.create_task(lab.call("getUpdates", timeout=10))
    response = await older
    assert response.status_code == 409
    assert response.json()["description"] == (
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    )
    await lab.say(ann, "to the newer one")
    assert texts(await newer) == ["to the newer one"]


async def test_polling_while_a_webhook_is_set_is_a_conflict(lab: Lab) -> None:
    await lab.call("setWebhook", url="http://127.0.0.1:9/hook")
    response = await lab.answer("getUpdates", timeout=10)
    assert response.status_code == 409
    assert response.json()["description"] == (
        "Conflict: can't use getUpdates method while webhook is active;"
        " use deleteWebhook to delete the webhook first"
    )


async def test_the_second_conflict_within_three_seconds_is_answered_late(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CONFLICT_PAUSE_S == 3
    monkeypatch.setattr("devstack.sandbox.updates.CONFLICT_PAUSE_S", 0.2)
    await lab.call("setWebhook", url="http://127.0.0.1:9/hook")
    await lab.refused("getUpdates")
    started = time.monotonic()
    await lab.refused("getUpdates")
    assert time.monotonic() - started >= 0.2


async def test_a_tap_older_than_150_s_is_gone(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    await lab.press(ann, sent, caption="Yes")
    await lab.say(ann, "later")
    await lab.advance(151)
    assert texts(await lab.updates()) == ["later"]


async def test_other_updates_wait_a_day(lab: Lab) -> None:
    ann = await lab.person()
    await lab.say(ann, "a")
    await lab.advance(86_000)
    assert texts(await lab.call("getUpdates")) == ["a"]
    await lab.advance(500)
    assert await lab.call("getUpdates") == []


async def test_update_ids_restart_after_a_quiet_week(lab: Lab) -> None:
    ann = await lab.person()
    await lab.say(ann, "a")
    (before,) = await lab.updates()
    await lab.advance(8 * 86_400)
    await lab.say(ann, "b")
    (after,) = await lab.updates()
    assert after["update_id"] != before["update_id"] + 1


async def test_each_bot_has_its_own_queue_and_private_chats(lab: Lab) -> None:
    ann = await lab.person()
    second = f"/bot{SECOND_TOKEN}"
    await lab.client.post(
        f"/sandbox/chats/{ann}/messages?bot=1000002", json={"from": ann, "text": "to the second"}
    )
    assert await lab.updates() == []
    got = (await lab.client.post(f"{second}/getUpdates")).json()["result"]
    assert texts(got) == ["to the second"]


async def test_an_edit_is_told_as_edited_message(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.say(ann, "one")
    await lab.updates()
    await lab.send(ann, edit=said["message_id"], text="two /go")
    (update,) = await lab.updates()
    edited = update["edited_message"]
    assert (edited["text"], edited["message_id"], "edit_date" in edited) == (
        "two /go",
        said["message_id"],
        True,
    )


async def test_an_edit_leaves_no_entities_behind(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.say(ann, "go /there")
    edited = await lab.send(ann, edit=said["message_id"], text="plain")
    assert "entities" not in edited
