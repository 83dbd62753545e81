"""Fields that are numbers: integer, decimal."""

import math
from decimal import Decimal, InvalidOperation

from shared import texts
from shared.steps.fields.base import FieldType, InvalidAnswer, Typed, check_number
from shared.steps.model import Ask

LONG = 2**63
INTEGER = 2**31


def _written(ask: Ask, answer: str) -> str:
    """The digits without the spaces between them and the unit behind them."""
    digits = "".join(answer.split())
    unit = "".join((ask.unit or "").split())
    if unit and digits.casefold().endswith(unit.casefold()):
        digits = digits[: -len(unit)]
    return digits.replace("'", "").replace("’", "").replace("\u2212", "-")


def _integer(ask: Ask, answer: str) -> Typed:
    try:
        number = int(_written(ask, answer).replace("_", "no"))
    except ValueError:
        raise InvalidAnswer(texts.NOT_AN_INTEGER) from None
    if abs(number) >= LONG:
        raise InvalidAnswer(texts.NOT_AN_INTEGER)
    check_number(ask, number)
    return {"value": number, "type": "Integer" if abs(number) < INTEGER else "Long"}


def _decimal(ask: Ask, answer: str) -> Typed:
    try:
        number = Decimal(_point(_written(ask, answer)).replace("_", "no"))
    except InvalidOperation:
        raise InvalidAnswer(texts.NOT_A_NUMBER) from None
    # What is finite here may be too large for a Double, and neither JSON nor the engine has infinity.
    if not (number.is_finite() and math.isfinite(float(number))):
        raise InvalidAnswer(texts.NOT_A_NUMBER)
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
    return repr(typed["value"])


TYPES = (
    FieldType("integer", _integer, _shown, "`42`, `1 000`", "Integer, beyond 32 bits Long"),
    FieldType("decimal", _decimal, _shown, "`12.5`, `12,5`, `1.000,50`", "Double"),
)
