"""How the tutorial is followed: what is taken for a claim, and what fails it."""

from pathlib import Path

import pytest

from tests.support.tutorial import Block, Line, add_lines, blocks, conversation, fits, terminal


def test_a_page_is_its_blocks_with_the_prose_above_each() -> None:
    page = "# A\n\n```sh\nmake run\n```\n\nThen:\n\n```chat\nAda: Hi\n```\n"
    assert blocks(page) == [
        Block("sh", "make run\n", "# A\n\n"),
        Block("chat", "Ada: Hi\n", "\n\nThen:\n\n"),
    ]


@pytest.mark.parametrize(
    ("claimed", "output", "is_so"),
    [
        ("version 1 (…)\n", "version 1 (lunch:1:7)\n", True),
        ("version 1 (…)\n", "version 2 (lunch:1:7)\n", False),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n…", "a\nb\nc\n", True),
        ("what?", "whatx", False),
    ],
)
def test_a_claim_is_of_the_whole_output(claimed: str, output: str, is_so: bool) -> None:
    assert fits(claimed, output) is is_so


def test_a_chat_is_read_as_who_says_what_with_which_buttons() -> None:
    text = "Ada: /start\nStepgram: A request\n    1 of 2: why?\n    [Yes, do] [No]\nAda: [No]\n"
    assert conversation(text) == [
        Line("Ada", ("/start",), ()),
        Line("Stepgram", ("A request", "1 of 2: why?"), ("Yes, do", "No")),
        Line("Ada", (), ("No",)),
    ]


@pytest.mark.parametrize(
    ("text", "captions", "is_so"),
    [
        ("A request\n\n1 of 2: why?", ["Yes", "No"], True),
        ("A request\n\n1 of 3: why?", ["Yes", "No"], False),
        ("1 of 2: why?\nA request", ["Yes", "No"], False),
        ("A request\n\n1 of 2: why?", ["Yes"], False),
    ],
)
def test_a_message_must_show_all_that_is_claimed_of_it(text: str, captions: list[str], is_so: bool) -> None:
    rows = [[{"text": caption} for caption in captions]]
    message = {"text": text, "reply_markup": {"inline_keyboard": rows}}
    assert Line("Stepgram", ("A request", "1 of 2: why?"), ("Yes", "No")).is_in(message) is is_so


def test_lines_are_added_where_the_page_says(tmp_path: Path) -> None:
    xml = '<a id="one"><p>x</p></a><a id="two"><p>y</p></a>'
    (tmp_path / "x.bpmn").write_text(xml)
    above = "Add these lines to\nthe `p` of the step `two` in `x.bpmn`:"
    add_lines(tmp_path, Block("xml", "<q/>", above))
    assert (tmp_path / "x.bpmn").read_text() == xml.replace("y</p>", "y<q/></p>")
    with pytest.raises(AssertionError, match="where to add"):
        add_lines(tmp_path, Block("xml", "<q/>", "Add them."))


async def test_a_terminal_remembers_what_was_set_in_it(tmp_path: Path) -> None:
    async with terminal(tmp_path) as shell:
        assert await shell.run("LUNCH=$(echo x)") == ("", 0)
        assert await shell.run("echo $LUNCH >&2; printf y; false") == ("x\ny", 1)
