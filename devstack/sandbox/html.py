"""parse_mode HTML, with Telegram's own complaints (byte offsets into the UTF-8 text)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from devstack.sandbox.links import checked_link
from devstack.sandbox.text import Entity, FormattedText, utf16_len
from devstack.sandbox.values import Json

ENTITY_OF_TAG = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
CHARACTER = re.compile(r"&(?:#x([0-9a-f]+)|#([0-9]+)|(lt|gt|amp|quot));?", re.IGNORECASE)
SPACES = re.compile(r"[ \t\r\n\v]*")
TAG_NAME = re.compile(r"[^ \t\r\n\v>]*")
ATTRIBUTE_NAME = re.compile(r"[^ \t\r\n\v=>/\"']*")
NAME_TOKEN = re.compile(r"[a-z0-9.-]*", re.IGNORECASE)


class ParseError(ValueError):
    """The text is not well formed; the message is Telegram's."""


@dataclass(slots=True)
class _OpenTag:
    name: str
    argument: str
    offset: int  # in UTF-16 units
    start: int  # in characters of the output


def parse_html(source: str) -> FormattedText:
    """Text and entities; raises ParseError."""
    return _Parser(source).parse()


def decode_characters(text: str) -> str:
    """Resolve the four named entities and the numeric ones; anything else stays as it is."""
    return CHARACTER.sub(_decode, text)


def _decode(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return NAMED[name.lower()] if name in NAMED else match[0]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else match[0]


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out: list[str] = []
        self.characters = 0
        self.offset = 0
        self.stack: list[_OpenTag] = []
        self.entities: list[Entity] = []

    def parse(self) -> FormattedText:
        while self.at < len(self.source):
            start = self.source.find("<", self.at)
            end = start if start >= 0 else len(self.source)
            self._emit(decode_characters(self.source[self.at : end]))
            self.at = end
            if start >= 0:
                if self.source.startswith("</", start):
                    self._close(start)
                else:
                    self._open(start)
        if self.stack:
            raise ParseError(f'Can\'t find end tag corresponding to start tag "{self.stack[-1].name}"')
        return FormattedText("".join(self.out), tuple(self.entities))

    def _emit(self, text: str) -> None:
        self.out.append(text)
        self.characters += len(text)
        self.offset += utf16_len(text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.source, self.at)
        taken = match[0] if match else ""
        self.at += len(taken)
        return taken

    def _peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def _bytes(self, index: int) -> int:
        return len(self.source[:index].encode())

    def _open(self, start: int) -> None:
        self.at = start + 1
        name = self._take(TAG_NAME).lower()
        if not self._peek():
            raise ParseError(f"Unclosed start tag at byte offset {self._bytes(start)}")
        if name not in ENTITY_OF_TAG:
            raise ParseError(f'Unsupported start tag "{name}" at byte offset {self._bytes(start)}')
        argument = ""
        while True:
            self._take(SPACES)
            if self._peek() == ">":
                break
            argument = self._attribute(name, start) or argument
        if name == "span" and argument != "spoiler":
            raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {self._bytes(start)}')
        self.at += 1
        self.stack.append(_OpenTag(name, argument, self.offset, self.characters))

    def _attribute(self, tag: str, start: int) -> str:
        """Read one attribute; gives the tag's argument where this attribute is it."""
        key = self._take(ATTRIBUTE_NAME)
        if not key:
            where = self._bytes(start)
            raise ParseError(f'Empty attribute name in the tag "{tag}" at byte offset {where}')
        self._take(SPACES)
        if self._peek() != "=":
            self._require_more(tag, start)
            return "1" if (tag, key) == ("blockquote", "expandable") else ""
        self.at += 1
        self._take(SPACES)
        self._require_more(tag, start)
        value = self._quoted() if self._peek() in "'\"" else self._token()
        if not self._peek():
            raise ParseError(f"Unclosed start tag at byte offset {self._bytes(start)}")
        return _argument(tag, key, value)

    def _require_more(self, tag: str, start: int) -> None:
        if not self._peek():
            raise ParseError(f'Unclosed start tag "{tag}" at byte offset {self._bytes(start)}')

    def _quoted(self) -> str:
        end = self.source.find(self._peek(), self.at + 1)
        value = self.source[self.at + 1 : end if end >= 0 else len(self.source)]
        self.at = end + 1 if end >= 0 else len(self.source)
        return decode_characters(value)

    def _token(self) -> str:
        start = self.at
        value = self._take(NAME_TOKEN).lower()
        if self._peek() not in {"", " ", "\t", "\r", "\n", "\v", ">"}:
            raise ParseError(f"Unexpected end of name token at byte offset {self._bytes(start)}")
        return value

    def _close(self, start: int) -> None:
        if not self.stack:
            raise ParseError(f"Unexpected end tag at byte offset {self._bytes(start)}")
        self.at = start + 2
        name = self._take(TAG_NAME).lower()
        self._take(SPACES)
        if self._peek() != ">":
            raise ParseError(f"Unclosed end tag at byte offset {self._bytes(start)}")
        self.at += 1
        tag = self.stack[-1]
        if name and name != tag.name:
            raise ParseError(
                f'Unmatched end tag at byte offset {self._bytes(start)}, expected "</{tag.name}>",'
                f' found "</{name}>"'
            )
        self.stack.pop()
        if self.offset > tag.offset:
            self._add(tag)

    def _add(self, tag: _OpenTag) -> None:
        kind, length = ENTITY_OF_TAG[tag.name], self.offset - tag.offset
        if kind == "text_link":
            content = "".join(self.out)[tag.start :]
            link = link_entity(tag.argument or content, tag.offset, length)
            self.entities.extend([link] if link else [])
            return
        extra: Json = {}
        if kind == "custom_emoji":
            if not tag.argument.isdigit() or int(tag.argument) == 0:
                raise ParseError("Invalid custom emoji identifier specified")
            extra = {"custom_emoji_id": tag.argument}
        elif kind == "code" and tag.argument:
            extra = {"language": tag.argument}
        elif kind == "blockquote" and tag.argument:
            kind = "expandable_blockquote"
        self._add_merged(Entity(kind, tag.offset, length, extra))

    def _add_merged(self, entity: Entity) -> None:
        """<pre><code class="language-x"> is one entity; a code's language alone says nothing."""
        inner = self.entities[-1] if self.entities else None
        is_code = inner is not None and (inner.type, inner.offset, inner.length) == (
            "code",
            entity.offset,
            entity.length,
        )
        if inner is not None and is_code and entity.type == "pre":
            self.entities[-1] = Entity("pre", entity.offset, entity.length, inner.extra)
        else:
            self.entities.append(entity)


def _argument(tag: str, key: str, value: str) -> str:
    if (tag, key) in {("a", "href"), ("tg-emoji", "emoji-id")}:
        return value
    if (tag, key) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, key) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return "1" if (tag, key) == ("blockquote", "expandable") else ""


def link_entity(url: str, offset: int, length: int) -> Entity | None:
    """A text_link, a text_mention for tg://user?id=N, or None where Telegram would drop the link."""
    parts = urlsplit(url) if url.startswith("tg:") else None
    if parts is not None and parts.netloc == "user":
        user_id = parse_qs(parts.query).get("id", [""])[0]
        return (
            Entity("text_mention", offset, length, {"user": {"id": int(user_id)}})
            if user_id.isdigit()
            else None
        )
    link = checked_link(url)
    return Entity("text_link", offset, length, {"url": link}) if link else None
