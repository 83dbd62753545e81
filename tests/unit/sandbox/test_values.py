"""JSON objects are read with types, and complaints name the field."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devstack.sandbox.values import FieldError, Fields

FIELDS = Fields({"n": 5, "s": "7", "x": "seven", "f": 1.5, "t": True, "o": {"a": 1}, "l": [1], "z": None})


def test_numbers_and_texts_stand_for_each_other() -> None:
    assert (FIELDS.text("n"), FIELDS.integer("s"), FIELDS.number("f")) == ("5", 7, 1.5)


def test_what_is_missing_or_null_takes_the_default() -> None:
    assert (FIELDS.text("z", ""), FIELDS.integer("no", 3), FIELDS.number("no", 0.5)) == ("", 3, 0.5)
    assert ("z" in FIELDS, FIELDS.flag("z", default=True), FIELDS.fields("no").values) == (False, True, {})
    assert (FIELDS.items("no"), FIELDS.flag("t"), Fields({"y": "Yes"}).flag("y")) == ([], True, True)


@pytest.mark.parametrize(
    ("read", "complaint"),
    [
        (lambda: FIELDS.text("no"), 'Can\'t find field "no"'),
        (lambda: FIELDS.text("o"), 'Field "o" must be of type String'),
        (lambda: FIELDS.integer("l"), 'Field "l" must be of type Number'),
        (lambda: FIELDS.integer("x"), 'Field "x" must be a valid Number'),
        (lambda: FIELDS.number("s"), 'Field "s" must be of type Number'),
        (lambda: FIELDS.fields("l"), 'Field "l" must be of type Object'),
        (lambda: FIELDS.items("o"), 'Field "o" must be of type Array'),
    ],
)
def test_a_wrong_field_is_named(read: Callable[[], object], complaint: str) -> None:
    with pytest.raises(FieldError) as caught:
        read()
    assert str(caught.value) == complaint
