"""Gathers the evidence of a run from outside: the engine's history, the sandbox, the bucket."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from devstack.demo.engine import engine_client
from devstack.parts.s3 import s3_client
from devstack.people import Town
from shared.engine.values import from_engine
from tests.chaos.evidence import Button, Disturbance, Evidence, Instance, Post
from tests.chaos.people import Journal
from tests.chaos.words import asked, is_live

PAGE = 1_000
SLOW_MS = 15_000
"""A client may have given up on an answer that took so long."""


async def collect(
    env: Mapping[str, str],
    town: Town,
    journal: Journal,
    disturbances: Sequence[Disturbance],
    untouchable: Sequence[Button] = (),
) -> Evidence:
    """What can be known now."""
    objects, multipart = await asyncio.to_thread(_bucket, env)
    return Evidence(
        instances=await _instances(env),
        posts=await _posts(town),
        acks=journal.acks,
        disturbances=disturbances,
        buttons=await live_buttons(town),
        untouchable=untouchable,
        objects=objects,
        multipart=multipart,
        troubles=journal.troubles,
    )


async def unfinished(env: Mapping[str, str]) -> int | None:
    """How many instances have not ended; None while the engine does not say."""
    async with engine_client(env) as engine:
        try:
            answer = await engine.get("/history/process-instance/count", params={"unfinished": "true"})
            return int(answer.raise_for_status().json()["count"])
        except httpx.HTTPError:
            return None


async def ended_keys(env: Mapping[str, str]) -> set[str]:
    """The business keys of the instances that have ended."""
    async with engine_client(env) as engine:
        found = await _all(engine, "/history/process-instance", finished="true")
    return {str(raw["businessKey"]) for raw in found}


async def is_started(env: Mapping[str, str], business_key: str) -> bool:
    """Whether there is or was an instance of that key.

    Raises httpx.HTTPError while the engine does not say.
    """
    async with engine_client(env) as engine:
        query = {"processInstanceBusinessKey": business_key}
        answer = await engine.get("/history/process-instance/count", params=query)
        return bool(answer.raise_for_status().json()["count"])


async def _instances(env: Mapping[str, str]) -> list[Instance]:
    async with engine_client(env) as engine:
        found = await _all(engine, "/history/process-instance")
        activities = _grouped(await _all(engine, "/history/activity-instance"))
        variables = _grouped(await _all(engine, "/history/variable-instance", deserializeValues="false"))
        log = _grouped(await _all(engine, "/history/external-task-log", successLog="true"))
        incidents = _grouped(await _all(engine, "/incident"))
    return [
        Instance(
            id=raw["id"],
            business_key=raw["businessKey"] or "",
            state=raw["state"],
            ends=[
                each["activityId"] for each in activities[raw["id"]] if each["activityType"] == "noneEndEvent"
            ],
            variables={
                each["name"]: from_engine(each)
                for each in variables[raw["id"]]
                if each["activityInstanceId"] == raw["id"]
            },
            runs=Counter(
                each["activityId"]
                for each in activities[raw["id"]]
                if each["activityType"] == "serviceTask" and each["endTime"] and not each["canceled"]
            ),
            successes=Counter(each["externalTaskId"] for each in log[raw["id"]]),
            incidents=[str(each["incidentMessage"]) for each in incidents[raw["id"]]],
        )
        for raw in found
    ]


async def _all(engine: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = {"firstResult": str(len(rows)), "maxResults": str(PAGE)}
        more = (await engine.get(path, params={**query, **page})).raise_for_status().json()
        rows += more
        if len(more) < PAGE:
            return rows


def _grouped(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by_instance: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_instance[row["processInstanceId"]].append(row)
    return by_instance


async def _posts(town: Town) -> list[Post]:
    """Every question that Telegram accepted. Raises LookupError if the sandbox has forgotten calls."""
    calls = (await town.call("GET", "/calls"))["calls"]
    if calls and calls[0]["n"] != 1:
        raise LookupError("the sandbox's log is too short for this run")
    posts = []
    for call in calls:
        message = call.get("result")
        if not call["method"].lower().startswith("send") or not isinstance(message, dict):
            continue
        question = asked(message)
        if question is not None:
            lost = call["status"] != 200 or (call["duration_ms"] or 0) > SLOW_MS
            chat_id, number = message["chat"]["id"], message["message_id"]
            posts.append(Post(question, chat_id, number, message["text"], call["at"], lost))
    return posts


async def live_buttons(town: Town) -> list[Button]:
    """The messages that ask something and can be tapped."""
    found = []
    for chat in (await town.call("GET", "/chats"))["chats"]:
        for message in (await town.call("GET", f"/chats/{chat['id']}/messages"))["messages"]:
            question = asked(message)
            if question is not None and is_live(message):
                found.append(Button(question, chat["id"], message["message_id"]))
    return found


def _bucket(env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The digest of every object, and the uploads that nobody has finished."""
    bucket = env["R2_BUCKET_NAME"]
    with s3_client(env) as client:
        keys = [
            found["Key"]
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for found in page.get("Contents", [])
        ]
        digests = {
            key: hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()
            for key in keys
        }
        open_uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return digests, [f"{each['Key']} {each['UploadId']}" for each in open_uploads]
