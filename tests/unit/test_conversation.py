"""What a step says and in which order, and what its answers become."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import texts
from shared.markup import CAPTION_UNITS, TEXT_UNITS, utf16_len
from shared.steps import conversation
from shared.steps.conversation import (
    Draft,
    closing,
    content,
    next_ask,
    opening,
    outcome,
    question,
)
from shared.steps.keyboards import closing_rows
from shared.steps.model import Step
from shared.steps.widgets import Button, Rows, View, in_rows
from tests.fakes.steps import answer, read, sign

GROUP = -1001234567890
FORM: Mapping[str, Any] = {"form_name": None, "form_age": None, "form_sure": None}
FORM_KEYS = {"form_age.type": "integer", "form_sure.type": "boolean", "form_sure.required": "true"}
ACTIONS = {"action_yes": "Yes", "action_no": "No"}
PICTURE = {"photo_chart": "charts/1.png", "photo_chart.label": "The <chart>"}


def said(draft: Draft) -> str:
    """The words of a draft."""
    return draft.rich.text


def tappable(draft: Draft) -> list[list[Button]]:
    """The buttons of a draft, row by row."""
    return [list(row) for row in draft.rows]


def opened(step: Step, *, dialog_open: bool = True) -> list[Draft]:
    """The opening of a step."""
    return opening(step, sign, dialog_open=dialog_open)


# the opening


def test_a_notice_is_shown_and_has_no_buttons() -> None:
    (draft,) = opened(read({"text_a": "Hello <b>you</b>"}, {"title": "News"}))
    assert (draft.kind, said(draft), draft.rows, draft.force_reply) == (
        "notice",
        "News\n\nHello you",
        (),
        False,
    )
    assert [entity["type"] for entity in draft.rich.entities] == ["bold", "bold"]


def test_a_step_with_actions_has_its_buttons_under_its_text() -> None:
    (draft,) = opened(read({"text_a": "Sure?", **ACTIONS}))
    assert (draft.kind, said(draft), draft.item) == ("action_buttons", "Sure?", "actions")
    assert tappable(draft) == [[("Yes", "a0:"), ("No", "a1:")]]


def test_a_step_of_nothing_but_buttons_asks_for_the_decision() -> None:
    (draft,) = opened(read(ACTIONS))
    assert said(draft) == texts.say("your-decision")


def test_a_review_of_nothing_has_nothing_to_edit() -> None:
    (draft,) = opened(read({"text_a": "All right?"}, {"review": "true"}))
    assert tappable(draft) == [[("Submit", "r:1")]]


def test_the_first_question_stands_under_the_last_text() -> None:
    (draft,) = opened(read({"text_a": "Please tell.", **FORM, **ACTIONS}, FORM_KEYS))
    assert (draft.kind, draft.item) == ("dialog_prompt", "q0")
    assert said(draft) == "Please tell.\n\n1 of 3: name"
    assert tappable(draft) == [[("Skip", "q0:s")]], "the actions come after the questions"


def test_a_form_that_is_not_open_waits_behind_a_button() -> None:
    (draft,) = opened(read({"text_a": "Please tell.", **FORM}), dialog_open=False)
    assert (draft.kind, draft.item, said(draft)) == ("dialog_prompt", "actions", "Please tell.")
    assert tappable(draft) == [[("Answer", "d:")]]


NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_a_step_that_expires_says_until_when_below_its_title() -> None:
    step = read({**ACTIONS, "text_a": "Sure?"}, {"title": "Trip"}).model_copy(update={"until": NOON})
    (draft,) = opened(step)
    assert said(draft) == "Trip\nuntil Mar 14, 2026, 12:00 UTC\n\nSure?"


def test_a_step_is_shown_anew_where_it_stands() -> None:
    step = read({"text_a": "A form", **FORM, **ACTIONS}, FORM_KEYS)
    answers = {"form_name": answer("Ann")}
    upcoming = conversation.shown_anew(step, answers, sign, dialog_open=True)
    assert [draft.item for draft in upcoming] == [None, "q1"]
    waiting = conversation.shown_anew(step, answers, sign, dialog_open=False)
    assert [tappable(draft) for draft in waiting] == [[[(texts.say("button-answer"), "d:")]]]
    answers |= {"form_age": answer(7), "form_sure": answer(True)}
    done = conversation.shown_anew(step, answers, sign, dialog_open=False)
    assert [draft.kind for draft in done] == ["task_content", "action_buttons"]


@pytest.mark.parametrize(("recipient", "rows"), [(7, [[("Show", "s:")]]), (GROUP, [])])
def test_a_reminder_stands_for_the_question_that_is_open(recipient: int, rows: Any) -> None:
    step = read({"text_a": "A form", **FORM}, FORM_KEYS | {"title": "A <trip>"}, recipient=recipient)
    draft = conversation.reminder(step, {"form_name": answer("Ann")}, sign, dialog_open=True, reply_to=5)
    assert (draft.kind, draft.item, draft.reply_to) == ("reminder", "q1", 5)
    assert (said(draft), tappable(draft)) == ("A <trip> still waits for an answer.", rows)
    assert conversation.reminder(step, {}, sign, dialog_open=False, reply_to=None).item is None


def test_a_question_for_a_file_says_how_to_send_it() -> None:
    (draft,) = opened(read({"s3_export": "The export"}, {"s3_export.accept": ".json,.zip"}))
    assert (draft.kind, draft.rows) == ("file_upload_prompt", ())
    assert said(draft).replace("\u2060", "") == (
        "The export\nI am waiting for a file here: tap the paper clip, choose File,"
        " and pick a .json or .zip file."
    )


@pytest.mark.parametrize(
    ("inputs", "kinds", "words"),
    [
        (ACTIONS, ["task_content", "action_buttons"], "Your decision?"),
        (FORM, ["task_content", "dialog_prompt"], "1 of 3: name"),
        ({}, ["notice"], "The <chart>"),
    ],
)
def test_a_picture_keeps_its_own_message(inputs: Any, kinds: list[str], words: str) -> None:
    drafts = opened(read({**PICTURE, **inputs}))
    assert [draft.kind for draft in drafts] == kinds
    assert (drafts[0].photo, said(drafts[0]), said(drafts[-1])) == ("charts/1.png", "The <chart>", words)
    assert drafts[0].rows == ()


def test_texts_and_files_come_in_the_authors_order() -> None:
    step = read(
        {
            "text_a": "One",
            "A": "1",
            "B": "2",
            "text_b": "Two",
            "photo_p": "p.png",
            "file_f": "f.pdf",
            "text_c": "Three",
        }
    )
    drafts = content(step)
    assert [said(draft) for draft in drafts] == ["One\n\nA: 1\nB: 2\n\nTwo", "", "", "Three"]
    assert [(draft.photo, draft.document) for draft in drafts] == [
        (None, None),
        ("p.png", None),
        (None, "f.pdf"),
        (None, None),
    ]


def test_every_message_of_a_step_goes_to_its_thread() -> None:
    step = read({"text_a": "x", **PICTURE, **FORM}, {"thread": "17"}, recipient=GROUP)
    assert [draft.thread_id for draft in opened(step)] == [17, 17, 17]
    assert question(step, 1, sign).thread_id == 17
    with_actions = read({"text_a": "x", **FORM, **ACTIONS}, {"thread": "17"}, recipient=GROUP)
    last = closing(with_actions, {name: answer("x") for name in FORM}, sign)
    assert last is not None
    assert last.thread_id == 17


# questions


def test_a_question_tells_how_far_one_is() -> None:
    step = read(FORM, FORM_KEYS)
    assert said(question(step, 1, sign)) == "2 of 3: age"
    assert said(question(read({"form_x": None}), 0, sign)) == "x"


def test_a_question_has_its_label_unit_and_help() -> None:
    keys = {"form_x.label": "Weight <net>", "form_x.unit": "kg", "form_x.help": "As on the label & box."}
    draft = question(read({"form_x": None}, keys), 0, sign)
    assert said(draft) == "Weight <net> (kg)\nAs on the label & box."


def test_choices_are_buttons_and_a_field_that_is_not_required_can_be_skipped() -> None:
    step = read(FORM, FORM_KEYS)
    assert tappable(question(step, 2, sign)) == [[("Yes", "q2:0"), ("No", "q2:1")], [("« Back", "q2:b")]]
    assert tappable(question(step, 1, sign)) == [[("« Back", "q1:b"), ("Skip", "q1:s")]]


def test_an_action_that_needs_no_form_is_offered_at_every_question() -> None:
    step = read({**FORM, **ACTIONS}, {**FORM_KEYS, "action_no.without_form": "true"})
    assert [tappable(question(step, index, sign))[-1] for index in range(3)] == [[("No", "a1:")]] * 3


@pytest.mark.parametrize(
    ("recipient", "required", "forced"), [(7, True, False), (GROUP, True, True), (GROUP, False, False)]
)
def test_only_a_groups_question_without_buttons_is_a_forced_reply(
    recipient: int, required: bool, forced: bool
) -> None:
    step = read({"form_x": None}, {"form_x.required": str(required)}, recipient=recipient)
    draft = question(step, 0, sign, reply_to=5)
    assert (draft.force_reply, bool(draft.rows), draft.reply_to) == (forced, not required, 5)


def test_the_next_question_is_the_first_without_an_answer() -> None:
    step = read(FORM)
    assert next_ask(step, {}) == 0
    assert next_ask(step, {"form_name": answer("x"), "form_sure": answer(True)}) == 1
    assert next_ask(step, {name: answer(None, "Null") for name in FORM}) is None
    assert next_ask(read(ACTIONS), {}) is None


# buttons


@pytest.mark.parametrize(
    ("captions", "rows"),
    [
        ([], []),
        (["A"], [["A"]]),
        (["A", "B"], [["A", "B"]]),
        (["A", "B", "C"], [["A", "B"], ["C"]]),
        (["x" * 18, "y" * 18], [["x" * 18, "y" * 18]]),
        (["x" * 19, "B", "C"], [["x" * 19], ["B", "C"]]),
        (["A", "x" * 19, "C"], [["A"], ["x" * 19], ["C"]]),
    ],
)
def test_two_buttons_stand_in_a_row_and_a_long_caption_alone(
    captions: list[str], rows: list[list[str]]
) -> None:
    laid_out = in_rows([(caption, "data") for caption in captions])
    assert [[button[0] for button in row] for row in laid_out] == rows


def page(rows: Rows) -> list[list[str]]:
    """The captions of rows of buttons."""
    return [[button[0] for button in row] for row in rows]


def many(count: int, **more: str) -> Step:
    """A step with so many buttons, and more."""
    return read({**{f"action_{number}": f"B{number}" for number in range(count)}, **more})


def test_up_to_twelve_buttons_need_no_pages() -> None:
    captions = [each for row in page(closing_rows(many(12), sign)) for each in row]
    assert captions == [f"B{number}" for number in range(12)]


def test_more_buttons_are_shown_by_pages_with_the_way_back_on_each() -> None:
    step = many(25, action_back="Back")
    assert page(closing_rows(step, sign)) == [
        *([f"B{at}", f"B{at + 1}"] for at in range(0, 10, 2)),
        ["‹", "1 / 3", "›"],
        ["Back"],
    ]
    last = closing_rows(step, sign, 2)
    assert page(last)[-3:] == [["B24"], ["‹", "3 / 3", "›"], ["Back"]]
    assert last[-2] == (("‹", "p:1"), ("3 / 3", "p:n"), ("›", "p:n"))
    assert last[-1] == (("Back", "a25:"),)
    assert closing_rows(step, sign, 99) == last


def test_the_buttons_beside_a_question_have_pages_of_their_own_within_telegrams_hundred() -> None:
    keys = {f"action_{number}.without_form": "true" for number in range(100)} | {
        "form_c.options": "|".join(map(str, range(30))),
        "form_c.type": "multichoice",
    }
    step = read({"form_c": None, **{f"action_{number}": f"B{number}" for number in range(100)}}, keys)
    rows = question(step, 0, sign, view=View(page=1, actions=9)).rows
    assert page(rows)[-2:] == [["B98", "B99"], ["‹", "10 / 10", "›"]]
    assert rows[-1][0] == ("‹", "q0:a8")
    assert sum(map(len, rows)) <= 100


def test_a_button_has_the_style_that_its_author_gives() -> None:
    (draft,) = opened(read(ACTIONS, {"action_no.style": "danger"}))
    (row,) = draft.content()["reply_markup"]["inline_keyboard"]
    assert row == [
        {"text": "Yes", "callback_data": "a0:"},
        {"text": "No", "callback_data": "a1:", "style": "danger"},
    ]


# long texts


def test_a_long_text_is_split_and_its_buttons_stand_under_the_last_part() -> None:
    paragraphs = "<br/><br/>".join(f"{n} " + "word " * 100 for n in range(20))
    drafts = opened(read({"text_a": paragraphs, **ACTIONS}))
    assert len(drafts) > 2
    assert all(utf16_len(said(draft)) <= conversation.MESSAGE_LIMIT for draft in drafts)
    assert [bool(draft.rows) for draft in drafts] == [False] * (len(drafts) - 1) + [True]
    assert [said(draft).split()[0].isdigit() for draft in drafts] == [True] * len(drafts)


def test_a_question_that_does_not_fit_under_the_text_has_its_own_message() -> None:
    drafts = opened(read({"text_a": "x" * conversation.MESSAGE_LIMIT, "form_x": None}))
    assert [draft.kind for draft in drafts] == ["task_content", "dialog_prompt"]


LONG = "word " * 2000


@pytest.mark.parametrize(
    ("inputs", "properties"),
    [
        ({"text_a": LONG}, {}),
        ({"Line": LONG}, {}),
        ({"text_a": "x", "title": LONG}, {}),
        ({"photo_p": "p.png", "photo_p.label": LONG}, {}),
        ({"file_p": "p.pdf", "file_p.label": LONG}, {}),
        ({"form_x": None, "form_x.label": LONG}, {}),
        ({"form_x": None, "form_x.help": LONG}, {}),
        ({"text_a": "😀" * 9000, "form_x": None}, {}),
        ({"s3_x": LONG}, {}),
    ],
)
def test_no_message_is_longer_than_telegram_takes(inputs: Any, properties: Any) -> None:
    for dialog_open in (True, False):
        for draft in opened(read(inputs, properties), dialog_open=dialog_open):
            limit = CAPTION_UNITS if draft.photo or draft.document else TEXT_UNITS
            assert utf16_len(said(draft)) <= limit
            assert len(draft.rich.entities) <= 100


# the end


def test_after_the_last_question_the_answers_are_shown_with_the_actions() -> None:
    step = read({**FORM, **ACTIONS}, {"form_sure.label": "Sure?"})
    answers = {"form_name": answer("Ann <b>"), "form_age": answer(7, "Integer"), "form_sure": answer("Yes")}
    draft = closing(step, answers, sign)
    assert draft is not None
    assert said(draft) == "name: Ann <b>\nage: 7\nSure: Yes\nYour decision?"
    assert tappable(draft) == [[("Yes", "a0:"), ("No", "a1:")], [("Edit", "r:0")]]


def test_a_form_without_actions_and_review_has_no_closing_question() -> None:
    assert closing(read(FORM), {name: answer("x") for name in FORM}, sign) is None


def test_a_form_with_a_review_closes_with_submit() -> None:
    draft = closing(read({"form_x": None}, {"review": "true"}), {"form_x": answer("x")}, sign)
    assert draft is not None
    assert tappable(draft) == [[("Submit", "r:1"), ("Edit", "r:0")]]


def test_a_long_answer_does_not_push_the_buttons_away() -> None:
    draft = closing(read({"form_x": None, **ACTIONS}), {"form_x": answer(LONG)}, sign)
    assert draft is not None
    assert utf16_len(said(draft)) <= TEXT_UNITS
    assert draft.rows


@pytest.mark.parametrize("action", ["yes", "no"])
def test_every_action_of_a_step_is_set(action: str) -> None:
    told = outcome(read(ACTIONS), {}, action)
    assert told == {
        "kind": "complete",
        "variables": {
            "action_yes": {"value": action == "yes", "type": "Boolean"},
            "action_no": {"value": action == "no", "type": "Boolean"},
            "action": {"value": action, "type": "String"},
        },
    }


def test_the_answers_are_told_typed_and_a_files_with_what_is_known_of_it() -> None:
    step = read({"form_age": None, "s3_f": "File"}, {"form_age.type": "integer"})
    meta = {"value": "{}", "type": "Json"}
    told = outcome(step, {"form_age": answer(7, "Integer"), "s3_f": answer("key", meta=meta)}, None)
    assert told["variables"] == {
        "form_age": {"value": 7, "type": "Integer"},
        "s3_f": {"value": "key", "type": "String"},
        "s3_f_meta": meta,
    }


def test_a_skipped_field_is_told_as_null_and_an_unasked_one_not_at_all() -> None:
    told = outcome(read(FORM), {"form_name": answer(None, "Null")}, None)
    assert told["variables"] == {"form_name": {"value": None, "type": "Null"}}


def test_a_notice_tells_nothing() -> None:
    assert outcome(read({"text_a": "x"}), {}, None) == {"kind": "complete", "variables": {}}


def test_results_are_those_that_the_step_announced() -> None:
    step = read({**FORM, **ACTIONS, "s3_f": "File"})
    answers = {name: answer("x") for name in FORM} | {"s3_f": answer("key", meta={})}
    assert set(outcome(step, answers, "yes")["variables"]) == set(step.result_names())


# what a row keeps of a draft


def test_a_kept_draft_has_the_bot_apis_shape() -> None:
    (draft,) = opened(read({"text_a": "<b>Sure</b>?", **ACTIONS}))
    assert draft.content() == {
        "text": "Sure?",
        "entities": [{"type": "bold", "offset": 0, "length": 4}],
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Yes", "callback_data": "a0:"}, {"text": "No", "callback_data": "a1:"}]
            ]
        },
        "item": "actions",
    }


def test_a_forced_reply_is_selective_only_where_it_replies_to_somebody() -> None:
    step = read({"form_x": None}, {"form_x.required": "true"}, recipient=GROUP)
    for reply_to in (None, 7):
        markup = question(step, 0, sign, reply_to=reply_to).content()["reply_markup"]
        assert markup == {"force_reply": True, "selective": reply_to is not None}


def test_a_kept_picture_names_its_key_and_has_a_text_even_if_it_is_empty() -> None:
    (draft,) = opened(read({"photo_p": "p.png"}))
    assert draft.content() == {"text": "", "photo": "p.png"}


def test_a_caption_that_is_too_long_follows_as_text() -> None:
    label = "\n\n".join(f"Paragraph {number} 🎈 " + "x" * 300 for number in range(30))
    file, *texts = content(read({"file_x": "a.pdf"}, {"file_x.label": label}))
    assert (file.document, file.rich.text) == ("a.pdf", "")
    assert all(draft.document is None for draft in texts)
    told = " ".join(draft.rich.text for draft in texts)
    assert [f"Paragraph {number} " in told for number in range(30)] == [True] * 30
