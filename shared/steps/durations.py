"""ISO 8601 durations of a fixed length, such as PT4H, P2D and P1W, to seconds."""

import re

LONGEST_S = 3650 * 86_400
"""Ten years; nobody waits longer, and a moment that far still is one to every calendar."""

_DURATION = re.compile(
    r"P(?!$)(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?!$)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)
_OF_NO_FIXED_LENGTH = re.compile(r"P(?=\d+[YM])(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T[\dHMS]*)?", re.ASCII)
_SECONDS = {"weeks": 7 * 86_400, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


def read_duration(text: str) -> int:
    """The seconds of a duration.

    Raises:
        ValueError: it is none, of no fixed length, or out of range; the message says what is expected.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        if _OF_NO_FIXED_LENGTH.fullmatch(text.strip()):
            raise ValueError("months and years have no fixed length; give weeks, days or hours, like P4W")
        raise ValueError("an ISO 8601 duration is expected, like PT30M, PT4H, P2D or P1W")
    seconds = sum(int(found[unit] or 0) * length_s for unit, length_s in _SECONDS.items())
    if not 0 < seconds <= LONGEST_S:
        raise ValueError("a duration of at least a second and at most ten years is expected")
    return seconds
