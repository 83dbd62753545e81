"""The BPMN engine, Camunda 7 or Operaton, with its REST API behind basic authentication."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from devstack.errors import PartError
from devstack.jars import JarFetcher
from devstack.parts.base import Command, Part, http_status, loopback_client
from devstack.parts.java import java_command, java_env
from devstack.parts.postgres import ROLE, Postgres
from devstack.reporting import Report
from devstack.state import State

EngineName = Literal["camunda", "operaton"]
_DATA = Path(__file__).parent.parent / "data"
_USERNAME = _PASSWORD = "demo"  # noqa: S105


@dataclass(frozen=True)
class _Flavour:
    """What differs between the engines: their jars, and names in the configuration."""

    jars: str
    renames: tuple[tuple[str, str], ...] = ()

    def rename(self, text: str) -> str:
        for old, new in self.renames:
            text = text.replace(old, new)
        return text


_FLAVOURS: dict[EngineName, _Flavour] = {
    "camunda": _Flavour("camunda-7.24.0.jars"),
    "operaton": _Flavour(
        "operaton-1.0.3.jars",
        (
            ("org.camunda.bpm", "org.operaton.bpm"),
            ("CamundaBpm", "OperatonBpm"),
            ("camunda.bpm.", "operaton.bpm."),
        ),
    ),
}
ENGINES = tuple(_FLAVOURS)


class Engine(Part):
    """One engine on its own database: the engines' tables have the same names and different columns.

    With `default_whitelist` it refuses ids with other characters than letters and digits, as engines do that
    nobody has configured.
    """

    needs = ("postgres",)

    def __init__(
        self,
        name: str,
        state: State,
        postgres: Postgres,
        *,
        engine: EngineName,
        database: str,
        default_whitelist: bool = False,
    ) -> None:
        super().__init__(name, state)
        self.engine = engine
        self.default_whitelist = default_whitelist
        self.database = database
        self._flavour = _FLAVOURS[engine]
        self._postgres = postgres
        self._jars: list[Path] = []

    @property
    def group_id(self) -> str:
        """Give the group of the people who were met in Telegram."""
        return "telegramusers" if self.default_whitelist else "telegram-users"

    def settings(self) -> dict[str, object]:
        """See Part."""
        return {"engine": self.engine, "default_whitelist": self.default_whitelist}

    async def prepare(self, report: Report) -> None:
        """Fetch the jars."""
        self._jars = await JarFetcher().fetch(self.name, _DATA / self._flavour.jars, report)

    async def command(self) -> Command:
        """See Part."""
        await self._postgres.ensure_database(self.database)
        folder = self.folder
        (folder / "engine.xml").write_text(self._flavour.rename((_DATA / "engine.xml").read_text()))
        file = folder / "application.properties"
        file.touch(mode=0o600)
        file.write_text(self._properties())
        argv = java_command(
            folder,
            self._jars,
            "org.springframework.boot.SpringApplication",
            [f"--spring.config.additional-location={folder.as_uri()}/"],
            heap_mb=768,
        )
        return Command(argv, marker=argv[-1], env=java_env())

    async def is_healthy(self) -> bool:
        """Tell whether the REST API asks for a password."""
        return await http_status(f"{self._rest}/version") == 401

    async def furnish(self) -> None:
        """Make the group of the product's users.

        Authorization is off in an engine that nobody has configured, so the group needs no permissions.
        """
        async with loopback_client(httpx.BasicAuth(_USERNAME, _PASSWORD)) as client:
            if (await client.get(f"{self._rest}/group/{self.group_id}")).status_code == 200:
                return
            group = {"id": self.group_id, "name": "People in Telegram", "type": "WORKFLOW"}
            answer = await client.post(f"{self._rest}/group/create", json=group)
            if answer.status_code != 204:
                raise PartError(self.name, f"cannot make the group {self.group_id}: {answer.text}")

    def env(self) -> dict[str, str]:
        """See Part."""
        return {
            "ENGINE_URL": self._rest,
            "ENGINE_USERNAME": _USERNAME,
            "ENGINE_PASSWORD": _PASSWORD,
            "ENGINE_USERS_GROUP_ID": self.group_id,
        }

    @property
    def _rest(self) -> str:
        return f"{self.url}/engine-rest"

    def _properties(self) -> str:
        text = (_DATA / "engine.application.properties").read_text()
        if not self.default_whitelist:
            text += (_DATA / "engine.whitelist.properties").read_text()
        values = {
            "ENGINE_XML": (self.folder / "engine.xml").as_uri(),
            "PORT": self.port,
            "POSTGRES_PORT": self._postgres.port,
            "DATABASE": self.database,
            "USERNAME": ROLE,
            "PASSWORD": self.state.secret(ROLE),
        }
        text = self._flavour.rename(text)
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        return text
