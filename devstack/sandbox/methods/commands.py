"""setMyCommands, getMyCommands, deleteMyCommands."""

from __future__ import annotations

import json
import re

from devstack.sandbox.errors import bad_request
from devstack.sandbox.methods.common import Call
from devstack.sandbox.values import FieldError, Fields, Json, JsonValue

COMMAND = re.compile(r"[a-z0-9_]{1,32}")
DESCRIPTION_CHARS = 256
MAX_COMMANDS = 100
SCOPES = frozenset(
    {
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    }
)


async def set_my_commands(call: Call) -> JsonValue:
    """Set the commands of a scope and language."""
    given = call.params.json("commands", "commands")
    if not isinstance(given, list):
        raise bad_request("expected an Array of BotCommand")
    if len(given) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    call.bot.commands[_key(call)] = [_command(one) for one in given]
    return True


async def get_my_commands(call: Call) -> JsonValue:
    """The commands of exactly that scope and language."""
    return [*call.bot.commands.get(_key(call), [])]


async def delete_my_commands(call: Call) -> JsonValue:
    """Forget the commands of a scope and language."""
    call.bot.commands.pop(_key(call), None)
    return True


def _command(value: JsonValue) -> Json:
    if not isinstance(value, dict):
        raise bad_request("can't parse BotCommand: expected an Object")
    try:
        command, description = Fields(value).text("command"), Fields(value).text("description")
    except FieldError as error:
        raise bad_request(f"can't parse BotCommand: {error}") from error
    command = command.removeprefix("/")
    if not command:
        raise bad_request("command must be non-empty")
    if not description:
        raise bad_request("command description must be non-empty")
    if COMMAND.fullmatch(command) is None:
        raise bad_request("BOT_COMMAND_INVALID")
    if len(description) > DESCRIPTION_CHARS:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": command, "description": description}


def _key(call: Call) -> str:
    scope = call.params.json("scope", "BotCommandScope") or {"type": "default"}
    if not isinstance(scope, dict) or scope.get("type") not in SCOPES:
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    return json.dumps([scope, call.params.text("language_code")], sort_keys=True)
