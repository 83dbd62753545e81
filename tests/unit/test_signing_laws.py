"""Buttons, whatever they stand for: what was made comes back, for whom it was made, and nothing else does."""

import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from shared.signing import MAX_BYTES, Tap, derive_key, sign, verify

KEY = derive_key("123456:token")
LARGEST_ID = 2**63 - 1
TOGETHER = 26
"""Characters of item and option that fit beside the largest id."""

IDS = st.integers(0, LARGEST_ID)
USERS = st.integers(1, 2**52)
ANYONE = st.none() | USERS
TOKENS = (
    st.text(string.ascii_letters + string.digits + "_-", max_size=TOGETHER)
    .flatmap(lambda both: st.tuples(st.just(both), st.integers(0, len(both))))
    .map(lambda cut: (cut[0][: cut[1]], cut[0][cut[1] :]))
)
CHARACTERS = st.characters(max_codepoint=127) | st.characters()


@given(reply=IDS, tokens=TOKENS, user=ANYONE, tapped_by=USERS)
@example(reply=LARGEST_ID, tokens=("x" * TOGETHER, ""), user=2**52, tapped_by=1)
@example(reply=LARGEST_ID, tokens=("", "y" * TOGETHER), user=None, tapped_by=1)
@example(reply=0, tokens=("", ""), user=None, tapped_by=1)
def test_every_button_fits_and_comes_back_as_it_was_made(
    reply: int, tokens: tuple[str, str], user: int | None, tapped_by: int
) -> None:
    data = sign(reply, *tokens, user, KEY)
    assert len(data.encode()) <= MAX_BYTES
    assert verify(data, tapped_by if user is None else user, KEY) == Tap(reply, *tokens)


@given(reply=IDS, tokens=TOKENS, user=USERS, other=ANYONE)
@example(reply=1, tokens=("a", "1"), user=12, other=1)
@example(reply=1, tokens=("a", "1"), user=12, other=None)
def test_a_button_of_one_person_is_nobody_elses(
    reply: int, tokens: tuple[str, str], user: int, other: int | None
) -> None:
    assume(user != other)
    assert verify(sign(reply, *tokens, user, KEY), other, KEY) is None


@given(reply=IDS, tokens=TOKENS, user=ANYONE, at=st.integers(0, MAX_BYTES), char=CHARACTERS)
def test_one_changed_character_is_found(
    reply: int, tokens: tuple[str, str], user: int | None, at: int, char: str
) -> None:
    data = sign(reply, *tokens, user, KEY)
    at %= len(data)
    for changed in (data[:at] + char + data[at + 1 :], data[:at] + char + data[at:]):
        assert changed == data or verify(changed, user, KEY) is None


@given(
    reply=IDS, tokens=TOKENS, user=ANYONE, at=st.integers(0, MAX_BYTES), tail=st.text(min_size=1, max_size=3)
)
def test_what_was_cut_or_lengthened_is_found(
    reply: int, tokens: tuple[str, str], user: int | None, at: int, tail: str
) -> None:
    data = sign(reply, *tokens, user, KEY)
    at %= len(data)
    for changed in (data[:at], data[at + 1 :], data[:at] + data[at + 1 :], data + tail, tail + data):
        assert verify(changed, user, KEY) is None


@given(data=st.text(max_size=MAX_BYTES) | st.from_regex(r"[ua]\.[0-9a-z]{1,13}\.\w{0,9}\.\w{0,9}\.[\w-]{16}"))
def test_what_we_did_not_make_is_no_button(data: str) -> None:
    assert verify(data, 7, KEY) is None
    assert verify(data, None, KEY) is None


@given(reply=IDS, tokens=TOKENS, user=ANYONE, token=st.text(max_size=9))
def test_another_bots_button_is_none_of_ours(
    reply: int, tokens: tuple[str, str], user: int | None, token: str
) -> None:
    assert verify(sign(reply, *tokens, user, derive_key(token)), user, KEY) is None
