"""The least that a bot can be: getUpdates, complete, fetch, send; nothing is stored, nothing is checked."""

import asyncio
import os
import sys
import time
from typing import Any

import httpx

WORKER_ID = "bare-bot"


class BareBot:
    """One chat, one chain: whatever is tapped completes the task that was shown last."""

    def __init__(self, engine: httpx.AsyncClient, telegram: httpx.AsyncClient, topic: str) -> None:
        self._engine = engine
        self._telegram = telegram
        self._topic = topic
        self._shown: dict[int, str] = {}
        self._chain_s: list[float] = []

    async def run(self) -> None:
        """Show what waits, then go on with every tap."""
        for task in await self._fetch(most=100, poll_ms=20_000):
            await self._show(task)
        offset = 0
        while True:
            updates = await self._call("getUpdates", offset=offset, timeout=20)
            for update in updates:
                offset = update["update_id"] + 1
                if query := update.get("callback_query"):
                    await self._go_on(query)

    async def _go_on(self, query: dict[str, Any]) -> None:
        began = time.perf_counter()
        task_id = self._shown[query["message"]["chat"]["id"]]
        body = {"workerId": WORKER_ID, "variables": {"action": {"value": "yes", "type": "String"}}}
        path = f"/external-task/{task_id}/complete"
        (await self._engine.post(path, json=body)).raise_for_status()
        for task in await self._fetch(most=10):
            await self._show(task)
        self._chain_s.append(time.perf_counter() - began)
        sys.stdout.write(f"chain {self._chain_s[-1]}\n")
        sys.stdout.flush()
        await self._call("answerCallbackQuery", callback_query_id=query["id"])

    async def _show(self, task: dict[str, Any]) -> None:
        chat_id = int(task["variables"]["telegram_user_id"]["value"])
        self._shown[chat_id] = task["id"]
        keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": task["id"]}]]}
        await self._call("sendMessage", chat_id=chat_id, text="Shall it be so?", reply_markup=keyboard)

    async def _fetch(self, *, most: int, poll_ms: int | None = None) -> list[dict[str, Any]]:
        topic = {"topicName": self._topic, "lockDuration": 86_400_000, "localVariables": True}
        body: dict[str, Any] = {"workerId": WORKER_ID, "maxTasks": most, "topics": [topic]}
        if poll_ms is not None:
            body["asyncResponseTimeout"] = poll_ms
        answer = await self._engine.post("/external-task/fetchAndLock", json=body)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    async def _call(self, method: str, **values: Any) -> Any:
        answer = await self._telegram.post(method, json=values)
        return answer.raise_for_status().json()["result"]


async def main() -> None:
    """Read the environment and serve."""
    env = os.environ
    login = httpx.BasicAuth(env["ENGINE_USERNAME"], env["ENGINE_PASSWORD"])
    base = f"{env['TELEGRAM_API_URL']}/bot{env['BOT_TOKEN']}/"
    async with (
        httpx.AsyncClient(base_url=env["ENGINE_URL"], auth=login, timeout=30) as engine,
        httpx.AsyncClient(base_url=base, timeout=30) as telegram,
    ):
        await BareBot(engine, telegram, env["BENCH_TOPIC"]).run()


if __name__ == "__main__":
    asyncio.run(main())
