"""Which URLs Telegram takes for links and buttons."""

from __future__ import annotations

from urllib.parse import urlsplit

LINK_SCHEMES = frozenset({"", "http", "https", "tg", "ton", "tonsite"})


class LinkError(ValueError):
    """The URL cannot be used; the message is Telegram's."""


def check_link(url: str, *, https_only: bool = False) -> str:
    """The URL as Telegram keeps it (http:// added where no scheme is); raises LinkError."""
    stripped = url.strip()
    scheme = stripped.split("://", 1)[0].lower() if "://" in stripped else ""
    reason = _reason(stripped, scheme, https_only=https_only)
    if reason:
        raise LinkError(f"URL '{url}' is invalid: {reason}")
    if scheme:
        return stripped if urlsplit(stripped).path or scheme not in {"http", "https"} else stripped + "/"
    return f"http://{stripped}" if urlsplit(f"//{stripped}").path else f"http://{stripped}/"


def checked_link(url: str) -> str:
    """The URL as Telegram keeps it, empty where it would drop it."""
    try:
        return check_link(url)
    except LinkError:
        return ""


def _reason(url: str, scheme: str, *, https_only: bool) -> str:
    if scheme not in LINK_SCHEMES:
        return "Unsupported URL protocol"
    if https_only and scheme != "https":
        return "Only HTTPS links are allowed"
    try:
        host = urlsplit(url if scheme else f"//{url}").hostname or ""
    except ValueError:
        return "Wrong HTTP URL"
    if not host:
        return "URL host is empty"
    if scheme in {"", "http", "https"} and "." not in host and ":" not in host:
        return "Wrong HTTP URL"
    return "" if " " not in host else "Unallowed characters in URL host"
