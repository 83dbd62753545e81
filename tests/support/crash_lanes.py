"""Where crash scenes are played: side by side in lanes with processes, chats, bucket and tenant of their own.

Steps of all lanes wait in one engine; a lane fetches only its own because its engine user is a member of its
tenant alone.
"""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import certifi
import psutil
import psycopg

from devstack.parts.s3 import s3_client
from devstack.people import Person
from devstack.stack import Stack
from shared.db import CHANNEL
from tests.support.gateway import Gateway, a_gateway
from tests.support.world import AT_WORK, World, a_world
from tests.support.world import until as until_seen

T = TypeVar("T")

CLAIM_S = 1.5
PATIENCE_S = 30.0
PLACES = 2
"""Steps that a chat shows at once."""

QUICK = {
    "CLAIM_S": str(CLAIM_S),
    "FETCH_LOCK_S": "2",
    "POLL_S": "1",
    "WITHDRAWAL_INTERVAL_S": "10",
    "TOPICS": "render_task,await_upload,send_message",
    "CHAT_PROMPTS_AT_ONCE": str(PLACES),
    "MESSAGES_PER_S": "300",
    "MESSAGES_BURST": "300",
    "CHAT_MESSAGES_PER_S": "100",
    "CHAT_BURST": "100",
    "GROUP_MESSAGES_PER_MIN": "1000",
}
DOZEN = 8
LOOKS_EVERY_S = 0.1


async def until(check: Callable[[], Awaitable[T]], what: str) -> T:
    """Wait until `check` gives something true, without keeping the machine busy by looking."""
    return await until_seen(check, what, PATIENCE_S, LOOKS_EVERY_S)


async def until_none(look: Callable[[], Awaitable[list[str]]], what: str) -> None:
    """Wait until `look` finds nothing; if that never comes, tell what it found last."""
    left: list[str] = []

    async def none() -> bool:
        left[:] = await look()
        return not left

    try:
        await until(none, what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Lane:
    """A bot and a workers process that die on order, and everything they talk to."""

    world: World
    gateway: Gateway
    number: int
    folder: Path
    connection: psycopg.AsyncConnection[Any]
    supervisor: str = ""
    greeted: list[Person] = field(default_factory=list)

    @property
    def tenant(self) -> str:
        """The tenant of this lane's processes; its engine user and its bucket are called so, too."""
        return f"crash{self.number}"

    @property
    def order(self) -> Path:
        """The file of CRASH_AT."""
        return self.folder / f"at{self.number}"

    @property
    def passed(self) -> Path:
        """The file of CRASH_LOG."""
        return self.folder / f"log{self.number}"

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the lane's database, over one connection."""
        cursor = await self.connection.execute(query, values)
        return await cursor.fetchall() if cursor.description else []

    async def wake(self, *queues: str) -> None:
        """Let the processes look at queues whose rows were changed behind their back."""
        for queue in queues:
            await self.rows("SELECT pg_notify(%s, %s)", CHANNEL, queue)

    async def value(self, query: str, *values: object) -> Any:
        """The first value of the first row, or None."""
        found = await self.rows(query, *values)
        return found[0][0] if found else None

    async def open(self, files: Mapping[str, bytes], shown: Mapping[str, bytes]) -> None:
        """Make tenant, user and bucket, deploy the scenes, and start the processes."""
        world = self.world
        password = "not-a-secret"
        profile = {"id": self.tenant, "firstName": "C", "lastName": "C"}
        await world.rest("POST", "/user/create", {"profile": profile, "credentials": {"password": password}})
        await world.rest("POST", "/tenant/create", {"id": self.tenant, "name": self.tenant})
        await world.rest("PUT", f"/tenant/{self.tenant}/user-members/{self.tenant}")
        await world.deploy(*files.values(), tenant_id=self.tenant)
        world.sandbox.sandbox.limits.rates.enforce = False
        world.town.looks_every_s = LOOKS_EVERY_S
        await asyncio.to_thread(self._fill_bucket, shown)
        certificate = await asyncio.to_thread(_one_certificate, self.folder)
        address = f"127.0.0.1:{_free_port()}"
        settings = QUICK | {
            "LISTEN_ADDRESS": address,
            "UPLOAD_PAGE_URL": f"http://{address}",
            # To read all that there are takes a third of a second of each start.
            "SSL_CERT_FILE": str(certificate),
            "ENGINE_URL": self.gateway.url,
            "ENGINE_USERNAME": self.tenant,
            "ENGINE_PASSWORD": password,
            "R2_BUCKET_NAME": self.tenant,
            "CRASH_AT": str(self.order),
            "CRASH_LOG": str(self.passed),
        }
        self.supervisor = f"crashing{self.number}"
        world.running.append(self.supervisor)
        module = "tests.support.crashing"
        world.product.launch(self.supervisor, module, "bot", "workers", settings=settings)
        await until(self.has_started, "both processes have started")

    async def close(self) -> None:
        """End the processes and take what was made out of the engine."""
        self.world.running.remove(self.supervisor)
        await self.world.product.stop(self.supervisor)
        await self.world.rest("DELETE", f"/user/{self.tenant}")
        await self.world.rest("DELETE", f"/tenant/{self.tenant}")

    async def has_started(self) -> bool:
        """Whether both processes have said so."""
        log = self.world.product.log(self.supervisor)
        return "process=bot" in log and "process=workers" in log

    def kill(self) -> None:
        """Kill both processes; they start anew."""
        for child in psutil.Process(self.world.product.pid(self.supervisor)).children():
            child.kill()

    async def person(self, *, is_greeted: bool) -> Person:
        """Somebody new, who has met the bot if that is wanted; these come by the dozen."""
        if not is_greeted:
            return await self.world.town.person("Ada")
        if not self.greeted:
            people = [await self.world.town.person("Ada") for _ in range(DOZEN)]
            for person in people:
                await person.say("/start")
            for person in people:
                await person.sees("Hello", patience_s=PATIENCE_S)
            await self.until_at_rest()
            self.greeted += people
        return self.greeted.pop()

    async def until_at_rest(self) -> None:
        """Wait until nothing is left to do."""

        async def at_work() -> list[str]:
            return [row[0] for row in await self.rows(AT_WORK)]

        await until_none(at_work, "every row is at rest")

    async def clear(self) -> None:
        """Forget a case that failed, so that the next one begins with nothing."""
        self.order.unlink(missing_ok=True)
        self.gateway.said.clear()
        await self.world.town.call("DELETE", "/faults")
        for key in await self.world.rest("GET", f"/process-instance?tenantIdIn={self.tenant}"):
            await self.world.engine.delete_process_instance(key["id"], "a case that failed")
        for table in ("pending_replies", "prompts", "updates", "process_starts"):
            await self.rows(f"DELETE FROM {table}")

    def bucket(self, prefix: str) -> tuple[dict[str, str], list[str]]:
        """The digest of each object, and the keys of the uploads that nobody has finished."""
        with s3_client(self._bucket_env) as client:
            keys = client.list_objects_v2(Bucket=self.tenant, Prefix=prefix).get("Contents", [])
            digests = {
                each["Key"]: hashlib.sha256(
                    client.get_object(Bucket=self.tenant, Key=each["Key"])["Body"].read()
                ).hexdigest()
                for each in keys
            }
            begun = client.list_multipart_uploads(Bucket=self.tenant, Prefix=prefix).get("Uploads", [])
            return digests, [each["Key"] for each in begun if each["Key"].startswith(prefix)]

    @property
    def _bucket_env(self) -> dict[str, str]:
        return self.world.product.env | {"R2_BUCKET_NAME": self.tenant}

    def _fill_bucket(self, shown: Mapping[str, bytes]) -> None:
        with s3_client(self._bucket_env) as client:
            client.create_bucket(Bucket=self.tenant)
            for key, content in shown.items():
                client.put_object(Bucket=self.tenant, Key=key, Body=content)


@contextlib.asynccontextmanager
async def a_lane(
    stack: Stack,
    template: str,
    number: int,
    folder: Path,
    *,
    files: Mapping[str, bytes],
    shown: Mapping[str, bytes],
) -> AsyncIterator[Lane]:
    """A lane as long as the block runs."""
    async with (
        a_world(stack, template, f"crash{number}") as world,
        a_gateway(world.product.env["ENGINE_URL"]) as gateway,
        await world.connect() as connection,
    ):
        lane = Lane(world, gateway, number, folder, connection)
        await lane.open(files, shown)
        yield lane
        await lane.close()


def _one_certificate(folder: Path) -> Path:
    end = "-----END CERTIFICATE-----\n"
    file = folder / "certificate.pem"
    file.write_text(Path(certifi.where()).read_text().partition(end)[0] + end)
    return file
