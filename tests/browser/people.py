"""People and groups of a sandbox, made through its control API."""

from __future__ import annotations

from typing import Any

import httpx


class People:
    """Makes people and groups, and lets people write without a browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """One call of the control API, which must succeed."""
        response = await self.client.request(method, f"/sandbox/{path}", json=body)
        assert response.is_success, response.text
        return response.json()

    async def person(self, first_name: str, **more: str) -> int:
        """A new person's id, which is also the id of their private chat with the bot."""
        user = await self.call("POST", "users", first_name=first_name, **more)
        return int(user["id"])

    async def group(self, title: str, *members: int, **more: Any) -> int:
        """A new supergroup's id; the first member owns it."""
        kind = {"type": "supergroup", "title": title, "members": members, "admins": [], "creator": members[0]}
        made = await self.call("POST", "chats", **{**kind, **more})
        return int(made["chat"]["id"])

    async def writes(self, person: int, text: str, *, chat: int | None = None, **more: Any) -> int:
        """A person writes (in private unless a chat is given); the id of the message."""
        fields = {"from": person, "text": text, **more}
        sent = await self.call("POST", f"chats/{chat or person}/messages", **fields)
        return int(sent["message"]["message_id"])
