"""ISO 8601 durations of a fixed length."""

import pytest

from shared.steps.durations import LONGEST_S, read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1S", 1),
        ("PT90M", 5400),
        ("PT4H", 14_400),
        ("P2D", 172_800),
        ("P1W", 604_800),
        ("P1DT2H3M4S", 93_784),
        (" P0DT5M ", 300),
        ("P3650D", LONGEST_S),
    ],
)
def test_a_duration_of_fixed_length_is_read_to_its_seconds(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("P1M", "no fixed length"),
        ("P1Y", "no fixed length"),
        ("P1Y2M3DT4H", "no fixed length"),
        ("", "is expected, like PT30M"),
        ("P", "is expected, like PT30M"),
        ("P1DT", "is expected, like PT30M"),
        ("1D", "is expected, like PT30M"),
        ("p1d", "is expected, like PT30M"),
        ("P-1D", "is expected, like PT30M"),
        ("PT1.5S", "is expected, like PT30M"),
        ("P1D1W", "is expected, like PT30M"),
        ("P١D", "is expected, like PT30M"),
        ("PT0S", "at least a second"),
        ("P3650DT1S", "at most ten years"),
        ("P999999999W", "at most ten years"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_duration(text)
