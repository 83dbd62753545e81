"""What the doctor concludes from what it is told; tests/integration has the real parts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from shared.doctor import engine, report, telegram
from shared.doctor.check import Finding, State, attempt, compare_clocks, fail, ok
from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.telegram.account import Account
from tests.fakes.web import Request, Respond, Response, serving

# one check


async def test_a_check_that_raises_or_hangs_is_a_finding() -> None:
    async def raises() -> Finding:
        raise ConfigurationError("X is\nmissing")

    async def surprises() -> Finding:
        raise ZeroDivisionError("x")

    async def hangs() -> Finding:
        await asyncio.Event().wait()
        return ok("a", "never")

    assert await attempt("a", raises(), "set X") == fail("a", "X is missing", "set X")
    assert await attempt("a", surprises()) == fail("a", "ZeroDivisionError: x")
    hung = await attempt("a", hangs(), limit_s=0.01)
    assert (hung.state, hung.found) == (State.FAIL, "no answer within 0.01 s")


@pytest.mark.parametrize(
    ("ahead_s", "precision_s", "state"),
    [
        (0, 0, "ok"),
        (4, 0, "ok"),
        (-5.5, 1, "ok"),
        (6, 0, "warn"),
        (-7, 1, "warn"),
        (61, 0, "fail"),
        (-90, 1, "fail"),
    ],
)
async def test_a_clock_is_judged_by_what_is_certain(ahead_s: float, precision_s: float, state: str) -> None:
    async def there() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead_s)

    assert (await compare_clocks("clock", there(), precision_s)).state == state


def test_a_report_is_a_line_for_each_check_or_json() -> None:
    findings = [ok("engine", "fine"), fail("bucket", "away", "start it")]
    assert report.told(findings, "text").splitlines() == [
        "ok   engine: fine",
        "fail bucket: away. To mend: start it",
    ]
    assert json.loads(report.told(findings, "json"))[1] == {
        "check": "bucket", "state": "fail", "found": "away", "mend": "start it",
    }  # fmt: skip
    assert not report.is_well(findings)
    assert report.is_well(findings[:1])


async def test_every_missing_setting_is_named_and_hides_no_other() -> None:
    nothing = Settings(database_url="", engine_url="", bot_token=SecretStr(""), r2_bucket_name=None)
    lines = report.told(await report.examine(nothing), "text")
    for name in ("ENGINE_URL", "DATABASE_URL", "R2_BUCKET_NAME", "BOT_TOKEN"):
        assert name in lines


# the engine


@asynccontextmanager
async def probing(respond: Respond) -> AsyncIterator[engine._Probe]:
    """The doctor's client of an engine that answers as ``respond`` does."""
    async with serving(respond) as url, engine._Probe(url) as probe:
        yield probe


def answering(**answers: Any) -> Respond:
    """An engine with one answer for each path, by its last segment."""
    return lambda request: Response(
        json=answers[request.path.partition("?")[0][1:].rpartition("/")[2].replace("-", "_")]
    )


@pytest.mark.parametrize(
    ("version", "state"), [("7.24.0-ee", "ok"), ("7.25.0", "ok"), ("7.17.0", "warn"), ("1.0.3", "ok")]
)
async def test_an_engine_older_than_tested_is_told(version: str, state: str) -> None:
    async with probing(answering(version={"version": version})) as probe:
        assert (await engine._version(probe)).state == state


def permitting(missing: set[str], definitions: int = 0) -> Respond:
    def respond(request: Request) -> Response:
        if request.path.endswith("/count"):
            return Response(json={"count": definitions})
        return Response(json={"authorized": request.query["permissionName"] not in missing})

    return respond


@pytest.mark.parametrize(
    ("missing", "definitions", "state"),
    [
        (set(), 0, "ok"),
        ({"CREATE"}, 0, "warn"),
        ({"READ_INSTANCE"}, 0, "fail"),
        ({"READ_INSTANCE"}, 2, "warn"),
    ],
)
async def test_missing_permissions_are_named(missing: set[str], definitions: int, state: str) -> None:
    async with probing(permitting(missing, definitions)) as probe:
        found = await engine._permissions(probe)
    assert found.state == state
    assert all(name in found.found for name in missing)


@pytest.mark.parametrize(
    ("running", "remembered", "state"),
    [([], [], "skip"), ([], [{}], "ok"), ([{"id": "1"}], [], "fail"), ([{"id": "1"}], [{}], "ok")],
)
async def test_the_history_level_is_told_by_what_is_remembered(
    running: list[Any], remembered: list[Any], state: str
) -> None:
    async with probing(answering(process_instance=running, activity_instance=remembered)) as probe:
        assert (await engine._history(probe)).state == state


@pytest.mark.parametrize("cut_off", [Response(503), Response(json=[])])
async def test_an_engine_that_ends_the_first_of_two_polls_is_told(
    monkeypatch: pytest.MonkeyPatch, cut_off: Response
) -> None:
    """Met on Camunda 7.24.0 with fetch-and-lock-unique-worker-request: its answer is 503."""
    monkeypatch.setattr(engine, "POLL_S", 0.2)
    monkeypatch.setattr(engine, "HEAD_START_S", 0.05)
    second = asyncio.Event()

    async def unique(request: Request) -> Response:
        if not (waiting := polls.pop()):
            second.set()
            await asyncio.sleep(0.2)
            return Response(json=[])
        await waiting.wait()
        return cut_off

    polls = [None, second]
    async with probing(unique) as probe:
        found = await engine._worker_ids(probe)
    assert found.state == "fail"
    assert "fetch-and-lock-unique-worker-request" in found.mend


# the bot


def settings(**values: Any) -> Settings:
    return Settings(bot_token=SecretStr("1:x"), **values)


def bot(**values: Any) -> Account:
    known: dict[str, Any] = {
        "id": 1, "name": "@bot", "can_join_groups": True, "reads_all_group_messages": False,
        "webhook_url": "", "waiting_updates": 0, "last_error": None, "last_error_at": None,
    }  # fmt: skip
    return Account(**known | values)


OURS = "https://bot.example.org/telegram"
HOOKED: dict[str, Any] = {"webhook_url": OURS, "webhook_secret": "s"}
FAILED: dict[str, Any] = {"webhook_url": OURS, "last_error": "Connection refused"}


@pytest.mark.parametrize(
    ("wanted", "there", "state", "told"),
    [
        ({}, {}, "ok", "polled"),
        ({}, {"webhook_url": "https://other"}, "warn", "https://other"),
        ({}, {"waiting_updates": 101}, "warn", "101 updates wait"),
        (HOOKED, {"webhook_url": OURS}, "ok", OURS),
        (HOOKED, {}, "warn", "not set at Telegram yet"),
        (HOOKED, {"webhook_url": "https://other"}, "fail", "https://other"),
        ({"webhook_url": OURS}, {}, "fail", "WEBHOOK_SECRET"),
        (HOOKED, FAILED | {"last_error_at": datetime.now(UTC)}, "warn", "Connection refused"),
        (HOOKED, FAILED | {"last_error_at": datetime(2026, 1, 1, tzinfo=UTC)}, "ok", OURS),
    ],
)
def test_the_webhook_is_compared_with_the_settings(
    wanted: dict[str, Any], there: dict[str, Any], state: str, told: str
) -> None:
    found = telegram._webhook(settings(**wanted), bot(**there))
    assert (found.state, told in found.found) == (state, True)


@pytest.mark.parametrize(
    ("there", "state", "mend"),
    [
        ({}, "ok", ""),
        ({"reads_all_group_messages": True}, "warn", "/setprivacy"),
        ({"can_join_groups": False}, "warn", "/setjoingroups"),
    ],
)
def test_privacy_mode_is_told(there: dict[str, Any], state: str, mend: str) -> None:
    found = telegram._privacy(bot(**there))
    assert (found.state, mend in found.mend) == (state, True)
