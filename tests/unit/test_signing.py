"""A button or a link does only what we made it for, and for whom we made it."""

import random
import re
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.signing import (
    LINKS,
    MAX_BYTES,
    PAGES,
    Link,
    PageKind,
    PageToken,
    Tap,
    derive_key,
    short_key,
    sign,
    sign_link,
    sign_page,
    verify,
    verify_link,
    verify_page,
)

KEY = derive_key("123456:token")
LARGEST_ID = 2**63 - 1
DICE = random.Random(11)


@pytest.mark.parametrize("user_id", [None, 0, 7, 2**52])
@pytest.mark.parametrize("item", [0, 12, "d", "actions", ""])
@pytest.mark.parametrize("option", [0, 99, "-1", "x_y", ""])
@pytest.mark.parametrize("reply", [0, 1, 35, 36, 123456789, LARGEST_ID])
def test_a_button_comes_back_as_it_was_made(
    reply: int, item: str | int, option: str | int, user_id: int | None
) -> None:
    data = sign(reply, item, option, user_id, KEY)
    assert len(data.encode("ascii")) <= MAX_BYTES
    assert verify(data, 7 if user_id is None else user_id, KEY) == Tap(reply, str(item), str(option))


def test_without_a_person_only_a_button_for_anyone_is_genuine() -> None:
    assert verify(sign(5, 1, 2, None, KEY), None, KEY) == Tap(5, "1", "2")
    assert verify(sign(5, 1, 2, 7, KEY), None, KEY) is None


def test_the_longest_tokens_fit() -> None:
    assert len(sign(LARGEST_ID, "x" * 13, "y" * 13, 1, KEY)) <= MAX_BYTES


def test_a_button_of_one_person_serves_nobody_else() -> None:
    data = sign(5, 1, 2, 7, KEY)
    assert verify(data, 7, KEY)
    assert all(verify(data, other, KEY) is None for other in (0, 1, 70, -7, 77, 2**52))


def test_a_button_for_anyone_serves_anyone_and_cannot_be_turned_into_a_personal_one() -> None:
    data = sign(5, 1, 2, None, KEY)
    assert all(verify(data, user, KEY) == Tap(5, "1", "2") for user in (0, 7, 2**52))
    assert verify("u" + data[1:], 7, KEY) is None
    assert verify("a" + sign(5, 1, 2, 7, KEY)[1:], 7, KEY) is None


def test_the_same_button_is_genuine_again_and_again() -> None:
    data = sign(5, 1, 2, 7, KEY)
    assert verify(data, 7, KEY) == verify(data, 7, KEY) == Tap(5, "1", "2")
    assert data == sign(5, 1, 2, 7, KEY)


def test_another_bot_or_another_purpose_has_another_key() -> None:
    data = sign(5, 1, 2, 7, KEY)
    assert verify(data, 7, derive_key("123456:other")) is None
    assert verify(data, 7, derive_key("123456:token", "upload-page")) is None
    assert len(KEY) == 32


def test_every_altered_character_and_every_shortening_is_found() -> None:
    data = sign(123456, 3, "yes", 7, KEY)
    alphabet = string.ascii_letters + string.digits + "-_.|= é\0"
    for at in range(len(data)):
        assert verify(data[:at], 7, KEY) is None
        assert verify(data[:at] + data[at + 1 :], 7, KEY) is None
        for char in alphabet:
            if char != data[at]:
                assert verify(data[:at] + char + data[at + 1 :], 7, KEY) is None
                assert verify(data[:at] + char + data[at:], 7, KEY) is None
    assert all(verify(data + tail, 7, KEY) is None for tail in ("\n", " ", "=", "A", "\0"))


def test_parts_of_two_genuine_buttons_make_no_third() -> None:
    made = [sign(reply, item, option, 7, KEY) for reply in (1, 11) for item in (1, 11) for option in (1, 11)]
    for first in made:
        for second in made:
            mixed = first.rpartition(".")[0] + "." + second.rpartition(".")[2]
            assert (verify(mixed, 7, KEY) is not None) == (first == second)


@pytest.mark.parametrize(
    "data",
    [None, "", ".", "....", "a", "u.1.1.1.", "u.1.1.1." + "A" * 16, "a.1.1.1." + "é" * 16,
     "٣.1.1.1." + "A" * 16,
     "u.-1.1.1." + "A" * 16, "u.1.1.1." + "A" * 5000, "\ud800",
     "u." + "z" * 13 + ".1.1." + "A" * 16, "x" * 64],
)  # fmt: skip
def test_whatever_else_comes_is_no_button(data: str | None) -> None:
    assert verify(data, 7, KEY) is None


def test_random_data_is_no_button_and_never_an_error() -> None:
    pieces = [
        "u",
        "a",
        ".",
        "1",
        "z",
        "-",
        "|",
        "é",
        "\0",
        "\ud83d",
        sign(1, 1, 1, 7, KEY),
        sign(1, 1, 1, 8, KEY),
    ]
    genuine = sign(1, 1, 1, 7, KEY)
    for _ in range(5000):
        data = "".join(DICE.choices(pieces, k=DICE.randint(0, 8)))
        assert (verify(data, 7, KEY) is None) == (data != genuine)
        body = "".join(DICE.choices(string.ascii_letters + string.digits + ".", k=DICE.randint(0, 64)))
        assert verify(body, 7, KEY) is None


@pytest.mark.parametrize(
    ("reply", "item", "option"),
    [(-1, 1, 1), (1, "a.b", 1), (1, "ж", 1), (1, 1, "a b"), (1, "x" * 27, 1), (1, 1, "\n"),
     (LARGEST_ID, "x" * 20, "y" * 20)],
)  # fmt: skip
def test_what_cannot_be_a_button_is_said_when_it_is_made(
    reply: int, item: str | int, option: str | int
) -> None:
    with pytest.raises(ValueError, match="callback data"):
        sign(reply, item, option, 7, KEY)


# links

LINK_KEY = derive_key("123456:token", LINKS)
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
SOON = NOW + timedelta(days=7)
TO_STEP, TO_PROCESS = Link("step", str(LARGEST_ID)), Link("process", short_key("expense"))


@pytest.mark.parametrize("user_id", [None, 7, 2**52])
@pytest.mark.parametrize("link", [Link("step", "1"), TO_STEP, TO_PROCESS])
@pytest.mark.parametrize("until", [SOON, NOW + timedelta(days=3650)])
def test_a_link_comes_back_as_it_was_made_and_is_a_start_parameter(
    link: Link, until: datetime, user_id: int | None
) -> None:
    token = sign_link(link, until, user_id, LINK_KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token, re.ASCII)
    assert verify_link(token, user_id or 7, LINK_KEY, now=NOW) == link
    assert verify_link(token, user_id or 7, LINK_KEY, now=NOW) == link, "again and again"


def test_a_link_of_one_person_serves_nobody_else_and_cannot_be_made_to_serve_anyone() -> None:
    token = sign_link(TO_STEP, SOON, 7, LINK_KEY)
    assert all(verify_link(token, other, LINK_KEY, now=NOW) is None for other in (0, 1, 70, -7, 2**52))
    assert verify_link("a" + token[1:], 7, LINK_KEY, now=NOW) is None
    assert verify_link("u" + sign_link(TO_STEP, SOON, None, LINK_KEY)[1:], 7, LINK_KEY, now=NOW) is None


def test_a_link_ends_at_its_moment_and_has_a_moment_by_our_clock_alone() -> None:
    token = sign_link(TO_PROCESS, SOON, None, LINK_KEY)
    assert verify_link(token, 7, LINK_KEY, now=SOON - timedelta(seconds=1)) == TO_PROCESS
    assert verify_link(token, 7, LINK_KEY, now=SOON) is None
    assert verify_link(sign_link(TO_PROCESS, datetime.now(UTC), None, LINK_KEY), 7, LINK_KEY) is None


def test_every_altered_character_and_every_shortening_of_a_link_is_found() -> None:
    token = sign_link(TO_PROCESS, SOON, 7, LINK_KEY)
    for at in range(len(token)):
        assert verify_link(token[:at], 7, LINK_KEY, now=NOW) is None
        assert verify_link(token[:at] + token[at + 1 :], 7, LINK_KEY, now=NOW) is None
        for char in string.ascii_letters + string.digits + "-_ é\0":
            if char != token[at]:
                assert verify_link(token[:at] + char + token[at + 1 :], 7, LINK_KEY, now=NOW) is None
                assert verify_link(token[:at] + char + token[at:], 7, LINK_KEY, now=NOW) is None
    assert all(verify_link(token + tail, 7, LINK_KEY, now=NOW) is None for tail in ("\n", " ", "A"))


def test_a_button_is_no_link_and_the_key_of_buttons_signs_none() -> None:
    assert KEY != LINK_KEY
    assert verify_link(sign_link(TO_STEP, SOON, None, KEY), 7, LINK_KEY, now=NOW) is None
    assert verify_link(sign(5, 1, 2, None, LINK_KEY), 7, LINK_KEY, now=NOW) is None
    assert verify(sign_link(TO_STEP, SOON, None, LINK_KEY), 7, LINK_KEY) is None


@pytest.mark.parametrize("token", ["", "hello", "a" * 64, "é" * 33, "asAAAAAAA1" + "A" * 24, "٣" * 40])
def test_whatever_else_comes_is_no_link(token: str) -> None:
    assert verify_link(token, 7, LINK_KEY, now=NOW) is None


@pytest.mark.parametrize(
    ("link", "until"),
    [(Link("process", "expense-x"), SOON), (Link("process", ""), SOON), (Link("process", "a" * 17), SOON)],
)
def test_what_cannot_be_a_link_is_said_when_it_is_made(link: Link, until: datetime) -> None:
    with pytest.raises(ValueError, match="no link"):
        sign_link(link, until, None, LINK_KEY)


# addresses of upload pages


def a_page(**values: Any) -> PageToken:
    known: dict[str, Any] = {
        "kind": "browser",
        "page_id": 12,
        "user_id": 2**52,
        "until": datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC),
    }
    return PageToken(**known | values)


@pytest.mark.parametrize("kind", ["webapp", "browser"])
@pytest.mark.parametrize("page_id", [0, 1, LARGEST_ID])
def test_a_page_comes_back_as_it_was_signed(kind: PageKind, page_id: int) -> None:
    token = a_page(kind=kind, page_id=page_id)
    assert verify_page(sign_page(token, KEY), KEY) == token


def test_a_page_of_another_key_or_purpose_is_none() -> None:
    text = sign_page(a_page(), derive_key("1:a", PAGES))
    assert verify_page(text, derive_key("1:b", PAGES)) is None
    assert verify_page(text, derive_key("1:a", LINKS)) is None


def test_no_character_of_a_page_can_be_changed() -> None:
    text = sign_page(a_page(), KEY)
    for at, char in enumerate(text):
        for other in "wb1zA.-":
            if other != char:
                assert verify_page(text[:at] + other + text[at + 1 :], KEY) is None
    for wrong in (
        "",
        text[:-1],
        text + "A",
        text.upper(),
        f" {text}",
        text + "\n",
        "b.1.1.zzzzzzzz." + "A" * 24,
    ):
        assert verify_page(wrong, KEY) is None
