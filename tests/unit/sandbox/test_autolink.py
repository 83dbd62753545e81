"""Plain text becomes live where Telegram makes it live."""

from __future__ import annotations

import pytest

from devstack.sandbox.autolink import find_entities
from devstack.sandbox.text import Entity, FormattedText, finish, utf16_slice


@pytest.mark.parametrize(
    ("text", "live"),
    [
        ("see https://x.example/a_b?c=d#e, ok", ["url:https://x.example/a_b?c=d#e"]),
        ("see example.com.", ["url:example.com"]),
        ("(https://en.org/a_(b))", ["url:https://en.org/a_(b)"]),
        ("report.zip and main.py but not data.json", ["url:report.zip", "url:main.py"]),
        ("http://localhost:80/x", []),
        ("10.0.0.1/x", ["url:10.0.0.1/x"]),
        ("mail ann@x.org now", ["email:ann@x.org"]),
        ("hi @ann_b and @x", ["mention:@ann_b"]),
        (
            "/start go /tasks@stepgram_bot a/b 1/2 //x",
            ["bot_command:/start", "bot_command:/tasks@stepgram_bot"],
        ),
        ("#tag #1 #_ $USD", ["hashtag:#tag", "cashtag:$USD"]),
        ("😀 /go", ["bot_command:/go"]),
        ("3.5 kg, v1.2.3, e.g. this", []),
    ],
)
def test_links_names_and_commands_become_live(text: str, live: list[str]) -> None:
    found = [f"{one.type}:{utf16_slice(text, one.offset, one.length)}" for one in find_entities(text)]
    assert found == live


def test_nothing_becomes_live_inside_code() -> None:
    text = "/go x.com"
    code = Entity("code", 0, 9)
    assert finish(FormattedText(text, (code,)), find_entities(text)).entities == (code,)


def test_inside_bold_it_still_becomes_live() -> None:
    text = "/go x.com"
    kept = finish(FormattedText(text, (Entity("bold", 0, 9),)), find_entities(text))
    assert [entity.type for entity in kept.entities] == ["bold", "bot_command", "url"]


def test_text_is_trimmed_and_entities_move_with_it() -> None:
    kept = finish(FormattedText("  ab  ", (Entity("bold", 1, 3), Entity("italic", 4, 2))), [])
    assert kept == FormattedText("ab", (Entity("bold", 0, 2),))


def test_only_the_first_hundred_entities_stay() -> None:
    text = "ab" * 60
    entities = tuple(Entity("bold" if n % 2 else "italic", n, 1) for n in range(120))
    assert len(finish(FormattedText(text, entities), []).entities) == 100
