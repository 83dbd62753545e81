"""Edits and deletions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.lab import Lab, inline

HOUR = 3600
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are"
    " exactly the same as a current content and reply markup of the message"
)


def named(message: Any) -> dict[str, Any]:
    return {"chat_id": message["chat"]["id"], "message_id": message["message_id"]}


async def test_an_edit_changes_text_and_drops_buttons_that_are_not_given_again(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="one", reply_markup=inline("Yes"))
    edited = await lab.call("editMessageText", **named(sent), text="<b>two</b>", parse_mode="HTML")
    assert (edited["text"], "reply_markup" in edited, "edit_date" in edited) == ("two", False, True)
    shown = (await lab.shown(ann))[-1]
    assert (shown["text"], shown["sandbox"]["edits"]) == ("two", 1)
    assert await lab.updates() == []


async def test_only_the_buttons_can_be_changed(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="one", reply_markup=inline("Yes"))
    edited = await lab.call("editMessageReplyMarkup", **named(sent), reply_markup=inline("No"))
    assert (edited["text"], edited["reply_markup"]) == ("one", inline("No"))
    assert "reply_markup" not in await lab.call("editMessageReplyMarkup", **named(sent))


async def test_an_edit_that_changes_nothing_is_refused(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="one", reply_markup=inline("Yes"))
    same = {**named(sent), "reply_markup": inline("Yes")}
    assert await lab.refused("editMessageText", text="one", **same) == NOT_MODIFIED
    assert await lab.refused("editMessageReplyMarkup", **same) == NOT_MODIFIED


@pytest.mark.parametrize(
    "markup",
    [{"force_reply": True}, {"keyboard": [["x"]]}, {"remove_keyboard": True}],
    ids=lambda m: next(iter(m)),
)
async def test_a_message_with_a_reply_keyboard_or_force_reply_cannot_be_edited(lab: Lab, markup: Any) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="one", reply_markup=markup)
    words = "Bad Request: message can't be edited"
    assert await lab.refused("editMessageText", **named(sent), text="two") == words
    assert await lab.refused("editMessageReplyMarkup", **named(sent), reply_markup=inline("x")) == words
    assert await lab.call("deleteMessage", **named(sent)) is True


async def test_an_edit_takes_inline_keyboards_only(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="one")
    refused = await lab.refused(
        "editMessageText", **named(sent), text="two", reply_markup={"force_reply": True}
    )
    assert refused == "Bad Request: inline keyboard expected"


async def test_what_is_not_the_bot_s_or_not_there_cannot_be_edited(lab: Lab) -> None:
    ann = await lab.person()
    said = await lab.say(ann, "mine")
    assert (
        await lab.refused("editMessageText", **named(said), text="x")
        == "Bad Request: message can't be edited"
    )
    gone = {"chat_id": ann, "message_id": 999}
    assert await lab.refused("editMessageText", **gone, text="x") == "Bad Request: message to edit not found"
    missing = "Bad Request: message identifier is not specified"
    assert await lab.refused("editMessageText", inline_message_id="1", text="x") == missing
    assert (
        await lab.refused("editMessageText", **named(said), text="") == "Bad Request: message text is empty"
    )


async def test_a_bot_s_own_message_can_be_edited_however_old_it_is(lab: Lab) -> None:
    ann = await lab.person()
    sent = await lab.call("sendMessage", chat_id=ann, text="one")
    await lab.advance(100 * 24 * HOUR)
    assert (await lab.call("editMessageText", **named(sent), text="two"))["text"] == "two"


async def test_text_and_caption_are_not_confused(lab: Lab) -> None:
    ann = await lab.person()
    text = await lab.call("sendMessage", chat_id=ann, text="one")
    file = await lab.call("sendDocument", {"document": ("a.txt", b"a")}, chat_id=ann, caption="one")
    no_caption = "Bad Request: there is no caption in the message to edit"
    assert await lab.refused("editMessageCaption", **named(text), caption="x") == no_caption
    no_text = "Bad Request: there is no text in the message to edit"
    assert await lab.refused("editMessageText", **named(file), text="x") == no_text
    assert (await lab.call("editMessageCaption", **named(file), caption="two"))["caption"] == "two"
    assert "caption" not in await lab.call("editMessageCaption", **named(file))


async def test_media_can_be_changed(lab: Lab, png: bytes) -> None:
    ann = await lab.person()
    file = await lab.call("sendDocument", {"document": ("a.txt", b"a")}, chat_id=ann)
    media = {"type": "photo", "media": "attach://p", "caption": "now a picture"}
    edited = await lab.call("editMessageMedia", {"p": ("p.png", png)}, **named(file), media=media)
    assert (edited["caption"], "document" in edited, len(edited["photo"])) == ("now a picture", False, 4)
    shown = (await lab.shown(ann))[-1]
    assert set(shown["sandbox"]["file_urls"]) == {"photo"}


async def test_private_messages_of_both_sides_can_be_deleted_for_48_hours(lab: Lab) -> None:
    ann = await lab.person()
    said, sent = await lab.say(ann, "a"), await lab.call("sendMessage", chat_id=ann, text="b")
    later = await lab.call("sendMessage", chat_id=ann, text="c")
    assert await lab.call("deleteMessage", **named(said)) is True
    assert await lab.call("deleteMessage", **named(sent)) is True
    assert await lab.refused("deleteMessage", **named(sent)) == "Bad Request: message to delete not found"
    await lab.advance(48 * HOUR + 1)
    words = "Bad Request: message can't be deleted for everyone"
    assert await lab.refused("deleteMessage", **named(later)) == words


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("group", "Bad Request: message can't be deleted for everyone"),
        ("supergroup", "Bad Request: message can't be deleted"),
    ],
)
async def test_in_groups_others_messages_need_an_administrator(lab: Lab, kind: str, words: str) -> None:
    ann = await lab.person()
    group = await lab.group(ann, type=kind)
    said = await lab.say(ann, "/a", group)
    own = await lab.call("sendMessage", chat_id=group, text="mine")
    assert await lab.refused("deleteMessage", **named(said)) == words
    assert await lab.call("deleteMessage", **named(own)) is True
    await lab.control("PATCH", f"/chats/{group}/members/{lab.bot_id}", status="administrator")
    assert await lab.call("deleteMessage", **named(said)) is True


async def test_many_are_deleted_or_when_one_cannot_go_none(lab: Lab) -> None:
    ann = await lab.person()
    old = await lab.call("sendMessage", chat_id=ann, text="old")
    await lab.advance(47 * HOUR)
    new = [(await lab.call("sendMessage", chat_id=ann, text="new"))["message_id"] for _ in range(2)]
    await lab.advance(2 * HOUR)
    refused = await lab.refused("deleteMessages", chat_id=ann, message_ids=[*new, old["message_id"]])
    assert refused == "Bad Request: message can't be deleted for everyone"
    assert [message["text"] for message in await lab.shown(ann)] == ["/start", "old", "new", "new"]
    assert await lab.call("deleteMessages", chat_id=ann, message_ids=[*new, 999]) is True
    assert [message["text"] for message in await lab.shown(ann)] == ["/start", "old"]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ("", "message identifiers are not specified"),
        ([], "message identifiers are not specified"),
        ("x", "can't parse message_ids JSON object"),
        ({"a": 1}, "expected an Array of message identifiers"),
        (list(range(1, 102)), "too many message identifiers specified"),
        (["x"], "can't parse message identifier as a Number"),
        ([0], "invalid message identifier specified"),
    ],
)
async def test_wrong_lists_of_ids_are_refused(lab: Lab, ids: Any, words: str) -> None:
    ann = await lab.person()
    assert await lab.refused("deleteMessages", chat_id=ann, message_ids=ids) == f"Bad Request: {words}"
