"""What Telegram makes tappable by itself in plain text, and how that is broken.

Telegram looks for addresses, @names, /commands, #tags and $TAGS in every text that it is sent, also beside
explicit entities; only inside ``code`` and ``pre`` it does not. A WORD JOINER right after the character that
starts such a thing breaks it: the character is invisible, has no width, forbids a line break where none was,
and unlike the zero-width joiners it is no part of a domain name or a tag in Telegram's eyes.
Telephone and card numbers are left alone: they dial or copy only what is there to be read, and a person who
copies one must get its digits and nothing else.

Source of the rules: ``find_entities`` and ``clean_input_string`` of TDLib, which the Bot API server runs.
"""

import re
import unicodedata

WORD_JOINER = "\u2060"
LINE_SEPARATOR = "\u2028"

# The character before decides, and only an ASCII one is trusted (what counts as a letter differs by Unicode
# version); what follows is looked at loosely: a break too many is harmless.
_TRIGGER = re.compile(
    r"""
      (?<![A-Za-z0-9_])    @(?=\w)                                        # @name
    | (?<![A-Za-z0-9_/<>]) /(?=[A-Za-z0-9_])                              # /command, not and/or
    | (?<![A-Za-z0-9_])   \#(?=[\w\u00b7\u200c\u0d80-\u0dff]*[^\W\d_])    # #tag, not #42
    | (?<![A-Za-z0-9_])   \$(?=[A-Z]|1INCH)                               # $TAG, not $5
    | :(?=//)                                                             # any://
    | \.(?=[^\W\d_])                                                      # host.tld, mail@host.tld
    | (?<![0-9])(?P<address>[0-9]+(?:\.[0-9]+){3,})                      # 192.0.2.1, not 12.10.2024
    """,
    re.VERBOSE,
)
_WEB_ADDRESS = re.compile(
    r"(?<![\w@./:-])https?://(?:[\w-]+\.)+[^\W\d_]{2,}(?::\d+)?"
    r"(?:[/?#][^\s<>\"\u00ab\u00bb\u2000-\u200b\u200e\u200f\u2016-\u206f]*)?",
    re.IGNORECASE,
)

# letters only: composing "<" or ">" with a mark would eat markup
_ACCENTED = re.compile(r"[^\W\d_][\u0300-\u036f]+")
_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_REMOVED_BY_TELEGRAM = (0x030A, 0x0333, 0x033F)
_NO_CHARACTERS = (*range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)
_CLEANED: dict[int, str | None] = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " "),
    **dict.fromkeys((*_BIDI_CONTROLS, *_REMOVED_BY_TELEGRAM, *_NO_CHARACTERS), None),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    ord("\n"): "\n",
}


def clean(text: str) -> str:
    """The text without what no message should carry: controls, bidi overrides, halves of characters.

    What Telegram removes by itself goes too: removed later, it would rejoin a trigger that looked broken here
    and shift every entity behind it. Line ends become ``\\n``; a LINE SEPARATOR stays.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", LINE_SEPARATOR)
    composed = _ACCENTED.sub(lambda match: unicodedata.normalize("NFC", match[0]), text)
    return composed.translate(_CLEANED)


def trigger_positions(text: str, *, allow_links: bool = False) -> list[int]:
    """The ascending indices of ``text`` at which a WORD JOINER breaks everything that would become tappable.

    With ``allow_links`` addresses stay alive; names, commands and tags are broken all the same, save inside
    an address that begins with http(s)://.
    """
    addresses: set[int] = set()
    if allow_links:
        for address in _WEB_ADDRESS.finditer(text):
            addresses.update(range(*address.span()))
    positions: list[int] = []
    for match in _TRIGGER.finditer(text):
        if allow_links and (match["address"] or match[0] in ".:" or match.start() in addresses):
            continue
        if match["address"]:
            positions += [match.start() + at + 1 for at, char in enumerate(match[0]) if char == "."]
        else:
            positions.append(match.end())
    return positions


def defuse(text: str) -> str:
    """The text with every trigger broken; it reads the same. Defusing twice changes nothing more."""
    parts, start = [], 0
    for position in trigger_positions(text):
        parts.append(text[start:position])
        start = position
    return WORD_JOINER.join([*parts, text[start:]])
