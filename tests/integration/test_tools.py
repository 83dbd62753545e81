"""What an automated topic's function may do besides its work."""

from typing import cast

from shared.db import Database
from shared.models import Prompt
from shared.storage import Storage
from tests.fakes.rows import all_of
from tests.fakes.steps import ANN
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
