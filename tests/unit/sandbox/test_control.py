"""The control API: people, chats, log of calls, clock, reset, live events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import websockets

from devstack.sandbox.app import WEB_DIR
from tests.unit.sandbox.lab import Lab, inline

HAS_WEB_CHAT = (WEB_DIR / "index.html").is_file()


async def test_people_get_ids_and_private_chats(lab: Lab) -> None:
    ann = await lab.control("POST", "/users", first_name="Ann", last_name="Lee", username="ann")
    bob = await lab.control("POST", "/users", first_name="Bob", id=42, language_code="de")
    assert (ann["id"], ann["last_name"], bob["id"], bob["language_code"]) == (100001, "Lee", 42, "de")
    assert [user["id"] for user in (await lab.control("GET", "/users"))["users"]] == [100001, 42]
    chats = (await lab.control("GET", "/chats"))["chats"]
    assert {(chat["id"], chat["type"], chat["started"]) for chat in chats} == {
        (100001, "private", False),
        (42, "private", False),
    }
    assert "exists" in await lab.control_error("POST", "/users", first_name="Eve", id=42)
    assert "first_name" in await lab.control_error("POST", "/users")


async def test_chats_are_listed_with_members_and_last_message(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    group = await lab.group(bob, creator=ann, type="group")
    await lab.say(bob, "latest", group)
    chats = (await lab.control("GET", "/chats"))["chats"]
    (entry,) = [chat for chat in chats if chat["id"] == group]
    statuses = {member["user"]["id"]: member["status"] for member in entry["members"]}
    assert statuses == {ann: "creator", bob: "member", lab.bot_id: "member"}
    assert (entry["last"]["text"], entry["type"]) == ("latest", "group")


async def test_messages_are_shown_as_they_are_now(lab: Lab) -> None:
    ann = await lab.person()
    one = await lab.call("sendMessage", chat_id=ann, text="one")
    two = await lab.call("sendMessage", chat_id=ann, text="two")
    await lab.call("editMessageText", chat_id=ann, message_id=one["message_id"], text="one!")
    await lab.call("deleteMessage", chat_id=ann, message_id=two["message_id"])
    assert [message["text"] for message in await lab.shown(ann, after=1)] == ["one!"]
    everything = await lab.shown(ann, deleted="true")
    assert [message.get("deleted", False) for message in everything] == [False, False, True]


async def test_calls_are_logged_without_the_token(lab: Lab) -> None:
    ann = await lab.person()
    await lab.call("sendDocument", {"document": ("a.txt", b"abc")}, chat_id=ann)
    await lab.refused("sendMessage", chat_id=ann, text="", reply_markup=inline("Yes"))
    sent, refused = (await lab.control("GET", "/calls"))["calls"][-2:]
    assert (sent["method"], sent["ok"], sent["params"]["document"]) == (
        "sendDocument",
        True,
        {"file": "a.txt", "size": 3},
    )
    assert (refused["status"], refused["description"]) == (400, "Bad Request: message text is empty")
    assert refused["params"]["reply_markup"] == inline("Yes")
    assert "sandbox-token" not in json.dumps([sent, refused])
    only = (await lab.control("GET", f"/calls?method=sendmessage&since={sent['n']}"))["calls"]
    assert [call["n"] for call in only] == [refused["n"]]


async def test_files_come_as_base64_by_path_or_uploaded(lab: Lab, tmp_path: Path) -> None:
    ann = await lab.person()
    local = tmp_path / "local.json"
    local.write_text("{}")
    by_path = await lab.send(ann, document={"path": str(local)}, caption="see x.com")
    assert (by_path["document"]["file_name"], by_path["caption_entities"][0]["type"]) == ("local.json", "url")
    response = await lab.client.post(
        f"/sandbox/chats/{ann}/messages",
        data={"json": json.dumps({"from": ann, "caption": "c"})},
        files={"document": ("up.txt", b"hello", "text/plain")},
    )
    uploaded = response.json()["message"]
    assert (uploaded["document"]["file_size"], uploaded["caption"]) == (5, "c")
    url = f"/chats/{ann}/messages"
    assert await lab.control_error("POST", url, **{"from": ann, "document": {"path": "/no/such"}})
    assert await lab.control_error("POST", url, **{"from": ann, "document": {"content_base64": "?"}})
    assert await lab.control_error("POST", url, **{"from": ann})


async def test_a_person_can_delete_and_bots_are_not_told(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.say(ann, "oops")
    await lab.updates()
    await lab.control("DELETE", f"/chats/{ann}/messages/{said['message_id']}")
    assert await lab.updates() == []
    assert [message["text"] for message in await lab.shown(ann)] == ["/start"]


async def test_commands_are_kept_by_scope_and_language(lab: Lab) -> None:
    commands = [{"command": "tasks", "description": "What waits for you"}]
    scope = {"type": "all_private_chats"}
    await lab.call("setMyCommands", commands=commands, scope=scope)
    assert await lab.call("getMyCommands", scope=scope) == commands
    assert await lab.call("getMyCommands") == []
    shown = (await lab.control("GET", "/commands"))["commands"]
    assert shown == [{"scope": scope, "language_code": "", "commands": commands}]
    await lab.call("deleteMyCommands", scope=scope)
    assert await lab.call("getMyCommands", scope=scope) == []


async def test_time_moves_forward_only(lab: Lab) -> None:
    before = (await lab.control("GET", "/clock"))["now"]
    after = (await lab.control("POST", "/clock", advance_s=100))["now"]
    assert 100 <= after - before < 110
    assert "forward" in await lab.control_error("POST", "/clock", advance_s=-1)


async def test_a_reset_forgets_all_but_the_bots(lab: Lab) -> None:
    ann = await lab.person()
    await lab.say(ann, "x")
    await lab.control("POST", "/reset")
    assert await lab.updates() == []
    assert await lab.control("GET", "/users") == {"users": []}
    assert (await lab.call("getMe"))["username"] == "stepgram_bot"
    assert await lab.person() == ann


async def test_unknown_people_chats_and_messages_are_404(lab: Lab) -> None:
    ann = await lab.person()
    for verb, path, body in [
        ("POST", "/chats/5/messages", {"from": ann, "text": "x"}),
        ("POST", f"/chats/{ann}/messages", {"from": 5, "text": "x"}),
        ("POST", f"/chats/{ann}/messages/99/press", {"from": ann, "data": "x"}),
        ("GET", "/callbacks/5", {}),
        ("PATCH", "/users/x", {"blocked_bot": True}),
    ]:
        response = await lab.client.request(verb, f"/sandbox{path}", json=body)
        assert (response.status_code, set(response.json())) == (404, {"error"})


async def test_browsers_see_what_happens(lab: Lab) -> None:
    ann = await lab.person()

    async with websockets.connect(lab.running.url.replace("http", "ws") + "/sandbox/ws") as socket:

        async def event() -> Any:
            return json.loads(await socket.recv())

        await lab.say(ann, "hello")
        said = await event()
        assert (said["event"], said["chat_id"], said["message"]["text"]) == ("message", ann, "hello")
        sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=inline("Yes"))
        assert (await event())["message"]["reply_markup"] == inline("Yes")
        await lab.call("sendChatAction", chat_id=ann, action="typing")
        assert await event() == {"event": "typing", "chat_id": ann, "action": "typing"}
        query_id = await lab.press(ann, sent, caption="Yes")
        await lab.call("answerCallbackQuery", callback_query_id=query_id, text="ok")
        assert await event() == {
            "event": "callback_answer",
            "chat_id": ann,
            "user_id": ann,
            "callback_query_id": query_id,
            "text": "ok",
            "show_alert": False,
        }
        await lab.call("editMessageText", chat_id=ann, message_id=sent["message_id"], text="y")
        edited = await event()
        assert (edited["event"], edited["message"]["sandbox"]["edited"]) == ("edit", True)
        await lab.call("deleteMessage", chat_id=ann, message_id=sent["message_id"])
        assert await event() == {"event": "delete", "chat_id": ann, "message_id": sent["message_id"]}
        await lab.control("POST", "/users", first_name="Bob")
        assert (await event())["user"]["first_name"] == "Bob"
        await lab.control("POST", "/chats", title="G", members=[ann])
        assert (await event())["chat"]["title"] == "G"
        await lab.control("POST", "/reset")
        while (last := await event())["event"] != "reset":
            assert last["event"] in {"message", "chat"}


async def test_the_server_is_healthy_and_serves_the_web_chat_s_files(lab: Lab) -> None:
    assert (await lab.control("GET", "/health"))["ok"] is True
    assert (await lab.client.get("/")).status_code == (200 if HAS_WEB_CHAT else 404)
    assert (await lab.client.get("/web/no-such-file.js")).status_code == 404


async def test_answers_do_not_wait_for_delayed_acknowledgements(lab: Lab) -> None:
    """Without TCP_NODELAY each answer of the server takes 40 ms."""
    seconds = [(await lab.client.get("/sandbox/health")).elapsed.total_seconds() for _ in range(5)]
    assert min(seconds) < 0.03


async def test_what_a_person_may_not_do_is_refused(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    group = await lab.group(ann, bob)
    said = await lab.say(ann, "/a", group)
    message = f"/chats/{group}/messages/{said['message_id']}"
    assert "may not delete" in await lab.control_error("DELETE", message, **{"from": bob})
    send = f"/chats/{group}/messages"
    assert "no own message" in await lab.control_error(
        "POST", send, **{"from": bob, "edit": said["message_id"], "text": "x"}
    )
    assert "no buttons" in await lab.control_error("POST", f"{message}/press", **{"from": ann, "data": "x"})
    assert "somebody else" in await lab.control_error(
        "POST", f"/chats/{ann}/messages", **{"from": bob, "text": "x"}
    )
    for wrong in ({"text": " "}, {"text": "x", "reply_to": 99}, {"text": "x", "message_thread_id": 9}):
        assert await lab.control_error("POST", send, **{"from": ann}, **wrong)
    shared = {"request_id": 1, "chat_id": 1}
    assert await lab.control_error("POST", send, **{"from": ann, "chat_shared": shared})
    assert await lab.control_error("PATCH", f"/chats/{ann}/members/{bob}", status="member")
    assert await lab.control_error("POST", f"/chats/{group}/migrate")
    assert await lab.control_error("POST", f"/chats/{group}/topics", name="x")
    assert await lab.control_error("POST", "/chats", type="private", title="x")
    assert await lab.control_error("POST", "/chats", type="crowd", title="x")


async def test_other_fields_of_a_message_can_be_given_as_they_are(lab: Lab) -> None:
    ann = await lab.person()
    await lab.send(ann, content={"dice": {"emoji": "🎲", "value": 6}})
    (update,) = await lab.updates()
    assert update["message"]["dice"]["value"] == 6


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ("x", "can't parse commands JSON object"),
        ({"a": 1}, "expected an Array of BotCommand"),
        ([1], "can't parse BotCommand: expected an Object"),
        ([{"command": "a"}], "can't parse BotCommand: Can't find field \"description\""),
        ([{"command": "", "description": "x"}], "command must be non-empty"),
        ([{"command": "a", "description": ""}], "command description must be non-empty"),
        ([{"command": "A!", "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "a", "description": "x" * 257}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "a", "description": "x"}] * 101, "BOT_COMMANDS_TOO_MUCH"),
    ],
)
async def test_commands_that_cannot_be_are_refused(lab: Lab, commands: Any, words: str) -> None:
    assert await lab.refused("setMyCommands", commands=commands) == f"Bad Request: {words}"


async def test_an_unknown_scope_of_commands_is_refused(lab: Lab) -> None:
    words = "Bad Request: can't parse BotCommandScope: Unsupported type specified"
    assert await lab.refused("getMyCommands", scope={"type": "moon"}) == words


async def test_a_private_chat_has_two_members_and_is_never_left(lab: Lab) -> None:
    ann = await lab.person()
    assert await lab.call("getChatMemberCount", chat_id=ann) == 2
    assert (await lab.call("getChatMember", chat_id=ann, user_id=ann))["status"] == "member"
    assert await lab.refused("leaveChat", chat_id=ann)
    words = "Bad Request: invalid user_id specified"
    assert await lab.refused("getChatMember", chat_id=ann) == words
