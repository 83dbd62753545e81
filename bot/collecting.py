"""The files of one question as its answer; of several, each can be taken away until Done is tapped."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.dialogs import Dialog
from shared import texts, uploads
from shared.engine.values import to_engine
from shared.files import sanitise_name
from shared.models import Json, Upload
from shared.service import Services
from shared.steps.fields import InvalidAnswer, skipped
from shared.steps.model import Ask


async def answer_of(services: Services, ask: Ask, files: Sequence[Upload]) -> Json:
    """What is kept as the answer to a question: one file, or a list of them where it takes several."""
    values = [_value(services, ask, each) for each in files]
    metas = [await _meta(services, ask, each) for each in files]
    numbers = [each.id for each in files]
    if not ask.takes_many:
        shown, meta = files[0].name, to_engine(metas[0])
        return {"value": values[0], "type": "String", "shown": shown, "meta": meta, "files": numbers}
    return {
        "value": json.dumps(values),
        "type": "Json",
        "shown": ", ".join(each.name for each in files),
        "meta": to_engine(metas),
        "files": numbers,
    }


def _value(services: Services, ask: Ask, upload: Upload) -> str:
    """What the process gets for one file."""
    key = str(upload.object_key)
    return services.storage.public_url(key) if ask.public else key


async def _meta(services: Services, ask: Ask, upload: Upload) -> Json:
    """What the process gets to know of one file."""
    return {
        "name": sanitise_name(upload.name),  # a process may save the file under it
        "size": upload.size_bytes,
        "type": upload.mime_type,
        "sha256": upload.sha256,
        "bucket": services.storage.bucket,
        "key": upload.object_key,
        **await _link(services, ask, upload),
        **({} if upload.delete_at is None else {"delete_after": _instant(upload.delete_at)}),
    }


async def _link(services: Services, ask: Ask, upload: Upload) -> Json:
    """An address that gives the file to whoever has it, and until when."""
    lifetime_s = services.settings.file_link_s if ask.link_lifetime_s is None else ask.link_lifetime_s
    if lifetime_s == 0:
        return {}
    until = datetime.now(UTC) + timedelta(seconds=lifetime_s)
    url = await services.storage.presign_get(str(upload.object_key), lifetime_s, upload.name)
    return {"url": url, "url_until": _instant(until)}


def _instant(moment: datetime) -> str:
    """A moment as the process reads it: ISO 8601, in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def done(dialog: Dialog, ask: Ask) -> Json:
    """The answer that Done gives.

    Raises:
        InvalidAnswer: some files are on their way still, or there are too few.
    """
    # What a browser has not sent as a whole is left out: it may never be.
    here = (*uploads.IN_HAND, "stored")
    files = await uploads.of_variable(dialog.tx, dialog.reply.id, ask.name, here)
    if any(each.state != "stored" for each in files):
        raise InvalidAnswer(texts.say("files-on-their-way"))
    if not files and not ask.required:
        return skipped(ask)
    if len(files) < ask.min_files:
        raise InvalidAnswer(texts.say("files-too-few", count=ask.min_files))
    return await answer_of(dialog.services, ask, files)


async def take_away(dialog: Dialog, ask: Ask, number: int) -> bool:
    """Remove one of the files; False if it is none of them (any more)."""
    files = await uploads.of_variable(dialog.tx, dialog.reply.id, ask.name, ("stored",))
    if number not in {each.id for each in files}:
        return False
    await uploads.remove_one(dialog.tx, number)
    await dialog.list_files(ask)
    return True
