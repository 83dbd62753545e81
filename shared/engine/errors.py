"""What can go wrong between us and the engine; :func:`shared.engine.rest.error_of` decides which it is."""

from shared.errors import AuthorError, StepgramError, WorldError

FAULTS_BEFORE_GIVING_UP = 4
"""How often the engine may fail (:class:`EngineFault`) at one request before an operator has to look."""

_SUSPENDED = "ENGINE-03043 "
"""How the engine begins to say that something is suspended, whatever type it gives that."""


class EngineError(StepgramError):
    """The engine did not do what it was asked."""


class EngineUnavailable(EngineError, WorldError):
    """The engine could not be reached, or something in front of it answered in its place."""


class NoAnswer(EngineUnavailable):
    """The request was sent and no answer of the engine came back: it may have been done."""


class EngineUnauthorized(EngineError, WorldError):
    """The engine does not accept our user, or that user may not do this; an operator has to act."""


class OptimisticLocking(EngineError, WorldError):
    """Two transactions of the engine met; this one was rolled back and may be tried again at once."""


class EngineFault(EngineError, WorldError):
    """The engine tried and failed (500) and rolled back: often the next step of the diagram is at fault.

    ``type`` is the engine's name of the failure: ProcessEngineException, NullValueException, …
    """

    def __init__(self, message: str, *, type_: str) -> None:
        super().__init__(message)
        self.type = type_


class EngineRejected(EngineError):
    """The engine refuses the request as it stands (400 and its like); the same again will not help.

    ``status`` is the HTTP status, ``type`` the engine's name of the refusal.
    """

    def __init__(self, message: str, *, status: int, type_: str) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_

    @property
    def is_suspension(self) -> bool:
        """Whether it is refused because its instance or definition is suspended."""
        return str(self).startswith(_SUSPENDED)


class NotFound(EngineError):
    """The engine says that there is no such definition, instance, user or execution."""


class TaskGone(NotFound):
    """The engine says that there is no such external task: completed, or taken back."""


class UnreadableValue(EngineError, AuthorError):
    """A variable holds what its type does not allow; the engine stores malformed Json unseen."""


class UnreadableDiagram(EngineError, AuthorError):
    """A deployed BPMN file is no XML that can be read."""


class UserIdRefused(EngineError):
    """The engine's whitelist does not allow this user id."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            f"the engine refuses the user id {user_id!r}: by default it allows letters and digits only."
            " To allow it, set generalResourceWhitelistPattern and userResourceWhitelistPattern of the engine"
            " to [a-zA-Z0-9_-]+ and restart it. With Spring Boot they are"
            " camunda.bpm.generic-properties.properties.general-resource-whitelist-pattern and"
            " …user-resource-whitelist-pattern; for Operaton they begin with operaton.bpm"
        )
        self.user_id = user_id
