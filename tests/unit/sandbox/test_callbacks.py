"""Taps and their answers."""

from __future__ import annotations

import asyncio

from tests.unit.sandbox.lab import Lab, inline

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


async def test_a_tap_tells_who_tapped_what_and_where(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes", "No"))
    query_id = await lab.press(ann, sent, caption="No")
    (update,) = await lab.updates()
    query = update["callback_query"]
    assert (query["id"], query["data"], query["from"]["id"]) == (query_id, "No", ann)
    assert query["message"]["message_id"] == sent["message_id"]


async def test_an_answer_reaches_the_person(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    query_id = await lab.press(ann, sent, data="Yes")
    waiting = asyncio.create_task(lab.client.get(f"/sandbox/callbacks/{query_id}?wait_s=5"))
    assert (
        await lab.call("answerCallbackQuery", callback_query_id=query_id, text="ok", show_alert=True) is True
    )
    shown = (await waiting).json()
    assert shown == {"answered": True, "expired": False, "text": "ok", "show_alert": True, "url": ""}


async def test_a_tap_can_be_answered_for_fifteen_seconds_only(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    query_id = await lab.press(ann, sent, caption="Yes")
    await lab.advance(16)
    assert await lab.refused("answerCallbackQuery", callback_query_id=query_id) == TOO_OLD
    assert (await lab.control("GET", f"/callbacks/{query_id}")) == {"answered": False, "expired": True}


async def test_unknown_queries_and_long_answers_are_refused(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    query_id = await lab.press(ann, sent, caption="Yes")
    assert await lab.refused("answerCallbackQuery", callback_query_id="1") == TOO_OLD
    refused = await lab.refused("answerCallbackQuery", callback_query_id=query_id, text="x" * 201)
    assert refused == "Bad Request: MESSAGE_TOO_LONG"


async def test_only_what_is_shown_can_be_tapped(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    path = f"/chats/{ann}/messages/{sent['message_id']}/press"
    assert "no such button" in await lab.control_error("POST", path, **{"from": ann, "caption": "No"})
    assert "not in this chat" in await lab.control_error("POST", path, **{"from": bob, "caption": "Yes"})
    await lab.call("editMessageReplyMarkup", chat_id=ann, message_id=sent["message_id"])
    assert "no such button" in await lab.control_error("POST", path, **{"from": ann, "caption": "Yes"})


async def test_a_tap_on_a_deleted_message_comes_with_an_inaccessible_one(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    await lab.call("deleteMessage", chat_id=ann, message_id=sent["message_id"])
    await lab.press(ann, sent, data="Yes", stale=True)
    (update,) = await lab.updates()
    message = update["callback_query"]["message"]
    assert (message["date"], message["message_id"], "text" in message) == (0, sent["message_id"], False)


async def test_a_stale_tap_on_an_edited_message_shows_the_message_as_it_is_now(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
    await lab.call("editMessageText", chat_id=ann, message_id=sent["message_id"], text="done")
    await lab.press(ann, sent, data="Yes", stale=True)
    (update,) = await lab.updates()
    assert (update["callback_query"]["data"], update["callback_query"]["message"]["text"]) == ("Yes", "done")
