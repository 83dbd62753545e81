"""What the product may rely on in the running parts; both engines promise the same."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import httpx
import psycopg
import pytest
import pytest_asyncio
from botocore.config import Config

from devstack.stack import Stack, create_database

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PROCESS = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="test"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  <process id="timer" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="a" sourceRef="start" targetRef="wait"/>
    <intermediateCatchEvent id="wait">
      <timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition>
    </intermediateCatchEvent>
    <sequenceFlow id="b" sourceRef="wait" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
"""


def engine_client(stack: Stack, username: str = "demo", password: str = "demo") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.env["ENGINE_URL"], auth=(username, password), timeout=30)


@pytest.fixture(params=["stack", "operaton_stack"])
def engine_stack(request: pytest.FixtureRequest) -> Stack:
    stack = request.getfixturevalue(request.param)
    assert isinstance(stack, Stack)
    return stack


@pytest_asyncio.fixture
async def engine(engine_stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with engine_client(engine_stack) as client:
        files = {"timer.bpmn": ("timer.bpmn", PROCESS.encode())}
        form = {"deployment-name": "timer", "enable-duplicate-filtering": "true"}
        (await client.post("/deployment/create", data=form, files=files)).raise_for_status()
        yield client


async def start(engine: httpx.AsyncClient, **variables: object) -> str:
    answer = await engine.post("/process-definition/key/timer/start", json={"variables": variables})
    return str(answer.raise_for_status().json()["id"])


async def test_the_engine_answers_with_its_password_only(engine: httpx.AsyncClient) -> None:
    assert (await engine.get("/version")).status_code == 200
    assert (await engine.get("/version", auth=httpx.Auth())).status_code == 401


async def test_json_goes_in_and_comes_out(engine: httpx.AsyncClient) -> None:
    value = {"names": ["Zoë", "李"], "count": 2, "long": "x" * 5000}
    instance = await start(engine, thing={"type": "Json", "value": json.dumps(value)})
    answer = await engine.get(f"/process-instance/{instance}/variables/thing?deserializeValue=false")
    assert answer.json()["type"] == "Json"
    assert json.loads(answer.json()["value"]) == value


async def test_a_timer_fires_within_seconds_and_history_tells(engine: httpx.AsyncClient) -> None:
    instance = await start(engine)
    deadline = time.monotonic() + 30
    while True:
        answer = await engine.get("/history/activity-instance", params={"processInstanceId": instance})
        finished = {entry["activityId"] for entry in answer.json() if entry["endTime"]}
        if "end" in finished:
            break
        assert time.monotonic() < deadline
    assert finished == {"start", "wait", "end"}


async def test_a_person_of_telegram_can_be_a_user_in_the_group_and_work(
    engine: httpx.AsyncClient, engine_stack: Stack
) -> None:
    name, password = f"tg_user_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    profile = {"id": name, "firstName": "Zoë", "lastName": "-", "email": ""}
    user = {"profile": profile, "credentials": {"password": password}}
    assert (await engine.post("/user/create", json=user)).status_code == 204
    group = engine_stack.env["ENGINE_USERS_GROUP_ID"]
    assert (await engine.put(f"/group/{group}/members/{name}")).status_code == 204
    async with engine_client(engine_stack, name, password) as client:
        await start(client)


async def test_an_engine_with_the_default_whitelist_refuses_such_a_user(
    default_whitelist_stack: Stack,
) -> None:
    user = {"profile": {"id": "tg_user_1"}, "credentials": {"password": "strong enough for 1 test"}}
    async with engine_client(default_whitelist_stack) as client:
        answer = await client.post("/user/create", json=user)
        assert answer.status_code == 500
        assert "tg_user_1" in answer.text
        group = default_whitelist_stack.env["ENGINE_USERS_GROUP_ID"]
        assert (await client.get(f"/group/{group}")).status_code == 200


async def test_both_engines_share_everything_else(stack: Stack, operaton_stack: Stack) -> None:
    different = {name for name, value in stack.env.items() if operaton_stack.env[name] != value}
    assert different == {"ENGINE_URL"}


async def test_an_engine_comes_back_at_its_address_with_what_it_knew(stack: Stack) -> None:
    before = stack.env
    await stack.stop_part("engine", kill=True)
    assert "ENGINE_URL" not in stack.env
    await stack.start_part("engine")
    assert stack.env == before
    async with engine_client(stack) as client:
        assert (await client.get(f"/group/{stack.env['ENGINE_USERS_GROUP_ID']}")).status_code == 200


async def test_postgres_is_18_and_the_product_is_no_superuser(stack: Stack) -> None:
    async with await psycopg.AsyncConnection.connect(stack.env["DATABASE_URL"]) as connection:
        assert connection.info.server_version // 10_000 == 18
        row = await (
            await connection.execute(
                "SELECT current_database(), rolsuper FROM pg_roles WHERE rolname = current_user"
            )
        ).fetchone()
        assert row == ("stepgram", False)


async def test_a_database_made_from_a_template_has_what_the_template_has(stack: Stack) -> None:
    template = await create_database(stack, "test_template")
    async with await psycopg.AsyncConnection.connect(template) as connection:
        await connection.execute("CREATE TABLE thing AS SELECT 7 AS seven")
    for _again in range(2):  # the second replaces the first
        copy = await create_database(stack, "test_copy", template="test_template")
        async with await psycopg.AsyncConnection.connect(copy) as connection:
            assert await (await connection.execute("SELECT * FROM thing")).fetchall() == [(7,)]
            await connection.execute("INSERT INTO thing VALUES (8)")


async def test_committed_rows_survive_the_death_of_postgres(stack: Stack) -> None:
    url = await create_database(stack, "test_survives")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("CREATE TABLE thing AS SELECT 7 AS seven")
    await stack.stop_part("postgres", kill=True)
    await stack.start_part("postgres")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        assert await (await connection.execute("SELECT * FROM thing")).fetchall() == [(7,)]


@contextmanager
def s3_client(stack: Stack) -> "Iterator[S3Client]":
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=stack.env["R2_ENDPOINT_URL"],
        aws_access_key_id=stack.env["R2_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.env["R2_SECRET_ACCESS_KEY"],
        region_name="auto",
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    yield client
    client.close()


def test_an_object_can_be_read_by_a_presigned_address_and_by_no_other(stack: Stack) -> None:
    bucket = stack.env["R2_BUCKET_NAME"]
    with s3_client(stack) as client:
        client.put_object(Bucket=bucket, Key="tasks/7/ä b.json", Body=b"{}")
        place = {"Bucket": bucket, "Key": "tasks/7/ä b.json"}
        presigned = client.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    with urllib.request.urlopen(presigned) as answer:
        assert answer.read() == b"{}"
    with pytest.raises(urllib.error.HTTPError, match="403"), urllib.request.urlopen(presigned.split("?")[0]):
        pass


def test_objects_survive_a_restart_of_s3_and_parts_make_a_whole(stack: Stack) -> None:
    bucket = stack.env["R2_BUCKET_NAME"]
    first, second = b"a" * 5 * 2**20, b"b"
    with s3_client(stack) as client:
        upload = client.create_multipart_upload(Bucket=bucket, Key="whole")["UploadId"]
        etags = [
            client.upload_part(Bucket=bucket, Key="whole", UploadId=upload, PartNumber=n, Body=body)["ETag"]
            for n, body in enumerate((first, second), start=1)
        ]
        client.complete_multipart_upload(
            Bucket=bucket,
            Key="whole",
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": e} for n, e in enumerate(etags, start=1)]},
        )
        assert client.get_object(Bucket=bucket, Key="whole")["Body"].read() == first + second
