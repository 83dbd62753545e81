"""The whole of a file, looked at in a real bucket: what may become an answer, and what its sender is told."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from PIL import Image

from bot.uploader import Uploader
from devstack.stack import Stack
from shared import texts
from shared.files import FileRefused, FileType
from shared.files.examination import Examiner
from shared.files.process import ChildBroken, look_into
from shared.files.scanning import ScannerAway
from shared.models import Upload
from shared.steps.model import Ask
from shared.storage import ObjectMissing, Storage, StorageUnavailable
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of
from tests.fakes.services import Fakes, settings_with
from tests.fakes.telegram import Telegram
from tests.integration.test_storage import settings_of
from tests.integration.test_uploads import send_file, take
from tests.support.clamd import SIGNATURE, running_clamd, virus
from tests.unit.files.archiving import MIB, encrypted_zip, lying_zip, nested, overlapping_zip, zipped
from tests.unit.files.test_images import SECRET, with_secrets

PLACES = b"column,other\n1,2\n"


@pytest_asyncio.fixture
async def storage(stack: Stack) -> AsyncIterator[Storage]:
    bucket = Storage.from_settings(settings_of(stack))
    yield bucket
    await bucket.aclose()


def asking(**values: Any) -> Ask:
    return Ask(name="s3_x", type="file", label="x", required=True, **values)


async def examined(
    storage: Storage, content: bytes, kind: FileType, ask: Ask | None = None, **settings: Any
) -> str | None:
    """Why an object may not become an answer, if so."""
    key = f"examined/{hashlib.sha256(content).hexdigest()}"
    await storage.put_bytes(key, content, content_type=kind.mime)
    examiner = Examiner(settings_with(**settings), storage)
    try:
        await examiner.examine(key, kind=kind, size_bytes=len(content), ask=ask or asking())
    except FileRefused as refused:
        return str(refused.params.get("sentence", refused.reason))
    return None


ZIP, CSV, JSON = (
    FileType(".zip", "application/zip"),
    FileType(".csv", "text/csv"),
    FileType(".json", "application/json"),
)


# the object as a file


async def test_any_part_of_an_object_is_read_as_from_a_file(storage: Storage) -> None:
    content = os.urandom(3 * MIB + 7)
    await storage.put_bytes("seekable", content, content_type="x/y")
    raw = storage.seekable("seekable", len(content))
    file = io.BufferedReader(raw, 64 * 1024)

    def read() -> None:
        for offset, size in ((0, 10), (MIB, 100_000), (len(content) - 5, 100), (5, 0), (len(content), 5)):
            file.seek(offset)
            assert file.read(size) == content[offset : offset + size]
        assert file.seek(-3, io.SEEK_END) == len(content) - 3
        assert (file.read(), file.tell()) == (content[-3:], len(content))
        with pytest.raises(ValueError, match="before the beginning"):
            raw.seek(-1)
        missing = storage.seekable("nowhere", 10)
        with pytest.raises(ObjectMissing):
            missing.read(5)

    await asyncio.to_thread(read)


async def test_an_object_is_copied_within_the_bucket(storage: Storage) -> None:
    await storage.put_bytes("from", b"content", content_type="x/y")
    await storage.copy("from", "to/there")
    async with storage.open("to/there") as copied:
        assert await copied.read() == b"content"
    with pytest.raises(ObjectMissing):
        await storage.copy("nowhere", "to")


# the child process


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (zipped({"a.txt": b"x"}), None),
        (zipped({"../a.txt": b"x"}), "archive_unsafe"),
        (overlapping_zip(), "archive_unsafe"),
        (lying_zip(), "archive_broken"),
        (encrypted_zip(), "archive_encrypted"),
        (nested(2), "archive_too_deep"),
        (zipped({"zeros": bytes(17 * MIB)}), "archive_too_large"),
    ],
    ids=["good", "leads_out", "overlapping", "lying", "encrypted", "nested", "bomb"],
)
async def test_an_archive_is_looked_into_where_it_lies(
    storage: Storage, content: bytes, verdict: str | None
) -> None:
    assert await examined(storage, content, ZIP) == verdict


async def test_the_limits_of_archives_are_settings(storage: Storage) -> None:
    two = zipped({"a": b"x", "b": b"x"})
    assert await examined(storage, two, ZIP, archive_max_entries=1) == "archive_too_large"
    assert await examined(storage, two, ZIP, archive_max_bytes=1) == "archive_too_large"
    assert await examined(storage, nested(1), ZIP, archive_max_depth=0) == "archive_too_deep"
    noise = zipped({"noise": os.urandom(MIB), "zeros": bytes(30 * MIB)})
    assert await examined(storage, noise, ZIP) is None
    assert await examined(storage, noise, ZIP, archive_max_ratio=10) == "archive_too_large"


async def test_an_archive_that_cannot_be_looked_into_is_refused_by_any_name(storage: Storage) -> None:
    assert (
        await examined(storage, b"7z\xbc\xaf\x27\x1c" + bytes(50), FileType("", "x/y"))
        == "archive_unreadable"
    )


async def test_a_file_that_is_two_things_is_refused(storage: Storage) -> None:
    picture = with_secrets("JPEG") + zipped({"a.txt": b"x"})
    assert await examined(storage, picture, FileType(".jpg", "image/jpeg")) == "two_in_one"
    large = with_secrets("JPEG") + bytes(MIB) + zipped({"a.txt": b"x"})
    assert await examined(storage, large, FileType(".jpg", "image/jpeg")) == "two_in_one"


async def test_a_child_that_uses_up_its_time_or_memory_refuses_its_file() -> None:
    order: dict[str, Any] = {"job": "validate", "validator": "json_schema", "language": "en"}
    endless = {"type": "string", "pattern": "^(a+)+$"}
    content = b'"' + b"a" * 40 + b'b"'
    with pytest.raises(FileRefused) as refused:
        await look_into(io.BytesIO(content), size_bytes=len(content), argument=endless, cpu_s=1, **order)
    assert refused.value.reason == "too_complex"
    content = b"[" + b"[]," * 4_000_000 + b"[]]"
    with pytest.raises(FileRefused) as refused:
        await look_into(
            io.BytesIO(content), size_bytes=len(content), argument={}, memory_bytes=200 * MIB, **order
        )
    assert refused.value.reason == "too_complex"
    with pytest.raises(ChildBroken):
        await look_into(io.BytesIO(b"{}"), size_bytes=2, job="nonsense")


async def test_a_child_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nif 'R2_SECRET_ACCESS_KEY' in os.environ or 'BOT_TOKEN' in os.environ: os._exit(7)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("BOT_TOKEN", "1:secret")
    content = zipped({"a.txt": b"x"})
    limits = {"entries": 9, "ratio": 9, "depth": 0, "unpacked_bytes": 9}
    await look_into(
        io.BytesIO(content), job="archive", size_bytes=len(content), extension=".zip", limits=limits
    )


async def test_a_bucket_that_fails_under_a_child_ends_it() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise StorageUnavailable("away")

    before = set(psutil.Process().children())
    with pytest.raises(StorageUnavailable):
        await look_into(Failing(), job="archive", size_bytes=100, extension="", limits={
            "entries": 1, "ratio": 1, "depth": 1, "unpacked_bytes": 1,
        })  # fmt: skip
    assert set(psutil.Process().children()) <= before


# validators


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_validator_speaks_the_language_of_the_sender(storage: Storage, language: str) -> None:
    ask = asking(validator="csv_header", validator_argument="date,column")
    with texts.speaking(texts.Voice(language)):
        assert await examined(storage, PLACES, CSV, ask) == texts.say("file-csv-lacks", names="date")


async def test_a_package_of_the_installation_adds_a_validator(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_checks.py").write_text(
        "from shared.files.validators import InvalidFile, Validator\n"
        "def check(file, argument):\n"
        "    print('this is no answer')\n"
        "    file.seek(-2, 2)\n"
        "    raise InvalidFile(f'It ends with {file.read().decode()}, {argument}.')\n"
        "own = Validator('own', check, 'anything')\n"
    )
    info = tmp_path / "own_checks-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-checks\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[stepgram.validators]\nown = own_checks:own\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ask = asking(validator="own", validator_argument={"a": 1})
    assert await examined(storage, b"abc", CSV, ask) == "It ends with bc, {'a': 1}."


# in a conversation


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def upload(talk: Conversation) -> Upload:
    (row,) = await all_of(talk.db, Upload)
    return row


REQUIRED = {"validate": "json_schema", "validate_with": '{"required": ["a"]}'}
TEXTS_ONLY = {"validate": "json_schema", "validate_with": '{"additionalProperties": {"type": "string"}}'}
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(50)


@pytest.mark.parametrize(
    ("keys", "name", "content", "told"),
    [
        (
            {"validate": "csv_header", "validate_with": "date,amount"},
            "a.csv",
            b"when,amount\n",
            "missing in the first line of that table: date",
        ),
        ({"validate": "telegram_export"}, "a.json", b'{"a": 1}', "not the exported history of one chat"),
        (REQUIRED, "a.json", b'{"b": "<b>"}', "missing in that file at the beginning: a"),
        (TEXTS_ONLY, "a.json", b'{"<b>x</b> @ann": 1}', "at <b>x</b> @ann"),
        ({}, "a.zip", zipped({"../a": b"x"}), "something in that archive that I cannot take"),
        ({"strip_metadata": "true"}, "a.heic", HEIC, "only out of JPEG, PNG"),
        ({}, "a.rar", b"Rar!\x1a\x07\x01\0", "please send a .zip instead"),
    ],
    ids=["header", "export", "schema", "markup", "archive", "heic", "rar"],
)
async def test_content_that_the_author_does_not_want_is_refused_with_the_reason(
    talk: Conversation, keys: dict[str, str], name: str, content: bytes, told: str
) -> None:
    ann = await talk.telegram.ann()
    properties = {f"s3_x.{key}": value for key, value in keys.items()}
    reply_id = await talk.ask(ann, {"s3_x": "The file"}, properties, topic="await_upload")
    await send_file(talk, ann, name, content)
    await talk.turn()
    assert told in "".join(char for char in await talk.last(ann) if char not in "\u2060\u2068\u2069\u200b")
    assert (await talk.reply(reply_id)).state == "posted"
    assert talk.fakes.bucket.objects == {}


async def test_a_picture_is_stored_without_its_place(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, {"s3_x": "A photo"}, {"s3_x.strip_metadata": "true"}, topic="await_upload")
    await send_file(talk, ann, "a.jpg", with_secrets("JPEG", orientation=6))
    await talk.turn()
    ((key, stored),) = talk.fakes.bucket.objects.items()
    assert SECRET.encode() not in stored
    with Image.open(io.BytesIO(stored)) as image:
        assert image.size == (40, 60)
    row = await upload(talk)
    assert (row.size_bytes, row.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert variables(await talk.reply(reply_id))["s3_x"] == key


async def test_what_is_no_picture_is_stored_as_it_is(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.ask(ann, {"s3_x": "A file"}, {"s3_x.strip_metadata": "true"}, topic="await_upload")
    await send_file(talk, ann, "a.csv", PLACES)
    await talk.turn()
    assert list(talk.fakes.bucket.objects.values()) == [PLACES]


async def test_an_infected_file_goes_into_quarantine_and_never_into_an_answer(
    talk: Conversation, tmp_path: Path
) -> None:
    ann = await talk.telegram.ann()
    async with running_clamd(tmp_path) as clamd:
        talk.fakes.settings = talk.fakes.settings.model_copy(update={"clamd_address": clamd.address})
        reply_id = await talk.ask(ann, {"s3_x": "A file"}, {}, topic="await_upload")
        await send_file(talk, ann, "a.txt", await virus())
        await talk.turn()
        assert await talk.last(ann) == texts.say("file-infected")
        row = await upload(talk)
        assert (row.state, str(row.last_error).startswith(SIGNATURE)) == ("infected", True)
        assert list(talk.fakes.bucket.objects) == [row.object_key]
        assert str(row.object_key).startswith(f"quarantine/tasks/{ann}/")
        assert (await talk.reply(reply_id)).state == "posted"

        await send_file(talk, ann, "good.txt", b"harmless")
        await talk.turn()
        assert (await talk.reply(reply_id)).state == "answered"


async def test_a_file_waits_for_a_scanner_that_is_away_and_goes_on_when_it_is_back(
    talk: Conversation, tmp_path: Path
) -> None:
    ann = await talk.telegram.ann()
    talk.fakes.settings = talk.fakes.settings.model_copy(update={"clamd_address": str(tmp_path / "nowhere")})
    reply_id = await talk.ask(ann, {"s3_x": "A file"}, {}, topic="await_upload")
    await send_file(talk, ann, "a.txt", b"harmless")
    await talk.telegram.receive(talk.db)
    await talk.handle()
    for _ in range(2):
        with pytest.raises(ScannerAway):
            await Uploader(talk.fakes.services).handle(await take(talk))
    await talk.send()
    assert (await talk.telegram.texts(ann)).count(texts.say("scanner-away")) == 1
    assert ((await upload(talk)).state, (await talk.reply(reply_id)).state) == ("arrived", "posted")
    async with running_clamd(tmp_path) as clamd:
        talk.fakes.settings = talk.fakes.settings.model_copy(update={"clamd_address": clamd.address})
        await Uploader(talk.fakes.services).handle(await take(talk))
    assert (await talk.reply(reply_id)).state == "answered"
    assert len(await talk.telegram.calls("getFile")) == 1, "what is in the bucket is not fetched again"


@pytest.mark.parametrize("was_moved", [True, False])
async def test_a_crash_before_the_verdict_was_written_down_leaves_nothing_in_doubt(
    talk: Conversation, tmp_path: Path, was_moved: bool
) -> None:
    ann = await talk.telegram.ann()
    talk.fakes.settings = talk.fakes.settings.model_copy(update={"clamd_address": str(tmp_path / "nowhere")})
    await talk.ask(ann, {"s3_x": "A file"}, {}, topic="await_upload")
    await send_file(talk, ann, "a.txt", b"harmless")
    await talk.telegram.receive(talk.db)
    await talk.handle()
    with pytest.raises(ScannerAway):
        await Uploader(talk.fakes.services).handle(await take(talk))
    ((key, content),) = talk.fakes.bucket.objects.items()
    talk.fakes.bucket.objects = {f"quarantine/{key}": content} if was_moved else {}
    await Uploader(talk.fakes.services).handle(await take(talk))
    row = await upload(talk)
    assert row.state == ("infected" if was_moved else "refused")
    assert set(talk.fakes.bucket.objects) == ({row.object_key} if was_moved else set())
