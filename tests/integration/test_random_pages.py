"""Random people on random pages of buttons: a model says what is shown and what the process gets."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared import texts
from tests.fakes.conversation import Conversation, variables
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram, captions

PLAYED = settings(
    max_examples=6,
    phases=(Phase.generate,),  # to make a failure smaller takes many minutes here
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PAGE, WITHOUT_PAGES = 10, 12
TURNS = 10


@dataclass
class Pages:
    """What a keyboard of many buttons should show."""

    names: list[str]
    last_always: list[str] = field(default_factory=list)
    page: int = 0

    @property
    def is_paged(self) -> bool:
        return len(self.names) > WITHOUT_PAGES

    @property
    def pages(self) -> int:
        return -(-len(self.names) // PAGE) if self.is_paged else 1

    def shown(self) -> list[str]:
        if not self.is_paged:
            return [*self.names, *self.last_always]
        here = self.names[self.page * PAGE : (self.page + 1) * PAGE]
        return [*here, "‹", f"{self.page + 1} / {self.pages}", "›", *self.last_always]

    def turn(self, caption: str) -> bool:
        """Whether a tap turns a page, or would if there were one."""
        if not self.is_paged or not (caption in {"‹", "›"} or " / " in caption):
            return False
        by = {"‹": -1, "›": 1}.get(caption, 0)
        self.page = min(max(self.page + by, 0), self.pages - 1)
        return True


def ordered(count: int, numbers: dict[int, int]) -> list[int]:
    """The buttons of a step as their author numbers them."""
    return sorted(range(count), key=lambda at: (at not in numbers, numbers.get(at, 0), at))


async def shown_to(talk: Conversation, chat_id: int) -> list[str]:
    """The buttons of the newest message that has any."""
    found = [captions(each) for each in await talk.telegram.shown(chat_id)]
    return next((each for each in reversed(found) if each), [])


@given(
    options=st.integers(2, 34),
    actions=st.integers(1, 27),
    numbers=st.dictionaries(st.integers(0, 26), st.integers(-3, 3), max_size=5),
    has_back=st.booleans(),
    data=st.data(),
)
@PLAYED
async def test_whatever_pages_a_person_turns_the_process_gets_what_was_ticked_and_tapped(
    fakes: Fakes,
    telegram: Telegram,
    options: int,
    actions: int,
    numbers: dict[int, int],
    has_back: bool,
    data: st.DataObject,
) -> None:
    talk = Conversation(fakes, telegram)
    ann = await talk.telegram.ann()
    keys = {
        "form_c.type": "multichoice",
        "form_c.required": "true",
        "form_c.options": "|".join(f"o{at}" for at in range(options)),
        **{f"action_{at}.order": str(number) for at, number in numbers.items() if at < actions},
    }
    inputs: dict[str, Any] = {"form_c": None, **{f"action_{at}": f"A{at}" for at in range(actions)}}
    inputs |= {"action_back": "Back"} if has_back else {}
    reply_id = await talk.ask(ann, inputs, keys)

    ticked: list[str] = []
    choice = Pages([f"o{at}" for at in range(options)])
    for _ in range(TURNS):
        done = texts.say("button-chosen", count=len(ticked))
        marked = ["✓ " + name if name in ticked else name for name in choice.shown()]
        assert await shown_to(talk, ann) == [*marked, done]
        caption = data.draw(st.sampled_from(marked))
        await talk.tap(ann, caption)
        if not choice.turn(caption):
            name = caption.removeprefix("✓ ")
            ticked = [each for each in ticked if each != name] if name in ticked else [*ticked, name]
    if not ticked:
        ticked = [choice.shown()[0]]
        await talk.tap(ann, ticked[0])
    await talk.tap(ann, texts.say("button-chosen", count=len(ticked)))

    in_order = [f"A{at}" for at in ordered(actions, {at: n for at, n in numbers.items() if at < actions})]
    back = ["Back"] if has_back else []
    closing = Pages(in_order, [*back, texts.say("button-edit")])
    for _ in range(TURNS):
        assert await shown_to(talk, ann) == closing.shown()
        caption = data.draw(st.sampled_from([*closing.shown()[:-1]]))
        await talk.tap(ann, caption)
        if not closing.turn(caption):
            break
    else:
        caption = closing.shown()[0]
        await talk.tap(ann, caption)
    told = variables(await talk.reply(reply_id))
    assert (told["action"], sorted(json.loads(told["form_c"]))) == (
        caption.removeprefix("A").lower(),
        sorted(ticked),
    )
    assert [name for name, value in told.items() if value is True] == [f"action_{told['action']}"]
    assert await talk.buttons(ann) == []


@given(actions=st.integers(2, 27), needed=st.integers(2, 3), data=st.data())
@PLAYED
async def test_whatever_pages_a_group_turns_its_votes_decide_as_the_model_says(
    fakes: Fakes, telegram: Telegram, actions: int, needed: int, data: st.DataObject
) -> None:
    talk = Conversation(fakes, telegram)
    people = [await talk.telegram.ann(name) for name in ("Ann", "Bob", "Zoe")]
    group = await talk.telegram.group(*people)
    captions_of = [f"A{at}" for at in range(actions)]
    reply_id = await talk.ask(
        group, {f"action_{at}": name for at, name in enumerate(captions_of)}, {"votes": str(needed)}
    )
    pages, votes = Pages(captions_of), dict[int, str]()
    for _ in range(TURNS):
        assert await shown_to(talk, group) == pages.shown()
        person, caption = data.draw(st.tuples(st.sampled_from(people), st.sampled_from(pages.shown())))
        await talk.tap(person, caption, group)
        if pages.turn(caption):
            continue
        votes[person] = caption
        row = await talk.reply(reply_id)
        assert {int(user): f"A{vote['action']}" for user, vote in row.votes.items()} == votes
        if Counter(votes.values())[caption] >= needed:
            assert variables(row)["action"] == caption.removeprefix("A")
            assert await talk.buttons(group) == []
            return
    row = await talk.reply(reply_id)
    assert row.outcome is None, "nobody has decided it"
