"""What can go wrong with the development stack; every message is written for the person at the shell."""


class DevstackError(Exception):
    """Root of everything that the development stack raises."""


class StackBusyError(DevstackError):
    """Another process works on the same state folder."""


class StateError(DevstackError):
    """The state folder cannot be read or written."""


class ArtifactError(DevstackError):
    """A jar could not be fetched, or is not the one that its list pins."""


class PartError(DevstackError):
    """A part did not start. `log_tail` holds the last lines of its log."""

    def __init__(self, part: str, reason: str, log_tail: str = "") -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.reason = reason
        self.log_tail = log_tail
