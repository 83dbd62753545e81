"""HTML that nobody vouches for, made into text and entities.

The way is: stray ``<`` are escaped (the sanitiser would cut the text there), nh3 keeps the allowed tags,
sulguk lays them out, and what comes out is put in order: trimmed, merged, at most 100 entities, and every
trigger broken.
"""

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import nh3
from sulguk import transform_html
from sulguk.data import MessageEntity

from shared.markup.rich import Entity, Rich, capped, cut, end_of, in_order, spanning, utf16_len
from shared.markup.triggers import LINE_SEPARATOR, WORD_JOINER, clean, defuse, trigger_positions

_INLINE = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "tg-spoiler", "span", "a"}
_BLOCK = {"br", "p", "div", "ul", "ol", "li", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"}
_ALLOWED = _INLINE | _BLOCK
_VOID = {"br"}
# tags that authors paste from elsewhere: removed, while <String> or <john@example.org> is shown as it stands
_REMOVED = nh3.ALLOWED_TAGS - _ALLOWED
_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)
    (?P<attributes>(?:\s+(?:expandable|[A-Za-z-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'|[^\s"'<>=`]+)))*)
    \s*/?>|<""",
    re.VERBOSE,
)
_OPEN_OR_CLOSE = re.compile(r"<(/?)([a-z][a-z0-9-]*)")
# More would let a short text cost seconds (the parser repeats open formatting in every paragraph) or exhaust
# the stack (both libraries below recurse); no person writes so.
_MAX_TAGS = 1000
_MAX_DEPTH = 50
MAX_CHARACTERS = 32_000

# The parser below takes quadratic time for character references (0.6 s for 32,000), so characters that no
# text can hold (they were cleaned away) stand for them meanwhile.
_STAND_INS = {"&lt;": "\ufdd0", "&gt;": "\ufdd1", "&amp;": "\ufdd2", "&quot;": "\ufdd3", "&nbsp;": "\xa0"}
_STOOD_FOR = str.maketrans("\ufdd0\ufdd1\ufdd2\ufdd3", '<>&"')

_PLAIN = re.compile(r"[^\s<>&]+(?: [^\s<>&]+)*")
"""Words with one space between them: nothing in it can be markup, and nothing would be laid out anew."""

_VERBATIM = frozenset({"code", "pre"})
_DECORATION = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})


def render_html(template_html: str, *, allow_links: bool = False, live: bool = False) -> Rich:
    """Lay out untrusted HTML: formatting stays, the rest is shown as text or removed, nothing is tappable.

    Allowed are b, i, u, s, code, pre, blockquote, spoiler, lists, headings, br, p and their synonyms, and
    with ``allow_links`` also http(s) links. Without any block tag the text's own line ends are kept. Any text
    is rendered, malformed HTML too; past 32,000 characters it is cut.
    ``live`` is for sentences of our own, in which every value went through ``escape_value``: their commands
    stay tappable.
    """
    whole = len(template_html) <= MAX_CHARACTERS
    source = clean(template_html if whole else template_html[:MAX_CHARACTERS] + "…")
    if _PLAIN.fullmatch(source):  # most texts, at a tenth of the cost
        return _settled(Rich(source), allow_links=allow_links, live=live)
    source = source.replace("<spoiler>", "<tg-spoiler>")
    source = source.replace("</spoiler>", "</tg-spoiler>")
    names = [match["name"].lower() for match in _TAG.finditer(source) if match["name"]]
    if not _BLOCK.intersection(names):
        source = source.replace("\n", "<br>")
    source = _TAG.sub(_escape_stray if len(names) <= _MAX_TAGS else _remove_tag, source)
    safe = _cleaner(allow_links).clean(source.replace(LINE_SEPARATOR, "<br>"))
    if not _is_modest(safe):
        safe = nh3.clean(safe, tags=_VOID)
    laid_out = transform_html(_standing_in(clean(safe).replace(LINE_SEPARATOR, "<br>")))
    entities = tuple(_entity(entity) for entity in laid_out.entities)
    return _settled(Rich(laid_out.text.translate(_STOOD_FOR), entities), allow_links=allow_links, live=live)


def escape_value(value: str) -> str:
    """A value made fit to stand in HTML for ``render_html``: it shows as it is and can do nothing."""
    return html.escape(defuse(clean(value))).replace("\n", LINE_SEPARATOR)


def plain(text: str, *, allow_links: bool = False) -> Rich:
    """Untrusted text that holds no markup: every character is shown, nothing is tappable."""
    cleaned = clean(text).replace(LINE_SEPARATOR, "\n")
    return _settled(Rich(cleaned), allow_links=allow_links)


def label_line(label: str, value: str) -> Rich:
    """A line ``Label: value`` with the value in ``code``, where it is dead and still copies as it is."""
    shown = plain(label).text
    cleaned = clean(value).replace(LINE_SEPARATOR, "\n").strip()
    if not cleaned:
        return Rich(f"{shown}: –")
    start = utf16_len(f"{shown}: ")
    return Rich(f"{shown}: {cleaned}", (Entity(type="code", offset=start, length=utf16_len(cleaned)),))


def _cleaner(allow_links: bool) -> nh3.Cleaner:
    # "class" only where sulguk reads it; anything else would reach its parser of numbers and formats
    return nh3.Cleaner(
        tags=_ALLOWED if allow_links else _ALLOWED - {"a"},
        attributes={
            "blockquote": {"expandable"},
            "code": {"class"},
            "pre": {"class"},
            "span": {"class"},
            **({"a": {"href"}} if allow_links else {}),
        },
        link_rel=None,
        url_schemes={"http", "https"},
        url_relative="deny",
    )


def _escape_stray(match: re.Match[str]) -> str:
    name = (match["name"] or "").lower()
    if name in _ALLOWED:
        # attributes that mean nothing are dropped here: the parser tells two open tags apart by them
        carries = name in {"a", "code", "pre", "span", "blockquote"} and not match["end"]
        return f"<{match['end']}{name}{match['attributes'] if carries else ''}>"
    return "" if name in _REMOVED else "&lt;" + match[0][1:]


def _remove_tag(match: re.Match[str]) -> str:
    name = (match["name"] or "").lower()
    if name in _BLOCK:
        return "<br>"
    return "" if name in _ALLOWED | _REMOVED else "&lt;" + match[0][1:]


def _is_modest(safe_html: str) -> bool:
    depth = 0
    for count, match in enumerate(_OPEN_OR_CLOSE.finditer(safe_html)):
        if match[2] not in _VOID:
            depth += -1 if match[1] else 1
        if depth > _MAX_DEPTH or count > 4 * _MAX_TAGS:
            return False
    return True


def _standing_in(safe_html: str) -> str:
    for reference, stand_in in _STAND_INS.items():
        safe_html = safe_html.replace(reference, stand_in)
    return safe_html


def _entity(found: MessageEntity) -> Entity:
    entity = Entity(type=found["type"], offset=found["offset"], length=found["length"])
    if url := found.get("url"):
        entity["url"] = url.translate(_STOOD_FOR)
    if language := found.get("language"):
        entity["language"] = language
    return entity


def _settled(rich: Rich, *, allow_links: bool, live: bool = False) -> Rich:
    """The text as it goes out: trimmed, entities in Telegram's order and number, triggers broken."""
    whole = cut(rich, 0, len(rich.text))
    entities = _merged(_trimmed(entity, whole.text) for entity in whole.entities)
    verbatim = _outermost(entity for entity in entities if entity["type"] in _VERBATIM)
    others = [entity for entity in entities if entity["type"] not in _VERBATIM]
    around = [part for entity in others for part in _without(entity, verbatim)]
    settled = Rich(whole.text, capped(in_order([*verbatim, *around])))
    return settled if live else _broken(settled, allow_links=allow_links)


def _trimmed(entity: Entity, text: str) -> Entity:
    """The entity without the white space at its ends, where sulguk's own trimming may have put it."""
    units = text.encode("utf-16-le")
    blank = (b" \0", b"\n\0")
    start, end = entity["offset"], end_of(entity)
    while start < end and units[2 * start : 2 * start + 2] in blank:
        start += 1
    while end > start and units[2 * end - 2 : 2 * end] in blank:
        end -= 1
    return spanning(entity, start, end)


def _merged(entities: Iterable[Entity]) -> list[Entity]:
    """Same formatting that overlaps or, for decoration, touches becomes one entity; empty ones go."""
    latest: dict[str, Entity] = {}
    result: list[Entity] = []
    for entity in in_order(entities):
        kind = "blockquote" if entity["type"] in _QUOTES else entity["type"]
        before = latest.get(kind)
        if entity["length"] <= 0:
            continue
        if before is not None and kind in _DECORATION | _QUOTES:
            reach = entity["offset"] if kind in _DECORATION else entity["offset"] + 1
            if end_of(before) >= reach:
                before["length"] = max(end_of(before), end_of(entity)) - before["offset"]
                continue
        latest[kind] = entity
        result.append(entity)
    return result


def _outermost(entities: Iterable[Entity]) -> list[Entity]:
    """Code and pre hold nothing else, each other included: the outer one stays."""
    result: list[Entity] = []
    for entity in in_order(entities):
        if not result or entity["offset"] >= end_of(result[-1]):
            result.append(entity)
    return result


def _without(entity: Entity, verbatim: list[Entity]) -> list[Entity]:
    """The parts of an entity that lie outside code and pre; a quote may hold them and stays whole."""
    if entity["type"] in _QUOTES:
        return [entity]
    parts, start = [], entity["offset"]
    for hole in verbatim:
        if hole["offset"] < end_of(entity) and end_of(hole) > start:
            parts.append(spanning(entity, start, hole["offset"]))
            start = end_of(hole)
    parts.append(spanning(entity, start, end_of(entity)))
    return [part for part in parts if part["length"] > 0]


def _broken(rich: Rich, *, allow_links: bool) -> Rich:
    """The text with its triggers broken, save inside code, pre and links, where Telegram looks for none."""
    shields = [entity for entity in rich.entities if entity["type"] in _VERBATIM | {"text_link"}]
    pieces: list[str] = []
    breaks: list[int] = []
    start = units = 0
    for position in trigger_positions(rich.text, allow_links=allow_links):
        pieces.append(rich.text[start:position])
        units += utf16_len(pieces[-1])
        start = position
        if not any(shield["offset"] < units < end_of(shield) for shield in shields):
            pieces.append(WORD_JOINER)
            breaks.append(units)
    moved = tuple(
        spanning(
            entity,
            entity["offset"] + bisect_right(breaks, entity["offset"]),
            end_of(entity) + bisect_left(breaks, end_of(entity)),
        )
        for entity in rich.entities
    )
    return Rich("".join([*pieces, rich.text[start:]]), moved)
