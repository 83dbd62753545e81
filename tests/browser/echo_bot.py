"""A little bot for the tests: repeats in private what it gets, and has buttons that do what they say."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from telegram import (
    Bot,
    CallbackQuery,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    KeyboardButtonRequestChat,
    Message,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    Update,
)
from telegram.request import HTTPXRequest

from devstack.sandbox.serve import RunningSandbox

POLL_S = 5
BUTTONS = InlineKeyboardMarkup(
    [
        [InlineKeyboardButton(each, callback_data=each) for each in ("Toast", "Alert")],
        [
            InlineKeyboardButton("Edit", callback_data="Edit"),
            InlineKeyboardButton("Remove", callback_data="Remove"),
        ],
    ]
)
KEYS = ReplyKeyboardMarkup(
    [
        ["Yes", "No"],
        [KeyboardButton("Pick a group", request_chat=KeyboardButtonRequestChat(7, chat_is_channel=False))],
    ],
    resize_keyboard=True,
    input_field_placeholder="Yes or no?",
)


class EchoBot:
    """Polls the sandbox while its block is open; a test speaks for it with `api`."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.api = Bot(
            sandbox.token,
            base_url=f"{sandbox.url}/bot",
            base_file_url=f"{sandbox.url}/file/bot",
            request=HTTPXRequest(connection_pool_size=4, httpx_kwargs={"trust_env": False}),
            get_updates_request=HTTPXRequest(httpx_kwargs={"trust_env": False}),
        )

    async def __aenter__(self) -> Self:
        await self.api.initialize()
        self._polling = asyncio.create_task(self._poll())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._polling.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        finally:
            await self.api.shutdown()

    async def _poll(self) -> None:
        offset = 0
        while True:
            for update in await self.api.get_updates(offset, timeout=POLL_S):
                offset = update.update_id + 1
                await self._handle(update)

    async def _handle(self, update: Update) -> None:
        if update.callback_query:
            await self._tapped(update.callback_query)
        elif update.message:
            await self._told(update.message)

    async def _told(self, message: Message) -> None:
        if message.document:
            content = await (await message.document.get_file()).download_as_bytearray()
            await message.reply_document(bytes(content), filename=f"echo-{message.document.file_name}")
        elif message.photo:
            content = await (await message.photo[-1].get_file()).download_as_bytearray()
            await message.reply_photo(bytes(content), caption="Your picture")
        elif message.chat_shared:
            await message.reply_text(
                f"Group {message.chat_shared.chat_id}", reply_markup=ReplyKeyboardRemove()
            )
        elif message.text:
            await self._answer(message, message.text)

    async def _answer(self, message: Message, text: str) -> None:
        match text.removesuffix("@stepgram_bot"):
            case "/start":
                await message.reply_text(
                    "<b>Welcome</b>, press something", parse_mode="HTML", reply_markup=BUTTONS
                )
            case "/keys":
                await message.reply_text("Yes or no?", reply_markup=KEYS)
            case "/ask":
                mark = ForceReply(selective=True, input_field_placeholder="Your comment")
                await message.reply_text("What do you think?", reply_markup=mark, do_quote=True)
            case _ if message.chat.type == "private":
                await message.reply_text(f"You said: {text}")

    async def _tapped(self, query: CallbackQuery) -> None:
        message = query.message
        assert isinstance(message, Message)
        match query.data:
            case "Toast":
                await query.answer("A small notice")
            case "Alert":
                await query.answer("Mind the gap", show_alert=True)
            case "Edit":
                await query.answer()
                await message.edit_text("Edited by the bot", reply_markup=BUTTONS)
            case "Remove":
                await query.answer()
                await message.delete()
