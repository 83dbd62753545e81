import traceback
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.ports import choose
from devstack.run import new_lines, real_bot
from devstack.sandbox.serve import running_sandbox

TOKEN = "77:a-token"


async def test_without_a_token_or_with_the_sandboxs_own_there_is_no_real_bot() -> None:
    assert await real_bot({}) is None
    assert await real_bot({"BOT_TOKEN": ""}) is None
    assert await real_bot({"BOT_TOKEN": "1000001:sandbox-token"}) is None


async def test_a_real_bot_is_who_telegram_says() -> None:
    async with running_sandbox(tokens=[TOKEN]) as telegram:
        bot = await real_bot({"BOT_TOKEN": f" {TOKEN}\n", "TELEGRAM_API_URL": telegram.url})
    assert bot is not None
    assert (bot.id, bot.username) == (77, "stepgram_bot")
    assert bot.settings == {"BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": telegram.url}


async def test_a_refused_token_is_told_as_such() -> None:
    async with running_sandbox(tokens=[TOKEN]) as telegram:
        with pytest.raises(DevstackError, match="knows no bot of this BOT_TOKEN; BotFather"):
            await real_bot({"BOT_TOKEN": "78:another", "TELEGRAM_API_URL": telegram.url})


@pytest.mark.parametrize("token", ["nonsense", "77:a b", "77:a/../getMe", "x:77"])
async def test_what_cannot_be_a_token_is_not_sent_anywhere(token: str) -> None:
    with pytest.raises(DevstackError, match="BOT_TOKEN is no token"):
        await real_bot({"BOT_TOKEN": token, "TELEGRAM_API_URL": "http://127.0.0.1:1"})


async def test_no_way_to_telegram_is_told_without_the_token() -> None:
    address = f"http://127.0.0.1:{choose(set())}"
    with pytest.raises(DevstackError, match=f"cannot reach {address}") as caught:
        await real_bot({"BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": address})
    assert "a-token" not in "".join(traceback.format_exception_only(caught.value))


def test_only_whole_new_lines_of_a_log_are_given(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"old\n")
    lines, read_bytes = new_lines(log, 4)
    assert (lines, read_bytes) == ([], 4)
    log.write_bytes("old\nnéw\nhal".encode())
    lines, read_bytes = new_lines(log, read_bytes)
    assert lines == ["néw"]
    log.write_bytes("old\nnéw\nhalf\nmore\n".encode())
    assert new_lines(log, read_bytes)[0] == ["half", "more"]
