"""Groups: membership, privacy mode, anonymous administrators, topics, migration, reactions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.lab import Lab


def texts(updates: list[Any]) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def test_a_group_with_the_bot_is_announced(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/chats", type="group", title="Friends", members=[], admins=[ann])
    membership, service = await lab.updates()
    change = membership["my_chat_member"]
    assert (change["chat"]["title"], change["from"]["id"]) == ("Friends", ann)
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("left", "member")
    assert service["message"]["new_chat_members"][0]["id"] == lab.bot_id


async def test_privacy_mode_lets_through_only_what_is_meant_for_the_bot(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann)
    sent = await lab.call("sendMessage", chat_id=group, text="question")
    for text in ("chatter", "/go", "/go@stepgram_bot", "/go@other_bot", "hey @stepgram_bot", "hey @ann"):
        await lab.say(ann, text, group)
    await lab.say(ann, "answer", group, reply_to=sent["message_id"])
    seen = ["/go", "/go@stepgram_bot", "hey @stepgram_bot", "answer"]
    assert texts(await lab.updates()) == seen


@pytest.mark.parametrize("options", [{"privacy": False}, {"bot_is_admin": True}])
async def test_without_privacy_or_as_administrator_a_bot_sees_all(lab: Lab, options: dict[str, Any]) -> None:
    ann = await lab.person()
    group = await lab.group(ann, **options)
    await lab.say(ann, "chatter", group)
    assert texts(await lab.updates()) == ["chatter"]


async def test_administrators_and_members_are_listed(lab: Lab) -> None:
    ann, bob, cid = await lab.person("Ann"), await lab.person("Bob"), await lab.person("Cid")
    group = await lab.group(bob, admins=[ann])
    admins = await lab.call("getChatAdministrators", chat_id=group)
    assert [(admin["user"]["id"], admin["status"]) for admin in admins] == [(ann, "administrator")]
    assert await lab.call("getChatMemberCount", chat_id=group) == 3
    statuses = [
        (await lab.call("getChatMember", chat_id=group, user_id=user))["status"] for user in (ann, bob, cid)
    ]
    assert statuses == ["administrator", "member", "left"]
    unknown = await lab.refused("getChatMember", chat_id=group, user_id=5)
    assert unknown == "Bad Request: PARTICIPANT_ID_INVALID"
    private = "Bad Request: there are no administrators in the private chat"
    assert await lab.refused("getChatAdministrators", chat_id=ann) == private


async def test_coming_and_going_is_told(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    group = await lab.group(admins=[ann], bot_is_admin=True)
    await lab.call("getUpdates", allowed_updates=["message", "chat_member"])
    await lab.control("PATCH", f"/chats/{group}/members/{bob}", status="member")
    await lab.control("PATCH", f"/chats/{group}/members/{bob}", status="left")
    joined, came, went, left = await lab.updates()
    assert joined["chat_member"]["new_chat_member"]["status"] == "member"
    assert came["message"]["new_chat_members"][0]["first_name"] == "Bob"
    assert went["message"]["left_chat_member"]["id"] == bob
    assert left["chat_member"]["new_chat_member"]["status"] == "left"


async def test_chat_member_is_told_only_on_request(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    group = await lab.group(ann, bob, bot_is_admin=True)
    await lab.control("PATCH", f"/chats/{group}/members/{bob}", status="administrator")
    assert await lab.updates() == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("kicked", "Forbidden: bot was kicked from the supergroup chat"),
        ("left", "Forbidden: bot is not a member of the supergroup chat"),
    ],
)
async def test_a_bot_that_is_out_is_told_so(lab: Lab, status: str, words: str) -> None:
    ann = await lab.person()
    group = await lab.group(ann)
    await lab.control("PATCH", f"/chats/{group}/members/{lab.bot_id}", status=status)
    service, update = await lab.updates()
    assert service["message"]["left_chat_member"]["id"] == lab.bot_id
    assert update["my_chat_member"]["new_chat_member"]["status"] == status
    for method in ("sendMessage", "getChatAdministrators"):
        response = await lab.answer(method, chat_id=group, text="x")
        assert (response.status_code, response.json()["description"]) == (403, words)


async def test_a_bot_can_leave(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann)
    assert await lab.call("leaveChat", chat_id=group) is True
    words = "Forbidden: bot is not a member of the supergroup chat"
    assert await lab.refused("sendMessage", chat_id=group, text="x") == words
    assert await lab.control_error("POST", f"/chats/{group}/messages/1/press", **{"from": ann, "data": "x"})


async def test_an_anonymous_administrator_writes_as_the_group(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(admins=[ann])
    await lab.control("PATCH", f"/chats/{group}/members/{ann}", is_anonymous=True)
    await lab.say(ann, "/groups", group)
    (update,) = await lab.updates()
    message = update["message"]
    assert (message["from"]["id"], message["sender_chat"]["id"]) == (1087968824, group)
    (admin,) = await lab.call("getChatAdministrators", chat_id=group)
    assert (admin["user"]["id"], admin["is_anonymous"]) == (ann, True)


async def test_in_a_topic_every_message_replies_to_the_topic_s_start(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann, forum=True)
    thread = (await lab.control("POST", f"/chats/{group}/topics", name="Reports"))["message_thread_id"]
    said = await lab.say(ann, "/go", group, message_thread_id=thread)
    assert (said["reply_to_message"]["message_id"], said["is_topic_message"]) == (thread, True)
    sent = await lab.call("sendMessage", chat_id=group, text="x", message_thread_id=thread)
    assert (sent["message_thread_id"], sent["reply_to_message"]["message_id"]) == (thread, thread)
    reply = {"message_id": said["message_id"]}
    assert (await lab.call("sendMessage", chat_id=group, text="x", reply_parameters=reply))[
        "message_thread_id"
    ] == thread
    for wrong in (1, 99):
        refused = await lab.refused("sendMessage", chat_id=group, text="x", message_thread_id=wrong)
        assert refused == "Bad Request: message thread not found"


async def test_a_group_without_topics_ignores_a_thread(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann)
    sent = await lab.call("sendMessage", chat_id=group, text="x", message_thread_id=1)
    assert "message_thread_id" not in sent


async def test_after_migration_the_old_group_names_the_new_one(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann, type="group")
    old = await lab.call("sendMessage", chat_id=group, text="before")
    moved = await lab.control("POST", f"/chats/{group}/migrate")
    new = moved["migrate_to_chat_id"]
    to, origin = (update["message"] for update in await lab.updates())
    assert (to["chat"]["id"], to["migrate_to_chat_id"]) == (group, new)
    assert (origin["chat"]["id"], origin["migrate_from_chat_id"]) == (new, group)
    refused = (await lab.answer("sendMessage", chat_id=group, text="x")).json()
    assert refused["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert refused["parameters"] == {"migrate_to_chat_id": new}
    edit = {"chat_id": group, "message_id": old["message_id"], "text": "after"}
    assert (await lab.call("editMessageText", **edit))["chat"]["id"] == group
    assert (await lab.call("sendMessage", chat_id=new, text="x"))["chat"]["type"] == "supergroup"
    assert str(new) in await lab.control_error(
        "POST", f"/chats/{group}/messages", **{"from": ann, "text": "x"}
    )


async def test_reactions_are_told_to_administrators_on_request(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann, bot_is_admin=True)
    sent = await lab.call("sendMessage", chat_id=group, text="x")
    await lab.call("getUpdates", allowed_updates=["message_reaction"])
    path = f"/chats/{group}/messages/{sent['message_id']}/react"
    await lab.control("POST", path, **{"from": ann, "emoji": "👍"})
    await lab.control("POST", path, **{"from": ann, "emoji": ""})
    given, taken = (update["message_reaction"] for update in await lab.updates())
    assert given["new_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert (taken["old_reaction"], taken["new_reaction"]) == (given["new_reaction"], [])


async def test_a_bot_can_react_once(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.say(ann, "x")
    thumb, heart = {"type": "emoji", "emoji": "👍"}, {"type": "emoji", "emoji": "❤"}
    target = {"chat_id": ann, "message_id": said["message_id"]}
    assert await lab.call("setMessageReaction", **target, reaction=[thumb]) is True
    assert (await lab.shown(ann))[-1]["sandbox"]["reactions"] == {str(lab.bot_id): [thumb]}
    refused = await lab.refused("setMessageReaction", **target, reaction=[thumb, heart])
    assert refused == "Bad Request: REACTIONS_TOO_MANY"


async def test_strangers_cannot_write_in_a_group(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    group = await lab.group(ann)
    assert "not a member" in await lab.control_error(
        "POST", f"/chats/{group}/messages", **{"from": bob, "text": "x"}
    )


async def test_a_forwarded_message_names_its_author(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    await lab.say(ann, "as he said", forward_from=bob)
    (update,) = await lab.updates()
    assert update["message"]["forward_origin"]["sender_user"]["id"] == bob
    assert update["message"]["forward_from"]["id"] == bob
