"""The upload page: its HTML, its two files beside it, and the headers that keep it to itself."""

import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from bot.uploads import size_limit
from shared import texts
from shared.models import UploadPage
from shared.settings import Settings
from shared.steps.model import Ask

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css"}
TELEGRAM_FRAMES = "https://web.telegram.org https://*.web.telegram.org"
"""Telegram's web clients show Web Apps in a frame."""

FILES = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}
VERSION = hashlib.sha256(b"".join(FILES[name] for name in sorted(FILES))).hexdigest()[:16]
"""Stands in the addresses of these files, so that a browser may keep them."""

_PAGE = Template((STATIC / "page.html").read_text("utf-8"))
_NOTICE = Template((STATIC / "notice.html").read_text("utf-8"))


def headers(bucket_origin: str, *, framed: bool) -> dict[str, str]:
    """What goes with every HTML page: nothing may be loaded, run or reached but our own and the bucket."""
    ancestors = TELEGRAM_FRAMES if framed else "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        f" connect-src 'self' {bucket_origin}; form-action 'none'; base-uri 'none';"
        f" frame-ancestors {ancestors}"
    )
    return {"Content-Security-Policy": policy, "Cache-Control": "no-store", **QUIET}


QUIET: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",  # the address itself opens the page
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex",
}


def html(settings: Settings, page: UploadPage, title: str, ask: Ask, root: str) -> str:
    """The page as one person reads it; whatever authors and people have written is escaped."""
    limit = size_limit(ask, settings)
    facts = [texts.page_kinds(ask.accept)] if ask.accept else []
    facts.append(texts.say("page-limit", size=texts.size(limit)))
    if ask.takes_many:
        facts.append(texts.page_count(ask.min_files, ask.max_files))
    values = {
        "lang": texts.voice().language,
        "root": f"{root}/static/{VERSION}",
        "title": title or texts.say("page-title"),
        "label": ask.label,
        "help": ask.help or "",
        "facts": " ".join(facts),
        "accept": ",".join(ask.accept),
        "limit": str(limit),
        "most": str(ask.max_files),
        "key": f"stepgram-upload-{page.id}",
        "words": json.dumps(texts.page_words(ask.accept, limit)),
        "choose": texts.say("page-choose-many") if ask.takes_many else texts.say("page-choose"),
        "drop": texts.say("page-drop-many") if ask.takes_many else texts.say("page-drop"),
        "done": texts.say("page-done"),
        "noscript": texts.say("page-noscript"),
    }
    return _PAGE.substitute({name: escape(value) for name, value in values.items()})


def notice(sentence: str, root: str) -> str:
    """A page of one sentence."""
    values = {
        "lang": texts.voice().language,
        "root": f"{root}/static/{VERSION}",
        "title": texts.say("page-title"),
        "sentence": sentence,
    }
    return _NOTICE.substitute({name: escape(value) for name, value in values.items()})
