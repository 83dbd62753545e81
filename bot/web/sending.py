"""What a browser asks for on an upload page. The bytes themselves go straight from it to the bucket."""

import asyncio
import mimetypes
from collections.abc import Sequence
from typing import NamedTuple

from telegram import User

from bot import collecting
from bot.uploads import Offered, admit, refusal, size_limit
from bot.web.visits import Caller, Refused, Visit, visit
from shared import people, texts, upload_pages, uploads
from shared.db import Tx
from shared.files import FileRefused, sanitise_name
from shared.models import Json, Upload, UploadPage
from shared.queues import Loop, settle
from shared.service import Services
from shared.steps.fields import InvalidAnswer
from shared.storage import object_key
from shared.storage.multipart import part_bytes, part_sizes

PARTS_AT_ONCE = 50
"""Addresses of one answer."""

PART_S = 900
"""How long such an address can be used."""

_MIMES = mimetypes.MimeTypes()


class Wanted(NamedTuple):
    """A file as a browser declares it."""

    name: str
    size_bytes: int
    mime_type: str | None


class Sending:
    """The words of a browser: status, begin, parts, finish, drop, done; and the end of a page."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._multipart = services.storage.multipart

    def loop(self) -> Loop[UploadPage]:
        """The loop that closes pages when their time is up."""
        return self._services.loop(upload_pages.PAGES, self.close, concurrency=2, poll_s=10.0)

    async def status(self, caller: Caller) -> Json:
        """What has become of the files of a page so far; nothing is changed."""
        async with visit(self._services, caller, reads=True) as here:
            files = await upload_pages.files(here.tx, here.page.id)
            told = [_told(each) for each in files]
            answer = {"page": here.page.state, "room": await self._room(here)}
        for upload, each in zip(files, told, strict=True):
            if upload.state == "sending":
                each["present"] = await self._present(upload)
        return {**answer, "files": [each for each in told if each["state"] != "abandoned"]}

    async def begin(self, caller: Caller, wanted: Wanted) -> Json:
        """Take a file, or go on with the one of the same name and size that was begun before."""
        async with visit(self._services, caller) as here:
            await self._supersede(here)
            sending = await upload_pages.files(here.tx, here.page.id, state="sending")
            name = sanitise_name(wanted.name)
            known = next((f for f in sending if (f.name, f.size_bytes) == (name, wanted.size_bytes)), None)
            upload = known or await self._admitted(here, wanted._replace(name=name), sending)
        if upload.multipart_id is None:
            await self._open(caller, upload)
        present = [] if known is None else await self._present(upload)
        return {"file": upload.id, "part_bytes": part_bytes(wanted.size_bytes), "present": present}

    async def _admitted(self, here: Visit, wanted: Wanted, sending: Sequence[Upload]) -> Upload:
        ask, services = here.ask, self._services
        assert ask is not None  # noqa: S101 - visit() saw to it
        if not await here.dialog.may_be_answered_by(here.page.user_id):
            raise Refused(403, texts.say("not-yours"))
        limit = size_limit(ask, services.settings)
        offered = Offered(wanted.name, wanted.size_bytes, wanted.mime_type, limit)
        user = User(here.page.user_id, here.page.user_name, is_bot=False)
        try:
            if sending and not ask.takes_many:
                raise FileRefused("one_is_on_its_way")  # noqa: TRY301
            await admit(here.tx, services, here.dialog, ask, offered, user)
        except FileRefused as refused:
            raise Refused(422, refusal(refused, ask)) from refused
        upload = await upload_pages.add_file(
            here.tx, here.page, name=wanted.name, size_bytes=wanted.size_bytes, mime_type=wanted.mime_type
        )
        task = here.dialog.reply.external_task_id
        upload.object_key = object_key(upload.user_id, task, upload.variable, upload.created_at, upload.name)
        if ask.takes_many:
            await here.tx.flush()
            await here.dialog.list_files(ask, anew=not sending)
        return upload

    async def _open(self, caller: Caller, upload: Upload) -> None:
        """Begin the multipart upload of a row that has none; a try that died may have begun one."""
        key = str(upload.object_key)
        await self._services.storage.abort_unfinished(key)
        content_type = _MIMES.guess_type(upload.name)[0] or "application/octet-stream"
        multipart_id = await self._multipart.begin(key, content_type)
        async with visit(self._services, caller) as here:
            (await here.file(upload.id)).multipart_id = multipart_id
        upload.multipart_id = multipart_id

    async def parts(self, caller: Caller, number: int, wanted: Sequence[int]) -> Json:
        """Addresses to which some parts of a file can be sent."""
        async with visit(self._services, caller) as here:
            upload = await here.file(number)
        sizes = part_sizes(upload.size_bytes or 0)
        if len(wanted) > PARTS_AT_ONCE or not all(1 <= each <= len(sizes) for each in wanted):
            raise Refused(400, texts.say("page-unknown"))
        key, multipart_id = str(upload.object_key), str(upload.multipart_id)
        urls = await asyncio.gather(
            *(
                self._multipart.presign_part(key, multipart_id, each, sizes[each - 1], PART_S)
                for each in wanted
            )
        )
        return {"urls": {str(each): url for each, url in zip(wanted, urls, strict=True)}}

    async def finish(self, caller: Caller, number: int) -> Json:
        """A browser says that all of a file is sent; the store is asked whether that is so."""
        async with visit(self._services, caller) as here:
            upload = await here.file(number)
        present = {*await self._present(upload)}
        count = len(part_sizes(upload.size_bytes or 0))
        if missing := [each for each in range(1, count + 1) if each not in present]:
            return {"missing": missing}
        async with visit(self._services, caller) as here:
            await upload_pages.hand_over(here.tx, await here.file(number))
        return {"missing": []}

    async def drop(self, caller: Caller, number: int) -> Json:
        """The person does not want to send that file any more."""
        async with visit(self._services, caller) as here:
            await self._abandon(await here.file(number))
            if here.ask is not None and here.ask.takes_many:
                await here.tx.flush()
                await here.dialog.list_files(here.ask)
        return {}

    async def done(self, caller: Caller) -> Json:
        """Of several files these are all: the question has its answer, as by Done in the chat."""
        async with visit(self._services, caller) as here:
            ask, dialog = here.ask, here.dialog
            if ask is None or not ask.takes_many:
                raise Refused(400, texts.say("page-unknown"))
            try:
                answer = await collecting.done(dialog, ask)
            except InvalidAnswer as error:
                raise Refused(422, str(error)) from error
            await dialog.take(dialog.step.asks.index(ask), answer, here.page.user_id, here.page.user_name)
        return {}

    async def close(self, page: UploadPage) -> None:
        """Nobody may come (back) to a page: what was not sent as a whole goes."""
        async with self._services.db.begin() as tx, people.speaking_to(tx, page.chat_id):
            await upload_pages.by_id(tx, page.id, lock=True)  # before its files, as everybody does
            for upload in await upload_pages.files(tx, page.id, state="sending"):
                await self._abandon(upload)
            await settle(tx, page, state="closed")

    async def _supersede(self, here: Visit) -> None:
        """Whoever begins on a new page has given up the older one."""
        for upload in await upload_pages.elsewhere(here.tx, here.page):
            await self._abandon(upload)
        await here.tx.flush()

    async def _abandon(self, upload: Upload) -> None:
        upload.state = "abandoned"
        if upload.object_key is not None:
            if upload.multipart_id is not None:
                await self._multipart.abort(upload.object_key, upload.multipart_id)
            await self._services.storage.abort_unfinished(upload.object_key)

    async def _present(self, upload: Upload) -> list[int]:
        """The parts that the store has, whole."""
        if upload.multipart_id is None:
            return []
        sizes = part_sizes(upload.size_bytes or 0)
        found = await self._multipart.parts(str(upload.object_key), upload.multipart_id) or []
        return [p.number for p in found if p.number <= len(sizes) and p.size_bytes == sizes[p.number - 1]]

    async def _room(self, here: Visit) -> int:
        """How many more files can be begun."""
        if here.ask is None:
            return 0
        taken = await _taken(here.tx, here.dialog.reply.id, here.ask.name)
        return max(0, here.ask.max_files - taken)


async def _taken(tx: Tx, reply_id: int, variable: str) -> int:
    return len(await uploads.of_variable(tx, reply_id, variable))


def _told(upload: Upload) -> Json:
    """A file as the browser is told of it; words of a refusal are those of the chat."""
    told: Json = {"file": upload.id, "name": upload.name, "size": upload.size_bytes, "state": upload.state}
    if upload.state == "refused":
        told["sentence"] = upload.last_error
    elif upload.state == "infected":
        told["sentence"] = texts.say("file-infected")
    elif upload.state == "failed":
        told["sentence"] = texts.say("file-lost")
    elif upload.state in {"queued", "arrived"} and upload.last_error:
        told["sentence"] = texts.say("storage-away")
    return told
