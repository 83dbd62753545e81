"""The tables' history, run by alembic; the only way that tables come to be."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

# Two `stepgram migrate` at once: the second waits for the first. The number only has to be ours.
MIGRATION_LOCK = 7_300_211


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


@cache
def latest() -> str:
    """The newest revision, which this version of the code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the folder is never empty
    return head


def upgrade(connection: Connection) -> None:
    """Bring the database behind ``connection`` to the newest revision, in the caller's transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
