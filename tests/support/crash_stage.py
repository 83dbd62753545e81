"""One play of a crash scene: its person, the order to die, and the judgement of how it ended."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devstack.people import Person, Shown, captions, describe, words
from tests.support.crash_lanes import PATIENCE_S, Lane, until
from tests.support.world import World

IN_FLIGHT_S = 2.0
"""A send that had begun when its question was answered may still arrive."""


@dataclass
class Stage:
    """One play of a scene: its person, what they were asked and gave, and the order to die."""

    lane: Lane
    scene: str
    points: Sequence[str]
    person: Person
    calls_before: int
    instance: str = ""
    chat: Person | None = None
    given: dict[str, Any] = field(default_factory=dict)
    """The variables that the instance must have in the end."""
    files: dict[str, str] = field(default_factory=dict)
    """The objects, with their digests, that the bucket must have in the end."""
    asked: list[str] = field(default_factory=list)
    acked: dict[str, float] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """The lane's world."""
        return self.lane.world

    def arm(self) -> None:
        """From now on the first point kills who passes it, then the second, and so on."""
        new = self.lane.order.with_suffix(".new")
        new.write_text("\n".join(self.points))
        new.rename(self.lane.order)

    @property
    def left(self) -> list[str]:
        """The points at which nobody has died yet."""
        with contextlib.suppress(FileNotFoundError):
            return self.lane.order.read_text().splitlines()
        return []

    async def until_died(self, times: int = 1) -> None:
        """Wait until so many deaths were died."""

        async def died() -> bool:
            return len(self.left) <= len(self.points) - times

        await until(died, f"a death at {self.points}")

    async def greet(self) -> None:
        """The person meets the bot."""
        await self.person.say("/start")
        await self.person.sees("Hello", patience_s=PATIENCE_S)

    async def start(self, **variables: Any) -> None:
        """Start the scene's process for the person."""
        self.instance = await self.world.start_process(
            f"crash_{self.scene}",
            tenant_id=self.lane.tenant,
            telegram_user_id=self.person.user_id,
            **variables,
        )

    async def sees(self, text: str, *, buttons: list[str] | None = None, old: bool = False) -> Shown:
        """The person sees something of the bot: whatever they did before has been taken."""
        chat = self.chat or self.person
        shown = await chat.sees(text, buttons=buttons, old=old, patience_s=PATIENCE_S)
        self.ack()
        return shown

    async def is_asked(self, question: str, *, buttons: list[str] | None = None) -> Shown:
        """The person is asked a question; it must not be asked again once it was taken."""
        shown = await self.sees(question, buttons=buttons)
        self.asked.append(question)
        return shown

    async def taps(self, question: str, caption: str) -> Shown:
        """The person is asked and taps; the message that was tapped."""
        shown = await self.is_asked(question, buttons=[caption])
        await (self.chat or self.person).tap(caption, message=shown)
        return shown

    async def answers(self, question: str, text: str) -> None:
        """The person is asked and writes."""
        await self.is_asked(question)
        await self.person.say(text)

    def ack(self) -> None:
        """What was answered so far was taken: so the person has seen."""
        for question in self.asked:
            self.acked.setdefault(question, time.time())

    async def until_states(self, *states: str) -> None:
        """Wait until the person's steps are in these states, in any order."""
        query = "SELECT state FROM pending_replies WHERE process_instance_id = %s"

        async def so() -> bool:
            found = [row[0] for row in await self.lane.rows(query, self.instance)]
            return sorted(found) == sorted(states)

        await until(so, f"steps are {states}")

    async def until_ended(self) -> str:
        """Wait until the instance has ended; its state in the history."""

        async def ended() -> str | None:
            found = await self.world.engine.history_instance(self.instance)
            return found.state if found and found.ended_at else None

        return str(await until(ended, "the instance has ended"))

    async def posts(self) -> list[dict[str, Any]]:
        """The messages that Telegram accepted in the chat of the scene."""
        chat_id = (self.chat or self.person).chat_id
        calls = (await self.world.town.call("GET", "/calls", since=self.calls_before))["calls"]
        return [
            each
            for each in calls
            if each["method"].lower().startswith("send")
            and isinstance(each.get("result"), dict)
            and each["result"]["chat"]["id"] == chat_id
        ]


class NotPassed(AssertionError):
    """Every rule was held, but nobody came to the point at which to die: nothing was tried."""


async def judge(stage: Stage, end: str | None, states: Sequence[str]) -> None:
    """Look from outside how a scene ended.

    Raises:
        NotPassed: all is well, but a death that was ordered was not died.
        AssertionError: with what is wrong.
    """
    if end is not None:
        assert await stage.until_ended() == end
        await stage.until_states(*states)
        variables = await stage.world.variables(stage.instance)
        started = {"telegram_user_id", "chat"}
        assert {name: value for name, value in variables.items() if name not in started} == stage.given
        await _completed_once(stage)
    stage.ack()
    await stage.lane.until_at_rest()
    left = stage.left
    posts = await stage.posts()
    _asked_once(stage, posts)
    await _no_live_button(stage, Counter(words(each["result"]) for each in posts))
    objects, begun = await asyncio.to_thread(stage.lane.bucket, f"tasks/{stage.person.user_id}/")
    assert objects == stage.files
    assert not begun, "a multipart upload is open"
    if left:
        raise NotPassed(f"nobody has passed {left}")


async def _completed_once(stage: Stage) -> None:
    path = f"/history/external-task-log?processInstanceId={stage.instance}&successLog=true"
    log = await stage.world.rest("GET", path)
    often = [task for task, times in Counter(each["externalTaskId"] for each in log).items() if times > 1]
    assert not often, f"completed twice: {often}"


def _asked_once(stage: Stage, posts: Sequence[Mapping[str, Any]]) -> None:
    """A question is repeated at most once per death, and never when its answer was taken."""
    for question in stage.asked:
        times = [each["at"] for each in posts if question in words(each["result"])]
        assert len(times) <= 1 + len(stage.points), f"{question!r} was asked {len(times)} times"
        late = [at - stage.acked[question] for at in times if at > stage.acked[question] + IN_FLIGHT_S]
        assert not late, f"{question!r} was asked again {late} s after its answer was taken"


async def _no_live_button(stage: Stage, posted: Counter[str]) -> None:
    """None but on a copy whose id we never learned, and that one goes when it is touched."""
    chat = stage.chat or stage.person
    for message in await chat.chat():
        if not captions(message):
            continue
        known = "SELECT count(*) FROM prompts WHERE chat_id = %s AND message_id = %s"
        count = await stage.lane.value(known, chat.chat_id, message["message_id"])
        assert count == 0, f"a live button: {describe(message)}"
        assert posted[words(message)] > 1, f"a live button on the only copy: {describe(message)}"
        await chat.tap(captions(message)[0], message=message)
        await chat.sees_change(message, lambda now: not captions(now))
