"""The errors of Stepgram: one root, and under it the two kinds that are treated differently.

An :class:`AuthorError` is a mistake in a diagram or a setting and becomes an incident at once; a
:class:`WorldError` is an engine, network, bucket or Telegram that is not itself today and is tried again.
"""


class StepgramError(Exception):
    """Something in Stepgram went wrong."""


class AuthorError(StepgramError):
    """The diagram asks for something that cannot be done; trying again will not help.

    The message names the activity, the name, what was found and what is allowed.
    """


class ConfigurationError(StepgramError):
    """A setting is missing or refused; the message names it and says how to mend it."""


class WorldError(StepgramError):
    """Something outside did not answer as it should; trying again later may help.

    ``retry_after_s`` is the pause that the other side asked for, in seconds, where it named one.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
