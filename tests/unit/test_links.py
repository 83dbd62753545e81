"""A message of a supergroup has an address, and no other message has."""

import pytest

from shared.links import to_bot, to_message


@pytest.mark.parametrize(
    ("chat_id", "message_id", "thread_id", "address"),
    [
        (-1001234567890, 7, None, "https://t.me/c/1234567890/7"),
        (-1001234567890, 7, 3, "https://t.me/c/1234567890/3/7"),
        (-1000000000001, 7, None, "https://t.me/c/1/7"),
        (-1001234567890, None, None, None),
        (-4012345678, 7, None, None),
        (100_001, 7, None, None),
    ],
)
def test_only_a_message_of_a_supergroup_has_an_address(
    chat_id: int, message_id: int | None, thread_id: int | None, address: str | None
) -> None:
    assert to_message(chat_id, message_id, thread_id) == address


def test_the_address_of_the_bot_carries_the_token() -> None:
    assert to_bot("@stepgram_bot", "a-_1") == to_bot("stepgram_bot", "a-_1")
    assert to_bot("stepgram_bot", "a-_1") == "https://t.me/stepgram_bot?start=a-_1"
