import asyncio
from typing import Any

from devstack.demo.chat import ChatFeed, changed, direction, posted
from devstack.demo.transcript import Line, Note, Transcript
from devstack.people import Person, Town

BOT = {"id": 1, "first_name": "Stepgram", "is_bot": True}
ADA = {"id": 7, "first_name": "Ada", "is_bot": False}
PRIVATE = {"id": 7, "type": "private", "first_name": "Ada"}
GROUP = {"id": -5, "type": "supergroup", "title": "Chess Club"}


def message(text: str = "", *buttons: str, **more: Any) -> dict[str, Any]:
    """A message of the bot to Ada, as the sandbox shows it."""
    markup = {"inline_keyboard": [[{"text": caption} for caption in buttons]]} if buttons else None
    shown = {"message_id": 3, "from": BOT, "chat": PRIVATE, "text": text, "reply_markup": markup}
    return {**shown, **more}


class Heard(Transcript):
    """A transcript that only listens."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def add(self, news: Line | Note) -> None:
        assert isinstance(news, Line)
        self.lines.append((news.who, news.body.plain))


def test_everybody_is_told_from_whom_and_to_whom() -> None:
    assert direction(message("hi")) == "Stepgram > Ada"
    assert direction({"from": ADA, "chat": PRIVATE}) == "Ada > Stepgram"
    assert direction({"from": ADA, "chat": GROUP}) == "Ada > Chess Club"
    assert direction({"from": BOT, "chat": GROUP}) == "Stepgram > Chess Club"


def test_buttons_stand_in_brackets_below_the_text() -> None:
    assert posted(message("Go on?", "Continue", "Cancel")).plain == "Go on?\n[Continue] [Cancel]"


def test_a_keyboard_in_place_of_the_persons_is_told_from_buttons() -> None:
    keyboard = {"reply_keyboard": {"keyboard": [[{"text": "Pick a group"}]]}}
    assert posted(message("Another one?", sandbox=keyboard)).plain == "Another one?\n⌨ [Pick a group]"


def test_pictures_and_files_are_named_with_their_size() -> None:
    sizes = [{"width": 90, "height": 51}, {"width": 1080, "height": 1350}]
    assert posted(message(photo=sizes)).plain == "▣ a picture, 1080 × 1350"
    for size_bytes, shown in ((18, "18 bytes"), (13_505, "13.5 kB"), (2_000_000, "2.0 MB")):
        document = {"file_name": "result.json", "file_size": size_bytes}
        assert posted(message(document=document)).plain == f"▤ result.json, {shown}"


def test_a_reply_quotes_what_it_replies_to() -> None:
    asked = {"message_id": 1, "document": {"file_name": "holiday.jpg"}}
    assert posted(message("I need a .json file", reply_to_message=asked)).plain.startswith(
        "(on “holiday.jpg”)"
    )


def test_bold_text_is_bold_also_behind_characters_of_two_utf16_units() -> None:
    text = posted(message("🎉🎉 Chess Club!", entities=[{"type": "bold", "offset": 5, "length": 10}]))
    assert text.plain == "🎉🎉 Chess Club!"
    assert [(span.start, span.end, span.style) for span in text.spans] == [(3, 13, "bold")]


def test_nothing_that_steers_a_terminal_or_has_no_width_comes_through() -> None:
    hostile = "\x1b[2J1. @\u2060ada\u200e — \u202eevil\u202c\r\x07 \x9b31m\nnext"
    assert posted(message(hostile)).plain == "[2J1. @ada — evil 31m\nnext"


def test_an_answered_prompt_shows_only_what_was_added() -> None:
    before = message("Community audit\n\nThe audit counts …", "Continue", "Cancel")
    now = message("Community audit\n\nThe audit counts …\n\n✓ Continue · Ada")
    text = changed(before, now)
    assert text is not None
    assert text.plain == "✎ “Community audit”\n✓ Continue · Ada\n(no buttons any more)"


def test_a_menu_that_becomes_another_shows_the_other() -> None:
    text = changed(message("Which group?", "Chess Club"), message("Chess Club", "Settings"))
    assert text is not None
    assert text.plain == "✎ Chess Club\n[Settings]"


def test_a_menu_whose_buttons_alone_change_shows_them() -> None:
    text = changed(message("Chess Club", "Settings"), message("Chess Club", "Import history", "« Back"))
    assert text is not None
    assert text.plain == "✎ “Chess Club”\n[Import history] [« Back]"


def test_a_change_that_nobody_sees_is_no_line() -> None:
    assert changed(message("hi", "A"), message("hi", "A", edit_date=9)) is None


async def test_a_tap_comes_behind_the_message_on_which_its_button_stands() -> None:
    heard = Heard()
    feed = ChatFeed(heard)
    async with Town("http://127.0.0.1:1") as town:
        ada = Person(town, 7, 7, "Ada")
        shown = message("Go on?", "Continue")
        tapping = asyncio.create_task(feed.tapped(ada, shown, "Continue"))
        await asyncio.sleep(0)
        assert heard.lines == []
        await feed.take({"event": "message", "chat_id": 7, "message": shown})
        await tapping
    assert heard.lines == [
        ("Stepgram > Ada", "Go on?\n[Continue]"),
        ("Ada > Stepgram", "taps [Continue]"),
    ]


async def test_what_goes_is_quoted_and_what_pops_up_is_told_to_its_person() -> None:
    heard = Heard()
    feed = ChatFeed(heard)
    await feed.take({"event": "user", "user": ADA})
    await feed.take({"event": "message", "chat_id": 7, "message": message("A question\nof two lines")})
    await feed.take({"event": "delete", "chat_id": 7, "message_id": 3})
    await feed.take({"event": "callback_answer", "user_id": 7, "text": "This button is out of date."})
    await feed.take({"event": "callback_answer", "user_id": 7, "text": ""})
    assert heard.lines[1:] == [
        ("Stepgram > Ada", "(takes away “A question”)"),
        ("Stepgram > Ada", "(pops up) This button is out of date."),
    ]
