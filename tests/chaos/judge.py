"""The rules of a run: what must be true of its evidence, whatever went wrong meanwhile."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.evidence import Disturbance, Evidence, Instance, Post
from tests.chaos.plan import Case, Plan
from tests.chaos.words import Question

IN_FLIGHT_S = 3.0
"""A send that had begun when its question was answered may still arrive."""

READ_LATE_S = 3.0
"""A busy sandbox accepts a send some time after the process that made it was killed."""

RECORDED_WITHIN_S = 5.0
"""A send that was accepted is recorded by then, unless its process died or the database was away."""


@dataclass(frozen=True)
class Breach:
    """A rule that was broken, and by what."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


Rule = Callable[[Plan, Evidence], Iterator[str]]


def judge(plan: Plan, evidence: Evidence) -> list[Breach]:
    """Every breach of every rule."""
    return [Breach(name, what) for name, rule in RULES.items() for what in rule(plan, evidence)]


def _by_case(plan: Plan, evidence: Evidence) -> Iterator[tuple[Case, Instance]]:
    """Each case with its instance; cases without exactly one are a breach of their own."""
    found = {instance.business_key: instance for instance in evidence.instances}
    return ((case, found[case.key]) for case in plan.cases if case.key in found)


def ended_as_decided(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """Every instance is there once and ended where its person's decisions lead."""
    counts = Counter(instance.business_key for instance in evidence.instances)
    for case in plan.cases:
        if counts[case.key] != 1:
            yield f"{case.key} ({case.script}) has {counts[case.key]} instances"
    for case, instance in _by_case(plan, evidence):
        if instance.state != "COMPLETED" or list(instance.ends) != [case.end]:
            incidents = f", incidents {list(instance.incidents)}" if instance.incidents else ""
            yield (
                f"{case.key} ({case.script}) is {instance.state} at {list(instance.ends)}"
                f" instead of {case.end}{incidents}"
            )


def variables_as_given(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """Every variable equals what the person gave."""
    for case, instance in _by_case(plan, evidence):
        for name, given in case.variables.items():
            if name not in instance.variables or instance.variables[name] != given:
                yield f"{case.key}: {name} is {instance.variables.get(name)!r} instead of {given!r}"


def completed_once(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """No task is completed twice, and no step is asked more often than its person's decisions want."""
    for case, instance in _by_case(plan, evidence):
        for task, count in instance.successes.items():
            if count > 1:
                yield f"{case.key}: task {task} was completed {count} times"
        for step, count in case.runs.items():
            if instance.runs.get(step, 0) > count:
                yield f"{case.key}: {step} was completed {instance.runs[step]} times instead of {count}"


def not_asked_again(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """Nothing is asked again once its person saw that the answer was taken."""
    acked = {ack.question: ack.at for ack in evidence.acks}
    for post in evidence.posts:
        at = acked.get(post.question)
        if at is not None and post.at > at + IN_FLIGHT_S:
            yield f"{post.question} was asked again {post.at - at:.1f} s after it was acknowledged"


def repeated_for_a_reason(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """A post is repeated at most once per kill or lost answer that can have hid it from us."""
    by_question: dict[tuple[Question, int], list[Post]] = defaultdict(list)
    for post in sorted(evidence.posts, key=lambda each: each.at):
        by_question[post.question, post.chat_id].append(post)
    for (question, _), posts in by_question.items():
        for before, after in pairwise(posts):
            if not before.answer_was_lost and not _hidden(before, evidence.disturbances):
                yield f"{question} was posted again after {after.at - before.at:.1f} s without a reason"


def _hidden(before: Post, disturbances: Sequence[Disturbance]) -> bool:
    """Whether something befell us between the accepted send and its record."""
    return any(
        each.begin <= before.at + RECORDED_WITHIN_S and before.at - READ_LATE_S <= each.end
        for each in disturbances
    )


def no_live_button(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """A closed step has no button left but on a copy that we cannot know of, and that goes when touched."""
    posted = Counter(post.question for post in evidence.posts)
    for question, left in Counter(button.question for button in evidence.buttons).items():
        if left > posted[question] - 1:
            yield f"{question} has {left} live of {posted[question]} posted messages"
    for button in evidence.untouchable:
        yield f"{button.question} is live still after it was touched"


def files_and_variables_agree(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """Each object is named by a variable, each variable has its object, and it is what the person sent."""
    named: set[str] = set()
    for case, instance in _by_case(plan, evidence):
        if case.content is None:
            continue
        key = str(instance.variables.get("s3_data"))
        meta = instance.variables.get("s3_data_meta")
        digest = hashlib.sha256(case.content).hexdigest()
        named.add(key)
        if not isinstance(meta, Mapping) or meta.get("sha256") != digest:
            yield f"{case.key}: s3_data_meta does not describe what was sent: {meta!r}"
        if key not in evidence.objects:
            yield f"{case.key}: s3_data names {key!r}, which is not in the bucket"
        elif evidence.objects[key] != digest:
            yield f"{case.key}: the object {key} is not what was sent"
    for key in evidence.objects:
        if key not in named:
            yield f"the object {key} is named by no variable"


def no_orphan_upload(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """No multipart upload is left open in the bucket."""
    yield from evidence.multipart


def no_surprises(plan: Plan, evidence: Evidence) -> Iterator[str]:
    """Nobody is told what cannot be true of a step that waits for them."""
    yield from evidence.troubles


RULES: dict[str, Rule] = {
    "ended as decided": ended_as_decided,
    "variables as given": variables_as_given,
    "completed once": completed_once,
    "not asked again": not_asked_again,
    "repeated for a reason": repeated_for_a_reason,
    "no live button": no_live_button,
    "files and variables agree": files_and_variables_agree,
    "no orphan upload": no_orphan_upload,
    "no surprises": no_surprises,
}
UNSETTLED = frozenset({"no live button", "files and variables agree", "no orphan upload"})
"""Rules whose breach may still mend itself while the last messages are changed and files cleaned up."""
