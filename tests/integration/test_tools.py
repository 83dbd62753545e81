"""What an automated topic's function may do besides its work."""

from typing import cast

import pytest
from camunda.external_task.external_task import ExternalTask

from shared.db import Database
from shared.errors import AuthorError
from shared.models import Prompt
from shared.storage import Storage
from tests.fakes.rows import all_of
from tests.fakes.steps import ANN
from tests.fakes.storage import FakeStorage
from workers.tools import Tools


async def test_progress_is_one_message_of_the_task(db: Database) -> None:
    first = Tools(cast("Storage", None), db, "task-1")
    second = Tools(cast("Storage", None), db, "task-2")
    for share in ("10", "20"):
        await first.progress(ANN, f"⏳ <b>{share} %</b>")
    await second.progress(ANN, "⏳ 5 %")
    prompts = await all_of(db, Prompt)
    assert [prompt.content["text"] for prompt in prompts] == ["⏳ 20 %", "⏳ 5 %"]
    assert prompts[0].content["entities"][0]["type"] == "bold"


def of(variables: dict[str, object]) -> ExternalTask:
    return ExternalTask(
        {
            "id": "task",
            "activityId": "work",
            "variables": {name: {"value": value} for name, value in variables.items()},
        }
    )


META = {"key": "tasks/1/a.txt", "name": "a.txt"}


@pytest.mark.parametrize(
    ("variables", "keys"),
    [
        ({"s3_x": "tasks/1/a.txt", "s3_x_meta": META}, ["tasks/1/a.txt"]),
        ({"s3_x": "https://files.example.org/tasks/1/a.txt", "s3_x_meta": META}, ["tasks/1/a.txt"]),
        ({"s3_x": "tasks/1/a.txt"}, ["tasks/1/a.txt"]),
        ({"s3_x": ["a", "b"], "s3_x_meta": [{"key": "a"}, {"key": "b"}]}, ["a", "b"]),
    ],
)
async def test_a_function_reads_what_somebody_sent_as_a_stream(
    db: Database, variables: dict[str, object], keys: list[str]
) -> None:
    bucket = FakeStorage()
    bucket.objects = {key: key.encode() for key in keys}
    tools, task = Tools(bucket.storage, db, "task"), of(variables)
    assert tools.keys(task, "s3_x") == keys
    for number, key in enumerate(keys):
        async with tools.open_file(task, "s3_x", number) as stored:
            assert b"".join([chunk async for chunk in stored]) == key.encode()


@pytest.mark.parametrize("variables", [{}, {"s3_x": 5}, {"s3_x": ["a", None]}])
async def test_what_is_no_file_is_an_authors_error(db: Database, variables: dict[str, object]) -> None:
    tools = Tools(FakeStorage().storage, db, "task")
    with pytest.raises(AuthorError, match="activity 'work': s3_x"):
        async with tools.open_file(of(variables), "s3_x"):
            pass


async def test_a_file_beyond_the_last_is_an_authors_error(db: Database) -> None:
    with pytest.raises(AuthorError, match="s3_x has 1 files"):
        async with Tools(FakeStorage().storage, db, "task").open_file(of({"s3_x": "a"}), "s3_x", 1):
            pass
