"""Where the processes stand, as notes of the transcript: from the engine's history, asked again and again."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import httpx

from devstack.demo.transcript import Note, Transcript
from devstack.waiting import beside

_POLL_S = 0.1
_ROWS = 500


def engine_client(env: Mapping[str, str]) -> httpx.AsyncClient:
    """Give a client of the engine's REST API."""
    login = httpx.BasicAuth(env["ENGINE_USERNAME"], env["ENGINE_PASSWORD"])
    # A proxy that is configured for the world does not lead to this machine, and nothing here is TLS.
    return httpx.AsyncClient(
        base_url=env["ENGINE_URL"],
        auth=login,
        timeout=20,
        trust_env=False,
        verify=False,  # noqa: S501
    )


async def get(engine: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """Give the answer to a GET."""
    return (await engine.get(path, params=query)).raise_for_status().json()


async def start_process(engine: httpx.AsyncClient, key: str, business_key: str, **numbers: int) -> str:
    """Start an instance with variables of type Long; its id."""
    variables = {name: {"type": "Long", "value": number} for name, number in numbers.items()}
    body = {"businessKey": business_key, "variables": variables}
    answer = await engine.post(f"/process-definition/key/{key}/start", json=body)
    return str(answer.raise_for_status().json()["id"])


async def running_instances(engine: httpx.AsyncClient) -> int:
    """Give the number of instances that have not ended."""
    return int((await get(engine, "/process-instance/count"))["count"])


class EngineFeed:
    """Notes what the engine's history has of new."""

    def __init__(self, engine: httpx.AsyncClient, transcript: Transcript) -> None:
        self._engine = engine
        self._transcript = transcript
        self._known: set[str] = set()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the engine as long as the block runs."""
        async with beside(self._follow()):
            yield
        await self.look()

    async def _follow(self) -> None:
        while True:
            with suppress(httpx.TransportError):  # an engine that is gone is somebody else's to report
                await self.look()
            await asyncio.sleep(_POLL_S)

    async def look(self) -> None:
        """Note what is new since the last look."""
        query = {"sortBy": "startTime", "sortOrder": "asc", "maxResults": _ROWS}
        for activity in await get(self._engine, "/history/activity-instance", **query):
            if activity["id"] not in self._known:
                self._known.add(activity["id"])
                if text := worded(activity):
                    self._transcript.add(Note(moment(activity), activity["processDefinitionKey"], text))


def worded(activity: Mapping[str, Any]) -> str:
    """An activity of the history in a few words; empty where it is not worth any."""
    name = activity["activityName"] or activity["activityId"]
    top = activity["parentActivityInstanceId"] == activity["processInstanceId"]
    match activity["activityType"]:
        case "startEvent":
            return "starts" if top else ""
        case "serviceTask":
            return f"waits at {name}"
        case "boundaryError":
            return f"catches {name}"
        case "noneEndEvent":
            return f"ends: {name}" if top else f"reaches {name}"
    return ""


def moment(activity: Mapping[str, Any]) -> float:
    """When it began, in seconds since the epoch."""
    return datetime.fromisoformat(activity["startTime"]).timestamp()
