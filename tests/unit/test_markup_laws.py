"""Whatever an author writes and whatever a person answers: what holds of every message."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from shared.markup import (
    CAPTION_UNITS,
    TEXT_UNITS,
    Rich,
    escape_value,
    join,
    label_line,
    plain,
    render_html,
    split,
    truncate,
)
from shared.steps.conversation import MESSAGE_LIMIT
from tests.support.rich_text import formatted, live, refused, seen

TAGS = {
    "b": "bold",
    "i": "italic",
    "u": "underline",
    "s": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "blockquote": "blockquote",
}
"""What formats by itself; code holds nothing else, and a quote stands on lines of its own."""

TRIGGERS = [
    *("http://evil.example/?a=b", "www.evil.com", "evil.com", "tg://user?id=1", "192.0.2.1", "a@evil.com"),
    *("@durov", "/cancel", "/cancel@stepgram_bot", "#tag", "$BTC", "@", "/", "#", "$", ".", "://", "com"),
    *("<b>", "</b>", "</code>", "<code>", "<pre>", "</pre>", "<i", "<!--", "<script>", "</blockquote>"),
    *('<a href="http://evil.com">x</a>', "<br>", "<p>", "<li>", "&lt;b&gt;", "&#64;durov", "&amp;", "&"),
    *("\u2060", "\u200b", "\u200d", "\u202e", "\u2028", "\u0301", "\u030a", "\xa0", "\n", " ", "\t", "\0"),
    *("👩\u200d👧", "🇩🇪", "👍🏽", "ж", "x", "word", "1", "_"),
]
VALUES = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(TRIGGERS) | st.text(max_size=3), max_size=12).map("".join),
)
HTML = st.lists(
    st.sampled_from(TRIGGERS)
    | st.sampled_from([f"<{end}{tag}>" for tag in TAGS for end in ("", "/")])
    | VALUES,
    max_size=20,
).map("".join)
LIMITS = st.sampled_from([16, 40, CAPTION_UNITS, MESSAGE_LIMIT, TEXT_UNITS])
MANY = st.sampled_from([*[1] * 8, 8, 120])
"""How often it stands in a text, which is then longer or has more formats than one message takes."""

LONGEST = 32_000
"""Characters of HTML that are read; what is more is cut, and says so."""

# Short examples are found by themselves; making long ones shorter takes minutes.
quickly = settings(max_examples=120, phases=[Phase.explicit, Phase.reuse, Phase.generate])


def sent(rich: Rich, limit: int) -> list[tuple[Rich, int]]:
    """All that is ever sent of a text, with the units that each may have: its messages, or a caption."""
    caption = min(limit, CAPTION_UNITS)
    return [*((message, limit) for message in split(rich, limit)), (truncate(rich, caption), caption)]


@quickly
@given(html=HTML, value=VALUES, many=MANY, limit=LIMITS)
def test_every_message_is_one_that_telegram_takes_as_it_is(
    html: str, value: str, many: int, limit: int
) -> None:
    text = (html + escape_value(value)) * many
    for rich in (render_html(text), join(*[label_line(value, html), plain(value)] * many)):
        for message, units in sent(rich, limit):
            assert refused(message, units) == []


@quickly
@given(html=HTML, many=MANY, limit=LIMITS)
def test_nothing_in_a_text_is_tappable(html: str, many: int, limit: int) -> None:
    for rich in (render_html(html * many), plain(html * many)):
        for message, _ in sent(rich, limit):
            assert live(message) == []
            assert {entity["type"] for entity in message.entities} <= {*TAGS.values(), "pre"}


@quickly
@given(value=VALUES, many=MANY, limit=LIMITS)
@example(value="a\u1dc2\u030a", many=1, limit=16)
def test_a_value_is_shown_to_its_last_character(value: str, many: int, limit: int) -> None:
    whole = value * many
    assume(len(escape_value(whole)) <= LONGEST)
    for rich in (plain(whole), render_html(escape_value(whole)), label_line("Label", whole)):
        shown = "".join(message.text for message in split(rich, limit))
        assert seen(shown).removeprefix("Label:") in {seen(whole), seen(whole) or "–"}


@dataclass(frozen=True)
class Part:
    """A value with the tags around it, from the outside."""

    tags: tuple[str, ...]
    value: str

    @property
    def html(self) -> str:
        opened = "".join(f"<{tag}>" for tag in self.tags)
        return opened + escape_value(self.value) + "".join(f"</{tag}>" for tag in reversed(self.tags))

    @property
    def formats(self) -> frozenset[str]:
        kinds = {TAGS[tag] for tag in self.tags}
        return frozenset(kinds & {"code", "blockquote"} if "code" in kinds else kinds)


PARTS = st.lists(
    st.builds(Part, st.lists(st.sampled_from(sorted(TAGS)), max_size=3, unique=True).map(tuple), VALUES),
    max_size=6,
)


@quickly
@given(parts=PARTS)
def test_a_value_has_the_formatting_of_its_place_and_no_other(parts: Sequence[Part]) -> None:
    rich = render_html("".join(part.html for part in parts))
    expected = [(char, part.formats) for part in parts for char in seen(part.value)]
    shown = [(each, kinds) for char, kinds in formatted(rich) for each in seen(char)]
    assert shown == expected
