"""Addresses within Telegram: of the bot with something to begin with, and of a message in a group."""

SUPERGROUPS = -(10**12)
"""The ids of supergroups lie below it; only their messages have an address."""


def to_bot(username: str, token: str) -> str:
    """The address that opens the bot and sends it `/start TOKEN`."""
    return f"https://t.me/{username.removeprefix('@')}?start={token}"


def to_message(chat_id: int, message_id: int | None, thread_id: int | None = None) -> str | None:
    """The address of a message, for the members of its group; None where it has none."""
    if message_id is None or chat_id >= SUPERGROUPS:
        return None
    thread = "" if thread_id is None else f"/{thread_id}"
    return f"https://t.me/c/{SUPERGROUPS - chat_id}{thread}/{message_id}"
