"""Every sentence that a person reads, in the language of their chat. The catalogues are Project Fluent's.

``say`` gives a sentence with its values as they are: whoever renders HTML escapes them first. Whose language
it is stands in a context variable, as gettext's users know it; :func:`speaking` sets it for what is said to
one chat.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from fluent.runtime import FluentBundle, FluentResource

LANGUAGES = {"en": "English", "ru": "Русский"}
"""The languages that there is a catalogue for, as their speakers call them."""

DEFAULT = "en"


@dataclass(frozen=True)
class Voice:
    """How a chat is spoken to: a language of :data:`LANGUAGES`, and the zone of the times it is told."""

    language: str = DEFAULT
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


_VOICE: ContextVar[Voice | None] = ContextVar("voice", default=None)
_default = Voice()


def voice() -> Voice:
    """How whoever is spoken to just now is spoken to."""
    return _VOICE.get() or _default


def default_voice() -> Voice:
    """How those are spoken to who have chosen nothing."""
    return _default


def speak_by_default(as_in: Voice) -> None:
    """Set what holds for those who have chosen nothing; a process does so once, when it starts."""
    global _default
    _default = as_in


@contextmanager
def speaking(as_in: Voice) -> Iterator[None]:
    """Speak in this way to whomever is spoken to inside."""
    before = _VOICE.set(as_in)
    try:
        yield
    finally:
        _VOICE.reset(before)


def fitting(*wishes: str | None) -> str:
    """The first of some languages that we have, else the default; ``en-GB`` is ours as ``en``."""
    for wish in wishes:
        language = (wish or "").replace("_", "-").partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return _default.language


@cache
def catalogue(language: str) -> FluentBundle:
    """The messages of one language."""
    # Isolation is done by value: most need none, and the marks would stand in what people copy.
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource(files("shared.texts").joinpath(f"{language}.ftl").read_text("utf-8")))
    return bundle


def say(message: str, /, **values: str | int) -> str:
    """A sentence in the language of the moment.

    Raises:
        LookupError: there is no such message, or it wants another value; a test finds these in our own code.
    """
    bundle = catalogue(voice().language)
    pattern = bundle.get_message(message).value
    isolated = {name: isolate(value) if isinstance(value, str) else value for name, value in values.items()}
    said, errors = bundle.format_pattern(pattern, isolated) if pattern else ("", [LookupError(message)])
    if errors:
        raise LookupError(f"message {message!r} of {voice().language!r}: {errors[0]}")
    return str(said)


def isolate(value: str) -> str:
    """A value that runs from right to left, marked so that the words around it keep their places."""
    is_foreign = any(unicodedata.bidirectional(each) in {"R", "AL"} for each in value)
    return f"\u2068{value}\u2069" if is_foreign else value
