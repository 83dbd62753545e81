"""What in an update decides whether it is one, and what must be handled one after the other."""

from typing import Any

import pytest

from shared.inbox import CHAT_UPDATES, is_update, order_key


@pytest.mark.parametrize("number", [0, 1, 2**53, 2**63 - 1])
def test_an_update_has_a_number(number: int) -> None:
    assert is_update({"update_id": number})


@pytest.mark.parametrize(
    "found",
    [None, [], "x", 5, {}, {"update_id": None}, {"update_id": "5"}, {"update_id": 1.0}, {"update_id": True},
     {"update_id": -1}, {"update_id": 2**63}, {"message": {}}],
)  # fmt: skip
def test_what_has_no_number_is_no_update(found: Any) -> None:
    assert not is_update(found)


@pytest.mark.parametrize("kind", CHAT_UPDATES)
def test_what_happens_in_a_chat_is_handled_in_order(kind: str) -> None:
    assert order_key({"update_id": 1, kind: {"chat": {"id": -5}, "from": {"id": 7}}}) == "chat:-5"


def test_the_taps_of_a_person_are_handled_in_order_apart_from_the_messages() -> None:
    tap = {"update_id": 1, "callback_query": {"from": {"id": 7}, "message": {"chat": {"id": 7}}}}
    assert order_key(tap) == "taps:7"


def test_what_belongs_to_nobody_waits_for_nobody() -> None:
    assert order_key({"update_id": 9, "poll": {}}) == "update:9"


@pytest.mark.parametrize(
    "part",
    [None, 5, "x", [], {}, {"chat": None}, {"chat": 5}, {"chat": {}},
     {"chat": {"id": "x" * 5000}, "from": {"id": "\0"}}, {"chat": {"id": 10**400}, "from": {"id": 2.5}}],
)  # fmt: skip
def test_what_is_malformed_waits_for_nobody(part: Any) -> None:
    assert order_key({"update_id": 1, "message": part}) == "update:1"
    assert order_key({"update_id": 1, "callback_query": part}) == "update:1"
