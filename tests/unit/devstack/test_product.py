import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from devstack.errors import PartError
from devstack.product import Product
from devstack.stack import Stack
from devstack.state import ProcessRecord, State


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(Stack(State(tmp_path), {}), {"POLL_S": "1"})


def test_no_setting_of_the_shell_reaches_the_products_processes(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_DIRECT_URL", "postgresql://production")
    monkeypatch.setenv("webhook_url", "https://production")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    env = product.env
    assert "DATABASE_DIRECT_URL" not in env
    assert "webhook_url" not in env
    assert env["SOMETHING_ELSE"] == "kept"
    assert env["LOG_LEVEL"] == "DEBUG"
    assert env["POLL_S"] == "1"


async def test_a_command_that_fails_says_what_the_command_said(product: Product) -> None:
    with pytest.raises(PartError, match=r"stepgram migrate: .*DATABASE_URL"):
        await product.command("migrate")


async def test_a_process_that_ends_before_it_serves_is_told_with_its_log(product: Product) -> None:
    with pytest.raises(PartError, match="bot1: did not start") as caught:
        await product.start("bot1", "bot")
    assert "DATABASE_URL" in caught.value.log_tail


def test_a_process_that_is_recorded_and_gone_has_ended(product: Product) -> None:
    me = psutil.Process()
    for name, pid in (("worker1", os.getpid()), ("worker2", 999_999_999)):
        record = ProcessRecord(name, pid, me.create_time(), Path(sys.executable).name, signal.SIGTERM)
        product.stack.state.record(record)
    assert product.ended() == ["worker2"]
