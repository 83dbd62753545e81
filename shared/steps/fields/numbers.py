"""Fields that are numbers: integer, decimal. What is written is read as the person's language writes it."""

import math
import re
from decimal import Decimal, InvalidOperation

from shared import texts
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, check_number
from shared.steps.model import Ask

LONG = 2**63
INTEGER = 2**31


def _written(ask: Ask, answer: str) -> str:
    """The number alone: without the spaces in it, and without the unit or currency beside it."""
    digits = "".join(answer.split()).replace("'", "").replace("’", "").replace("\u2212", "-")
    units = [ask.unit] if ask.unit else []
    units += texts.formats.currency_names(ask.currency) if ask.currency else []
    for unit in ("".join(each.split()).casefold() for each in units):
        if digits.casefold().endswith(unit):
            digits = digits[: -len(unit)]
        elif digits.lstrip("-").casefold().startswith(unit):
            digits = digits.replace(digits.lstrip("-")[: len(unit)], "", 1)
    return _ungrouped(digits).replace("_", "no")


def _ungrouped(digits: str) -> str:
    """Without separators of thousands, where they stand as the person's language has them: 1,000.5."""
    group, point = texts.formats.separators()
    shape = rf"[+-]?\d{{1,3}}(?:{re.escape(group)}\d{{3}})+(?:{re.escape(point)}\d*)?"
    return digits.replace(group, "") if re.fullmatch(shape, digits, re.ASCII) else digits


def _integer(ask: Ask, answer: str) -> Typed:
    refusal = texts.say("not-an-integer", example="42")
    try:
        number = int(_written(ask, answer))
    except ValueError:
        raise InvalidAnswer(refusal) from None
    if abs(number) >= LONG:
        raise InvalidAnswer(refusal)
    check_number(ask, number)
    return {"value": number, "type": "Integer" if abs(number) < INTEGER else "Long"}


def _decimal(ask: Ask, answer: str) -> Typed:
    refusal = texts.say("not-a-number", example=texts.formats.number(12.5))
    try:
        number = Decimal(_point(_written(ask, answer)))
    except InvalidOperation:
        raise InvalidAnswer(refusal) from None
    # What is finite here may be too large for a Double, and neither JSON nor the engine has infinity.
    if not (number.is_finite() and math.isfinite(float(number))):
        raise InvalidAnswer(refusal)
    check_number(ask, number)
    return {"value": float(number), "type": "Double"}


def _point(digits: str) -> str:
    """Where both are written, the last of point and comma is the decimal sign: 1.000,5 and 1,000.5."""
    last = max(digits.rfind("."), digits.rfind(","))
    if "." in digits and "," in digits:
        whole = digits[:last].replace(".", "").replace(",", "")
        return f"{whole}.{digits[last + 1 :]}"
    return digits.replace(",", ".")


def _shown(ask: Ask, typed: Typed) -> str:
    number = typed["value"]
    return texts.formats.money(number, ask.currency) if ask.currency else texts.formats.number(number)


TYPES = (
    FieldType("integer", _integer, _shown, "`42`, `1 000`", "Integer, beyond 32 bits Long"),
    FieldType("decimal", _decimal, _shown, "`12.5`, `12,5`, `1.000,50`; `1,000` by language", "Double"),
)
