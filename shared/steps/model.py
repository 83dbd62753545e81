"""A step as the author described it, after checking: kept in the pending reply, never parsed anew."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from shared import texts
from shared.models import Json


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Frozen):
    """One choice: the value that the process gets and the caption that the person sees."""

    value: str
    caption: str


class Words(_Frozen):
    """What an author says in another language; whatever is missing stays as it is."""

    title: str | None = None
    value: str | None = None
    label: str | None = None
    caption: str | None = None
    help: str | None = None
    unit: str | None = None
    options: tuple[Option, ...] | None = None


class _Said(_Frozen):
    """Something with words of its author."""

    translations: dict[str, Words] = {}
    """By language."""

    def spoken(self) -> Self:
        """The same in the language of the moment."""
        words = self.translations.get(texts.voice().language)
        return self if words is None else self.model_copy(update=_given(words))


def _given(words: Words) -> dict[str, Any]:
    return {name: value for name, value in words if value is not None}


class Shown(_Said):
    """One thing that a step shows: text, a ``Label: value`` line, or a file of the bucket."""

    kind: Literal["text", "line", "photo", "file"]
    name: str
    value: str
    label: str | None = None
    links: bool = False
    data: Any = None
    """What a line's value is where that is no text: a number, a truth, a list, a map."""
    moment: datetime | None = None
    currency: str | None = None


FileKind = Literal["document", "photo", "video", "audio", "voice"]
"""What a file is in Telegram."""


class Ask(_Said):
    """One thing that a step asks for: a field, or a file (``type`` is then "file")."""

    name: str
    type: str
    label: str
    required: bool
    default: str | None = None
    min: float | None = None
    max: float | None = None
    earliest: str | None = None
    latest: str | None = None
    pattern: str | None = None
    options: tuple[Option, ...] = ()
    help: str | None = None
    unit: str | None = None
    currency: str | None = None
    """An ISO 4217 code."""
    accept: tuple[str, ...] = ()
    max_bytes: int | None = None
    types: tuple[FileKind, ...] = ("document",)
    min_files: int = 1
    max_files: int = 1
    public: bool = False
    strip_metadata: bool = False
    validator: str | None = None
    validator_argument: Any = None
    retention_s: int | None = None
    """So long after it was stored a file is deleted; None: never."""
    link_lifetime_s: int | None = None
    """The life of its presigned address, 0: none is made; None: as the setting says."""

    @property
    def takes_many(self) -> bool:
        """Whether several files may be sent, until Done is tapped."""
        return self.max_files > 1

    @property
    def is_file(self) -> bool:
        """Whether the answer is a document."""
        return self.type == "file"


Style = Literal["danger", "success", "primary"]
"""The colours of a button that Telegram knows."""


class Action(_Said):
    """A button that ends the step; ``name`` is without its prefix ``action_``."""

    name: str
    caption: str
    without_form: bool = False
    style: Style | None = None

    @property
    def leads_back(self) -> bool:
        """Whether it is the way back, which stands last and can always be seen."""
        return self.name == "back"


class Step(_Said):
    """A checked step: whom it asks, what it shows, what it asks for, how it can end."""

    title: str
    chat_id: int
    recipient_id: int | None
    allow: str | tuple[int, ...] = "anyone"
    thread_id: int | None = None
    claim: bool = False
    """In a group: one person takes the step before anybody answers it."""
    votes: int | Literal["majority"] | None = None
    """In a group: how many must tap the same button."""
    shown: tuple[Shown, ...] = ()
    asks: tuple[Ask, ...] = ()
    actions: tuple[Action, ...] = ()
    upload_page: bool = False
    """Whether its questions for files offer a page for larger ones."""
    review: bool = False
    cancellable: bool = False
    on_cancel: str | None = None
    after: Literal["keep", "summarise", "delete"] = "keep"
    reminder_after_s: int | None = None
    expires_after_s: int | None = None
    on_expire: str | None = None
    escalate_after_s: int | None = None
    escalate_to: int | None = None
    """A chat, as ``chat_id``."""
    escalated_from: int | None = None
    """The chat that had the step until it was handed over."""
    until: datetime | None = None
    """The moment of its expiry."""
    local_results: bool = False
    shadows: tuple[str, ...] = ()
    """Inputs of the step that have the name of a result and would swallow it."""

    @classmethod
    def of(cls, row: Json) -> "Step":
        """The step that a row keeps, in the language of the moment."""
        return cls.model_validate(row).spoken()

    def spoken(self) -> "Step":
        """The step with everything of it in the language of the moment."""
        if not self.is_translated:
            return self
        parts = {
            "shown": tuple(each.spoken() for each in self.shown),
            "asks": tuple(each.spoken() for each in self.asks),
            "actions": tuple(each.spoken() for each in self.actions),
        }
        return super().spoken().model_copy(update=parts)

    @property
    def is_translated(self) -> bool:
        """Whether its author has said anything of it in another language."""
        return any(each.translations for each in (self, *self.shown, *self.asks, *self.actions))

    @property
    def asks_nothing(self) -> bool:
        """Whether the step is a notice: shown, and completed at once."""
        return not self.asks and not self.actions and not self.review

    @property
    def is_timed(self) -> bool:
        """Whether something happens by itself while the step waits."""
        return any((self.reminder_after_s, self.expires_after_s, self.escalate_after_s))

    def result_names(self) -> list[str]:
        """The variables that an answer writes; inputs of these names would swallow them."""
        names = [ask.name for ask in self.asks]
        names += [f"{ask.name}_meta" for ask in self.asks if ask.is_file]
        names += [f"action_{action.name}" for action in self.actions]
        names += ["action"] if self.actions else []
        return [*names, "votes"] if self.votes else names
