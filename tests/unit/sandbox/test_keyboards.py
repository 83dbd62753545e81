"""Inline keyboards, reply keyboards and ForceReply."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.lab import Lab, inline


def button(**fields: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "x"} | fields]]}


def keyboard(**fields: Any) -> dict[str, Any]:
    return {"keyboard": [[{"text": "x"} | fields]]}


NO_ACTION = "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
BAD_URL = "inline keyboard button URL"
PICK = {"request_chat": {"request_id": 1, "chat_is_channel": False, "bot_is_member": True}}


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (button(callback_data="x" * 65), "BUTTON_DATA_INVALID"),
        (button(callback_data="ä" * 33), "BUTTON_DATA_INVALID"),
        (button(callback_data=""), NO_ACTION),
        (button(), NO_ACTION),
        (button(callback_data="x", style="red"), "invalid button style specified"),
        (button(text="", callback_data="x"), "inline keyboard button text must be non-empty"),
        (button(url="http://localhost:80"), f"{BAD_URL} 'http://localhost:80' is invalid: Wrong HTTP URL"),
        (button(url="x://y.org"), f"{BAD_URL} 'x://y.org' is invalid: Unsupported URL protocol"),
        (
            button(web_app={"url": "http://x.org"}),
            "inline keyboard button Web App URL 'http://x.org' is invalid: Only HTTPS links are allowed",
        ),
        (button(copy_text={"text": "x" * 257}), "BUTTON_COPY_TEXT_INVALID"),
        (button(copy_text={"text": ""}), "BUTTON_COPY_TEXT_INVALID"),
        (inline(*(str(n) for n in range(101))), "reply markup is too long"),
        (
            {"inline_keyboard": ["x"]},
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
        ),
        ("{", "can't parse reply keyboard markup JSON object"),
        ([1], "object expected as reply markup"),
    ],
)
async def test_a_keyboard_that_cannot_be_is_refused(lab: Lab, markup: Any, words: str) -> None:
    ann = await lab.person()
    refused = await lab.refused("sendMessage", chat_id=ann, text="x", reply_markup=markup)
    assert refused == f"Bad Request: {words}"


@pytest.mark.parametrize("data", ["x" * 64, "ä" * 32])
async def test_callback_data_of_64_bytes_is_taken(lab: Lab, data: str) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=button(callback_data=data))
    assert sent["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == data


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (keyboard(request_contact=True), "phone number can be requested in private chats only"),
        (keyboard(request_location=True), "location can be requested in private chats only"),
        (keyboard(**PICK), "chats can be requested in private chats only"),
        (keyboard(request_users={"request_id": 1}), "users can be requested in private chats only"),
        (keyboard(web_app={"url": "https://x.org"}), "Web App buttons can be used in private chats only"),
        (button(web_app={"url": "https://x.org"}), "BUTTON_TYPE_INVALID"),
    ],
)
async def test_requests_and_web_apps_are_for_private_chats_only(lab: Lab, markup: Any, words: str) -> None:
    ann = await lab.person()
    group = await lab.group(ann)
    assert await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=markup)
    refused = await lab.refused("sendMessage", chat_id=group, text="x", reply_markup=markup)
    assert refused.lower() == f"Bad Request: {words}".lower()


async def test_a_url_button_is_kept_as_telegram_writes_it(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=button(url="example.com"))
    assert sent["reply_markup"]["inline_keyboard"][0][0]["url"] == "http://example.com/"
    path = f"/chats/{ann}/messages/{sent['message_id']}/press"
    assert "client" in await lab.control_error("POST", path, **{"from": ann, "caption": "x"})


async def test_the_style_of_a_button_is_kept(lab: Lab) -> None:
    ann = await lab.person()
    for style in ("danger", "success", "primary"):
        markup = button(callback_data="x", style=style)
        sent = await lab.call("sendMessage", chat_id=ann, text="?", reply_markup=markup)
        assert sent["reply_markup"] == markup


async def test_a_reply_keyboard_is_the_person_s_and_not_the_message_s(lab: Lab) -> None:
    ann = await lab.person()
    markup = {"keyboard": [["Yes", {"text": "No"}]], "resize_keyboard": True, "one_time_keyboard": True}
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=markup)
    assert "reply_markup" not in sent
    shown = (await lab.shown(ann))[-1]["sandbox"]["reply_keyboard"]
    assert shown["keyboard"] == [[{"text": "Yes"}, {"text": "No"}]]
    await lab.call("sendMessage", chat_id=ann, text="x", reply_markup={"remove_keyboard": True})
    assert (await lab.shown(ann))[-1]["sandbox"]["remove_keyboard"] is True


async def test_a_selective_force_reply_is_shown_to_the_replied_and_the_mentioned_only(lab: Lab) -> None:
    ann, bob, cid = await lab.person("Ann"), await lab.person("Bob"), await lab.person("Cid")
    group = await lab.group(ann, bob, cid)
    said = await lab.say(ann, "/ask", group)
    await lab.call(
        "sendMessage",
        chat_id=group,
        text="How much, @bob?",
        reply_parameters={"message_id": said["message_id"]},
        reply_markup={"force_reply": True, "selective": True, "input_field_placeholder": "EUR"},
    )
    shows = [
        (await lab.shown(group, viewer=viewer))[-1]["sandbox"].get("force_reply")
        for viewer in (ann, bob, cid)
    ]
    wanted = {"force_reply": True, "selective": True, "input_field_placeholder": "EUR"}
    assert shows == [wanted, wanted, None]


async def test_picking_a_chat_adds_the_bot_where_the_button_wants_it(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann, with_bot=False)
    assert await lab.refused("getChat", chat_id=group) == "Bad Request: chat not found"
    await lab.call("sendMessage", chat_id=ann, text="Which?", reply_markup=keyboard(**PICK))
    await lab.send(ann, chat_shared={"request_id": 1, "chat_id": group})
    updates = await lab.updates()
    assert updates[0]["my_chat_member"]["new_chat_member"]["status"] == "member"
    assert updates[-1]["message"]["chat_shared"] == {"request_id": 1, "chat_id": group}
    assert (await lab.call("getChat", chat_id=group))["title"] == "Group"


async def test_contacts_locations_and_picked_users_arrive(lab: Lab) -> None:
    ann = await lab.person()
    await lab.send(ann, contact={"phone_number": "+4912345", "first_name": "Ann"})
    await lab.send(ann, location={"latitude": 1.5, "longitude": 2.5})
    await lab.send(ann, users_shared={"request_id": 3, "user_ids": [7]})
    contact, location, users = (update["message"] for update in await lab.updates())
    assert contact["contact"] == {"first_name": "Ann", "user_id": ann, "phone_number": "+4912345"}
    assert location["location"] == {"latitude": 1.5, "longitude": 2.5}
    assert users["users_shared"]["users"] == [{"user_id": 7}]
