"""A process of ours: its parts, its settings, its logs, and how it stops."""

import asyncio
import gc
import json
import logging
import os
import signal

import pytest
import structlog
from pydantic import SecretStr

from shared import logs, service
from shared.errors import ConfigurationError
from shared.service import run_parts, stop_on_signals
from shared.settings import load_settings
from tests.fakes.services import settings_with
from tests.fakes.waiting import until


class Part:
    """Runs until it is told to stop, or ends by itself."""

    def __init__(self, error: Exception | None = None, *, deaf: bool = False, ends: bool = False) -> None:
        self.running = self.cancelled = False
        self._error, self._deaf, self._ends = error, deaf, ends

    async def __call__(self, stopping: asyncio.Event) -> None:
        self.running = True
        try:
            if self._error:
                raise self._error
            if self._ends:
                return
            await (asyncio.sleep(60) if self._deaf else stopping.wait())
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.running = False


async def test_every_part_is_told_to_stop_and_waited_for() -> None:
    parts, stopping = [Part(), Part()], asyncio.Event()
    run = asyncio.create_task(run_parts(parts, stopping))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(part.running for part in parts)
    stopping.set()
    await asyncio.wait_for(run, 5)
    assert not any(part.running or part.cancelled for part in parts)


async def test_a_part_that_fails_takes_the_process_with_it() -> None:
    good, stopping = Part(), asyncio.Event()
    with pytest.raises(RuntimeError, match="broken"):
        await run_parts([good, Part(RuntimeError("broken"))], stopping)
    assert stopping.is_set()
    assert not good.running


async def test_a_part_that_does_not_stop_in_time_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of a blocking library cannot be cancelled; what it holds lapses."""
    codes: list[int] = []
    monkeypatch.setattr(service, "STOP_LIMIT_S", 0.05)
    monkeypatch.setattr(os, "_exit", codes.append)
    deaf, stopping = Part(deaf=True), asyncio.Event()
    run = asyncio.create_task(run_parts([deaf, Part()], stopping))
    await asyncio.sleep(0)
    stopping.set()
    await until(lambda: codes, "the process ends")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert codes == [1]


def test_a_stop_is_over_within_ten_seconds() -> None:
    assert service.STOP_LIMIT_S < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_process(number: signal.Signals) -> None:
    loop = asyncio.get_running_loop()
    before = signal.getsignal(number)
    try:
        stopping = stop_on_signals()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stopping.wait(), 5)
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
        signal.signal(number, before)


def test_what_was_loaded_to_start_is_no_longer_looked_through_for_garbage() -> None:
    service.settle_heap()
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < 10_000


# settings


def test_every_malformed_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DATABASE_URL": "x", "LEASE_S": "long", "POLL_S": "99", "LOG_FORMAT": "xml"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    for name in ("LEASE_S", "POLL_S", "LOG_FORMAT"):
        assert f"{name}: " in str(refused.value)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("TOPICS", " a, b ,,c")
    monkeypatch.setenv("TOPIC_MODULES", "")
    settings = load_settings()
    assert (settings.topics, settings.topic_modules) == (("a", "b", "c"), ())


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("WEBHOOK_URL", "")
    monkeypatch.setenv("LEASE_S", "")
    assert load_settings().webhook_url is None


def test_the_bots_id_is_in_its_token() -> None:
    assert settings_with(bot_token=SecretStr("123:abc")).bot_id == 123


@pytest.mark.parametrize("token", ["", "abc", "123", "123:", ":abc", "x123:abc"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="BOT_TOKEN is missing or malformed"):
        _ = settings_with(bot_token=SecretStr(token)).bot_id


def test_secrets_are_not_shown() -> None:
    shown = repr(
        settings_with(
            bot_token=SecretStr("123:hidden-a"),
            engine_password=SecretStr("hidden-b"),
            webhook_secret=SecretStr("hidden-c"),
            r2_secret_access_key=SecretStr("hidden-d"),
        )
    )
    assert "hidden" not in shown


# logs


@pytest.mark.usefixtures("logging_as_before")
def test_a_log_line_is_json_where_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    structlog.get_logger("shared.x").info("parked", reply=5)
    logging.getLogger("some.library").warning("careful")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["reply"], first["level"]) == ("parked", 5, "info")
    assert (second["event"], second["logger"]) == ("careful", "some.library")


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_is_logged_without_the_variables_around_it(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    logs.configure("INFO", form)
    secret = "hidden" + "-token"

    def fail() -> None:
        raise RuntimeError(f"broken after {len(secret)}")

    try:
        fail()
    except RuntimeError:
        structlog.get_logger("shared.x").exception("unexpected")
    shown = capsys.readouterr().err
    assert "RuntimeError: broken after 12" in shown
    assert "hidden-token" not in shown


@pytest.mark.usefixtures("logging_as_before")
def test_libraries_that_would_log_the_token_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", "text")
    logging.getLogger("aiohttp.client").info("POST https://api.telegram.org/bot123:secret/getMe")
    assert capsys.readouterr().err == ""
