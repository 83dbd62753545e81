"""What a process gets to know of a file, how long its address lives, and how long the file itself does."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import uploads
from shared.models import Json, Upload
from shared.pruning import Ages, prune
from tests.fakes.conversation import Conversation, variables
from tests.fakes.rows import all_of, change
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

AGES = Ages(closed_s=86_400, updates_s=86_400, set_aside_s=180 * 86_400)
NOTE = b'{"a": 1}'


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


async def stored(talk: Conversation, **properties: str) -> tuple[Upload, Json]:
    """A file that somebody sent for a step with these keys: its row, and what the process gets to know."""
    ann = await talk.telegram.ann()
    keys = {f"s3_x.{name}": value for name, value in properties.items()}
    reply_id = await talk.ask(ann, {"s3_x": "The note"}, keys, topic="await_upload")
    document = {"name": "My note.json", "content_base64": base64.b64encode(NOTE).decode()}
    await talk.telegram.send(ann, document=document)
    await talk.turn()
    (upload,) = await all_of(talk.db, Upload)
    meta: Json = json.loads(variables(await talk.reply(reply_id))["s3_x_meta"])
    return upload, meta


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("properties", "lifetime_s"),
    [({}, 86_400), ({"link_lifetime": "PT1H"}, 3600), ({"link_lifetime": "P7D"}, 604_800)],
)
async def test_the_address_of_a_file_lives_as_long_as_its_author_says(
    talk: Conversation, properties: dict[str, str], lifetime_s: int
) -> None:
    before = datetime.now(UTC)
    _, meta = await stored(talk, **properties)
    assert f"/{meta['key']}?for={lifetime_s}&as=My note.json" in meta["url"]
    age_s = (moment(meta["url_until"]) - before).total_seconds()
    assert lifetime_s - 1 <= age_s <= lifetime_s + 60
    assert "delete_after" not in meta


@pytest.mark.parametrize("nothing", ["PT0S", "0"])
async def test_no_address_is_made_where_the_author_wants_none(talk: Conversation, nothing: str) -> None:
    _, meta = await stored(talk, link_lifetime=nothing)
    assert "url" not in meta
    assert "url_until" not in meta


async def test_no_address_is_made_where_the_setting_wants_none(talk: Conversation) -> None:
    talk.fakes.settings = talk.fakes.settings.model_copy(update={"file_link_s": 0})
    _, meta = await stored(talk)
    assert "url" not in meta


async def test_a_file_with_a_retention_is_deleted_when_it_is_over(talk: Conversation) -> None:
    upload, meta = await stored(talk, retention="P90D")
    assert upload.delete_at is not None
    assert abs(moment(meta["delete_after"]) - upload.delete_at) < timedelta(seconds=1)
    assert abs(upload.delete_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert (await prune(talk.db, AGES))["expired_files"] == 0
    await change(talk.db, upload, delete_at=datetime.now(UTC) - timedelta(seconds=1))
    assert (await prune(talk.db, AGES))["expired_files"] == 1
    await talk.store()
    (row,) = await all_of(talk.db, Upload)
    assert (row.state, talk.fakes.bucket.objects) == ("removed", {})


async def test_a_file_without_a_retention_stays(talk: Conversation) -> None:
    upload, _ = await stored(talk)
    assert upload.delete_at is None
    assert (await prune(talk.db, AGES))["expired_files"] == 0


OLD = datetime.now(UTC) - timedelta(days=200)


@pytest.mark.parametrize(
    ("state", "key", "goes"),
    [
        ("removed", "tasks/1", True),
        ("refused", "tasks/1", True),
        ("abandoned", None, True),
        ("failed", None, True),
        ("failed", "tasks/1", False),
        ("stored", "tasks/1", False),
        ("removing", "tasks/1", False),
        ("arrived", "tasks/1", False),
        ("infected", "quarantine/1", False),
    ],
)
async def test_the_row_of_a_file_goes_never_before_its_object(
    talk: Conversation, state: str, key: str | None, goes: bool
) -> None:
    values: dict[str, Any] = {
        "variable": "s3_x",
        "chat_id": 1,
        "message_id": 1,
        "user_id": 1,
        "user_name": "Ann",
    }
    async with talk.db.begin() as tx:
        tx.add(Upload(state=state, object_key=key, file_id="f", name="x", created_at=OLD, **values))
    assert (await prune(talk.db, AGES))["uploads"] == int(goes)
    assert len(await all_of(talk.db, Upload)) == int(not goes)


async def test_a_file_that_somebody_has_in_hand_is_left_to_them(talk: Conversation) -> None:
    upload, _ = await stored(talk, retention="P1D")
    await change(talk.db, upload, delete_at=datetime.now(UTC) - timedelta(seconds=1))
    async with talk.db.begin() as tx, talk.db.begin() as other:
        await other.get(Upload, upload.id, with_for_update=True)
        assert await uploads.remove_expired(tx, 10) == 0
