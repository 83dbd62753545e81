"""The judge finds what it is there for: of a run in which all was well, one thing is falsified at a time."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.evidence import Ack, Button, Disturbance, Evidence, Instance, Post
from tests.chaos.judge import RULES, judge
from tests.chaos.plan import Case, Plan, make_plan

PLAN = make_plan(7, 30)
CHAT_ID = 5


def instance_of(case: Case) -> Instance:
    """The history of a case that went as it should."""
    variables = dict(case.variables)
    if case.content is not None:
        digest = hashlib.sha256(case.content).hexdigest()
        variables |= {"s3_data": f"tasks/{case.key}", "s3_data_meta": {"sha256": digest}}
    successes = {f"{case.key}-{step}-{run}": 1 for step, count in case.runs.items() for run in range(count)}
    return Instance(case.key, case.key, "COMPLETED", [case.end], variables, dict(case.runs), successes)


def good(plan: Plan = PLAN) -> Evidence:
    """The evidence of a run without a breach: each question posted once and acknowledged a second later."""
    questions = [question for case in plan.cases for question, _ in case.questions]
    return Evidence(
        instances=[instance_of(case) for case in plan.cases],
        posts=[
            Post(question, CHAT_ID, number, str(question), 10.0 * number)
            for number, question in enumerate(questions)
        ],
        acks=[Ack(question, 10.0 * number + 1) for number, question in enumerate(questions)],
        disturbances=[],
        buttons=[],
        untouchable=[],
        objects={
            f"tasks/{case.key}": hashlib.sha256(case.content).hexdigest()
            for case in plan.cases
            if case.content is not None
        },
        multipart=[],
    )


def changed(evidence: Evidence, script: str, change: Callable[[Instance], Instance]) -> Evidence:
    """The same with another history of the first case of a script."""
    key = next(case.key for case in PLAN.cases if case.script == script)
    return replace(
        evidence,
        instances=[change(each) if each.business_key == key else each for each in evidence.instances],
    )


def with_variable(script: str, name: str, value: object) -> Callable[[Evidence], Evidence]:
    """Falsify a variable of a case."""
    return lambda evidence: changed(
        evidence, script, lambda found: replace(found, variables={**found.variables, name: value})
    )


def again(evidence: Evidence, after_s: float, **details: object) -> Evidence:
    """The first question is posted once more."""
    first = evidence.posts[0]
    copy = replace(first, at=first.at + after_s, message_id=999)
    return replace(evidence, posts=[replace(first, **details), *evidence.posts[1:], copy])  # type: ignore[arg-type]


def left(evidence: Evidence) -> Button:
    """The first question can still be tapped."""
    return Button(evidence.posts[0].question, CHAT_ID, evidence.posts[0].message_id)


def without_variable(found: Instance) -> Instance:
    return replace(found, variables={})


FALSIFIED: list[tuple[str, str, Callable[[Evidence], Evidence]]] = [
    (
        "ended as decided",
        "another end",
        lambda all_: changed(all_, "choose", lambda found: replace(found, ends=["elsewhere"])),
    ),
    (
        "ended as decided",
        "not ended",
        lambda all_: changed(all_, "form", lambda found: replace(found, state="ACTIVE", ends=[])),
    ),
    (
        "ended as decided",
        "deleted",
        lambda all_: changed(all_, "vote", lambda found: replace(found, state="EXTERNALLY_TERMINATED")),
    ),
    ("ended as decided", "never started", lambda all_: replace(all_, instances=all_.instances[1:])),
    (
        "ended as decided",
        "started twice",
        lambda all_: replace(all_, instances=[*all_.instances, all_.instances[0]]),
    ),
    ("variables as given", "another value", with_variable("form", "form_amount", -1)),
    ("variables as given", "another type", with_variable("form", "form_sure", "yes")),
    ("variables as given", "no value", lambda all_: changed(all_, "note", without_variable)),
    (
        "completed once",
        "a task twice",
        lambda all_: changed(all_, "vote", lambda found: replace(found, successes={"task": 2})),
    ),
    (
        "completed once",
        "a step once more",
        lambda all_: changed(all_, "form", lambda found: replace(found, runs={"fill": 2})),
    ),
    (
        "completed once",
        "a step that nobody answered",
        lambda all_: changed(all_, "late", lambda found: replace(found, runs={"wait": 1})),
    ),
    ("not asked again", "a minute later", lambda all_: again(all_, 60, answer_was_lost=True)),
    ("repeated for a reason", "at once", lambda all_: again(all_, 0.5)),
    (
        "repeated for a reason",
        "a kill long after",
        lambda all_: replace(again(all_, 0.5), disturbances=[Disturbance("kill", 30.0, 30.1)]),
    ),
    ("no live button", "the only message", lambda all_: replace(all_, buttons=[left(all_)])),
    (
        "no live button",
        "both copies",
        lambda all_: replace(again(all_, 0.5), buttons=[left(all_), replace(left(all_), message_id=999)]),
    ),
    ("no live button", "touched in vain", lambda all_: replace(all_, untouchable=[left(all_)])),
    (
        "files and variables agree",
        "an object too many",
        lambda all_: replace(all_, objects={**all_.objects, "x": "y"}),
    ),
    ("files and variables agree", "an object is missing", lambda all_: replace(all_, objects={})),
    (
        "files and variables agree",
        "another content",
        lambda all_: replace(all_, objects=dict.fromkeys(all_.objects, "other")),
    ),
    ("files and variables agree", "another digest", with_variable("file", "s3_data_meta", {"sha256": "0"})),
    ("no orphan upload", "one is open", lambda all_: replace(all_, multipart=["tasks/a upload-1"])),
    ("no surprises", "something odd was said", lambda all_: replace(all_, troubles=["odd"])),
]


def test_a_run_in_which_all_was_well_has_no_breach() -> None:
    assert judge(PLAN, good()) == []


@pytest.mark.parametrize(
    ("rule", "falsify"),
    [(rule, falsify) for rule, _, falsify in FALSIFIED],
    ids=[f"{rule}: {what}" for rule, what, _ in FALSIFIED],
)
def test_a_falsified_run_breaks_its_rule(rule: str, falsify: Callable[[Evidence], Evidence]) -> None:
    assert rule in {breach.rule for breach in judge(PLAN, falsify(good()))}


def test_every_rule_is_falsified() -> None:
    assert {rule for rule, _, _ in FALSIFIED} == set(RULES)


@pytest.mark.parametrize(
    "evidence",
    [
        again(good(), 0.5, answer_was_lost=True),
        replace(again(good(), 0.5), disturbances=[Disturbance("kill", 0.1, 0.2)]),
        replace(again(good(), 0.5, answer_was_lost=True), buttons=[left(good())]),
    ],
    ids=["after a lost answer", "after a kill", "one copy live until it is touched"],
)
def test_a_copy_that_nobody_could_know_of_is_no_breach(evidence: Evidence) -> None:
    assert judge(PLAN, evidence) == []
