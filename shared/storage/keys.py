"""Where an object lies in the bucket."""

import re
from datetime import UTC, datetime

from shared.files import sanitise_name

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_SEGMENT_CHARS = 100
# s3proxy on a file system writes a part of KEY as KEY-stub-UUID, in at most 255 bytes after the last slash
_NAME_BYTES = 180


def object_key(user: int | str, task: str, variable: str, timestamp: datetime, name: str) -> str:
    """The key of a person's file: ``tasks/{user}/{task}/{variable}/{timestamp}_{sanitised name}``.

    ``timestamp`` is aware and written in UTC to the microsecond, so that a second file of the same name does
    not replace the first. At most 600 bytes (S3 allows 1,024).
    """
    instant = timestamp.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    folders = "/".join(_segment(str(part)) for part in (user, task, variable))
    return f"tasks/{folders}/{instant}_{sanitise_name(name, _NAME_BYTES)}"


def _segment(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_SEGMENT_CHARS].lstrip(".") or "_"
