"""A backup of one process's instances in the engine's own tables, to be played back while the engine runs."""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

_OURS = sql.SQL(
    "SELECT {columns} FROM {table} WHERE proc_inst_id_ IN"
    " (SELECT id_ FROM act_hi_procinst WHERE proc_def_key_ = %s)"
)
_TABLES = """
    SELECT table_name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name = 'proc_inst_id_' AND table_name ~ '^act_(ru|hi)_'
    ORDER BY table_name <> 'act_ru_execution', table_name = 'act_hi_procinst', table_name
"""


@dataclass
class Backup:
    """The rows of a process's instances as they were: what its tables hold later is forgotten again."""

    url: str
    key: str
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    async def take(self) -> None:
        """Read the rows."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            for (table,) in await (await connection.execute(_TABLES)).fetchall():
                query = _OURS.format(columns=sql.SQL("*"), table=sql.Identifier(table))
                found = await connection.execute(query, (self.key,))
                self.rows[table] = sorted(await found.fetchall(), key=lambda row: _is_child(found, row))

    async def play_back(self) -> None:
        """Put the rows in the place of those that are there now."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            # What refers to others goes before them and comes after them; executions refer to each other.
            for table in sorted(self.rows, key=["act_hi_procinst", "act_ru_execution"].__contains__):
                ours = _OURS.format(columns=sql.SQL("ctid"), table=sql.Identifier(table))
                delete = sql.SQL("DELETE FROM {} WHERE ctid IN ({})").format(sql.Identifier(table), ours)
                await connection.execute(delete, (self.key,))
            for table, rows in self.rows.items():
                for row in rows:
                    marks = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                    insert = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), marks)
                    await connection.execute(insert, row)


def _is_child(cursor: psycopg.AsyncCursor[Any], row: tuple[Any, ...]) -> bool:
    """Whether an execution has a parent, which is to be there first."""
    names = [column.name for column in cursor.description or ()]
    return "parent_id_" in names and row[names.index("parent_id_")] is not None
