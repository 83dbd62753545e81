"""What an automated topic's function may use besides its task."""

from dataclasses import dataclass

from shared import outbox
from shared.db import Database
from shared.markup import render_html
from shared.steps.conversation import Draft
from shared.storage import Storage


@dataclass(frozen=True)
class Tools:
    """The bucket, and a voice in the chat, for one run of one automated task."""

    storage: Storage
    db: Database
    task_id: str

    async def progress(self, chat_id: int, text: str) -> None:
        """Show ``text`` (the safe HTML subset) in the chat in one message of this task, edited each time."""
        draft = Draft("notice", render_html(text))
        async with self.db.begin() as tx:
            await outbox.show(tx, f"progress:{self.task_id}", chat_id, draft)
