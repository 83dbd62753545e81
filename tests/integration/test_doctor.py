"""The doctor against real parts: all well, and each part ill in turn."""

import asyncio
import json
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from devstack.stack import Stack, create_database
from shared import cli
from shared.db import SCHEMA_REVISION
from shared.doctor import bucket, database, engine, report, scanner
from shared.doctor import telegram as bot
from shared.doctor.check import Finding
from shared.engine.client import EngineClient
from shared.settings import Settings
from shared.storage import Storage
from tests.fakes.services import TOKEN
from tests.fakes.telegram import Telegram
from tests.support.engine_work import Work, settings_of


def settings_for(stack: Stack, **changes: Any) -> Settings:
    """The settings that lead to a stack's parts; the bot's are given by a test that looks at it."""
    known = {name.lower(): value for name, value in stack.env.items()}
    return Settings(**known | {"bot_token": TOKEN, "telegram_api_url": "http://127.0.0.1:1"} | changes)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def states(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: str(finding.state) for finding in findings}


async def test_where_all_is_well_nothing_is_said_to_mend_and_nothing_is_left(
    any_stack: Stack, database_url: str, telegram: Telegram
) -> None:
    url = telegram.running.url
    settings = settings_for(any_stack, database_url=database_url, telegram_api_url=url)
    async with EngineClient.from_settings(settings_of(any_stack.env)) as client:
        work = Work(client, "tdoctor")
        await work.deploy(work.step("ask"))
        await work.start()
        findings = await report.examine(settings)
        assert [finding for finding in findings if finding.mend] == []
        assert states(findings) == dict.fromkeys(
            (engine.ENGINE, *engine.AFTER_LOGIN, *DATABASE, *BUCKET, *BOT), "ok"
        ) | {bucket.CORS: "skip", scanner.SCANNER: "skip"}, "s3proxy has no CORS rules, no scanner is set"
        assert await client._call("GET", "/user/count", params={"id": engine.TOO_LONG}) == {"count": 0}
    storage = Storage.from_settings(settings)
    left = await asyncio.to_thread(
        lambda: storage._client.list_objects_v2(Bucket=storage.bucket, Prefix=bucket.PREFIX)
    )
    await storage.aclose()
    assert left["KeyCount"] == 0
    asked = {call["method"] for call in telegram.running.sandbox.calls.since(0, None)}
    assert asked == {"getMe", "getWebhookInfo"}


DATABASE = (database.SERVER, database.TABLES, database.DIRECT, database.CLOCK)
BUCKET = (bucket.BUCKET, bucket.RIGHTS, bucket.CORS, bucket.CLOCK)
BOT = (bot.TOKEN, bot.WEBHOOK, bot.PRIVACY)


async def test_a_refused_login_is_tried_once_and_hides_no_other_part(stack: Stack, database_url: str) -> None:
    # Nobody's name: a wrong password of the right one would lock it for the tests beside this one.
    settings = settings_for(stack, database_url=database_url, engine_username="nobody")
    findings = by_name(await report.examine(settings))
    assert findings[engine.ENGINE].state == "fail"
    assert "ENGINE_PASSWORD" in findings[engine.ENGINE].found
    assert {str(findings[name].state) for name in engine.AFTER_LOGIN} == {"skip"}
    assert findings[bot.TOKEN].state == "fail"
    assert {str(findings[name].state) for name in DATABASE} == {"ok"}


async def test_an_engine_that_refuses_our_ids_is_told_how_to_allow_them(
    default_whitelist_stack: Stack,
) -> None:
    found = by_name(await engine.examine(settings_for(default_whitelist_stack)))[engine.IDS]
    assert found.state == "warn"
    assert "userResourceWhitelistPattern" in found.mend


async def test_a_database_without_tables_is_told_to_migrate(stack: Stack) -> None:
    url = await create_database(stack, "tests_doctor")
    found = by_name(await database.examine(settings_for(stack, database_url=url)))
    assert found[database.TABLES].state == "fail"
    assert "stepgram migrate" in found[database.TABLES].found
    assert SCHEMA_REVISION in found[database.TABLES].found
    assert found[database.SERVER].state == "ok"


async def test_a_database_that_is_away_names_its_setting(stack: Stack, database_url: str) -> None:
    away = "postgresql://nobody:x@127.0.0.1:1/nothing"
    found = by_name(await database.examine(settings_for(stack, database_url=away)))
    assert "DATABASE_URL" in found[database.SERVER].mend
    settings = settings_for(stack, database_url=database_url, database_direct_url=away)
    found = by_name(await database.examine(settings))
    assert (found[database.SERVER].state, found[database.DIRECT].state) == ("ok", "fail")
    assert "DATABASE_DIRECT_URL" in found[database.DIRECT].mend


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"r2_bucket_name": "no-such-bucket"}, "R2_BUCKET_NAME names no bucket there"),
        ({"r2_secret_access_key": "wrong"}, "R2_SECRET_ACCESS_KEY"),
        ({"r2_endpoint_url": "http://127.0.0.1:1"}, "Could not connect"),
    ],
)
async def test_a_bucket_that_is_not_there_for_us_names_its_setting(
    stack: Stack, changes: dict[str, Any], told: str
) -> None:
    findings = await bucket.examine(settings_for(stack, **changes))
    assert states(findings) == {bucket.BUCKET: "fail"} | dict.fromkeys(BUCKET[1:], "skip")
    assert told in findings[0].found


@pytest.mark.parametrize("fix", [False, True])
async def test_a_page_may_send_files_where_the_server_allows_every_origin(stack: Stack, fix: bool) -> None:
    settings = settings_for(stack, upload_page_url="https://bot.example.org/upload")
    found = by_name(await bucket.examine(settings, fix=fix))
    assert {str(finding.state) for finding in found.values()} == {"ok"}
    assert found[bucket.CORS].found == "pages of https://bot.example.org may send files"
    storage = Storage.from_settings(settings)
    begun = await asyncio.to_thread(
        lambda: storage._client.list_multipart_uploads(Bucket=storage.bucket).get("Uploads", [])
    )
    await storage.aclose()
    assert [each["Key"] for each in begun if each["Key"].startswith(bucket.PREFIX)] == []


async def test_a_token_that_telegram_refuses_is_told(stack: Stack, telegram: Telegram) -> None:
    settings = settings_for(stack, telegram_api_url=telegram.running.url, bot_token=SecretStr("99:wrong"))
    (token, *rest) = await bot.examine(settings)
    assert (token.state, "BOT_TOKEN" in token.found) == ("fail", True)
    assert {str(finding.state) for finding in rest} == {"skip"}


async def test_the_command_ends_with_1_where_something_failed(
    stack: Stack,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
) -> None:
    environment = {**stack.env, "DATABASE_URL": database_url, "BOT_TOKEN": "", "WEBHOOK_URL": ""}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["stepgram", "doctor", "--format", "json"])
    with pytest.raises(SystemExit) as end:
        await asyncio.to_thread(cli.main)
    assert end.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["check"] for each in told if each["state"] == "fail"] == [bot.TOKEN]
