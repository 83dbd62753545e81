"""What each key of the author's contract changes: the same step without it and with it, and what is seen."""

from collections.abc import Mapping

from tests.fakes.steps import ANN
from tests.support.contract_proof import (
    OF_STEP,
    SKIP,
    Case,
    Kept,
    Named,
    answered,
    captions,
    headline,
    hint,
    last_buttons,
    links,
    may_skip,
    passed_over,
    pressed,
    results,
    sent,
    threads,
    times,
    words,
)

GROUP = -1001234567890
ASKED = {"form_x": None}
BUTTON = {"text_a": "Hello", "action_x": "X"}
UPLOAD = {"s3_x": None}
LINK = {"text_x": '<a href="https://example.org/">here</a>'}

CASES: Mapping[Named, Case] = {
    ("text", "links"): Case("true", links, [], ["https://example.org/"], LINK),
    ("line", "label"): Case("Sum", words, ["Line: 12"], ["Sum: 12"], {"Line": 12}),
    ("photo", "label"): Case("The chart", words, [""], ["The chart"], {"photo_x": "a.png"}),
    ("file", "label"): Case("The report", words, [""], ["The report"], {"file_x": "a.pdf"}),
    ("action", "label"): Case("Yes, approve", captions, ["X"], ["Yes, approve"], BUTTON),
    ("action", "without_form"): Case(
        "true",
        pressed,
        [SKIP],
        [SKIP, "a0:"],
        {**ASKED, "action_x": "X"},
        happens_in="integration/test_conversations.py::test_an_action_that_needs_no_form_ends_it_early",
    ),
    ("s3", "label"): Case("The export", headline, "x", "The export", UPLOAD),
    ("s3", "required"): Case("false", may_skip, False, True, UPLOAD),
    ("s3", "help"): Case("As on the invoice", hint, False, True, UPLOAD),
    ("s3", "accept"): Case(".json,.zip", sent("a.txt", 1), "taken", "wrong_extension", UPLOAD),
    ("s3", "max_bytes"): Case("1000", sent("a.txt", 1001), "taken", "too_large", UPLOAD),
    ("s3", "public"): Case(
        "true",
        Kept("public", of_ask=True),
        False,
        True,
        UPLOAD,
        happens_in="integration/test_uploads.py::test_a_public_file_is_told_by_its_address",
    ),
    ("field", "type"): Case("integer", answered("12"), "12", 12, ASKED),
    ("field", "label"): Case("How many?", headline, "x", "How many?", ASKED),
    ("field", "required"): Case("true", may_skip, True, False, ASKED),
    ("field", "default"): Case("10", passed_over, None, "10", ASKED),
    ("field", "min"): Case("2", answered("1"), 1, "refused", ASKED, {"form_x.type": "integer"}),
    ("field", "max"): Case("2", answered("3"), 3, "refused", ASKED, {"form_x.type": "integer"}),
    ("field", "pattern"): Case("[A-Z]+", answered("a"), "a", "refused", ASKED),
    ("field", "options"): Case("red=Red|blue=Blue", captions, [], ["Red", "Blue"], ASKED),
    ("field", "help"): Case("As on the invoice", hint, False, True, ASKED),
    ("field", "unit"): Case("kg", headline, "x", "x (kg)", ASKED),
    (OF_STEP, "title"): Case("Approve it", words, ["Hello"], ["Approve it\n\nHello"], BUTTON),
    (OF_STEP, "recipient"): Case(
        "tg_user_123456",
        Kept("chat_id"),
        ANN,
        123456,
        BUTTON,
        happens_in="integration/test_parker.py::test_the_recipient_is_the_steps_else_the_processs",
    ),
    (OF_STEP, "allow"): Case(
        "admins",
        Kept("allow"),
        "anyone",
        "admins",
        BUTTON,
        recipient=GROUP,
        happens_in="integration/test_conversations.py"
        "::test_only_administrators_may_answer_where_the_step_says_so",
    ),
    (OF_STEP, "thread"): Case("17", threads, {None}, {17}, BUTTON, recipient=GROUP),
    (OF_STEP, "claim"): Case(
        "true",
        pressed,
        ["a0:"],
        ["c:1"],
        BUTTON,
        recipient=GROUP,
        happens_in="integration/test_deciding.py"
        "::test_a_step_to_be_claimed_is_answered_by_who_took_it_and_by_nobody_else",
    ),
    (OF_STEP, "votes"): Case(
        "3",
        results,
        ["action_x", "action"],
        ["action_x", "action", "votes"],
        BUTTON,
        recipient=GROUP,
        happens_in="integration/test_deciding.py::test_a_step_is_decided_by_the_vote_that_was_needed",
    ),
    (OF_STEP, "review"): Case("true", last_buttons, [], ["r:1", "r:0"], ASKED),
    (OF_STEP, "cancellable"): Case(
        "true",
        Kept("cancellable"),
        False,
        True,
        BUTTON,
        happens_in="integration/test_commands.py::test_a_step_that_may_be_cancelled_is_cancelled_after_a_question",
    ),
    (OF_STEP, "on_cancel"): Case(
        "GIVEN_UP",
        Kept("on_cancel"),
        None,
        "GIVEN_UP",
        BUTTON,
        happens_in="integration/test_commands.py::test_a_step_that_may_be_cancelled_is_cancelled_after_a_question",
    ),
    (OF_STEP, "after"): Case(
        "summarise",
        Kept("after"),
        "keep",
        "summarise",
        BUTTON,
        happens_in="integration/test_conversations.py::test_what_is_left_of_a_step_is_what_its_author_says",
    ),
    (OF_STEP, "reminder_after"): Case(
        "PT4H",
        times,
        [],
        [("remind", 14_400)],
        BUTTON,
        happens_in="integration/test_deadlines.py"
        "::test_a_reminder_replies_to_its_prompt_and_shows_the_step_anew",
    ),
    (OF_STEP, "expires_after"): Case(
        "P2D",
        times,
        [],
        [("expire", 172_800)],
        BUTTON,
        {"on_expire": "TOO_LATE"},
        is_needed=True,
        happens_in="acceptance/test_time.py"
        "::test_a_step_that_nobody_answers_is_reminded_of_and_expires_into_its_boundary_event",
    ),
    (OF_STEP, "on_expire"): Case(
        "TOO_LATE",
        Kept("on_expire"),
        None,
        "TOO_LATE",
        BUTTON,
        {"expires_after": "P2D"},
        is_needed=True,
        happens_in="integration/test_deadlines.py"
        "::test_a_step_whose_time_is_up_is_over_and_the_engine_gets_its_error",
    ),
    (OF_STEP, "escalate_after"): Case(
        "P1D",
        times,
        [],
        [("escalate", 86_400)],
        BUTTON,
        {"escalate_to": "tg_user_654321"},
        is_needed=True,
        happens_in="integration/test_deadlines.py"
        "::test_a_step_is_handed_over_and_answered_by_whom_it_went_to",
    ),
    (OF_STEP, "escalate_to"): Case(
        "tg_user_654321",
        Kept("escalate_to"),
        None,
        654321,
        BUTTON,
        {"escalate_after": "P1D"},
        is_needed=True,
        happens_in="integration/test_deadlines.py"
        "::test_a_step_is_handed_over_and_answered_by_whom_it_went_to",
    ),
}
