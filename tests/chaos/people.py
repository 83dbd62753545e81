"""People who answer what they are asked, as real ones do: they look, think, act, and try again in vain."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from devstack.people import Person, Shown, Unexpected, captions, words
from shared import texts
from tests.chaos.evidence import Ack
from tests.chaos.plan import Answer, Case
from tests.chaos.words import DECISION, OPENING, Question, asked, copies, is_live

LOOKS_EVERY_S = 1.0
TAPS_AGAIN_AFTER_S = 8.0
"""Nothing happened: no word, and the button is still there."""

REPLIES_AGAIN_AFTER_S = 20.0
"""In a group nobody says that an answer went wrong, so somebody replies to another copy of the question."""

AFTER_AN_ALERT_S = 2.0
GOES_ON = (texts.say("already-here"), "Already answered")
"""Alerts that mean: this was answered; whoever tapped again was only impatient."""

OPENS = Answer("tap", texts.say("button-answer"))


@dataclass
class Attempt:
    """How far somebody is with one question."""

    answer: Answer
    seen_at: float
    acked: bool = False
    tap: str | None = None
    sent_id: int | None = None
    acted_at: float = 0.0
    not_before: float = 0.0
    tries: int = 0


@dataclass
class Journal:
    """What people noticed that a judge has to know."""

    acks: list[Ack] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Actor:
    """One person in one chat, with what they will answer there."""

    def __init__(
        self, person: Person, cases: Sequence[Case], strange: Sequence[Case], journal: Journal
    ) -> None:
        self.person = person
        self.changed = asyncio.Event()
        self._answers = {question: answer for case in cases for question, answer in case.questions}
        self._contents = {case.number: case.content for case in cases}
        self._strange = {case.number: {answer.value for _, answer in case.questions} for case in strange}
        self._journal = journal
        self._attempts: dict[Question, Attempt] = {}
        self._notices: set[int] = set()

    @property
    def _in_group(self) -> bool:
        return self.person.chat_id < 0

    async def live(self) -> None:
        """Look and act until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), LOOKS_EVERY_S if self._is_busy else None)
            self.changed.clear()
            try:
                await self._look(await self.person.chat())
            except (Unexpected, httpx.HTTPError):
                # The message changed under the finger; another look shows how.
                self.changed.set()
                await asyncio.sleep(0.2)

    @property
    def _is_busy(self) -> bool:
        return any(not attempt.acked for attempt in self._attempts.values())

    async def _look(self, messages: Sequence[Shown]) -> None:
        for message in messages:
            question = asked(message)
            if question is None:
                continue
            # Without its buttons the text of a form looks like its decision, which comes last.
            if is_live(message) or question.item != DECISION:
                self._notice_question(question)
            await self._meddle(question, message)
        self._read_notices(messages)
        for question in sorted(self._attempts):
            attempt = self._attempts[question]
            if not attempt.acked:
                await self._go_on(question, attempt, copies(messages, question))

    def _notice_question(self, question: Question) -> None:
        answer = OPENS if question.item == OPENING else self._answers.get(question)
        if answer is None or question.case not in self._contents or question in self._attempts:
            return
        self._attempts[question] = Attempt(answer, time.monotonic())
        for earlier in self._before(question):
            self._ack(earlier)

    def _before(self, question: Question) -> list[Question]:
        """What must have been answered before this was asked."""
        order = [each for each in self._answers if each.case == question.case]
        if question.item == OPENING:
            first = next(each for each in order if (each.step, each.round) == (question.step, question.round))
            return order[: order.index(first)]
        opening = Question(question.case, question.step, question.round, OPENING)
        return [*order[: order.index(question)], opening]

    def _ack(self, question: Question) -> None:
        attempt = self._attempts.get(question)
        if attempt is not None and not attempt.acked:
            attempt.acked = True
            self._journal.acks.append(Ack(question, time.time()))

    async def _meddle(self, question: Question, message: Shown) -> None:
        """Tap once what is none of one's business, and not as its person will."""
        if question.case in self._strange and captions(message):
            theirs = self._strange.pop(question.case)
            caption = next(each for each in captions(message) if each not in theirs)
            await self.person.tap(caption, message=message)

    def _read_notices(self, messages: Sequence[Shown]) -> None:
        for message in messages:
            number, said = message["message_id"], words(message)
            if number in self._notices or not (message.get("from") or {}).get("is_bot"):
                continue
            self._notices.add(number)
            for question, attempt in self._attempts.items():
                if attempt.sent_id is not None and attempt.sent_id < number and not attempt.acked:
                    self._take_word(question, attempt, message, said)

    def _take_word(self, question: Question, attempt: Attempt, message: Shown, said: str) -> None:
        """What the bot says to what was sent: it is stored, or it has to be sent again."""
        replied = (message.get("reply_to_message") or {}).get("message_id")
        if replied == attempt.sent_id and "is stored" in said:
            self._ack(question)
        elif said in {texts.say("try-again"), texts.say("file-gone"), texts.say("file-lost")}:
            attempt.sent_id, attempt.not_before = None, time.monotonic() + AFTER_AN_ALERT_S
        elif said == texts.say("already-here") and self._in_group:
            self._ack(question)
        elif said in {texts.say("nothing-open"), texts.say("file-not-expected"), texts.say("already-here")}:
            self._journal.troubles.append(f"{question}: {self.person.name} was told {said!r}")

    async def _go_on(self, question: Question, attempt: Attempt, shown: Sequence[Shown]) -> None:
        now = time.monotonic()
        if attempt.tap is not None:
            await self._hear(question, attempt, shown)
        if attempt.acked or now < max(attempt.seen_at + attempt.answer.think_s, attempt.not_before):
            return
        if attempt.answer.kind == "tap":
            await self._tap(question, attempt, shown)
        elif attempt.sent_id is None:
            await self._send(question, attempt, shown)
        elif self._in_group:
            await self._wonder(question, attempt, shown)

    async def _hear(self, question: Question, attempt: Attempt, shown: Sequence[Shown]) -> None:
        """How a tap was answered; without an answer, whether the buttons have gone."""
        told = await self.person.town.call("GET", f"/callbacks/{attempt.tap}")
        said = str(told.get("text") or "")
        if told["answered"] and (not said or said.startswith(GOES_ON)):
            self._ack(question)
        elif told["answered"]:
            if said not in {texts.say("try-again"), texts.say("busy-with-another")}:
                self._journal.troubles.append(f"{question}: {self.person.name} was told {said!r}")
            attempt.tap, attempt.not_before = None, time.monotonic() + AFTER_AN_ALERT_S
        elif not any(attempt.answer.value in captions(each) for each in shown):
            self._ack(question)
        elif time.monotonic() > attempt.acted_at + TAPS_AGAIN_AFTER_S:
            attempt.tap = None

    async def _tap(self, question: Question, attempt: Attempt, shown: Sequence[Shown]) -> None:
        if attempt.tap is not None:
            return
        caption = attempt.answer.value
        offered = [each for each in shown if caption in captions(each)]
        if not offered:
            if attempt.tries:
                self._ack(question)
            return
        chosen = self._one_of(offered, attempt)
        attempt.acted_at, attempt.tries = time.monotonic(), attempt.tries + 1
        attempt.tap = await self.person.tap(caption, message=chosen)
        if attempt.answer.taps_twice:
            await self.person.tap(caption, message=chosen)

    async def _send(self, question: Question, attempt: Attempt, shown: Sequence[Shown]) -> None:
        if not shown:  # another reply was taken after all
            self._ack(question)
            return
        details: dict[str, Any] = {}
        if self._in_group or attempt.answer.replies:
            details = {"reply_to": self._one_of(shown, attempt)["message_id"]}
        attempt.acted_at, attempt.tries = time.monotonic(), attempt.tries + 1
        content = self._contents[question.case]
        if attempt.answer.kind == "file" and content is not None:
            sent = await self.person.send(attempt.answer.value, content, **details)
        else:
            sent = await self.person.say(attempt.answer.value, **details)
        attempt.sent_id = int(sent["message_id"])

    async def _wonder(self, question: Question, attempt: Attempt, shown: Sequence[Shown]) -> None:
        """A group's question goes when it is answered; one that stays is answered by its other copy."""
        if not shown:
            self._ack(question)
        elif time.monotonic() > attempt.acted_at + REPLIES_AGAIN_AFTER_S:
            attempt.sent_id = None

    def _one_of(self, shown: Sequence[Shown], attempt: Attempt) -> Shown:
        """The copy that the person prefers, at another try the other one."""
        first = attempt.answer.takes_first_copy == (attempt.tries % 2 == 0)
        return shown[0 if first else -1]
