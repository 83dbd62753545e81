"""A step as the author described it, after checking: kept in the pending reply, never parsed anew."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(_Frozen):
    """One thing that a step shows: text, a ``Label: value`` line, or a file of the bucket."""

    kind: Literal["text", "line", "photo", "file"]
    name: str
    value: str
    label: str | None = None
    links: bool = False


class Option(_Frozen):
    """One choice: the value that the process gets and the caption that the person sees."""

    value: str
    caption: str


class Ask(_Frozen):
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
    accept: tuple[str, ...] = ()
    max_bytes: int | None = None
    public: bool = False

    @property
    def is_file(self) -> bool:
        """Whether the answer is a document."""
        return self.type == "file"


class Action(_Frozen):
    """A button that ends the step; ``name`` is without its prefix ``action_``."""

    name: str
    caption: str
    without_form: bool = False


class Step(_Frozen):
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
    until: str | None = None
    """The moment of its expiry, in words."""
    local_results: bool = False
    shadows: tuple[str, ...] = ()
    """Inputs of the step that have the name of a result and would swallow it."""

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
