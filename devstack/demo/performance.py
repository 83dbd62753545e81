"""The play on a running product: told while it goes on, then checked."""

import asyncio
import time
from pathlib import Path

import httpx
from rich.console import Console

from devstack.demo.chat import ChatFeed
from devstack.demo.checks import check_all, until_settled
from devstack.demo.engine import EngineFeed, engine_client, get
from devstack.demo.scene import Checks, Scene
from devstack.demo.story import Cast, gather_cast, play
from devstack.demo.transcript import Transcript
from devstack.people import Town, Unexpected, Wait
from devstack.product import Product
from devstack.program import heading

PLAY_LIMIT_S = 180.0
_JPEG = b"\xff\xd8\xff"


class Performance:
    """One play; afterwards it knows how long everything took."""

    def __init__(self, console: Console, product: Product, chart: Path) -> None:
        self.checks = Checks(console)
        self.waits: list[Wait] = []
        self.times_s: dict[str, float] = {}
        self._console = console
        self._env = product.env
        self._transcript = Transcript(console)
        self._chat = ChatFeed(self._transcript)
        self._chart = chart

    async def run(self) -> None:
        """Play and check. Raises Unexpected or TimeoutError when somebody does not see what they should."""
        async with (
            engine_client(self._env) as engine,
            Town(self._env["TELEGRAM_API_URL"], on_tap=self._chat.tapped) as town,
        ):
            self.waits = town.waits
            heading(self._console, "The conversation")
            scene = await self._play(engine, town)
            heading(self._console, "The checks")
            await check_all(scene, self.checks)
            picture = await self._save_chart(town, scene.cast)
            self.checks.equal("chats: Ada's picture is a JPEG", _JPEG, picture[: len(_JPEG)])
            self.times_s |= await _analyses_s(engine, scene.adas_instance)

    async def _play(self, engine: httpx.AsyncClient, town: Town) -> Scene:
        """Play it until nothing moves any more, and print the transcript meanwhile."""
        feed = EngineFeed(engine, self._transcript)
        began = time.monotonic()
        async with (
            asyncio.timeout(PLAY_LIMIT_S),
            self._transcript.printing(),
            self._chat.following(town.url),
            feed.following(),
        ):
            cast = await gather_cast(town)
            bens_instance = await play(cast, engine)
            self.times_s["conversation"] = time.monotonic() - began
            adas_instance = await _the_instance(engine, f"import_{cast.group_id}_{cast.ada.user_id}")
            scene = Scene(self._env, engine, cast, adas_instance, bens_instance)
            await until_settled(scene)
            self.times_s["tidying up after it"] = time.monotonic() - began - self.times_s["conversation"]
        return scene

    async def _save_chart(self, town: Town, cast: Cast) -> bytes:
        """Save the picture as Ada got it: Telegram makes a JPEG of each."""
        assert cast.audit.chart is not None  # noqa: S101 - she approved it
        address = cast.audit.chart["sandbox"]["file_urls"]["photo"]
        picture = (await town.http.get(address)).raise_for_status().content
        self._chart.write_bytes(picture)
        return picture


async def _the_instance(engine: httpx.AsyncClient, business_key: str) -> str:
    """Give the id of the one instance of a business key. Raises Unexpected if there is none, or more."""
    found = await get(engine, "/history/process-instance", processInstanceBusinessKey=business_key)
    if len(found) != 1:
        raise Unexpected(f"one instance of {business_key} should have been started, not {len(found)}")
    return str(found[0]["id"])


async def _analyses_s(engine: httpx.AsyncClient, instance: str) -> dict[str, float]:
    """How long each analysis took, from the engine's history."""
    query = {
        "processInstanceId": instance,
        "activityId": "analyse",
        "sortBy": "startTime",
        "sortOrder": "asc",
    }
    found = await get(engine, "/history/activity-instance", **query)
    return {
        f"analysis, {'refused' if each['canceled'] else 'done'}": each["durationInMillis"] / 1000
        for each in found
    }
