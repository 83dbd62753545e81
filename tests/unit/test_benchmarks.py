"""What measurements rest on: a figure is of this run."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from benchmarks.ground import Ground
from devstack.state import State
from tests.fakes.waiting import until


async def test_what_an_earlier_run_has_said_under_the_same_name_is_not_heard(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.log_file("bench_peer_1").write_text("took 1\n")
    stack = SimpleNamespace(state=state, env={})
    ground = Ground(cast("Any", stack), cast("Any", None), cast("Any", None), print)
    with state.lock():
        await ground.launch_peer("bench_peer_1", [sys.executable, "-c", "print('took 2')"], "", {})
        said = await until(state.log_file("bench_peer_1").read_text, "the peer says something")
    assert said == "took 2\n"
