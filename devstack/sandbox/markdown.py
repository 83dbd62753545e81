"""parse_mode MarkdownV2, with Telegram's own complaints."""

from __future__ import annotations

from dataclasses import dataclass

from devstack.sandbox.html import ParseError, link_entity
from devstack.sandbox.text import Entity, FormattedText, utf16_len

RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
MARKS = {
    "__": "underline",
    "||": "spoiler",
    "```": "pre",
    "_": "italic",
    "*": "bold",
    "~": "strikethrough",
    "`": "code",
}
LITERAL = frozenset({"code", "pre"})
NAME_IN_ERROR = {
    "italic": "Italic",
    "bold": "Bold",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
}


@dataclass(slots=True)
class _OpenMark:
    type: str
    offset: int  # in UTF-16 units
    start: int  # in characters of the source
    language: str = ""


def parse_markdown(source: str) -> FormattedText:
    """Text and entities; raises ParseError."""
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out: list[str] = []
        self.offset = 0
        self.stack: list[_OpenMark] = []
        self.entities: list[Entity] = []
        self.quote: int | None = None  # where the block quotation starts, in UTF-16 units

    def parse(self) -> FormattedText:
        while self.at < len(self.source):
            self._step(self.source[self.at])
        self._end_quote()
        if self.stack:
            raise self._unfinished(self.stack[-1])
        return FormattedText("".join(self.out), tuple(self.entities))

    def _step(self, char: str) -> None:
        literal = bool(self.stack) and self.stack[-1].type in LITERAL
        following = self.source[self.at + 1 : self.at + 2]
        if char == "\\" and following and ord(following) <= 126:
            self._emit(following, 2)
        elif char == ">" and self._at_line_start() and not literal:
            self.quote = self.offset if self.quote is None else self.quote
            self.at += 1
        elif char == "\n":
            self._emit(char, 1)
            if self.quote is not None and self.source[self.at : self.at + 1] != ">":
                self._end_quote()
        elif char not in RESERVED or (literal and char != "`"):
            self._emit(char, 1)
        else:
            self._mark(char)

    def _mark(self, char: str) -> None:
        mark = next((mark for mark in MARKS if self.source.startswith(mark, self.at)), None)
        top = self.stack[-1] if self.stack else None
        if char == "]" and top and top.type == "text_link":
            self._close_link()
        elif top and top.type in LITERAL and (mark is None or MARKS[mark] != top.type):
            self._emit(char, 1)
        elif mark is not None and top and MARKS[mark] == top.type:
            self.at += len(mark)
            self._close(top)
        elif mark is not None:
            self._open(mark)
        elif char == "[":
            self.stack.append(_OpenMark("text_link", self.offset, self.at))
            self.at += 1
        else:
            raise ParseError(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")

    def _open(self, mark: str) -> None:
        opened = _OpenMark(MARKS[mark], self.offset, self.at)
        self.at += len(mark)
        if opened.type == "pre":
            line = self.source[self.at :].split("\n", 1)
            if len(line) == 2 and "`" not in line[0] and " " not in line[0]:
                opened.language = line[0]
                self.at += len(line[0]) + 1
        self.stack.append(opened)

    def _close(self, mark: _OpenMark) -> None:
        self.stack.pop()
        if self.offset > mark.offset:
            extra = {"language": mark.language} if mark.language else {}
            self.entities.append(Entity(mark.type, mark.offset, self.offset - mark.offset, {**extra}))

    def _close_link(self) -> None:
        mark = self.stack.pop()
        self.at += 1
        url = "".join(self.out).encode("utf-16-le")[mark.offset * 2 :].decode("utf-16-le")
        if self.source.startswith("(", self.at):
            url = self._url()
        link = link_entity(url, mark.offset, self.offset - mark.offset)
        if link is not None and self.offset > mark.offset:
            self.entities.append(link)

    def _url(self) -> str:
        start = self.at = self.at + 1
        url = []
        while self.at < len(self.source) and self.source[self.at] != ")":
            if self.source[self.at] == "\\" and self.at + 1 < len(self.source):
                self.at += 1
            url.append(self.source[self.at])
            self.at += 1
        if self.at >= len(self.source):
            raise ParseError(f"Can't find end of a URL at byte offset {self._bytes(start)}")
        self.at += 1
        return "".join(url)

    def _at_line_start(self) -> bool:
        return self.at == 0 or self.source[self.at - 1] == "\n"

    def _end_quote(self) -> None:
        if self.quote is not None and self.offset > self.quote:
            self.entities.append(Entity("blockquote", self.quote, self.offset - self.quote))
        self.quote = None

    def _emit(self, char: str, consumed: int) -> None:
        self.out.append(char)
        self.offset += utf16_len(char)
        self.at += consumed

    def _bytes(self, index: int) -> int:
        return len(self.source[:index].encode())

    def _unfinished(self, mark: _OpenMark) -> ParseError:
        name, where = NAME_IN_ERROR[mark.type], self._bytes(mark.start)
        return ParseError(f"Can't find end of {name} entity at byte offset {where}")
