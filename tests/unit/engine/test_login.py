import pytest

from shared.engine.errors import EngineUnauthorized
from shared.engine.login import LoginGate


class Clock:
    """A monotonic clock that is moved by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_each_refused_login_doubles_the_pause_up_to_ten_minutes(clock: Clock) -> None:
    gate = LoginGate(clock)
    pauses = []
    for _ in range(9):
        pause_s = gate.refused().retry_after_s
        assert pause_s is not None
        pauses.append(pause_s)
        clock.now_s += pause_s
        gate.check()
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_requests_that_were_out_together_count_as_one_refusal(clock: Clock) -> None:
    gate = LoginGate(clock)
    assert [gate.refused().retry_after_s for _ in range(4)] == [5, 5, 5, 5]
    clock.now_s += 2
    with pytest.raises(EngineUnauthorized) as caught:
        gate.check()
    assert caught.value.retry_after_s == 3


def test_an_accepted_login_forgets_the_refused_ones(clock: Clock) -> None:
    gate = LoginGate(clock)
    gate.refused()
    gate.accepted()
    gate.check()
    assert gate.refused().retry_after_s == 5
