"""Fields that Telegram's own buttons fill: user, location."""

import json
import re
from decimal import Decimal

from shared import texts
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, Widget, as_written
from shared.steps.model import Ask


def _user(ask: Ask, answer: str) -> Typed:
    match = re.fullmatch(r"(?:tg_user_)?([1-9][0-9]{0,17})", answer.strip())
    if match is None:
        raise InvalidAnswer(texts.say("not-a-user"))
    return {"value": int(match[1]), "type": "Long"}


def _location(ask: Ask, answer: str) -> Typed:
    match = re.fullmatch(r"\s*(-?\d{1,2}(?:\.\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)\s*", answer, re.ASCII)
    if match is None:
        raise InvalidAnswer(texts.say("not-a-location"))
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise InvalidAnswer(texts.say("not-a-location"))
    return {"value": json.dumps({"latitude": latitude, "longitude": longitude}), "type": "Json"}


def _shown_location(ask: Ask, typed: Typed) -> str:
    place = json.loads(typed["value"])
    return f"{Decimal(repr(place['latitude'])):f}, {Decimal(repr(place['longitude'])):f}"


TYPES = (
    FieldType(
        "user",
        _user,
        as_written,
        "a Telegram user, picked by a button in a private chat; else their id or `tg_user_ID`",
        "Long, the user's id",
        Widget.USER,
    ),
    FieldType(
        "location",
        _location,
        _shown_location,
        "a place, shared by a button in a private chat; else `52.52, 13.405`",
        "Json: `latitude`, `longitude`",
        Widget.LOCATION,
    ),
)
