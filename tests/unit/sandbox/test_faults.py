"""Faults on order."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.unit.sandbox.lab import Lab, inline


def texts(updates: list[Any]) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def test_the_next_calls_are_flooded(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", method="sendMessage", kind="429", count=2, retry_after=7)
    for _ in range(2):
        body = (await lab.answer("sendMessage", chat_id=ann, text="x")).json()
        assert (body["error_code"], body["parameters"]) == (429, {"retry_after": 7})
    assert await lab.call("sendMessage", chat_id=ann, text="x")


async def test_a_fault_befalls_only_what_matches(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    await lab.control("POST", "/faults", method="send.*", kind="500", chat_id=bob)
    assert await lab.call("getMe")
    assert await lab.call("sendMessage", chat_id=ann, text="x")
    response = await lab.answer("sendChatAction", chat_id=bob, action="typing")
    assert (response.status_code, response.json()["description"]) == (500, "Internal Server Error")


async def test_a_timed_out_call_was_never_processed(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", method="sendMessage", kind="timeout", hold_s=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        await lab.answer("sendMessage", chat_id=ann, text="x")
    assert [message["text"] for message in await lab.shown(ann)] == ["/start"]


async def test_a_held_call_ends_when_the_client_goes(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", method="sendMessage", kind="timeout", hold_s=60)
    url = f"{lab.running.url}/bot{lab.running.token}/sendMessage"
    async with httpx.AsyncClient(timeout=0.1, trust_env=False, verify=False) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(url, data={"chat_id": ann, "text": "x"})


async def test_a_lost_answer_was_processed(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", method="sendMessage", kind="lost_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        await lab.answer("sendMessage", chat_id=ann, text="x")
    assert [message["text"] for message in await lab.shown(ann)] == ["/start", "x"]
    record = (await lab.control("GET", "/calls?method=sendMessage"))["calls"][-1]
    assert (record["fault"], record["ok"], record["result"]["text"]) == ("lost_answer", False, "x")


async def test_a_duplicated_update_comes_again_after_it_was_confirmed(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", kind="duplicate_update", count=1)
    await lab.say(ann, "once")
    (first,) = await lab.call("getUpdates")
    await lab.say(ann, "other")
    again, other = await lab.call("getUpdates", offset=first["update_id"] + 1)
    assert again == first
    assert await lab.call("getUpdates", offset=other["update_id"] + 1) == []


async def test_a_reordered_update_is_overtaken_by_another_queue(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    await lab.control("POST", "/faults", kind="reorder_update", method="message", chat_id=ann)
    await lab.say(ann, "first")
    assert await lab.call("getUpdates") == []
    await lab.say(bob, "second")
    updates = await lab.updates()
    assert texts(updates) == ["second", "first"]
    assert updates[1]["update_id"] == updates[0]["update_id"] + 1


async def test_a_reordered_message_never_falls_behind_its_own_chat(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/faults", kind="reorder_update")
    await lab.say(ann, "first")
    await lab.say(ann, "second")
    assert texts(await lab.updates()) == ["first", "second"]


async def test_a_reordered_tap_is_overtaken_by_a_message_of_the_same_chat(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    await lab.control("POST", "/faults", kind="reorder_update", method="callback_query")
    await lab.press(ann, sent, caption="Yes")
    await lab.say(ann, "after the tap")
    message, tap = await lab.updates()
    assert ("message" in message, "callback_query" in tap) == (True, True)


async def test_a_held_update_is_released_when_nothing_overtakes_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.sandbox.updates.REORDER_HOLD_S", 0.05)
    ann = await lab.person()
    await lab.control("POST", "/faults", kind="reorder_update")
    await lab.say(ann, "alone")
    started = time.monotonic()
    assert texts(await lab.call("getUpdates", timeout=5)) == ["alone"]
    assert time.monotonic() - started < 2


async def test_faults_can_be_cleared_and_wrong_orders_are_refused(lab: Lab) -> None:
    await lab.control("POST", "/faults", kind="500", count=99)
    await lab.control("DELETE", "/faults")
    assert await lab.call("getMe")
    assert "flood" in await lab.control_error("POST", "/faults", kind="flood")
    assert await lab.control_error("POST", "/faults", kind="500", method="(")
