"""sendMessage and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.lab import Lab, inline


async def test_a_person_who_never_started_cannot_be_written_to(lab: Lab) -> None:
    ann = await lab.person(started=False)
    assert await lab.refused("sendMessage", chat_id=ann, text="hi") == "Bad Request: chat not found"
    assert await lab.refused("getChat", chat_id=ann) == "Bad Request: chat not found"
    await lab.say(ann, "/start")
    assert (await lab.call("sendMessage", chat_id=ann, text="hi"))["text"] == "hi"


async def test_a_person_who_blocked_the_bot_cannot_be_written_to(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="hi")
    await lab.control("PATCH", f"/users/{ann}", blocked_bot=True)
    (blocked,) = await lab.updates()
    assert blocked["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    response = await lab.answer("sendMessage", chat_id=ann, text="hi")
    assert response.status_code == 403
    words = "Forbidden: bot was blocked by the user"
    assert response.json()["description"] == words
    edit = {"chat_id": ann, "message_id": sent["message_id"], "text": "x"}
    assert await lab.refused("editMessageText", **edit) == words
    assert await lab.refused("sendChatAction", chat_id=ann, action="typing") == words


async def test_start_takes_a_block_back(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("PATCH", f"/users/{ann}", blocked_bot=True)
    await lab.control_error("POST", f"/chats/{ann}/messages", **{"from": ann, "text": "hello"})
    await lab.say(ann, "/start")
    kinds = [set(update) - {"update_id"} for update in await lab.updates()]
    assert kinds == [{"my_chat_member"}, {"my_chat_member"}, {"message"}]
    assert await lab.call("sendMessage", chat_id=ann, text="hi")


async def test_links_in_plain_text_come_back_as_entities(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="go /tasks at x.com")
    assert [entity["type"] for entity in sent["entities"]] == ["bot_command", "url"]


async def test_html_is_parsed_before_the_length_is_counted(lab: Lab) -> None:
    ann = await lab.person()
    text = "<b>" + "x" * 4096 + "</b>"
    sent = await lab.call("sendMessage", chat_id=ann, text=text, parse_mode="HTML")
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 4096}]


@pytest.mark.parametrize("text", ["x" * 4097, "😀" * 2049])
async def test_text_above_4096_utf16_units_is_too_long(lab: Lab, text: str) -> None:
    ann = await lab.person()
    assert await lab.refused("sendMessage", chat_id=ann, text=text) == "Bad Request: message is too long"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "text must be non-empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "text must be non-empty"),
        (
            {"text": "<p>", "parse_mode": "html"},
            'can\'t parse entities: Unsupported start tag "p" at byte offset 0',
        ),
        ({"text": "x", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ({"text": "x" * 40_000}, "text is too long"),
        ({"text": "x", "chat_id": ""}, "chat_id is empty"),
        ({"text": "x", "chat_id": "@nobody"}, "chat not found"),
        ({"text": "x", "chat_id": -5}, "chat not found"),
        ({"text": "x", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        ({"text": "x", "reply_parameters": "{"}, "can't parse reply parameters JSON object"),
        ({"text": "x", "message_thread_id": 7}, "message thread not found"),
        (
            {"text": "x", "entities": [{"type": "bold", "offset": 0, "length": 2}]},
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 2",
        ),
        (
            {"text": "x", "entities": [{"type": "loud", "offset": 0, "length": 1}]},
            "can't parse MessageEntity: Unsupported type specified",
        ),
    ],
)
async def test_what_cannot_be_sent_is_refused_in_telegrams_words(
    lab: Lab, params: dict[str, Any], words: str
) -> None:
    ann = await lab.person()
    assert await lab.refused("sendMessage", **({"chat_id": ann} | params)) == f"Bad Request: {words}"


async def test_a_reply_shows_what_it_replies_to(lab: Lab) -> None:
    ann = await lab.person()
    first = await lab.say(ann, "question")
    sent = await lab.call(
        "sendMessage", chat_id=ann, text="answer", reply_parameters={"message_id": first["message_id"]}
    )
    assert sent["reply_to_message"]["text"] == "question"
    assert "reply_to_message" not in sent["reply_to_message"]


async def test_a_lost_reply_target_may_be_allowed(lab: Lab) -> None:
    ann = await lab.person()
    reply = {"message_id": 99, "allow_sending_without_reply": True}
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_parameters=reply)
    assert "reply_to_message" not in sent


async def test_a_mention_by_id_carries_the_user(lab: Lab) -> None:
    ann = await lab.person()
    html = f'<a href="tg://user?id={ann}">you</a> <a href="tg://user?id=999">nobody</a>'
    sent = await lab.call("sendMessage", chat_id=ann, text=html, parse_mode="HTML")
    (entity,) = sent["entities"]
    assert (entity["type"], entity["user"]["first_name"]) == ("text_mention", "Ann")


async def test_link_preview_options_are_kept(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call(
        "sendMessage", chat_id=ann, text="x.com", link_preview_options={"is_disabled": True}
    )
    assert sent["link_preview_options"] == {"is_disabled": True}


async def test_message_ids_of_private_chats_count_together_and_those_of_groups_apart(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    group = await lab.group(ann)
    ids = [
        (await lab.call("sendMessage", chat_id=chat, text="x"))["message_id"] for chat in (ann, bob, group)
    ]
    assert ids[1] == ids[0] + 1
    assert ids[2] == 3


@pytest.mark.parametrize("way", ["query", "form", "json"])
async def test_parameters_come_by_query_form_or_json(lab: Lab, way: str) -> None:
    ann = await lab.person()
    url = f"/bot{lab.running.token}/SENDMESSAGE"
    plain: dict[str, Any] = {"chat_id": ann, "text": "hi"}
    match way:
        case "query":
            response = await lab.client.get(url, params=plain)
        case "form":
            response = await lab.client.post(url, data=plain)
        case _:
            response = await lab.client.post(url, json=plain | {"reply_markup": inline("Yes")})
            assert response.json()["result"]["reply_markup"] == inline("Yes")
    assert response.json()["result"]["text"] == "hi"


async def test_unknown_methods_and_tokens_are_refused(lab: Lab) -> None:
    assert await lab.refused("sendEverything") == "Not Found"
    unknown = await lab.client.get("/bot77:wrong/getMe")
    assert (unknown.status_code, unknown.json()["description"]) == (401, "Unauthorized")
    assert (await lab.client.get("/botnonsense/getMe")).status_code == 404
    assert (await lab.client.get("/file/bot77:wrong/documents/x")).status_code == 401


async def test_forward_and_copy_carry_the_content(lab: Lab) -> None:
    ann, bob = await lab.person("Ann"), await lab.person("Bob")
    source = await lab.say(ann, "news")
    ids = {"from_chat_id": ann, "message_id": source["message_id"]}
    forwarded = await lab.call("forwardMessage", chat_id=bob, **ids)
    assert (forwarded["text"], forwarded["forward_origin"]["sender_user"]["id"]) == ("news", ann)
    copied = await lab.call("copyMessage", chat_id=bob, **ids)
    assert (await lab.shown(bob))[-1]["message_id"] == copied["message_id"]


@pytest.mark.parametrize("action", ["typing", "upload_document"])
async def test_chat_actions_are_taken(lab: Lab, action: str) -> None:
    ann = await lab.person()
    assert await lab.call("sendChatAction", chat_id=ann, action=action) is True
    words = "Bad Request: wrong parameter action in request"
    assert await lab.refused("sendChatAction", chat_id=ann, action="dance") == words
