"""Parked steps by the thousand: rows of the engine and of ours, copied in SQL from one that is real."""

from benchmarks.ground import Ground

CHUNK = 10_000
STRANGERS = 900_000_000
"""Chats of people who are nobody: what waits for them is posted already."""


async def clone(ground: Ground, database: str, parked: int) -> None:
    """Copy the one parked step until there are as many; the tables' statistics are fresh afterwards."""
    query = "SELECT count(*) FROM pending_replies WHERE state IN ('parked', 'posted')"
    there = int(await ground.value(database, query))
    task_id, execution_id = (
        await ground.rows(
            database,
            "SELECT external_task_id, process_instance_id FROM pending_replies"
            " WHERE state = 'posted' ORDER BY id LIMIT 1",
        )
    )[0]
    for first in range(there, parked, CHUNK):
        last = min(first + CHUNK, parked) - 1
        await _engine(ground, task_id, execution_id, first, last)
        await _ours(ground, database, task_id, first, last)
    for name in ("engine", database):
        await ground.rows(name, "ANALYZE")


async def _copied(ground: Ground, database: str, table: str, new: dict[str, str], where: str) -> None:
    """Insert copies of rows; ``new`` gives the SQL of the columns that differ, with ``n`` as the number."""
    columns = [
        name
        for (name,) in await ground.rows(
            database,
            "SELECT column_name::text FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s AND is_identity = 'NO'",
            table,
        )
    ]
    values = ", ".join(new.get(column, f"t.{column}") for column in columns)
    await ground.rows(database, f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {where}")


async def _engine(ground: Ground, task_id: str, instance_id: str, first: int, last: int) -> None:
    numbers = f"generate_series({first}, {last}) AS n"

    def ids(column: str) -> str:
        """The id of the copy: that of the row with the number behind it."""
        return f"t.{column} || '-' || n"

    await _copied(
        ground,
        "engine",
        "act_ru_execution",
        {
            "id_": ids("id_"),
            "root_proc_inst_id_": ids("root_proc_inst_id_"),
            "proc_inst_id_": ids("proc_inst_id_"),
            "parent_id_": ids("parent_id_"),
            "act_inst_id_": ids("act_inst_id_"),
        },
        f"act_ru_execution t, {numbers} WHERE t.proc_inst_id_ = '{instance_id}'"
        " ORDER BY n, t.parent_id_ NULLS FIRST",
    )
    variables = {"id_": ids("id_"), "execution_id_": ids("execution_id_"), "var_scope_": ids("var_scope_")}
    await _copied(
        ground,
        "engine",
        "act_ru_variable",
        {**variables, "proc_inst_id_": ids("proc_inst_id_")},
        f"act_ru_variable t, {numbers} WHERE t.proc_inst_id_ = '{instance_id}'",
    )
    await _copied(
        ground,
        "engine",
        "act_ru_ext_task",
        {
            "id_": ids("id_"),
            "execution_id_": ids("execution_id_"),
            "proc_inst_id_": ids("proc_inst_id_"),
            "act_inst_id_": ids("act_inst_id_"),
        },
        f"act_ru_ext_task t, {numbers} WHERE t.id_ = '{task_id}'",
    )


async def _ours(ground: Ground, database: str, task_id: str, first: int, last: int) -> None:
    """Rows as they are some time after parking: leases due all over the renewal time, prompts sent."""
    numbers = f"generate_series({first}, {last}) AS n"
    await _copied(
        ground,
        database,
        "pending_replies",
        {
            "external_task_id": "t.external_task_id || '-' || n",
            "activity_instance_id": "t.activity_instance_id || '-' || n",
            "process_instance_id": "t.process_instance_id || '-' || n",
            "execution_id": "t.execution_id || '-' || n",
            "chat_id": f"{STRANGERS} + n",
            "recipient_id": f"{STRANGERS} + n",
            "due_at": "now() + random() * interval '12 hours'",
        },
        f"pending_replies t, {numbers} WHERE t.external_task_id = '{task_id}'",
    )
    await ground.rows(
        database,
        "INSERT INTO prompts (pending_reply_id, chat_id, kind, content, priority, message_id, sent_at, state)"
        " SELECT r.id, r.chat_id, p.kind, p.content, p.priority, 1000000 + p.id, now(), 'sent'"
        " FROM pending_replies r, pending_replies o JOIN prompts p ON p.pending_reply_id = o.id"
        f" WHERE o.external_task_id = '{task_id}'"
        f" AND r.chat_id BETWEEN {STRANGERS + first} AND {STRANGERS + last}",
    )
