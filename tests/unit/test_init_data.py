"""Who opens a Web App is believed by Telegram's signature alone."""

from urllib.parse import quote

import pytest

from bot.web.initdata import opened_by
from tests.fakes.services import TOKEN
from tests.support.upload_page import init_data

NOW_S = 1_800_000_000.0


def signed(**more: str) -> str:
    more.setdefault("auth_date", str(int(NOW_S)))
    return init_data(7, **more)  # type: ignore[arg-type]


def test_it_names_the_person_whom_telegram_names() -> None:
    for more in ({}, {"signature": "abc"}, {"start_param": "a=b&c"}, {"chat_type": ""}):
        assert opened_by(signed(**more), TOKEN, now_s=NOW_S, max_age_s=60) == 7


@pytest.mark.parametrize(
    ("age_s", "is_fresh"), [(0, True), (60, True), (61, False), (-60, True), (-61, False)]
)
def test_it_must_be_fresh_where_that_is_asked_for(age_s: int, is_fresh: bool) -> None:
    data = signed(auth_date=str(int(NOW_S) - age_s))
    assert (opened_by(data, TOKEN, now_s=NOW_S, max_age_s=60) == 7) is is_fresh


def test_old_data_names_its_person_where_freshness_is_not_asked_for() -> None:
    data = signed(auth_date=str(int(NOW_S) - 10**6))
    assert opened_by(data, TOKEN, now_s=NOW_S, max_age_s=None) == 7


@pytest.mark.parametrize(
    "data",
    [
        "",
        "x",
        "hash=",
        "&&&",
        "a=" + "b" * 10_000,
        signed() + "&user=" + quote('{"id": 8}'),
        signed().replace("hash=", "hash=f"),
        signed().replace("query_id=AAE", "query_id=AAF"),
        signed(user="[]"),
        signed(user='{"id": "7"}'),
        signed(user='{"id": true}'),
        signed(user="[" * 2000),
        signed(auth_date="soon"),
        init_data(7, token="1:other", auth_date=str(int(NOW_S))),
    ],
)
def test_anything_else_names_nobody(data: str) -> None:
    assert opened_by(data, TOKEN, now_s=NOW_S, max_age_s=60) is None
