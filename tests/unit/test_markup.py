"""Untrusted text becomes text and entities: nothing tappable, nothing lost, nothing that Telegram refuses."""

import random
import re
import time
from collections.abc import Callable

import pytest

from shared.markup import (
    MAX_ENTITIES,
    Rich,
    defuse,
    escape_value,
    join,
    label_line,
    plain,
    render_html,
    split,
    truncate,
    utf16_len,
)
from shared.markup import html as layout
from tests.support.rich_text import covered, formatted, live

JOINER = "\u2060"
FORMATS = {
    "bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "blockquote",
    "expandable_blockquote", "text_link",
}  # fmt: skip

NASTY = [
    "http://evil.example/x?a=b#c", "www.evil.com", "evil.com", "EVIL.COM", "сайт.рф", "tg://resolve?domain=evil",
    "ftp://evil.com", "192.0.2.1", "192.0.2.1:80/x", "mail@evil.com", "first.last+tag@mail.evil.co.uk",
    "@durov", "@@durov", "(@durov)", "ж@durov", "/cancel", "/cancel@stepgram_bot", "#tag", "#тег", "#1a",
    "$BTC",
    "a\u200d.com", "evil\u200b.com", "@\u030adurov", "@\u202edurov", "/\u2066cancel", "evil.\u0333com",
    "e\u202dvil.com", "@\rdurov", "<b>", "</b>", "<i>", "</i>", "<code>", "</code>", "<pre>", "</pre>",
    "<blockquote>", "</blockquote>", "<ul><li>", "</li></ul>", "<p>", "</p>", "<br>", "<br/>", "<tg-spoiler>",
    "<a href='javascript:alert(1)'>x</a>", '<a href="http://evil.com">y</a>', "<a href='tg://user?id=1'>z</a>",
    "<a href=//evil.com>w</a>", "<script>alert(1)</script>",
    "<img src=x onerror=y>", "<!-- c -->", "<![CDATA[x]]>",
    "a<b c", "1 < 2 > 0", "&lt;b&gt;", "&amp;", "&#64;durov", "&#x2f;cancel", "&#0;", "&#x1;",
    "&#xd800;", "&", ";",
    "👩\u200d👩\u200d👧\u200d👦", "🇩🇪🇫🇷", "👍🏽", "e\u0301", "å", "a\u030a", "Z\u0351\u0334\u0349a",
    "שלום", "\u202egnp.exe",
    "\u2067evil\u2069", "\ud83d", "\udc4d", "\x00", "\x1b", "\ufffe", "\ufdd0", "\ufdd3", "\u2028", "\u2029",
    " ", "\n", "\n\n", "\t", "\r\n", "\xa0", JOINER, "word", "x", "and/or",
    ".", "/", "@", "#", "://", "12.10.2024",
]  # fmt: skip


def assert_sendable(rich: Rich) -> None:
    units = rich.text.encode("utf-16-le")  # no half characters
    assert len(rich.entities) <= MAX_ENTITIES
    offsets = [entity["offset"] for entity in rich.entities]
    assert offsets == sorted(offsets)
    for entity in rich.entities:
        assert entity["type"] in FORMATS
        assert entity["offset"] >= 0
        assert entity["length"] > 0
        assert 2 * (entity["offset"] + entity["length"]) <= len(units)
        covered = units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])]
        assert covered.decode("utf-16-le").strip(" \n")
        assert entity.get("url", "http").startswith("http")


def readable(rich: Rich) -> str:
    return rich.text.replace(JOINER, "")


def mixtures(count: int, length: int) -> list[str]:
    dice = random.Random(20260314)
    return ["".join(dice.choices(NASTY, k=length)) for _ in range(count)]


@pytest.mark.parametrize("nasty", NASTY)
def test_no_text_can_make_anything_tappable(nasty: str) -> None:
    for rich in (
        render_html(nasty),
        render_html(f"<b>{escape_value(nasty)}</b>"),
        render_html(f"Hello {escape_value(nasty)}", live=True),
        plain(nasty),
        label_line(nasty, nasty),
        join(label_line("a", nasty), plain(nasty)),
    ):
        assert live(rich) == []
        assert_sendable(rich)
        assert "text_link" not in {entity["type"] for entity in rich.entities}


def test_no_mixture_of_nasty_pieces_makes_anything_tappable_or_unsendable() -> None:
    for text in mixtures(500, 8):
        for rich in (render_html(text), render_html(f"<i>{escape_value(text)}</i>"), label_line("x", text)):
            assert live(rich) == [], text
            assert_sendable(rich)
            for piece in split(rich, 40):
                assert live(piece) == [], text
                assert_sendable(piece)
            assert live(truncate(rich, 20)) == [], text


def test_a_link_stays_only_where_the_author_allows_it() -> None:
    text = "See <a href='https://example.org/?a=1&amp;b=2'>this</a> or https://example.org/@x and ask @durov"
    assert [entity["type"] for entity in render_html(text).entities] == []
    allowed = render_html(text, allow_links=True)
    assert allowed.entities == (
        {"type": "text_link", "offset": 4, "length": 4, "url": "https://example.org/?a=1&b=2"},
    )
    assert live(allowed) == ["https://example.org/@x"]


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", "tg://user?id=1", "//evil.com", "/x", "data:text/html,x", " java\tscript:x", ""],
)
def test_only_web_addresses_become_links(href: str) -> None:
    assert render_html(f'<a href="{href}">x</a>', allow_links=True) == Rich("x")


def test_allowed_links_leave_commands_and_names_dead() -> None:
    for text in mixtures(500, 6):
        if "mail@" in text or "tag@" in text:
            continue  # the sandbox lets an e-mail address win over the web address that it stands in
        rich = render_html(text, allow_links=True)
        assert_sendable(rich)
        assert not [found for found in live(rich) if found[0] in "@/#$"]


def test_an_escaped_value_shows_exactly_what_it_is() -> None:
    for value in ("a<b c", "<b>x</b>", "&amp;", 'Tom & "Jerry" <tom@x.org>', "it's", "1 < 2"):
        assert readable(render_html(f"<i>{escape_value(value)}</i>")) == value


def test_an_escaped_value_keeps_its_lines_and_leaves_those_of_the_template() -> None:
    value = escape_value("a\nb")
    assert readable(render_html(f"one\ntwo {value}")) == "one\ntwo a\nb"
    assert readable(render_html(f"<p>one\ntwo {value}</p>")) == "one two a\nb"


def test_a_stray_angle_bracket_loses_no_text() -> None:
    assert render_html("a<b c").text == "a<b c"
    assert render_html("if a<b and c>d").text == "if a<b and c>d"
    assert render_html("List<String> <- x <3").text == "List<String> <- x <3"


def test_an_unclosed_script_or_comment_hides_nothing_behind_it() -> None:
    for opener in ("<script>", "<!--", "<style>", "<textarea>", "<title>", "<plaintext>", "<![CDATA["):
        assert "you pay 1000" in render_html(f"{opener} you pay 1000").text


def test_our_own_commands_stay_alive_and_values_beside_them_do_not() -> None:
    rich = render_html(f"/tasks shows what waits, {escape_value('/cancel')}", live=True)
    assert live(rich) == ["/tasks"]


def test_what_needs_no_break_gets_none() -> None:
    for text in (
        "and/or",
        "12.10.2024",
        "3.14",
        "5 $",
        "$5",
        "#42",
        "No. 1",
        "a@b",
        "12:30",
        "+49 30 123456",
        "e. g.",
    ):
        assert plain(text).text == text


def test_breaking_twice_changes_nothing_more() -> None:
    for text in mixtures(200, 8):
        once = defuse(plain(text).text)
        assert defuse(once) == once


def test_code_copies_as_it_stands() -> None:
    assert label_line("Site", "www.example.org").text == "Site: www.example.org"
    assert render_html("<code>www.example.org</code>").text == "www.example.org"
    assert render_html("<pre>a.py\n  @x</pre>").text == "a.py\n  @x"


def test_a_line_without_a_value_says_so() -> None:
    assert label_line("Name", " \n") == Rich("Name: –")


def test_formatting_becomes_entities_in_utf16_units() -> None:
    rich = render_html("👍 <b>bold</b> <i>é</i> <u>u</u> <s>s</s> <tg-spoiler>t</tg-spoiler>")
    assert [(entity["type"], covered(rich, entity)) for entity in rich.entities] == [
        ("bold", "bold"), ("italic", "é"), ("underline", "u"), ("strikethrough", "s"), ("spoiler", "t"),
    ]  # fmt: skip
    assert rich.entities[0] == {"type": "bold", "offset": 3, "length": 4}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("one<br/>two<br>three", "one\ntwo\nthree"),
        ("one\ntwo", "one\ntwo"),
        ("<p>one\n two</p><p>three</p>", "one two\n\nthree"),
        ("<ul><li>a</li><li>b</li></ul>", "• a\n• b"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<table><tr><td>1</td></tr></table>", "1"),
        ("<ol type=zz start=q><li value=x>a</li></ol>", "1. a"),
        ("AT&amp;T &lt;b&gt; &nbsp;x", "AT&T <b> \xa0x"),
        ("  <b> </b> ", ""),
        ("", ""),
    ],
)
def test_html_is_laid_out(html: str, text: str) -> None:
    assert render_html(html).text == text


def test_code_and_pre_hold_nothing_else() -> None:
    rich = render_html("<b>a<code>b<i>c</i></code>d</b><pre><code class='language-python'>x=1</code></pre>")
    assert [(entity["type"], covered(rich, entity)) for entity in rich.entities] == [
        ("bold", "a"), ("code", "bc"), ("bold", "d"), ("pre", "x=1"),
    ]  # fmt: skip
    assert rich.entities[-1]["language"] == "python"


def test_quotes_do_not_nest_and_may_hold_code() -> None:
    rich = render_html("<blockquote expandable>a <blockquote>b</blockquote> <code>c</code></blockquote>")
    assert [entity["type"] for entity in rich.entities] == ["expandable_blockquote", "code"]
    assert covered(rich, rich.entities[0]) == rich.text


def test_of_too_many_formats_the_shields_are_kept_and_the_rest_is_broken() -> None:
    bold_first = "<b>x</b> " * 150 + "<code>evil.com</code> " * 50
    rich = render_html(bold_first)
    assert len(rich.entities) == MAX_ENTITIES
    assert live(rich) == []
    only_code = render_html("<code>evil.com</code> " * 150)
    assert len(only_code.entities) == MAX_ENTITIES
    assert live(only_code) == []


HOSTILE: dict[str, Callable[[int], str]] = {
    "bold": lambda size: "<b>" * (3 * size) + "x",
    "pre": lambda size: "<pre>" * (9 * size // 10) + "x",
    "quotes": lambda size: "<blockquote>" * (size // 2) + "x",
    "lists": lambda size: "<ul><li>" * (4 * size // 10) + "x",
    "less": lambda size: "<" * (40 * size),
    "ampersands": lambda size: "&" * (40 * size),
    "mentions": lambda size: "@a." * (15 * size),
    "addresses": lambda size: "a://" * (10 * size),
    "tags": lambda size: "<b a " * (8 * size),
    "attributes": lambda size: "<b" + " a=b" * (10 * size),
    "paragraphs": lambda size: "<b><p>" * (49 * size // 100) + "x",
    "hashtags": lambda size: "#1" * (20 * size),
    "domains": lambda size: "x." * (20 * size) + "com",
    "ends": lambda size: "</b>" * (5 * size),
    "links": lambda size: "<a href='" * (3 * size),
    "languages": lambda size: (
        "".join(f"<code class='language-l{n}'>" for n in range(48 * size // 100))
        + "<p>x" * (48 * size // 100)
    ),
}
"""Texts that make a parser or a pattern go back and forth, by about how many thousand pieces they have."""


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_cost_of_a_hostile_text_grows_with_its_length_and_no_faster(kind: str) -> None:
    # Three times as long: what grows with the square costs nine times as much, however often it is tried.
    seen = []
    for _ in range(6):
        short_s, long_s = (_cost_s(HOSTILE[kind](size)) for size in (250, 750))
        seen.append((short_s, long_s))
        if min(long for _, long in seen) < 7 * min(short for short, _ in seen):
            return
    pytest.fail(f"seconds for the short and the long text: {seen}")


def _cost_s(html: str) -> float:
    began = time.process_time()
    for allow_links in (False, True):
        rich = render_html(html, allow_links=allow_links)
        assert_sendable(rich)
        split(rich)
    return time.process_time() - began


def test_a_text_without_markup_is_laid_out_as_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most texts are, so they go a short way; it must lead to the same place."""
    dice = random.Random(20261127)
    pieces = [
        "word",
        " ",
        " ",
        "@someone",
        "/start",
        "a.com",
        "#tag",
        "é",
        "😀",
        "\u00a0",
        "\t",
        "\n",
        "x",
        "1.",
        "-",
    ]
    texts = ["".join(dice.choices(pieces, k=dice.randint(1, 12))) for _ in range(300)]
    short = [render_html(text, live=live) for text in texts for live in (False, True)]
    monkeypatch.setattr(layout, "_PLAIN", re.compile("(?!)"))
    assert short == [render_html(text, live=live) for text in texts for live in (False, True)]


def test_control_and_direction_overrides_are_gone_and_letters_stay() -> None:
    rich = plain("a\x00b\u202egnp.exe\u2067 a\u030a \ud83d ok\r\nend")
    assert readable(rich) == "a bgnp.exe å � ok\nend"


def test_a_split_text_says_the_same_with_the_same_formatting() -> None:
    for text in mixtures(50, 40):
        rich = join(render_html(text), label_line("Label", text), render_html(f"<b>{escape_value(text)}</b>"))
        for limit in (16, 100, 4096):
            pieces = split(rich, limit)
            assert all(0 < utf16_len(piece.text) <= limit for piece in pieces)
            assert formatted(*pieces) == formatted(rich)


def test_a_long_text_is_cut_at_paragraphs_then_lines_then_words() -> None:
    paragraph = ("word " * 40).strip()
    pieces = split(render_html("<p>" + "</p><p>".join([paragraph] * 50) + "</p>"), 1000)
    assert all(piece.text.startswith("word") and len(piece.text) == 4 * 199 + 3 * 2 for piece in pieces[:-1])
    assert next(len(piece.text) for piece in split(plain("line of text\n" * 50), 100)) == 7 * 13 - 1
    assert all(len(piece.text) == 99 for piece in split(plain("word " * 100), 100)[:-1])


def test_a_hard_cut_tears_no_visible_character_and_frees_no_trigger() -> None:
    assert [piece.text for piece in split(plain("👍🏽" * 10), 10)] == ["👍🏽👍🏽", *["👍🏽👍🏽"] * 4]
    assert [piece.text for piece in split(plain("🇩🇪" * 6), 10)] == ["🇩🇪🇩🇪"] * 3
    assert all(piece.text == "é" * 10 for piece in split(plain("é" * 50), 10))
    family = "👩\u200d👩\u200d👧\u200d👦"
    assert all(piece.text == family for piece in split(plain(family * 4), 15))
    for limit in range(12, 30):
        for piece in split(plain("foofoofoofoofoofoo/cancel" * 4), limit):
            assert live(piece) == []


def test_formatting_goes_on_behind_a_cut() -> None:
    pieces = split(render_html(f"<b>{'word ' * 300}</b>"), 1000)
    assert len(pieces) == 2
    for piece in pieces:
        assert piece.entities == ({"type": "bold", "offset": 0, "length": len(piece.text)},)


def test_ten_thousand_characters_make_three_messages() -> None:
    pieces = split(render_html("lorem ipsum " * 833))
    assert len(pieces) == 3
    assert "".join(piece.text for piece in pieces).replace(" ", "") == "loremipsum" * 833


def test_no_message_of_a_split_has_more_than_100_entities_and_no_value_loses_its_code() -> None:
    rich = join(*(label_line(f"L{number}", "evil.com") for number in range(250)))
    pieces = split(rich)
    assert [len(piece.entities) for piece in pieces] == [100, 100, 50]
    assert not any(live(piece) for piece in pieces)
    assert live(truncate(rich)) == []


def test_a_truncated_text_fits_and_says_that_there_was_more() -> None:
    rich = truncate(render_html(f"<b>{'👍' * 600}</b>"), 1024)
    assert utf16_len(rich.text) <= 1024
    assert rich.text.endswith("👍…")
    assert rich.entities == ({"type": "bold", "offset": 0, "length": utf16_len(rich.text) - 1},)
    assert truncate(plain("short"), 1024) == Rich("short")


def test_joined_parts_keep_their_formatting_and_blank_ones_leave_no_gap() -> None:
    rich = join(render_html("<b>👍</b>"), Rich(), plain("\xa0"), render_html("<i>x</i>"), separator="\n\n")
    assert rich.text == "👍\n\nx"
    assert [covered(rich, entity) for entity in rich.entities] == ["👍", "x"]


def test_what_shows_nothing_is_blank() -> None:
    assert all(Rich(text).blank for text in ("", " \n", "\xa0", "\u200b\u2060", "\u2800", "\u3000"))
    assert not Rich("x").blank
    assert split(plain("\u200b \n")) == []
