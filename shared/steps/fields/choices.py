"""Fields that are chosen: boolean, choice, multichoice."""

import json
import re
from typing import Any

from shared import texts
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, Widget, check_bounds
from shared.steps.model import Ask, Option

_BETWEEN = re.compile(r"\s*(?:[,;\n]\s*|$)")


def _boolean(ask: Ask, answer: str) -> Typed:
    word = answer.strip().casefold()
    if word in _words("words-for-yes"):
        return {"value": True, "type": "Boolean"}
    if word in _words("words-for-no"):
        return {"value": False, "type": "Boolean"}
    raise InvalidAnswer(texts.say("not-yes-or-no"))


def _words(message: str) -> list[str]:
    return [word.strip() for word in texts.say(message).split(",")]


def _yes_and_no() -> tuple[Option, ...]:
    return (
        Option(value="true", caption=texts.say("yes")),
        Option(value="false", caption=texts.say("no")),
    )


def _choice(ask: Ask, answer: str) -> Typed:
    if answer in {option.value for option in ask.options}:  # a tap gives exactly the value of its button
        return {"value": answer, "type": "String"}
    wanted = answer.strip().casefold()
    for option in ask.options:
        if wanted in (option.caption.casefold(), option.value.casefold()):
            return {"value": option.value, "type": "String"}
    raise InvalidAnswer(texts.say("not-a-choice"))


def _many(ask: Ask, answer: str) -> Typed:
    found = _listed(ask, answer.strip())
    if found is None:
        raise InvalidAnswer(texts.say("not-choices"))
    return chosen(ask, found)


def chosen(ask: Ask, values: list[str]) -> Typed:
    """The variable of some of a field's options, in the order of the field.

    Raises:
        InvalidAnswer: too few or too many.
    """
    kept = [option.value for option in ask.options if option.value in values]
    check_bounds(ask, len(kept), lambda: texts.wrong_count(ask.min, ask.max, len(kept)))
    return {"value": json.dumps(kept, ensure_ascii=False), "type": "Json"}


def _listed(ask: Ask, text: str) -> list[str] | None:
    """The options that a text lists, None if it lists anything else; a caption may have commas itself."""
    if not text:
        return []
    folded = text.casefold()
    for option in sorted(ask.options, key=lambda each: -max(len(each.caption), len(each.value))):
        for word in (option.caption.strip().casefold(), option.value.strip().casefold()):
            if not word or not folded.startswith(word):
                continue
            if (gap := _BETWEEN.match(folded, len(word))) is None:
                continue
            rest = _listed(ask, folded[gap.end() :])
            if rest is not None:
                return [option.value, *rest]
    return None


def _yes_or_no(ask: Ask, typed: Typed) -> str:
    return texts.say("yes") if typed["value"] else texts.say("no")


def _caption(ask: Ask, typed: Typed) -> str:
    return caption_of(ask, typed["value"])


def caption_of(ask: Ask, value: Any) -> str:
    """What the person sees of an option."""
    return next((option.caption for option in ask.options if option.value == value), str(value))


def _captions(ask: Ask, typed: Typed) -> str:
    return ", ".join(caption_of(ask, each) for each in json.loads(typed["value"]))


TYPES = (
    FieldType(
        "boolean",
        _boolean,
        _yes_or_no,
        "Yes and No as buttons, or in words; `true`, `1`, `false`, `0`",
        "Boolean",
        Widget.ONE,
        _yes_and_no,
    ),
    FieldType(
        "choice",
        _choice,
        _caption,
        "one of `options`, by button, value or caption; a part of a caption finds it",
        "String, the option's value",
        Widget.ONE,
    ),
    FieldType(
        "multichoice",
        _many,
        _captions,
        "any of `options`, by buttons and Done, or listed with commas; `min` and `max` bound how many",
        "Json, a list of the options' values",
        Widget.MANY,
    ),
)
