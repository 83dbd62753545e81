"""A wrong password must not become a locked account."""

import time
from collections.abc import Callable

from shared.engine.errors import EngineUnauthorized

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 600.0


class LoginGate:
    """Lets nothing out for 5, 10, 20 … 600 s after a refused login.

    The engine counts wrong passwords: each makes it refuse the right one as well for 3, 6, 12 … 60 s, and the
    tenth in a row locks the user for good. Many loops share one client, so the pause is kept here.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals = 0
        self._closed_until = 0.0

    def check(self) -> None:
        """Let a request pass, or not.

        Raises:
            EngineUnauthorized: a login was refused lately.
        """
        if self._closed_until > self._clock():
            raise self._error()

    def accepted(self) -> None:
        """Open again: the engine took our login."""
        self._refusals = 0
        self._closed_until = 0.0

    def refused(self) -> EngineUnauthorized:
        """Close, for longer each time; the error to raise. Requests that were out together count once."""
        now = self._clock()
        if self._closed_until <= now:
            self._closed_until = now + min(FIRST_PAUSE_S * 2**self._refusals, LONGEST_PAUSE_S)
            self._refusals += 1
        return self._error()

    def _error(self) -> EngineUnauthorized:
        return EngineUnauthorized(
            "the engine refuses our login; check ENGINE_USERNAME and ENGINE_PASSWORD. After a wrong password"
            " it refuses the right one too for up to a minute, and after ten in a row until an administrator"
            " unlocks the user (POST /user/ID/unlock)",
            retry_after_s=max(0.0, self._closed_until - self._clock()),
        )
