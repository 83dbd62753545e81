"""How messages come to an end: they lose their buttons and say why, become one line, or go.

Nothing is told Telegram here; the row says what is wanted, and the changes' queue does it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, update

from shared.db import Tx, notify_later
from shared.markup import Rich, join, utf16_len
from shared.models import Json, Prompt
from shared.outbox import CHANGES, delete_shown, of_reply
from shared.steps.conversation import REMINDER as REMINDS

TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024


async def retire(tx: Tx, prompts: Sequence[Prompt], note: Rich | None = None) -> None:
    """Take the buttons off messages and add a line that says why; unsent ones are dropped, reminders go."""
    for prompt in prompts:
        if prompt.kind == REMINDS:
            await delete_shown(tx, Prompt.id == prompt.id)
            continue
        content = {**prompt.content}
        keyboard = content.pop("reply_markup", None) or {}
        had_buttons = "inline_keyboard" in keyboard
        if had_buttons and note is not None:
            content |= _with_note(content, note)
        wanted = "deleting" if "force_reply" in keyboard else "retiring" if had_buttons else "sent"
        await _end(tx, prompt, wanted, content)
    notify_later(tx, CHANGES.name)


async def retire_all(tx: Tx, pending_reply_id: int, note: Rich | None = None) -> None:
    """Retire every message of a step that is over."""
    await retire(tx, await of_reply(tx, pending_reply_id), note)


async def take_away(tx: Tx, prompts: Sequence[Prompt], instead: Rich) -> None:
    """Delete messages; one that Telegram no longer deletes says ``instead``; unsent ones are dropped."""
    for prompt in prompts:
        if prompt.kind == REMINDS:
            await delete_shown(tx, Prompt.id == prompt.id)
        else:
            await _end(tx, prompt, "deleting", _saying(prompt, instead))
    notify_later(tx, CHANGES.name)


async def summarise(tx: Tx, prompts: Sequence[Prompt], summary: Rich) -> None:
    """Leave one line of a step's messages: the oldest one that can be edited says it, the others go."""
    able = [each for each in prompts if each.message_id is not None and "force_reply" not in _markup_of(each)]
    for prompt in able[:1]:
        await _end(tx, prompt, "retiring", _saying(prompt, summary))
    await take_away(tx, [each for each in prompts if each not in able[:1]], summary)


def _markup_of(prompt: Prompt) -> Json:
    return prompt.content.get("reply_markup") or {}


def _saying(prompt: Prompt, rich: Rich) -> Json:
    """Other words in a message that may be a picture's or a document's."""
    kept: Json = {name: prompt.content[name] for name in ("photo", "document") if name in prompt.content}
    return {**kept, **_said(rich)}


def _said(rich: Rich) -> Json:
    return {"text": rich.text, "entities": list(rich.entities)}


async def _end(tx: Tx, prompt: Prompt, wanted: str, content: Json) -> None:
    """Let a message come to an end; one that was never sent is dropped at once."""
    values: dict[str, Any] = {"content": content, "due_at": func.now(), "attempts": 0}
    if prompt.state == "retiring" and wanted != "deleting":
        return
    if prompt.state == "held":
        wanted = "retired"
    elif prompt.claim is not None:
        # A sender has it in hand; when it records what it did, or its claim lapses, the change is due.
        values = {"content": content}
    elif prompt.state in {"queued", "undeliverable"}:
        wanted = "retired"
    if wanted in {prompt.state, "sent"}:
        return
    await tx.execute(
        update(Prompt)
        .where(Prompt.id == prompt.id)
        .values(state=wanted, **values)
        .execution_options(synchronize_session=False)
    )


def _with_note(content: Json, note: Rich) -> Json:
    before = Rich(str(content.get("text", "")), tuple(content.get("entities", ())))
    after = join(before, note, separator="\n\n") if before.text else note
    limit = CAPTION_LIMIT if "photo" in content or "document" in content else TEXT_LIMIT
    if utf16_len(after.text) > limit:
        return {}
    return _said(after)
