"""The product database: one pool of connections, short transactions, errors translated to ours."""

import asyncio
import json
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from sqlalchemy import (
    ARRAY,
    Engine,
    Executable,
    Row,
    TableValuedAlias,
    Text,
    bindparam,
    column,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.types import TypeEngine

from shared.errors import AuthorError, ConfigurationError, WorldError

log = structlog.get_logger(__name__)

Tx = AsyncSession
"""An open transaction; whoever opened it commits it."""

SCHEMA_REVISION = "0013"
"""The revision of migrations/ that this version of the code needs."""

CHANNEL = "stepgram"
"""The one NOTIFY channel; its payload is the name of a queue or of a signal."""


DEAD_PEER: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A database host that is gone without a word is noticed in seconds."""

AT_ONCE_POOL = 2
"""Connections of one process for statements that must not wait for a transaction to end."""

PING_AFTER_S = 1.0
LATER_S = 0.15

SESSION_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=60000 -c lock_timeout=20000"
"""A process that stands still loses its locks, and nobody waits for one for ever."""


_AFTER, _NOTIFIED, _LATER, KEEPERS = "after commit", "notified", "notified later", "keepers"
"""What a transaction knows beside its statements."""

_NOTIFY = select(func.pg_notify(CHANNEL, func.unnest(bindparam("names", type_=ARRAY(Text)))))
"""All names of a transaction in one statement, just before it is committed."""


class DatabaseUnavailable(WorldError):
    """The database does not answer, or closed the connection."""


class NotStorable(AuthorError):
    """A value that no column takes, such as a number too large or a NUL; trying again will not help."""


def driver_url(url: str) -> str:
    """A postgresql:// address with the driver that we use written into it.

    Raises:
        ConfigurationError: it is no PostgreSQL address.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigurationError("DATABASE_URL must look like postgresql://USER:PASSWORD@HOST:PORT/NAME")
    return f"postgresql+psycopg://{rest}"


def libpq_url(url: str) -> str:
    """The same address as libpq and psycopg read it."""
    return driver_url(url).replace("postgresql+psycopg://", "postgresql://", 1)


_PAIR = r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}"
_NOT_STORABLE = re.compile(rf"\\\\|{_PAIR}|(\\u0000)|(\\ud[89a-f][0-9a-f]{{2}})")


def _to_jsonb(value: Any) -> str:
    """JSON as jsonb takes it: NUL is dropped, half a surrogate pair replaced, a number that is none null."""
    try:
        dumped = json.dumps(value, allow_nan=False)
    except ValueError:  # Python reads NaN and 1e999 as numbers, JSON knows neither
        dumped = json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None))
    return _NOT_STORABLE.sub(lambda match: "" if match[1] else r"\ufffd" if match[2] else match[0], dumped)


class Database:
    """The pool of one process. Transactions are opened by :meth:`begin` and are kept short."""

    def __init__(self, url: str, *, pool_size: int = 20, behind_pooler: bool = False) -> None:
        # A transaction pooler takes no options, and loses server-side prepared statements.
        options = {} if behind_pooler else {"options": SESSION_OPTIONS}
        both: dict[str, Any] = {
            "max_overflow": 0,
            # What people said and who they are must not reach a log by way of an error's text.
            "hide_parameters": True,
            "connect_args": {"prepare_threshold": None, "connect_timeout": 10, **DEAD_PEER, **options},
        }
        self.engine = create_async_engine(
            driver_url(url), pool_size=pool_size, json_serializer=_to_jsonb, **both
        )
        self.on_notified: Callable[[str], None] = lambda name: None
        """Called with what a transaction notified, after its commit: the own process hears it at once."""
        self.keepers: dict[str, Any] = {}
        """The loops of this process by queue: what they may be handed is in shared/queues.py."""
        _ping_after_rest(self.engine.sync_engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.at_once_engine = create_async_engine(
            driver_url(url), pool_size=AT_ONCE_POOL, isolation_level="AUTOCOMMIT", **both
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction: committed at the end of the block, rolled back by an error.

        Raises:
            DatabaseUnavailable: the database is away; nothing or everything was committed.
            NotStorable: a value does not fit; nothing was committed.
        """
        try:
            async with self._sessions.begin() as tx:
                tx.info[KEEPERS] = self.keepers
                yield tx
                if not tx.in_transaction():
                    return  # rolled back by its user
                if names := sorted(tx.info.get(_NOTIFIED, ())):
                    await tx.execute(_NOTIFY, {"names": names})
            self._committed(tx, names)
        except (OperationalError, InterfaceError) as error:
            raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
        except PoolTimeoutError as error:
            raise DatabaseUnavailable("every connection to the database is in use") from error
        except DataError as error:
            raise NotStorable(f"the database does not take a value: {error.orig}") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseUnavailable(f"the database connection was lost: {error.orig}") from error
            raise

    def _committed(self, tx: Tx, names: Sequence[str]) -> None:
        for name in names:
            self.on_notified(name)
        for name in tx.info.get(_LATER, ()):
            asyncio.get_running_loop().call_later(LATER_S, self.on_notified, name)
        for act in tx.info.get(_AFTER, ()):
            act()

    async def at_once(self, statement: Executable) -> Sequence[Row[Any]]:
        """The rows of one statement that commits itself, over connections that no transaction can occupy.

        It costs one round trip. A connection that died while it was idle is replaced, so the statement
        must be harmless when it is repeated.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        for is_last in (False, True):
            try:
                async with self.at_once_engine.connect() as connection:
                    return (await connection.execute(statement)).all()
            except PoolTimeoutError as error:
                raise DatabaseUnavailable("every connection to the database is in use") from error
            except DBAPIError as error:
                if error.connection_invalidated and not is_last:
                    continue
                if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
                    raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
                raise
        raise AssertionError("unreachable")

    async def wait_until_ready(self, stopping: asyncio.Event) -> None:
        """Return when the database answers and its tables are those of this version, or at ``stopping``."""
        delay_s = 0.5
        while not stopping.is_set():
            problem = await self.problem()
            if problem is None:
                return
            log.warning("waiting for the database", problem=problem, again_in_s=delay_s)
            try:
                await asyncio.wait_for(stopping.wait(), delay_s)
            except TimeoutError:
                delay_s = min(delay_s * 2, 10)

    async def problem(self) -> str | None:
        """What keeps this version from working with this database, None if nothing does."""
        try:
            async with self.begin() as tx:
                known = await tx.scalar(select(func.to_regclass("alembic_version")))
                current = await tx.scalar(text("SELECT version_num FROM alembic_version")) if known else None
        except DatabaseUnavailable as error:
            return str(error)
        if current != SCHEMA_REVISION:
            return (
                f"its tables are at revision {current}, this version needs {SCHEMA_REVISION}:"
                " run `stepgram migrate`"
            )
        return None

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        await self.at_once_engine.dispose()


def _ping_after_rest(engine: Engine) -> None:
    """Try a connection before it is used where it has rested: the server may be gone since.

    Trying it each time, as SQLAlchemy does, is one more round trip for each of our short transactions.
    """

    def rests(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    def is_used(
        connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: PoolProxiedConnection
    ) -> None:
        if time.monotonic() - record.info.get("rests_since", math.inf) < PING_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("the connection did not outlive its rest") from error

    event.listen(engine, "checkin", rests)
    event.listen(engine, "checkout", is_used)


def after_commit(tx: Tx, act: Callable[[], None]) -> None:
    """Do something quick once the transaction is committed, and never if it is rolled back."""
    tx.info.setdefault(_AFTER, []).append(act)


async def notify(tx: Tx, name: str) -> None:
    """Wake whoever waits for ``name``, in every process, when this transaction commits."""
    tx.info.setdefault(_NOTIFIED, set()).add(name)


def notify_later(tx: Tx, name: str) -> None:
    """Wake who waits for ``name`` in this process, a moment after this transaction is committed.

    For what may wait until whoever waits for something was served: nobody else is woken, their polls find it.
    """
    tx.info.setdefault(_LATER, set()).add(name)


def given(rows: Sequence[Mapping[str, Any]], **types: TypeEngine[Any]) -> TableValuedAlias:
    """Rows as a table of one parameter: a statement over it is the same one for any number of them."""
    columns = [column(name, type_) for name, type_ in types.items()]
    recordset = func.jsonb_to_recordset(bindparam(None, list(rows), type_=JSONB))
    return recordset.table_valued(*columns, name="given").render_derived(with_types=True)


async def direct_connection(
    url: str, *, idle_limit_s: float = 60.0
) -> psycopg.AsyncConnection[tuple[object, ...]]:
    """A connection outside the pool, for LISTEN and advisory locks; a dead peer is noticed in seconds.

    The server ends it, and frees its locks, when its process says nothing for ``idle_limit_s``.
    """
    return await psycopg.AsyncConnection.connect(
        libpq_url(url),
        autocommit=True,
        connect_timeout=10,
        # The server notices a dead client as soon, and frees its advisory locks.
        options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
        f" -c idle_session_timeout={idle_limit_s * 1000:.0f}",
        **DEAD_PEER,
    )
