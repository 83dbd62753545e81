"""The least that a worker can be: one pooled HTTP client, fetch, complete (or only lock), again."""

import asyncio
import json
import os
import sys
from typing import Any

import httpx

DAY_MS = 86_400_000


class BareLoop:
    """As many connections as ``connections``, each in turn fetching a few tasks and finishing them."""

    def __init__(self, http: httpx.AsyncClient, topic: str, options: dict[str, Any]) -> None:
        self._http = http
        self._topic = topic
        self._options = options
        self._worker_id = f"bare-{os.getpid()}"

    async def run(self) -> None:
        """Work until killed."""
        await asyncio.gather(*(self._work() for _ in range(self._options["connections"])))

    async def _work(self) -> None:
        while True:
            for task in await self._fetch():
                await self._finish(task["id"])

    async def _fetch(self) -> list[dict[str, Any]]:
        topic = {"topicName": self._topic, "lockDuration": 60_000, "deserializeValues": False}
        topic |= {"includeExtensionProperties": True, "localVariables": self._options.get("local", False)}
        body = {
            "workerId": self._worker_id,
            "maxTasks": self._options["max_tasks"],
            "usePriority": True,
            "asyncResponseTimeout": 5000,
            "topics": [topic],
        }
        answer = await self._http.post("/external-task/fetchAndLock", json=body)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    async def _finish(self, task_id: str) -> None:
        body: dict[str, Any]
        if self._options.get("only_lock"):
            path, body = "lock", {"lockDuration": DAY_MS}
        else:
            path, body = "complete", {}
        body["workerId"] = self._worker_id
        (await self._http.post(f"/external-task/{task_id}/{path}", json=body)).raise_for_status()


async def main() -> None:
    """Read the options from the environment and work."""
    env = os.environ
    options = json.loads(env["BENCH_OPTIONS"])
    login = httpx.BasicAuth(env["ENGINE_USERNAME"], env["ENGINE_PASSWORD"])
    limits = httpx.Limits(max_connections=options["connections"])
    async with httpx.AsyncClient(base_url=env["ENGINE_URL"], auth=login, limits=limits, timeout=30) as http:
        sys.stdout.write("started\n")
        sys.stdout.flush()
        await BareLoop(http, env["BENCH_TOPIC"], options).run()


if __name__ == "__main__":
    asyncio.run(main())
