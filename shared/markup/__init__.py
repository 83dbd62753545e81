"""Untrusted text on its way to Telegram: plain text plus formatting entities, nothing in it alive.

Text of a step is the author's HTML with people's values already mixed in, so all of it is untrusted:
formatting survives, links survive only where the author allows them, and what Telegram would make
tappable by itself (addresses, @names, /commands, #tags) is broken by an invisible character.
"""

from shared.markup.html import escape_value, label_line, plain, render_html
from shared.markup.rich import (
    CAPTION_UNITS,
    MAX_ENTITIES,
    TEXT_UNITS,
    Entity,
    Rich,
    join,
    replaced,
    split,
    truncate,
    utf16_len,
)
from shared.markup.triggers import defuse

__all__ = [
    "CAPTION_UNITS",
    "MAX_ENTITIES",
    "TEXT_UNITS",
    "Entity",
    "Rich",
    "defuse",
    "escape_value",
    "join",
    "label_line",
    "plain",
    "render_html",
    "replaced",
    "split",
    "truncate",
    "utf16_len",
]
