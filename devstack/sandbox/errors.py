"""What can go wrong, in the words of the side that is told: the bot's or the control API's."""

from __future__ import annotations

from devstack.sandbox.values import Json


class ApiError(Exception):
    """A Bot API call is refused: HTTP status, Telegram's description, response parameters."""

    def __init__(self, status: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters: Json = parameters or {}


class ControlError(Exception):
    """A control call is refused: HTTP status and the reason for a person."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


def bad_request(reason: str) -> ApiError:
    """400; Telegram writes the reason's first letter small, but not that of a NAME_LIKE_THIS."""
    if len(reason) > 1 and not (reason[1].isupper() or reason[1] == "_"):
        reason = reason[0].lower() + reason[1:]
    return ApiError(400, f"Bad Request: {reason}")


def forbidden(reason: str) -> ApiError:
    """403, Forbidden."""
    return ApiError(403, f"Forbidden: {reason}")


def too_many_requests(retry_after_s: int) -> ApiError:
    """429 with the seconds to wait."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after_s}", {"retry_after": retry_after_s})
