"""Random people in random forms: whatever they do, the process gets what a small model says."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared import texts
from tests.fakes.conversation import Conversation, variables
from tests.fakes.services import Fakes
from tests.fakes.telegram import Telegram

MISSING = object()
KINDS: dict[str, tuple[dict[str, str], dict[str, Any], list[str]]] = {
    # type: its keys, answers with the value that the process gets, answers that are refused
    "string": ({}, {"Hello": "Hello", "<b>x</b> & /start": "<b>x</b> & /start"}, []),
    "integer": ({"min": "0"}, {"7": 7, "1 000": 1000}, ["seven", "-1", "1.5"]),
    "boolean": ({}, {"yes": True, "No": False}, ["perhaps"]),
    "choice": ({"options": "a=Alpha|b=Beta"}, {"Alpha": "a", "b": "b"}, ["Gamma"]),
    "multichoice": ({"options": "a=Alpha|b=Beta"}, {"Alpha": '["a"]', "b, a": '["a", "b"]'}, ["Gamma"]),
    "date": ({}, {"2026-03-14": "2026-03-14T00:00:00.000+0000"}, ["soon"]),
    "email": ({}, {"a@b.org": "a@b.org"}, ["me"]),
}
FORMS = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.booleans()), min_size=1, max_size=4)


@dataclass
class Model:
    """What a form should know: the answers, and those of before."""

    kinds: list[tuple[str, bool]]
    answers: list[Any] = field(default_factory=list)
    shown: dict[int, str] = field(default_factory=dict)
    before: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answers = [MISSING for _ in self.kinds]

    @property
    def asked(self) -> int | None:
        return next((at for at, each in enumerate(self.answers) if each is MISSING), None)

    def answer(self, value: Any) -> None:
        at = self.asked
        assert at is not None
        self.answers[at] = value
        self.before.pop(at, None)

    def take_back(self, at: int) -> None:
        self.before[at], self.answers[at] = self.answers[at], MISSING

    def moves(self) -> list[str]:
        at = self.asked
        if at is None:
            return ["submit", *(f"edit {each}" for each in range(len(self.kinds)))]
        kind, required = self.kinds[at]
        moves = [f"say {answer}" for answer in KINDS[kind][1]] + [f"wrong {each}" for each in KINDS[kind][2]]
        moves += [] if required else ["skip"]
        moves += ["back"] if at else []
        return moves + (["keep"] if at in self.before else [])


@given(kinds=FORMS, data=st.data())
@settings(
    max_examples=12,
    phases=(Phase.generate,),  # to make a failure smaller takes many minutes here
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_whatever_people_do_in_a_form_the_process_gets_what_the_model_says(
    fakes: Fakes, telegram: Telegram, kinds: list[tuple[str, bool]], data: st.DataObject
) -> None:
    talk, model = Conversation(fakes, telegram), Model(kinds)
    ann = await talk.telegram.ann()
    asks: dict[str, Any] = {f"form_{at}": None for at in range(len(kinds))}
    keys = {
        f"form_{at}.{name}": value
        for at, (kind, _) in enumerate(kinds)
        for name, value in KINDS[kind][0].items()
    }
    keys |= {f"form_{at}.type": kind for at, (kind, _) in enumerate(kinds)}
    keys |= {f"form_{at}.required": str(required).lower() for at, (_, required) in enumerate(kinds)}
    reply_id = await talk.ask(ann, asks, {**keys, "review": "true"})
    for _ in range(14):
        move, _, what = data.draw(st.sampled_from(model.moves())).partition(" ")
        if move == "submit":
            break
        await _play(talk, ann, model, move, what)
        answers = (await talk.reply(reply_id)).answers
        known = [answers.get(f"form_{at}", {}).get("value", MISSING) for at in range(len(kinds))]
        assert known == model.answers
    while model.asked is not None:
        say = next(each for each in model.moves() if each.startswith("say "))
        await _play(talk, ann, model, *say.split(" ", 1))
    await talk.tap(ann, texts.say("button-submit"))
    told = variables(await talk.reply(reply_id))
    assert told == {f"form_{at}": value for at, value in enumerate(model.answers)}
    assert await talk.buttons(ann) == []


async def _play(talk: Conversation, ann: int, model: Model, move: str, what: str) -> None:
    """Do it, in the chat and in the model."""
    at = model.asked
    if move == "edit":
        index = int(what)
        await talk.tap(ann, texts.say("button-edit"))
        caption = next(each for each in await talk.buttons(ann) if each.startswith(f"{index}: "))
        model.shown[index] = caption.partition(": ")[2]
        await talk.tap(ann, caption)
        model.take_back(index)
        return
    assert at is not None
    if move in {"say", "wrong"}:
        await talk.say(ann, what)
    if move == "say":
        model.answer(KINDS[model.kinds[at][0]][1][what])
    elif move == "skip":
        await talk.tap(ann, texts.say("button-skip"))
        model.answer(None)
    elif move == "back":
        await talk.tap(ann, texts.say("button-back"))
        model.take_back(at - 1)
    elif move == "keep":
        keep = texts.say("button-keep", value="")
        await talk.tap(ann, next(each for each in await talk.buttons(ann) if each.startswith(keep)))
        model.answer(model.before[at])
