"""HTML and MarkdownV2 are read, and complained of, as Telegram does."""

from __future__ import annotations

import pytest

from devstack.sandbox.html import ParseError, parse_html
from devstack.sandbox.markdown import parse_markdown
from devstack.sandbox.text import FormattedText


def spans(text: FormattedText) -> list[tuple[str, int, int]]:
    return [(entity.type, entity.offset, entity.length) for entity in text.entities]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("<b>bold</b> plain", "bold plain", [("bold", 0, 4)]),
        ("<B>bold</B>", "bold", [("bold", 0, 4)]),
        ("<i>a<b>b</b></i>", "ab", [("bold", 1, 1), ("italic", 0, 2)]),
        ("😀<u>x</u>", "😀x", [("underline", 2, 1)]),
        ("1 &lt; 2 &amp;&amp; &quot;x&quot; &#33; &#x41; &nbsp; &lt", '1 < 2 && "x" ! A &nbsp; <', []),
        ("<pre>a\n b</pre>", "a\n b", [("pre", 0, 4)]),
        ("<tg-spoiler>x</tg-spoiler>", "x", [("spoiler", 0, 1)]),
        ('<span class="tg-spoiler">x</span>', "x", [("spoiler", 0, 1)]),
        ("<blockquote expandable>x</blockquote>", "x", [("expandable_blockquote", 0, 1)]),
        ("<b></b>x", "x", []),
        ("<b>x</>", "x", [("bold", 0, 1)]),
        ("a > b", "a > b", []),
    ],
)
def test_html_gives_text_and_entities(source: str, text: str, expected: list[tuple[str, int, int]]) -> None:
    parsed = parse_html(source)
    assert (parsed.text, spans(parsed)) == (text, expected)


def test_a_link_keeps_its_url_and_a_user_link_becomes_a_mention() -> None:
    link, mention = parse_html(
        '<a href="https://x.org/a?b=1&amp;c">x</a><a href="tg://user?id=42">y</a>'
    ).entities
    assert (link.type, link.extra) == ("text_link", {"url": "https://x.org/a?b=1&c"})
    assert (mention.type, mention.extra) == ("text_mention", {"user": {"id": 42}})


@pytest.mark.parametrize("href", ["javascript:alert(1)", "http://localhost/x", "x", ""])
def test_a_link_that_is_none_is_dropped_and_its_text_stays(href: str) -> None:
    assert parse_html(f'<a href="{href}">here</a>') == FormattedText("here")


def test_code_inside_pre_gives_pre_its_language() -> None:
    (entity,) = parse_html('<pre><code class="language-python">x = 1</code></pre>').entities
    assert (entity.type, entity.extra) == ("pre", {"language": "python"})


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("ä<p>", 'Unsupported start tag "p" at byte offset 2'),
        ("<br/>", 'Unsupported start tag "br/" at byte offset 0'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b x", 'Unclosed start tag "b" at byte offset 0'),
        ("<a href='x", "Unclosed start tag at byte offset 0"),
        ("<a href=x_y>z</a>", "Unexpected end of name token at byte offset 8"),
        ("<a =x>z</a>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<tg-emoji>x</tg-emoji>", "Invalid custom emoji identifier specified"),
    ],
)
def test_html_that_is_not_well_formed_is_refused_in_telegrams_words(source: str, complaint: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_html(source)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (
            "*bold* _it_ __u__ ~s~ ||p||",
            "bold it u s p",
            ["bold", "italic", "underline", "strikethrough", "spoiler"],
        ),
        ("`a*b_` c", "a*b_ c", ["code"]),
        ("```py\nx = 1\n```", "x = 1\n", ["pre"]),
        (r"1\.5 \*x\*", "1.5 *x*", []),
        ("[x](https://x.org/\\))", "x", ["text_link"]),
        (">quoted\n>more\nplain", "quoted\nmore\nplain", ["blockquote"]),
        ("*a _b_*", "a b", ["italic", "bold"]),
    ],
)
def test_markdown_gives_text_and_entities(source: str, text: str, expected: list[str]) -> None:
    parsed = parse_markdown(source)
    assert (parsed.text, [entity.type for entity in parsed.entities]) == (text, expected)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("1.5", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("a-b", "Character '-' is reserved and must be escaped with the preceding '\\'"),
        ("ä *b", "Can't find end of Bold entity at byte offset 3"),
        ("[x](y", "Can't find end of a URL at byte offset 4"),
    ],
)
def test_markdown_that_is_not_well_formed_is_refused_in_telegrams_words(source: str, complaint: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_markdown(source)
    assert str(caught.value) == complaint
