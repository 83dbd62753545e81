"""Who has opened a Web App, by Telegram's signature (core.telegram.org/bots/webapps, "Validating data")."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

MOST_BYTES = 8192
CLOCKS_S = 60
"""Telegram's clock may be so much before ours."""


def opened_by(init_data: str, bot_token: str, *, now_s: float, max_age_s: float | None) -> int | None:
    """The id of the person whom Telegram names; None if the data is not of Telegram, or older than that.

    Never raises.
    """
    fields = _fields(init_data)
    given = fields.pop("hash", "")
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    secret = hmac.digest(b"WebAppData", bot_token.encode(), hashlib.sha256)
    expected = hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        return None
    try:
        age_s = now_s - int(fields["auth_date"])
        user_id = json.loads(fields["user"])["id"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    if age_s < -CLOCKS_S or (max_age_s is not None and age_s > max_age_s):
        return None
    return user_id if type(user_id) is int else None


def _fields(init_data: str) -> dict[str, str]:
    """The fields by name; none where one stands twice or the whole is too long."""
    if len(init_data) > MOST_BYTES:
        return {}
    try:
        pairs = parse_qsl(init_data, strict_parsing=True, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    fields: Mapping[str, str] = dict(pairs)
    return dict(fields) if len(fields) == len(pairs) else {}
