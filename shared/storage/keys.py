"""Where an object lies in the bucket."""

import re
import secrets
from datetime import UTC, datetime

from shared.files import sanitise_name

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_OURS = re.compile(r"^\d{8}T\d{6}\.\d{6}Z_(?:[0-9a-f]{32}_)?", re.ASCII)
_SEGMENT_CHARS = 100
_RANDOM_BYTES = 16
# s3proxy on a file system writes a part of KEY as KEY-stub-UUID, in at most 255 bytes after the last slash
_NAME_BYTES = 150


def object_key(user: int | str, task: str, variable: str, timestamp: datetime, name: str) -> str:
    """A new key of a person's file, ``tasks/{user}/{task}/{variable}/{timestamp}_{random}_{sanitised name}``.

    ``timestamp`` is aware and written in UTC to the microsecond. The random part has 128 bits: where a bucket
    is public, or an address of it leaks, nobody finds a second object from a first. At most 600 bytes (S3
    allows 1,024).
    """
    instant = timestamp.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    folders = "/".join(_segment(str(part)) for part in (user, task, variable))
    unguessable = secrets.token_hex(_RANDOM_BYTES)
    return f"tasks/{folders}/{instant}_{unguessable}_{sanitise_name(name, _NAME_BYTES)}"


def name_of(key: str) -> str:
    """The name of an object as people know it: of a person's file, the one that they gave it."""
    return _OURS.sub("", key.rpartition("/")[2])


def _segment(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_SEGMENT_CHARS].lstrip(".") or "_"
