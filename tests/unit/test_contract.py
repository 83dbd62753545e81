"""The author's contract: what every name and key means, and how a mistake is told."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import AuthorError
from shared.steps import contract, fields
from shared.steps.conversation import content
from shared.steps.keys import KINDS, STEP_KEYS
from shared.steps.model import Action, Ask, Option, Shown, Step
from shared.steps.reading import Declared, as_text
from tests.fakes.steps import ANN, declare, read
from tests.support.contract_proof import ITEMS

FILE: Mapping[str, str] = {"s3_export": "The export"}
TEXT: Mapping[str, str] = {"text_intro": "Hello"}

VALID_KEYS = {
    "currency": "EUR",
    "links": "true",
    "strip_metadata": "true",
    "validate": "telegram_export",
    "validate_with": "date,amount",
    "label": "Caption",
    "without_form": "true",
    "order": "1",
    "style": "danger",
    "required": "true",
    "help": "Like this",
    "accept": ".json,.zip",
    "max_bytes": "1000",
    "types": "document,photo",
    "min_files": "2",
    "retention": "P90D",
    "link_lifetime": "PT1H",
    "max_files": "3",
    "public": "true",
    "type": "string",
    "default": "abc",
    "min": "1",
    "max": "9",
    "pattern": "[a-z]+",
    "options": "abc|def",
    "unit": "kg",
}
VALID_STEP_KEYS = {
    "title": "A title",
    "recipient": "tg_user_7",
    "allow": "admins",
    "thread": "17",
    "review": "true",
    "cancellable": "true",
    "on_cancel": "GIVEN_UP",
    "after": "summarise",
    "claim": "true",
    "votes": "2",
    "reminder_after": "PT4H",
    "expires_after": "P2D",
    "on_expire": "TOO_LATE",
    "escalate_after": "P1D",
    "escalate_to": "tg_user_8",
}
NEEDED = {
    "expires_after": "on_expire",
    "on_expire": "expires_after",
    "escalate_after": "escalate_to",
    "escalate_to": "escalate_after",
}
"""Keys of a step that mean nothing without another one."""


def problem(
    inputs: Mapping[str, Any] | None = None, properties: Mapping[str, str] | None = None, **more: Any
) -> str:
    """The message of the author's error that this declaration meets."""
    with pytest.raises(AuthorError) as caught:
        read(inputs, properties, **more)
    return str(caught.value)


# names


def test_a_name_says_what_an_item_is() -> None:
    step = read(
        {
            "text_intro": "Hello",
            "Amount": 12,
            "photo_chart": "charts/1.png",
            "file_report": "reports/1.pdf",
            "action_yes": "Yes",
            "s3_export": "The export",
            "form_comment": None,
            "colour": None,
        },
        {"colour.type": "choice", "colour.options": "red|blue"},
    )
    assert [(item.kind, item.name, item.value) for item in step.shown] == [
        ("text", "text_intro", "Hello"),
        ("line", "Amount", "12"),
        ("photo", "photo_chart", "charts/1.png"),
        ("file", "file_report", "reports/1.pdf"),
    ]
    assert [(ask.name, ask.type) for ask in step.asks] == [
        ("s3_export", "file"),
        ("form_comment", "string"),
        ("colour", "choice"),
    ]
    assert step.actions == (Action(name="yes", caption="Yes"),)


def test_items_keep_the_order_of_the_diagram() -> None:
    step = read({"text_b": "b", "Line": "l", "text_a": "a", "action_z": "z", "action_a": "a"})
    assert [item.name for item in step.shown] == ["text_b", "Line", "text_a"]
    assert [action.name for action in step.actions] == ["z", "a"]


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", ["text_x", "Line", "photo_x", "file_x"])
def test_an_expression_that_gave_nothing_shows_nothing(name: str, value: str | None) -> None:
    assert read({**TEXT, name: value}).shown == (Shown(kind="text", name="text_intro", value="Hello"),)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        (True, "Yes"),
        (False, "No"),
        (0, "0"),
        (1.5, "1.5"),
        (1000.0, "1000"),
        (12345.5, "12,345.5"),
        (1e300, "1e+300"),
        (["a", 1, True], "a, 1, Yes"),
        ({"ä": 1, "b": [2, 3]}, "ä: 1, b: 2, 3"),
        (datetime(2026, 3, 14, tzinfo=UTC), "Mar 14, 2026"),
        (datetime(2026, 3, 14, 15, 30, tzinfo=UTC), "Mar 14, 2026, 15:30"),
    ],
)
def test_a_value_is_shown_as_people_read_it(value: Any, shown: str) -> None:
    (line,) = content(read({"Value": value}))
    assert line.rich.text == f"Value: {shown}"


def test_a_line_has_the_inputs_name_as_its_label_unless_one_is_given() -> None:
    labels = [item.label for item in read({"Amount": "1", "Due": "2"}, {"Due.label": "Due on"}).shown]
    assert labels == ["Amount", "Due on"]


def test_the_people_whom_a_step_asks_are_never_shown_as_lines() -> None:
    step = read({**TEXT, "telegram_user_id": 7, "chat_id": -5, "recipient": "8", "title": "T"})
    assert [item.name for item in step.shown] == ["text_intro"]


# keys


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, of in KINDS.items() for key in of.keys])
def test_every_key_of_the_contract_is_taken_as_property_and_as_input(kind: str, key: str) -> None:
    item = ITEMS[kind]
    named = f"{item}.{key}"
    base: dict[str, Any] = {**TEXT, item: None if kind == "field" else 5 if kind == "line" else "abc"}
    base |= {f"{item}.type": "decimal"} if (kind, key) == ("field", "currency") else {}
    base |= {f"{item}.max_files": "3"} if key == "min_files" else {}
    if key == "order":
        base = {**TEXT, "action_before": "abc", item: "abc"}
    base |= {f"{item}.validate": "csv_header"} if key == "validate_with" else {}
    value = "false" if (kind, key) == ("s3", "required") else VALID_KEYS[key]
    by_property = read(base, {named: value})
    by_input = read({**base, named: value}, {named: "<nothing that fits>"})
    assert by_property == by_input
    # A string is what a form_ field is without a type, and that validator needs its columns.
    if key not in {"type", "validate_with"}:
        assert by_property != read(base), "the key must change something"


@pytest.mark.parametrize("key", sorted(STEP_KEYS))
def test_every_key_of_the_step_is_taken_as_property_and_as_input(key: str) -> None:
    codes = frozenset({"GIVEN_UP", "TOO_LATE"})
    base = {**TEXT, "action_yes": "Yes"}
    needed = {NEEDED[key]: VALID_STEP_KEYS[NEEDED[key]]} if key in NEEDED else {}
    by_property = read(base, {key: VALID_STEP_KEYS[key], **needed}, recipient=-5, caught_codes=codes)
    by_input = read({**base, key: VALID_STEP_KEYS[key]}, needed, recipient=-5, caught_codes=codes)
    # An input that has the name of a result is also to be deleted before that.
    assert (
        by_property
        == by_input.model_copy(update={"shadows": by_property.shadows})
        != read(base, recipient=-5)
    )


def test_an_input_of_the_same_name_makes_a_key_dynamic() -> None:
    step = read({"form_x": None, "form_x.label": "From the process"}, {"form_x.label": "From the diagram"})
    assert step.asks[0].label == "From the process"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_unknown_key_is_told_with_the_nearest_and_all_allowed(kind: str) -> None:
    item = ITEMS[kind]
    keys = KINDS[kind].keys
    near = min(keys)
    typo = near + "_"
    message = problem({**TEXT, item: "abc"}, {f"{item}.{typo}": "1"})
    assert message.startswith("activity 'ask': ")
    assert f"{item}.{typo}: unknown key {typo!r}, did you mean {near!r}?" in message
    assert "allowed: " + ", ".join(sorted(keys)) in message


def test_an_unknown_property_is_told_with_the_nearest_and_all_allowed() -> None:
    message = problem(TEXT, {"titel": "T"})
    assert "activity 'ask': titel: unknown property, did you mean 'title'?" in message
    assert "allowed: " + ", ".join(sorted(STEP_KEYS)) in message


def test_a_key_of_an_item_that_is_not_there_is_told_with_the_nearest() -> None:
    message = problem({"action_approve": "Yes"}, {"action_aprove.label": "Yes", "Nobody.label": "x"})
    assert "Nobody.label: there is no item 'Nobody'; allowed: action_approve, action_aprove" in message


@pytest.mark.parametrize("name", [".", ".type", "..", "form_x.min.max", "form_x.", ".label"])
def test_a_name_that_is_all_dots_is_told(name: str) -> None:
    assert f"{name}: " in problem({**TEXT, "form_x": None}, {name: "string"})


def test_every_problem_is_told_at_once() -> None:
    message = problem(
        {"form_a": None, "form_b": None},
        {"form_a.type": "nmber", "form_b.min": "low", "titel": "x"},
        recipient=None,
    )
    assert message.count(" | ") == 3
    for name in ("form_a.type", "form_b.min", "titel", "recipient"):
        assert f"{name}: " in message


# whom it asks


@pytest.mark.parametrize(
    ("value", "chat_id", "recipient_id"),
    [
        (7, 7, 7),
        ("7", 7, 7),
        (" 7 ", 7, 7),
        ("tg_user_7", 7, 7),
        (6_000_000_000, 6_000_000_000, 6_000_000_000),
        (-1001234567890, -1001234567890, None),
        ("-5", -5, None),
    ],
)
def test_a_recipient_is_a_person_an_engine_user_or_a_group(
    value: Any, chat_id: int, recipient_id: int | None
) -> None:
    for name in ("telegram_user_id", "chat_id", "recipient"):
        step = read({**TEXT, name: value}, recipient=None)
        assert (step.chat_id, step.recipient_id) == (chat_id, recipient_id), name


@pytest.mark.parametrize("value", [None, ""])
def test_a_step_that_names_nobody_is_told_what_to_name(value: Any) -> None:
    message = problem(TEXT, recipient=value)
    assert "recipient: nobody is named; give telegram_user_id, tg_user_ID or a chat_id" in message


@pytest.mark.parametrize(
    "value", ["Ann", "@ann", "0", "tg_user_", "tg_user_0", "7.5", 7.0, "7 8", "9" * 19, True, [7], "１２x"]
)
def test_a_malformed_recipient_is_told_with_what_was_found(value: Any) -> None:
    message = problem(TEXT, recipient=value)
    assert f"recipient: found {as_text(value)!r}; a Telegram user id, tg_user_ID or" in message


def test_the_recipient_of_the_step_comes_before_the_persons_and_the_chats_id() -> None:
    assert read({**TEXT, "telegram_user_id": 1, "chat_id": 2, "recipient": 3}).chat_id == 3
    assert read({**TEXT, "telegram_user_id": 1, "chat_id": 2}).chat_id == 1
    assert read(TEXT, {"recipient": "4"}).chat_id == 4


@pytest.mark.parametrize(
    ("allow", "kept"), [("anyone", "anyone"), ("admins", "admins"), ("7", (7,)), (" 7 , 8 ", (7, 8))]
)
def test_who_in_a_group_may_answer(allow: str, kept: Any) -> None:
    assert read(TEXT, {"allow": allow}, recipient=-5).allow == kept


@pytest.mark.parametrize("allow", ["admin", "7,", "Ann", "7;8", "-7", "group:", "group:a b", "0"])
def test_a_rule_that_is_none_is_told(allow: str) -> None:
    message = problem(TEXT, {"allow": allow}, recipient=-5)
    assert f"allow: found {allow!r}; allowed: anyone, admins, starter, group:NAME, or user ids" in message


def test_the_starter_is_whom_the_process_was_started_for() -> None:
    starter = {"allow": "starter"}
    assert read(TEXT, starter, recipient=-5, starter="tg_user_7").allow == (7,)
    assert "allow: found 'starter', but the process variable telegram_user_id is 'not set'" in problem(
        TEXT, starter, recipient=-5, starter=""
    )


def test_a_vote_is_on_buttons_alone_and_of_several() -> None:
    votes = {"votes": "2"}
    assert "votes: only buttons can be voted on" in problem({"form_x": None}, votes, recipient=-5)
    assert "votes: only buttons can be voted on" in problem(TEXT, votes, recipient=-5)
    both = {**votes, "claim": "true"}
    assert "votes: found together with claim" in problem({"action_a": "A"}, both, recipient=-5)
    for wrong in ("0", "many", "-1", "1.5"):
        assert f"votes: found {wrong!r}" in problem({"action_a": "A"}, {"votes": wrong}, recipient=-5)


def test_in_a_private_chat_nobody_claims_and_nobody_votes() -> None:
    step = read({"action_a": "A"}, {"claim": "true", "votes": "2"})
    assert (step.claim, step.votes) == (False, None)


# values of keys


@pytest.mark.parametrize("value", ["true", "TRUE", "True", True])
def test_a_flag_is_true_in_any_case(value: Any) -> None:
    assert read({**TEXT, "action_a": "A", "review": value}).review is True


@pytest.mark.parametrize("value", ["yes", "1", 1, "wahr", "tru"])
def test_a_flag_that_is_none_is_told(value: Any) -> None:
    message = problem({**TEXT, "action_a": "A", "review": value})
    assert f"review: found {str(value)!r}; allowed: true, false" in message


@pytest.mark.parametrize("value", ["low", "1,5", "nan", "inf", "-Infinity", "0x10"])
def test_a_number_that_is_none_is_told(value: str) -> None:
    message = problem({"form_x": None}, {"form_x.min": value})
    assert f"form_x.min: found {value!r}; a number is expected" in message


@pytest.mark.parametrize("value", ["1.5", "many", "1" * 19, "1_0"])
def test_a_whole_number_that_is_none_is_told(value: str) -> None:
    assert f"found {value!r}; a whole number is expected" in problem(FILE, {"s3_export.max_bytes": value})
    assert f"thread: found {value!r}; a whole" in problem(TEXT, {"thread": value})


def test_an_empty_key_counts_as_not_given() -> None:
    keys = ("min", "max", "required", "options")
    assert read({"form_x": None}, {f"form_x.{key}": "" for key in keys}) == read({"form_x": None})


def test_the_general_topic_is_told_to_be_left_out() -> None:
    assert "thread: found 1; Telegram refuses the general topic" in problem(TEXT, {"thread": "1"})


# fields


def test_an_unknown_type_is_told_with_the_nearest_and_all_allowed() -> None:
    message = problem({"form_x": None}, {"form_x.type": "interger"})
    assert "form_x.type: found 'interger', did you mean 'integer'?" in message
    assert "allowed: " + ", ".join(sorted(fields.TYPES)) in message


@pytest.mark.parametrize("name", sorted(fields.TYPES))
def test_every_type_of_the_registry_is_taken(name: str) -> None:
    options = {"form_x.options": "1|0"} if name in {"choice", "multichoice"} else {}
    asked = read({"form_x": None}, {"form_x.type": name, **options})
    assert asked.asks[0].type == name


def test_the_value_of_a_field_is_its_default() -> None:
    step = read({"form_x": 5, "form_y": 5}, {"form_x.type": "integer", "form_y.default": "6"})
    assert [ask.default for ask in step.asks] == ["5", "6"]


@pytest.mark.parametrize(
    ("type_name", "default"), [("integer", "many"), ("date", "soon"), ("email", "me"), ("choice", "green")]
)
def test_a_default_must_itself_be_an_answer(type_name: str, default: str) -> None:
    properties = {"form_x.type": type_name, "form_x.default": default}
    if type_name == "choice":
        properties["form_x.options"] = "red|blue"
    assert f"form_x.default: found {default!r}; " in problem({"form_x": None}, properties)


def test_a_pattern_that_is_none_is_told() -> None:
    message = problem({"form_x": None}, {"form_x.pattern": "["})
    assert "form_x.pattern: found '['; no regular expression: " in message


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("a|b", [("a", "a"), ("b", "b")]),
        ("a=Alpha|b = Beta ||", [("a", "Alpha"), ("b", "Beta")]),
        ("a=b=c", [("a", "b=c")]),
        (["x", 2, True], [("x", "x"), ("2", "2"), ("true", "true")]),
        ({"de": "Germany", "fr": 33}, [("de", "Germany"), ("fr", "33")]),
    ],
)
def test_options_are_a_text_a_list_or_a_map(options: Any, kept: list[tuple[str, str]]) -> None:
    step = read({"form_x": None, "form_x.options": options}, {"form_x.type": "choice"})
    assert [(each.value, each.caption) for each in step.asks[0].options] == kept


@pytest.mark.parametrize("options", ["", "|", [], {}, None])
def test_a_choice_without_options_is_told(options: Any) -> None:
    message = problem({"form_x": None, "form_x.options": options}, {"form_x.type": "choice"})
    assert "form_x.options: a choice without options; give a|b|c or a list variable" in message


def test_an_option_that_the_field_itself_would_refuse_is_told() -> None:
    message = problem({"form_x": None}, {"form_x.type": "integer", "form_x.options": "1|many"})
    assert "form_x.options: found 'many'" in message


def test_more_options_than_a_message_has_room_for_are_told() -> None:
    message = problem(
        {"form_x": None, "form_x.options": [str(n) for n in range(600)]}, {"form_x.type": "choice"}
    )
    assert "form_x.options: found 600 options" in message


# files


def test_a_file_is_required_unless_said_otherwise() -> None:
    assert read(FILE).asks == (Ask(name="s3_export", type="file", label="The export", required=True),)
    assert read(FILE, {"s3_export.required": "false"}).asks[0].required is False


def test_accepted_extensions_are_lower_case_and_trimmed() -> None:
    assert read(FILE, {"s3_export.accept": " .JSON , .zip,"}).asks[0].accept == (".json", ".zip")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("max_files", "0", "1 to 50"),
        ("max_files", "51", "1 to 50"),
        ("min_files", "2", "1 to max_files, 1,"),
        ("types", "document,phot", "did you mean 'photo'"),
    ],
)
def test_numbers_and_sorts_of_files_that_cannot_be_are_told(key: str, value: str, found: str) -> None:
    assert found in problem(FILE, {f"s3_export.{key}": value})


def test_a_photo_that_would_always_be_refused_is_told() -> None:
    keys = {"s3_export.types": "photo", "s3_export.accept": ".png"}
    assert ".jpeg, .jpg" in problem(FILE, keys)
    assert read(FILE, keys | {"s3_export.accept": ".png,.jpg"}).asks[0].types == ("photo",)


@pytest.mark.parametrize("accept", ["json", "*.json", "application/json", ".tar.gz", "."])
def test_what_is_no_extension_is_told(accept: str) -> None:
    message = problem(FILE, {"s3_export.accept": accept})
    assert f"s3_export.accept: found {accept!r}; extensions are expected, like .json,.zip" in message


# buttons


def test_a_caption_is_the_label_else_the_value_else_the_name() -> None:
    step = read({"action_a": "Value", "action_b": "Value", "action_c": None}, {"action_a.label": "Label"})
    assert [action.caption for action in step.actions] == ["Label", "Value", "c"]


@pytest.mark.parametrize("caption", [" ", "\n", "\u200b", "\u2800"])
def test_a_caption_of_which_nothing_is_seen_is_not_used(caption: str) -> None:
    assert read({"action_a": caption}).actions[0].caption == "a"


def test_the_way_back_stands_last() -> None:
    step = read({"action_back": "Back", "action_b": "B", "action_a": "A"})
    assert [action.name for action in step.actions] == ["b", "a", "back"]


def test_buttons_stand_as_they_are_numbered_then_as_in_the_diagram() -> None:
    buttons = {f"action_{name}": name for name in ("back", "c", "b", "z", "a", "y")}
    order = {"action_a.order": "1", "action_b.order": "2", "action_c.order": "1", "action_back.order": "-9"}
    step = read(buttons, order)
    assert [action.name for action in step.actions] == ["c", "a", "b", "z", "y", "back"]
    assert "action_a.order: found 'first'; a whole number" in problem(buttons, {"action_a.order": "first"})


def test_a_style_is_one_that_telegram_knows() -> None:
    for style in ("danger", "success", "primary"):
        assert read({"action_a": "A"}, {"action_a.style": style}).actions[0].style == style
    message = problem({"action_a": "A"}, {"action_a.style": "red"})
    assert "action_a.style: found 'red'; allowed: danger, primary, success" in message


@pytest.mark.parametrize("name", ["photo_x", "file_x"])
def test_a_picture_or_document_is_a_key_or_an_https_address(name: str) -> None:
    for right in ("charts/1.png", "https://example.org/a b.png".replace(" ", "%20"), "https://example.org"):
        assert read({name: right}).shown[0].value == right
    for wrong in ("http://example.org/x", "file:///etc/passwd", "https://me:pw@example.org/x", "https://"):
        assert f"{name}: found {wrong!r}; a key of the bucket, or an https:// address" in problem(
            {name: wrong}
        )


def test_a_caption_that_is_too_long_is_told() -> None:
    message = problem({"action_a": "x" * 65})
    assert "action_a: its caption has 65 characters; at most 64 are shown" in message
    assert read({"action_a": "x" * 64}).actions[0].caption == "x" * 64


def test_too_many_buttons_are_told() -> None:
    many = {f"action_{n}": "x" for n in range(contract.MAX_ACTIONS + 1)}
    assert "action_*: found 101 buttons; at most 100 fit" in problem(many)


# the whole


def test_a_step_that_shows_and_asks_nothing_is_told() -> None:
    assert "text_*: the step shows nothing and asks nothing; give it a text_…" in problem({})
    assert "the step shows nothing" in problem({"text_a": ""})


def test_a_topic_that_waits_for_a_file_needs_one_asked_for() -> None:
    assert "s3_*: this topic waits for a file" in problem(TEXT, needs_file=True)
    assert read(FILE, needs_file=True).asks[0].is_file


@pytest.mark.parametrize(
    ("inputs", "properties", "named"),
    [
        ({"action_a": "A"}, {}, "action_a"),
        ({"form_x": None}, {}, "form_x"),
        ({"s3_x": None}, {}, "s3_x"),
        ({}, {"review": "true"}, "review"),
    ],
)
def test_a_notice_asks_nothing(inputs: Any, properties: Any, named: str) -> None:
    message = problem({**TEXT, **inputs}, properties, may_ask=False)
    assert f"{named}: a notice asks nothing; use render_task to ask" in message
    assert read(TEXT, may_ask=False).asks_nothing


@pytest.mark.parametrize("codes", [frozenset({"GIVEN_UP", "LATE"}), None])
def test_a_code_that_is_caught_may_be_thrown(codes: frozenset[str] | None) -> None:
    assert read(TEXT, {"on_cancel": "GIVEN_UP"}, caught_codes=codes).on_cancel == "GIVEN_UP"


def test_a_code_that_nothing_catches_is_told_with_those_that_are_caught() -> None:
    message = problem(TEXT, {"on_cancel": "GIVE_UP"}, caught_codes=frozenset({"LATE", "BAD"}))
    assert "on_cancel: nothing catches the BPMN error 'GIVE_UP', it would end the instance" in message
    assert "allowed: BAD, LATE" in message
    assert "allowed: none" in problem(TEXT, {"on_cancel": "GIVE_UP"}, caught_codes=frozenset())


# time

SURE: Mapping[str, Any] = {**TEXT, "action_yes": "Yes"}
TIMES = {"reminder_after": "PT4H", "expires_after": "P2D", "on_expire": "LATE"}
LATE = frozenset({"LATE"})


def test_the_times_of_a_step_are_kept_in_seconds() -> None:
    times = {**TIMES, "escalate_after": "P1DT12H", "escalate_to": "tg_user_8"}
    step = read(SURE, times, caught_codes=LATE)
    assert (step.reminder_after_s, step.escalate_after_s, step.expires_after_s) == (14_400, 129_600, 172_800)
    assert (step.on_expire, step.escalate_to) == ("LATE", 8)
    assert step.is_timed
    assert not read(SURE).is_timed


@pytest.mark.parametrize("key", ["reminder_after", "expires_after", "escalate_after"])
@pytest.mark.parametrize(
    "value", ["4 hours", "P", "PT", "P1M", "P1Y2M", "-P1D", "PT0S", "P9999W", "PT1.5H", 4]
)
def test_what_is_no_duration_is_told_with_what_is_one(key: str, value: Any) -> None:
    message = problem({**SURE, key: value}, VALID_STEP_KEYS | {"recipient": "7"}, caught_codes=None)
    assert f"{key}: found {str(value)!r}; " in message
    wanted = "at most ten years" if value in {"PT0S", "P9999W"} else "like P"
    assert wanted in message
    assert ("no fixed length" in message) == (value in {"P1M", "P1Y2M"})


def test_an_expiry_that_nothing_catches_is_told_with_what_is_caught() -> None:
    message = problem(SURE, TIMES, caught_codes=frozenset({"GONE"}))
    assert "on_expire: nothing catches the BPMN error 'LATE'" in message
    assert "allowed: GONE" in message


@pytest.mark.parametrize(("key", "other"), NEEDED.items())
def test_a_time_needs_its_consequence_and_a_consequence_its_time(key: str, other: str) -> None:
    message = problem(SURE, {key: VALID_STEP_KEYS[key]}, caught_codes=None)
    assert f"{other}: nothing is given, and {key} " in message
    assert f"; give {other}" in message


def test_a_time_whose_expression_gives_nothing_is_none() -> None:
    inputs = {**SURE, "expires_after": None, "escalate_after": ""}
    step = read(inputs, {"on_expire": "LATE", "escalate_to": "8"}, caught_codes=LATE)
    assert not step.is_timed


def test_whom_a_step_is_handed_over_to_is_a_chat() -> None:
    message = problem(SURE, {"escalate_after": "P1D", "escalate_to": "the boss"})
    assert "escalate_to: found 'the boss'; a Telegram user id, tg_user_ID or a chat_id is expected" in message


def test_a_notice_has_no_times() -> None:
    message = problem(TEXT, TIMES, caught_codes=LATE)
    assert "reminder_after, expires_after: the step asks nothing, so it waits for nobody" in message


def test_inputs_with_the_name_of_a_result_are_known_as_shadows() -> None:
    step = read(
        {
            "text_a": "x",
            "action_yes": "Yes",
            "action": "what was chosen last",
            "s3_file": "File",
            "form_x": 1,
        },
        {"form_y.type": "string"},
    )
    assert set(step.shadows) == {"action_yes", "action", "s3_file", "form_x"}
    assert set(step.shadows) <= set(step.result_names())


def test_a_result_must_have_a_name_of_its_own() -> None:
    message = problem({"action_yes": "Yes", "action": "x"}, {"action.type": "string"})
    assert "action: two results have this name" in message
    assert "s3_f_meta: two results have this name" in problem({"s3_f": "File", "s3_f_meta": "x"})


def test_results_are_local_where_the_activity_declares_outputs() -> None:
    assert read(TEXT, local_results=True).local_results
    assert not read(TEXT).local_results


def test_a_name_means_something_wherever_it_comes_from() -> None:
    for name in ("text_a", "action_b", "form_c", "s3_d", "title", "chat_id", "Line.label", "x.type"):
        assert contract.is_item(name), name
    assert not contract.is_item("amount")


def test_a_step_names_its_recipient_by_input_or_property() -> None:
    assert contract.names_recipient({"chat_id": 5}, {})
    assert contract.names_recipient({}, {"recipient": "5"})
    assert not contract.names_recipient({"telegram_user_id": None}, {"title": "T"})


# what is kept

FULL = read(
    {
        "text_a": "<b>Hello</b>",
        "Line": "1",
        "photo_p": "a.png",
        "form_n": None,
        "form_n.options": {"1": "one", "2": "two"},
        "s3_f": "File",
        "action_yes": "Yes",
    },
    {
        "text_a.links": "true",
        "form_n.type": "integer",
        "form_n.min": "0.5",
        "s3_f.accept": ".json",
        "s3_f.max_bytes": "10",
        "allow": "7,8",
        "thread": "3",
    },
    recipient=-5,
)


@pytest.mark.parametrize("step", [FULL, read(TEXT), read({"action_a": "A"}), read(FILE)])
def test_a_kept_step_is_the_same_step(step: Step) -> None:
    kept = step.model_dump(mode="json", exclude_defaults=True)
    assert Step.model_validate(kept) == step


def test_a_kept_step_has_the_types_of_its_model() -> None:
    assert FULL.asks[0].options == (Option(value="1", caption="one"), Option(value="2", caption="two"))
    assert FULL.allow == (7, 8)
    assert FULL.asks[1].max_bytes == 10
    assert ANN not in (FULL.chat_id, FULL.recipient_id)


NASTY = (
    "", " ", ".", "..", "a.b", "action_", "action_a", "s3_", "s3_a", "form_", "form_a", "text_a", "photo_a",
    "form_a.type", "form_a.options", "form_a.min", "form_a.pattern", "form_a.default", "s3_a.accept",
    "action_a.label", "title", "recipient", "review", "chat_id", "telegram_user_id", "allow", "\0", "\ud800",
    "🏳️‍🌈", "</b><a href='x'>", "{{7*7}}", "${x}", "'; --", "a" * 5000, "-0", "1e309", "nan", "true", "|", "=",
    "expires_after", "on_expire", "P1D", "reminder_after",
    "a|b=|=c", "(", "(a+)+$", "choice", "integer", "%s%n", "\u202eabc",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_declared_is_a_step_or_an_authors_error(seed: int) -> None:
    chance = random.Random(seed)
    values: tuple[Any, ...] = (*NASTY, None, True, 0, -1, 2**70, 1.5, float("nan"), [], {}, [None], {"": []})
    for _ in range(50):
        inputs = {chance.choice(NASTY): chance.choice(values) for _ in range(chance.randrange(5))}
        properties = {chance.choice(NASTY): chance.choice(NASTY) for _ in range(chance.randrange(5))}
        recipient = chance.choice([ANN, -5, *values])
        found = read_or_complaint(declare(inputs, properties, recipient=recipient))
        if isinstance(found, str):
            assert found.startswith("activity 'ask': ")
        else:
            kept = found.model_dump(mode="json", exclude_defaults=True)
            assert Step.model_validate(kept) == found


def read_or_complaint(declared: Declared) -> Step | str:
    """The step, or what its author reads instead."""
    try:
        return contract.read_step(declared)
    except AuthorError as error:
        return str(error)


def test_how_many_are_chosen_bounds_the_answer_and_no_single_option() -> None:
    step = read(TEXT, {"form_x.type": "multichoice", "form_x.options": "a|b|c", "form_x.min": "2"})
    assert [option.value for option in step.asks[0].options] == ["a", "b", "c"]


def test_problems_can_be_told_one_by_one_with_the_rule_that_each_breaks() -> None:
    _, problems = contract.examine(declare(TEXT, {"titel": "Hi", "thread": "x"}, recipient=None))
    assert [(each.name, each.rule) for each in problems] == [
        ("titel", "unknown-key"),
        ("recipient", "missing-recipient"),
        ("thread", "bad-value"),
    ]


@pytest.mark.parametrize("lifetime", ["P8D", "P7DT1S", "a day", "P1M"])
def test_an_address_holds_for_a_week_at_most(lifetime: str) -> None:
    with pytest.raises(AuthorError, match=r"s3_x\.link_lifetime"):
        read({"s3_x": "A file"}, {"s3_x.link_lifetime": lifetime}, needs_file=True)
