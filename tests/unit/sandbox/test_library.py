"""An unmodified python-telegram-bot works by base URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
from telegram import (
    BotCommand,
    CallbackQuery,
    ChatMember,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    ReactionTypeEmoji,
    ReplyParameters,
    Update,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter, TimedOut
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from tests.unit.sandbox.lab import Lab

Bot = ExtBot[None]
YES = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y")]])


@pytest.fixture(autouse=True)
def timedelta_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the library warns of its own retry_after."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def bot(lab: Lab) -> AsyncIterator[Bot]:
    made: Bot = ExtBot(
        lab.running.token,
        base_url=f"{lab.running.url}/bot",
        base_file_url=f"{lab.running.url}/file/bot",
        request=HTTPXRequest(httpx_kwargs={"verify": False}, read_timeout=2),
        get_updates_request=HTTPXRequest(httpx_kwargs={"verify": False}),
    )
    async with made:
        yield made


async def only(bot: Bot) -> Update:
    (update,) = await bot.get_updates(offset=-1)
    return update


async def test_messages_taps_and_answers(lab: Lab, bot: Bot) -> None:
    ann = await lab.person()
    sent = await bot.send_message(
        ann,
        "<b>Ready?</b>",
        parse_mode="HTML",
        reply_markup=YES,
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        allow_paid_broadcast=True,
    )
    assert (sent.text, sent.entities[0].type, sent.reply_markup) == ("Ready?", "bold", YES)
    await lab.press(ann, {"message_id": sent.message_id}, caption="Yes")
    query = cast(CallbackQuery, (await only(bot)).callback_query)
    assert await query.answer("noted") is True
    edited = await query.edit_message_text("Done")
    assert isinstance(edited, Message)
    assert edited.text == "Done"
    assert await edited.delete() is True


async def test_the_library_takes_an_inaccessible_message_for_an_empty_one(lab: Lab, bot: Bot) -> None:
    ann = await lab.person()
    sent = await bot.send_message(ann, "x", reply_markup=YES)
    await sent.delete()
    await lab.press(ann, {"message_id": sent.message_id}, data="y", stale=True)
    query = cast(CallbackQuery, (await only(bot)).callback_query)
    assert isinstance(query.message, Message)
    assert (query.message.message_id, query.message.text) == (sent.message_id, None)


async def test_files_photos_and_albums(lab: Lab, bot: Bot, png: bytes) -> None:
    ann = await lab.person()
    sent = await bot.send_document(ann, InputFile(b"{}" * 50, filename="data.json"), caption="data")
    assert sent.document is not None
    file = await bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"{}" * 50
    photo = await bot.send_photo(ann, png)
    assert (photo.photo[-1].width, photo.photo[-1].height) == (1000, 600)
    album = await bot.send_media_group(
        ann, [InputMediaDocument(b"1", filename="1.txt"), InputMediaDocument(b"2", filename="2.txt")]
    )
    assert [message.document.file_name for message in album if message.document] == ["1.txt", "2.txt"]
    changed = await bot.edit_message_media(InputMediaPhoto(png, caption="c"), ann, sent.message_id)
    assert isinstance(changed, Message)
    assert changed.caption == "c"


async def test_groups_members_and_reactions(lab: Lab, bot: Bot) -> None:
    ann = await lab.person()
    group = await lab.group(admins=[ann], forum=True)
    said = await lab.say(ann, "/report", group)
    update = await only(bot)
    assert update.message is not None
    assert update.message.chat.is_forum
    (admin,) = await bot.get_chat_administrators(group)
    assert (admin.status, admin.user.id) == (ChatMember.ADMINISTRATOR, ann)
    assert (await bot.get_chat(group)).title == "Group"
    assert (await bot.get_chat_member(group, bot.id)).status == ChatMember.MEMBER
    assert await bot.get_chat_member_count(group) == 2
    asked = await bot.send_message(
        group,
        "How much?",
        reply_parameters=ReplyParameters(said["message_id"]),
        reply_markup=ForceReply(selective=True, input_field_placeholder="EUR"),
    )
    assert asked.reply_to_message is not None
    assert await bot.set_message_reaction(group, said["message_id"], ReactionTypeEmoji("👍"))
    assert await bot.send_chat_action(group, "typing")
    assert await bot.leave_chat(group)


async def test_every_kind_of_update_is_parsed(lab: Lab, bot: Bot) -> None:
    ann = await lab.person()
    kinds = ["message", "my_chat_member", "chat_member", "message_reaction", "edited_message"]
    await bot.get_updates(allowed_updates=kinds)
    group = await lab.group(ann, bot_is_admin=True, type="group")
    said = await lab.say(ann, "x", group)
    await lab.send(ann, group, edit=said["message_id"], text="y")
    path = f"/chats/{group}/messages/{said['message_id']}/react"
    await lab.control("POST", path, **{"from": ann, "emoji": "👍"})
    await lab.control("PATCH", f"/chats/{group}/members/{ann}", status="administrator")
    await lab.control("PATCH", f"/users/{ann}", blocked_bot=True)
    await lab.control("POST", f"/chats/{group}/migrate")
    updates = await bot.get_updates()
    found = {kind for update in updates for kind in kinds if getattr(update, kind) is not None}
    assert found == set(kinds)


async def test_commands_and_webhooks(lab: Lab, bot: Bot) -> None:
    commands = [BotCommand("tasks", "What waits for you")]
    assert await bot.set_my_commands(commands)
    assert list(await bot.get_my_commands()) == commands
    assert await bot.set_webhook("https://example.org/hook", secret_token="abc", allowed_updates=["message"])
    info = await bot.get_webhook_info()
    assert (info.url, info.allowed_updates) == ("https://example.org/hook", ("message",))
    with pytest.raises(Conflict):
        await bot.get_updates()
    assert await bot.delete_webhook(drop_pending_updates=True)


async def test_errors_have_the_library_s_own_classes(lab: Lab, bot: Bot) -> None:
    ann = await lab.person()
    group = await lab.group(ann, type="group")
    with pytest.raises(BadRequest, match="Can't parse entities"):
        await bot.send_message(ann, "<p>", parse_mode="HTML")
    await lab.control("POST", f"/chats/{group}/migrate")
    with pytest.raises(ChatMigrated):
        await bot.send_message(group, "x")
    await lab.control("POST", "/faults", method="sendMessage", kind="429", retry_after=3)
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(ann, "x")
    assert flood.value.retry_after == timedelta(seconds=3)
    await lab.control("POST", "/faults", method="sendMessage", kind="timeout")
    with pytest.raises(TimedOut):
        await bot.send_message(ann, "x", read_timeout=0.1)
    await lab.control("PATCH", f"/users/{ann}", blocked_bot=True)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(ann, "x")


async def test_an_unknown_token_is_an_invalid_one(lab: Lab) -> None:
    stranger: Bot = ExtBot("77:wrong", base_url=f"{lab.running.url}/bot")
    with pytest.raises(InvalidToken):
        await stranger.initialize()
    await stranger.shutdown()


async def test_a_second_poller_is_a_conflict(lab: Lab, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=5))
    await lab.in_progress("getUpdates")
    newer = asyncio.create_task(bot.get_updates(timeout=1))
    with pytest.raises(Conflict):
        await older
    assert await newer == ()
