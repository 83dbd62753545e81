"""What an automated topic's function may use besides its task."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from camunda.external_task.external_task import ExternalTask

from shared import outbox
from shared.db import Database
from shared.errors import AuthorError
from shared.markup import render_html
from shared.steps.conversation import Draft
from shared.storage import ObjectReader, Storage


@dataclass(frozen=True)
class Tools:
    """The bucket, and a voice in the chat, for one run of one automated task."""

    storage: Storage
    db: Database
    task_id: str

    def keys(self, task: ExternalTask, variable: str) -> list[str]:
        """The keys of the files that a question ``s3_*`` got, whether it takes one or several.

        Its ``_meta`` names them also where the variable itself has a public address.

        Raises:
            AuthorError: the task has no such variable, or it is no file.
        """
        meta, value = task.get_variable(f"{variable}_meta"), task.get_variable(variable)
        found = meta if meta is not None else value
        each = found if isinstance(found, list) else [found]
        keys = [one.get("key") if isinstance(one, dict) else one for one in each]
        if found is None or not all(isinstance(key, str) and key for key in keys):
            raise AuthorError(
                f"activity {task.get_activity_id()!r}: {variable} is {value!r}; the key of a file in the"
                " bucket is expected, as a question for one gives it"
            )
        return [str(key) for key in keys]

    @asynccontextmanager
    async def open_file(
        self, task: ExternalTask, variable: str, number: int = 0
    ) -> AsyncIterator[ObjectReader]:
        """Read a file that somebody sent as a stream: that of a variable ``s3_*``, or one of several.

        Raises:
            AuthorError: the task has no such file.
            ObjectMissing: it is no longer in the bucket.
            WorldError: the bucket does not answer; also while reading.
        """
        keys = self.keys(task, variable)
        if not 0 <= number < len(keys):
            raise AuthorError(f"activity {task.get_activity_id()!r}: {variable} has {len(keys)} files")
        async with self.storage.open(keys[number]) as stored:
            yield stored

    async def progress(self, chat_id: int, text: str) -> None:
        """Show ``text`` (the safe HTML subset) in the chat in one message of this task, edited each time."""
        draft = Draft("notice", render_html(text))
        async with self.db.begin() as tx:
            await outbox.show(tx, f"progress:{self.task_id}", chat_id, draft)
