"""Conditions of sequence flows: which variables they read, and what they say of a step's buttons."""

import re
from collections.abc import Collection, Mapping, Sequence

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<word>(?:[^\W\d]|\$)[\w$]*(?:\s*[.:]\s*[\w$]+)*)"""
    r"""|(?P<sign>==|!=|&&|\|\||[()!])|(?P<other>\S))""",
)
_WHOLE = re.compile(r"^[$#]\{([^{}]*)\}$", re.DOTALL)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_NAME = re.compile(r"(?<![\w$.:])[^\W\d][\w$]*(?![\w$]*\s*[(:])")
_RESULT = re.compile(r"action|(?:action|form|s3)_.+")
_SAME = {"==": "==", "eq": "==", "!=": "!=", "ne": "!="}
_WORDS = {
    "eq",
    "ne",
    "lt",
    "gt",
    "le",
    "ge",
    "and",
    "or",
    "not",
    "empty",
    "true",
    "false",
    "null",
    "div",
    "mod",
}
_OR, _AND, _NOT = {"||", "or"}, {"&&", "and"}, {"!", "not"}

Token = tuple[str, str]
Truth = bool | None
"""None: it cannot be told from the buttons alone."""


def results_read(condition: str) -> list[str]:
    """The variables named like results of steps that a condition needs.

    A name that also stands in quotes is left out: ``execution.hasVariable('form_x')`` asks before it reads.
    """
    quoted = {found[0][1:-1] for found in _STRING.finditer(condition)}
    names = _NAME.findall(_STRING.sub("''", condition))
    return [name for name in dict.fromkeys(names) if _RESULT.fullmatch(name) and name not in quoted]


def names_read(condition: str) -> set[str]:
    """All variables that a condition reads."""
    return set(_NAME.findall(_STRING.sub("''", condition))) - _WORDS


def actions_compared(condition: str) -> list[str]:
    """The texts with which a condition compares ``action``."""
    tokens = _tokens(condition)
    found = []
    for left, sign, right in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if sign[1] in _SAME and ("word", "action") in (left, right):
            found += [value for kind, value in (left, right) if kind == "text"]
    return list(dict.fromkeys(found))


def evaluate(condition: str, known: Mapping[str, str | bool]) -> Truth:
    """Whether a condition holds with these values of ``action`` and ``action_x``; all else is open."""
    reader = _Reader(_tokens(condition), known)
    result = reader.any_of()
    return result if isinstance(result, bool) and reader.at_end else None


def _tokens(condition: str) -> list[Token]:
    whole = _WHOLE.match(condition.strip())
    if whole is None:
        return [("other", condition)]
    tokens: list[Token] = []
    for match in _TOKEN.finditer(whole[1]):
        kind = str(match.lastgroup)
        text = match[kind]
        tokens.append((kind, text[1:-1] if kind == "text" else text))
    return tokens


class _Reader:
    """Reads ``or``, ``and``, ``not``, comparisons and names; anything else makes the whole open."""

    def __init__(self, tokens: Sequence[Token], known: Mapping[str, str | bool]) -> None:
        self._tokens = tokens
        self._known = known
        self._at = 0
        self._lost = False

    @property
    def at_end(self) -> bool:
        """Whether all was read and understood."""
        return self._at == len(self._tokens) and not self._lost

    def any_of(self) -> str | Truth:
        found = [self._all_of()]
        while self._take(_OR):
            found.append(self._all_of())
        return found[0] if len(found) == 1 else _joined(found, decisive=True)

    def _all_of(self) -> str | Truth:
        found = [self._compared()]
        while self._take(_AND):
            found.append(self._compared())
        return found[0] if len(found) == 1 else _joined(found, decisive=False)

    def _compared(self) -> str | Truth:
        left = self._one()
        if sign := self._take(_SAME.keys()):
            right = self._one()
            if self._skip() or left is None or right is None or type(left) is not type(right):
                return None
            return (left == right) is (_SAME[sign] == "==")
        return None if self._skip() else left

    def _skip(self) -> bool:
        """Pass over calls, arithmetic and other comparisons: they bind closer than ``and`` and ``or``."""
        begin, depth = self._at, 0
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            is_word = kind != "text"
            if depth == 0 and is_word and text in {*_AND, *_OR, ")"}:
                break
            depth += is_word * ((text == "(") - (text == ")"))
            self._lost |= is_word and text in {"?", ":"}
            self._at += 1
        return self._at > begin

    def _one(self) -> str | Truth:
        if self._take(_NOT):
            value = self._one()
            return not value if isinstance(value, bool) else None
        if self._take({"("}):
            value = self.any_of()
            self._lost |= self._take({")"}) is None
            return value
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("other", "")
        self._at += 1
        if kind == "text":
            return text
        if kind == "word" and text in {"true", "false"}:
            return text == "true"
        if kind == "word":
            return self._known.get(text)
        self._lost = True
        return None

    def _take(self, words: Collection[str]) -> str | None:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("text", "")
        if kind in {"word", "sign"} and text in words:
            self._at += 1
            return text
        return None


def _joined(found: Sequence[str | Truth], *, decisive: bool) -> Truth:
    """An ``or`` (decisive: true) or ``and`` (false) of three-valued parts."""
    if any(each is decisive for each in found):
        return decisive
    return (not decisive) if all(each is (not decisive) for each in found) else None
