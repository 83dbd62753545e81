"""The generator of exports writes what Telegram Desktop would."""

import argparse
import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from devstack.exports import CHUNK_BYTES, ExportPlan, export_bytes, export_chunks
from devstack.exports.__main__ import main, parse_size
from devstack.exports.broken import BROKEN_KINDS, broken_export

PLAN = ExportPlan(size_bytes=400_000, people=40, days=30)


@pytest.fixture(scope="module")
def chat() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(export_bytes(PLAN))
    return loaded


def test_the_same_plan_gives_the_same_bytes_and_another_seed_others() -> None:
    assert export_bytes(PLAN) == export_bytes(PLAN)
    assert export_bytes(PLAN) != export_bytes(ExportPlan(size_bytes=400_000, people=40, days=30, seed=2))


@pytest.mark.parametrize("size_bytes", [3_000, 100_000, 2_000_000])
def test_an_export_is_as_large_as_it_was_asked_for(size_bytes: int) -> None:
    assert 0 <= len(export_bytes(ExportPlan(size_bytes=size_bytes))) - size_bytes < 4_000


def test_it_comes_in_small_chunks() -> None:
    sizes = [len(chunk) for chunk in export_chunks(ExportPlan(size_bytes=1_000_000))]
    assert len(sizes) > 5
    assert max(sizes) < CHUNK_BYTES + 4_000


def test_it_is_one_group_with_messages_in_the_order_of_their_time(chat: dict[str, Any]) -> None:
    assert list(chat) == ["name", "type", "id", "messages"]
    assert all(earlier["id"] < later["id"] for earlier, later in pairwise(chat["messages"]))
    assert all(earlier["date"] <= later["date"] for earlier, later in pairwise(chat["messages"]))


def test_dates_fill_the_planned_days_and_are_local_time(chat: dict[str, Any]) -> None:
    days = {message["date"][:10] for message in chat["messages"]}
    assert len(days) == PLAN.days
    message = chat["messages"][5]
    universal = datetime.fromtimestamp(int(message["date_unixtime"]), UTC)
    assert (datetime.fromisoformat(message["date"]).replace(tzinfo=UTC) - universal).total_seconds() == 7200


def test_it_has_every_kind_of_thing_that_real_ones_have(chat: dict[str, Any]) -> None:
    messages = chat["messages"]
    keys = Counter(key for message in messages for key in message)
    for key in (
        "reply_to_message_id",
        "reactions",
        "photo",
        "file",
        "media_type",
        "forwarded_from",
        "edited",
    ):
        assert keys[key], key
    assert {message["type"] for message in messages} == {"message", "service"}
    assert {type(message["text"]) for message in messages} == {str, list}
    senders = {message["from_id"]: message["from"] for message in messages if "from_id" in message}
    assert None in senders.values()
    assert any(sender.startswith("channel") for sender in senders)
    assert any(not (name or "").isascii() for name in senders.values())


@pytest.mark.parametrize("kind", BROKEN_KINDS)
def test_a_broken_one_is_no_export_of_one_chat(kind: str) -> None:
    try:
        loaded = json.loads(broken_export(kind))
    except ValueError:
        assert kind in {"empty", "truncated", "html", "archive", "not_json"}
    else:
        assert not (isinstance(loaded, dict) and "name" in loaded and loaded["messages"])


def test_control_characters_are_written_as_telegram_desktop_does() -> None:
    written = export_bytes(ExportPlan(size_bytes=50_000, control_characters=True))
    assert rb"\x0B" in written
    with pytest.raises(ValueError, match="escape"):
        json.loads(written)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), ("20k", 20_000), ("7", 7)],
)
def test_sizes_are_read_as_people_write_them(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="like 500MB"):
        parse_size("big")


def test_the_command_line_writes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    main(["--size", "30KB", "--people", "5", "--days", "3", "--name", "Chess", "-o", str(file)])
    assert json.loads(file.read_bytes())["name"] == "Chess"


def test_the_command_line_writes_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    main(["--broken", "html", "-o", "-"])
    assert capfdbinary.readouterr().out == broken_export("html")
