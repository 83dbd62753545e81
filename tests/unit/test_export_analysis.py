"""What is counted in the exported history of a chat, and which files are refused."""

import io
import json
from collections import Counter
from itertools import count
from random import Random
from typing import Any

import pytest

from devstack.exports import ExportPlan, export_bytes
from devstack.exports.broken import BROKEN_KINDS, broken_export
from shared.files.telegram_export import (
    HOW_TO_EXPORT,
    MAX_ENTRY_BYTES,
    Entry,
    ExportReader,
    ExportRefused,
)
from workers.handlers.export import tally
from workers.handlers.export.__main__ import read
from workers.handlers.export.tally import Analysis, Person, Tally

SMALL = ExportPlan(size_bytes=60_000, people=20, days=5)


def analysed(export: bytes) -> Analysis:
    return read(io.BytesIO(export), lambda line: None)


def entries_of(*chunks: bytes) -> list[Entry]:
    entries: list[Entry] = []
    reader = ExportReader(entries.append)
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    return entries


def chat(*messages: dict[str, Any], **fields: Any) -> bytes:
    """An export with these messages; each has what every message has unless it says otherwise."""
    numbers = count(1)
    common = {
        "type": "message",
        "date": "2024-03-01T10:00:00",
        "from": "Anna",
        "from_id": "user1",
        "text": "",
    }
    whole = [{"id": next(numbers), **common, **message} for message in messages]
    head = {"name": "Chess", "type": "private_supergroup", "id": 1}
    return json.dumps({**head, "messages": whole, **fields}).encode()


def service(action: str, actor_id: str, **fields: Any) -> dict[str, Any]:
    actor = {"actor": actor_id.title(), "actor_id": actor_id, "action": action}
    return {"type": "service", "from": None, "from_id": None, **actor, **fields}


# --- counting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_analysis_says_what_a_plain_count_of_the_whole_file_says(seed: int) -> None:
    export = export_bytes(ExportPlan(size_bytes=400_000, people=50, days=40, seed=seed))
    everything = json.loads(export)["messages"]
    messages = [entry for entry in everything if entry["type"] == "message"]
    topics = {entry["id"] for entry in everything if entry.get("action") == "topic_created"}
    writers = Counter(entry["from_id"] for entry in messages if entry["from_id"].startswith("user"))

    analysis = analysed(export)

    assert analysis.chat_name == json.loads(export)["name"]
    assert analysis.messages == len(messages)
    assert analysis.service_messages == len(everything) - len(messages)
    assert analysis.writers == len(writers)
    assert [person.messages for person in analysis.top_people] == [n for _, n in writers.most_common(8)]
    assert analysis.messages_by_day == Counter(entry["date"][:10] for entry in messages)
    assert Counter(dict(enumerate(analysis.messages_by_hour))) == Counter(
        int(entry["date"][11:13]) for entry in messages
    )
    assert analysis.media == sum("photo" in entry or "file" in entry for entry in messages)
    assert analysis.reactions == sum(
        reaction["count"] for entry in messages for reaction in entry.get("reactions", ())
    )
    replies = [entry for entry in messages if "reply_to_message_id" in entry]
    assert analysis.replies == sum(entry["reply_to_message_id"] not in topics for entry in replies)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_it_does_not_matter_where_the_stream_is_cut_into_pieces(size: int) -> None:
    export = export_bytes(ExportPlan(size_bytes=30_000, people=9, days=3, control_characters=True))
    pieces = (export[start : start + size] for start in range(0, len(export), size))
    assert entries_of(*pieces) == entries_of(export)


def test_the_keys_of_the_chat_may_stand_behind_its_messages() -> None:
    messages = [
        {"id": 1, "type": "message", "date": "2024-03-01T10:00:00", "from_id": "user1", "from": "Anna"}
    ]
    analysis = analysed(json.dumps({"messages": messages, "type": "private_group", "name": "Chess"}).encode())
    assert (analysis.chat_name, analysis.chat_type, analysis.messages) == ("Chess", "private_group", 1)


def test_a_byte_order_mark_and_white_space_around_the_export_do_no_harm() -> None:
    assert analysed(b"\xef\xbb\xbf\r\n " + chat({}) + b"\n\n").messages == 1


def test_days_and_hours_are_those_of_the_exporters_clock() -> None:
    analysis = analysed(chat({"date": "2024-03-01T23:59:59", "date_unixtime": "1709330399"}))
    assert analysis.messages_by_day == {"2024-03-01": 1}
    assert analysis.messages_by_hour[23] == 1


def test_a_missing_or_impossible_date_is_no_day() -> None:
    dates = [
        None,
        "",
        "1970-01-01T01:00:00",
        "2024-02-31T10:00:00",
        "2024-03-01T25:00:00",
        "x" * 40,
        5,
        "9999",
    ]
    analysis = analysed(chat(*({"date": date} for date in dates)))
    assert analysis.messages == len(dates)
    assert analysis.messages_by_day == {}
    assert sum(analysis.messages_by_hour) == 0


# --- people ------------------------------------------------------------------------------------------


def test_the_most_active_come_first() -> None:
    writers = [*["user1"] * 2, *["user2"] * 3, "user3"]
    analysis = analysed(chat(*({"from_id": writer, "from": writer.upper()} for writer in writers)))
    assert analysis.top_people == (Person("USER2", 3), Person("USER1", 2), Person("USER3", 1))


def test_a_deleted_account_counts_and_has_a_name_of_ours() -> None:
    analysis = analysed(chat({"from": None, "from_id": "user7"}, {"from": None, "from_id": "user8"}))
    assert analysis.top_people == (Person("Deleted account", 1), Person("Deleted account", 1))


def test_channels_and_anonymous_administrators_are_no_people() -> None:
    analysis = analysed(chat({"from": "News", "from_id": "channel5"}, {"from_id": "chat6"}, {}))
    assert (analysis.messages, analysis.writers, analysis.members) == (3, 1, 1)


def test_exports_from_before_2021_have_bare_numbers_for_people_and_channels() -> None:
    channel = (2 << 32) + 5
    analysis = analysed(chat({"from_id": 12345}, {"from_id": 12345}, {"from_id": channel}, {"from_id": True}))
    assert (analysis.writers, analysis.top_people) == (1, (Person("Anna", 2),))


def test_members_are_who_wrote_or_acted_or_was_invited_each_once() -> None:
    analysis = analysed(
        chat(
            service("create_group", "user1", members=["User1", "Silent Sam"]),
            service("invite_members", "user1", members=["Anna", "Silent Sam", None]),
            service("join_group_by_link", "user3", inviter="User1"),
            {"from": "Anna", "from_id": "user4"},
        )
    )
    assert (analysis.members, analysis.writers) == (4, 1)  # user1, user3, Anna, Silent Sam


def test_a_removed_member_was_no_new_one() -> None:
    assert analysed(chat({}, service("remove_members", "user1", members=["Bob"]))).members == 1


# --- replies, media, reactions -----------------------------------------------------------------------


def test_a_message_in_a_topic_of_a_forum_is_no_reply_to_it() -> None:
    analysis = analysed(
        chat(
            service("topic_created", "user1", title="help"),
            {"reply_to_message_id": 1},
            {"reply_to_message_id": 2},
        )
    )
    assert analysis.replies == 1


def test_media_are_photos_files_and_what_telegram_calls_a_media_type() -> None:
    analysis = analysed(
        chat(
            {"photo": "photos/photo_1.jpg"},
            {"photo": "(File not included. Change data exporting settings to download.)"},
            {"file": "files/a.pdf", "mime_type": "application/pdf"},
            {"file": "voice_messages/a.ogg", "media_type": "voice_message"},
            {"file": "x", "media_type": "hologram"},
            {"location_information": {"latitude": 1.5, "longitude": 2.5}},
            {"text": "no media"},
            service("edit_group_photo", "user1", photo="photos/new.jpg"),
        )
    )
    assert analysis.media == 5
    assert analysis.media_by_type == {"photo": 2, "file": 2, "voice_message": 1}


def test_reactions_are_added_up_whatever_their_kind() -> None:
    recent = [{"from": "Bob", "from_id": "user9", "date": "2024-03-01T10:00:00"}]
    reactions = [
        {"type": "emoji", "count": 2, "emoji": "👍", "recent": recent},
        {"type": "custom_emoji", "count": 1, "document_id": "77"},
        {"type": "paid", "count": 50},
    ]
    analysis = analysed(chat({"reactions": reactions}, {"reactions": reactions[:1]}, {"reactions": []}))
    assert analysis.reactions == 55
    assert analysis.top_reactions == {"paid": 50, "👍": 4, "custom_emoji": 1}


def test_the_text_may_be_a_string_or_a_list_with_entities() -> None:
    entity = {"type": "text_link", "text": "here", "href": "https://example.org"}
    analysis = analysed(chat({"text": ["see ", entity], "text_entities": [entity]}, {"text": "plain"}))
    assert analysis.messages == 2


def test_what_telegram_desktop_could_not_export_is_no_message() -> None:
    export = json.loads(chat({}))
    export["messages"].append({"id": 9, "type": "unsupported"})
    assert analysed(json.dumps(export).encode()).messages == 1


def test_control_characters_as_telegram_desktop_writes_them_are_read() -> None:
    export = rb"""{"name": "tab\x09 and \\x09 and \\\x41", "messages": [{"id": 1, "type": "message"}]}"""
    assert analysed(export).chat_name == "tab\t and \\x09 and \\A"


def test_malformed_fields_count_nowhere_and_do_no_harm() -> None:
    odd: list[Any] = [None, True, 0, -5, 1.5, "", "x", [], {}, [[1]], [{}], {"count": 1}, [{"count": "9"}]]
    fields = ("type", "date", "from", "from_id", "reply_to_message_id", "media_type", "reactions", "members")
    entries = [{field: value} for field in fields for value in odd]
    services = [service("invite_members", "user1", **entry) for entry in entries if "type" not in entry]
    analysis = analysed(chat({}, *entries, *services))
    assert (analysis.reactions, analysis.top_people[0].name) == (0, "Anna")
    assert analysis.service_messages == len(services)


# --- the result --------------------------------------------------------------------------------------


def test_an_analysis_survives_its_way_through_json() -> None:
    analysis = analysed(export_bytes(SMALL))
    assert Analysis.from_json(json.loads(json.dumps(analysis.to_json()))) == analysis


def test_the_json_has_the_shares_of_replies_and_media() -> None:
    result = analysed(chat({"reply_to_message_id": 1}, {"photo": "x"}, {"photo": "x"}, {})).to_json()
    assert (result["reply_share"], result["media_share"]) == (0.25, 0.5)


def test_kinds_of_reactions_and_topics_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MAX_REACTION_KINDS", 3)
    monkeypatch.setattr(tally, "MAX_TOPICS", 2)
    reactions = [{"type": "emoji", "count": 1, "emoji": f"e{number}"} for number in range(10)]
    topics = [service("topic_created", "user1") for _ in range(5)]
    replies = [{"reply_to_message_id": number} for number in range(1, 6)]
    analysis = analysed(chat(*topics, *replies, {"reactions": reactions}))
    assert analysis.top_reactions == {"other": 7, "e0": 1, "e1": 1, "e2": 1}
    assert analysis.replies == 3


# --- files that are no export ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "is empty"),
        ("truncated", "stops in the middle"),
        ("html", "HTML form"),
        ("archive", "archive"),
        ("not_json", "no valid JSON"),
        ("array", "not the exported history of one chat"),
        ("other_json", "not the exported history of one chat"),
        ("other_messages", "not the exported history of one chat"),
        ("no_messages", "has no messages"),
        ("all_chats", "all your chats"),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_what_it_is(kind: str, reason: str) -> None:
    with pytest.raises(ExportRefused, match=reason):
        analysed(broken_export(kind))


def test_every_kind_of_broken_export_is_refused_in_sentences() -> None:
    for kind in BROKEN_KINDS:
        with pytest.raises(ExportRefused) as refusal:
            analysed(broken_export(kind))
        assert str(refusal.value).endswith(".")
        assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    "document", [b"1", b'"text"', b"{}", b'{"messages": {"1": {"id": 1, "type": "message"}}}']
)
def test_json_of_another_shape_is_refused(document: bytes) -> None:
    with pytest.raises(ExportRefused, match="not the exported history"):
        analysed(document)


def test_a_chat_in_which_nobody_wrote_is_refused() -> None:
    with pytest.raises(ExportRefused, match="no messages"):
        analysed(chat(service("create_group", "user1")))


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_anywhere_is_never_analysed(share: float) -> None:
    export = export_bytes(SMALL).rstrip()
    with pytest.raises(ExportRefused, match="stops in the middle"):
        analysed(export[: int(len(export) * share)])


def test_an_export_of_all_chats_is_refused_before_it_is_read() -> None:
    with pytest.raises(ExportRefused, match="all your chats"):
        ExportReader(lambda entry: None).feed(b'{"about": "x", "personal_information": {}, "chats": {')


def test_a_message_without_end_is_refused_before_it_fills_the_memory() -> None:
    reader = ExportReader(lambda entry: None)
    reader.feed(b'{"messages": [{"id": 1, "type": "message", "text": "')
    for _ in range(MAX_ENTRY_BYTES // 1_000_000 - 1):
        reader.feed(b"a" * 1_000_000)
    with pytest.raises(ExportRefused, match="not the exported history"):
        reader.feed(b"a" * 2_000_000)


@pytest.mark.parametrize("number", [b"1" * 5000, b"1e999", b"-", b"1" * 30])
def test_an_absurd_number_is_refused_like_any_damage(number: bytes) -> None:
    with pytest.raises(ExportRefused, match="no valid JSON"):
        analysed(b'{"messages": [{"id": %b, "type": "message"}]}' % number)


def test_whatever_happens_to_a_file_it_is_analysed_or_refused() -> None:
    random = Random(7)
    export = export_bytes(ExportPlan(size_bytes=6_000, people=5, days=2))
    refused = 0
    for _ in range(400):
        damaged = bytearray(export)
        for _ in range(random.choice((1, 1, 2, 20))):
            at = random.randrange(len(damaged))
            damaged[at : at + random.randrange(4)] = random.choice(
                (b"", b"{", b'"', b"\\", b"[", b"\xff", b"\0", b"0")
            )
        try:
            analysed(bytes(damaged))
        except ExportRefused:
            refused += 1
    assert 100 < refused < 400


def test_every_refusal_that_asks_for_a_new_export_says_how_to_make_one() -> None:
    with pytest.raises(ExportRefused) as refusal:
        Tally().result({})
    assert "export the history again" in str(refusal.value)
    with pytest.raises(ExportRefused) as refusal:
        analysed(b"<html>")
    assert HOW_TO_EXPORT in str(refusal.value)
