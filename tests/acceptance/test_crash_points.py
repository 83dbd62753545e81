"""Processes are killed at every commit and at every call of another system; what became of it is judged.

All cases are played in a few lanes side by side before the first test; a test looks at the outcome of one.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from devstack.stack import Stack
from tests.support.crash_lanes import Lane, a_lane
from tests.support.crash_scenes import CASES, SCENES, SHOWN, Case, files
from tests.support.crash_stage import NotPassed, Stage, judge

pytestmark = pytest.mark.timeout(600)

LANES = 4


@dataclass
class Played:
    """What came of the cases, and what the processes have passed."""

    failures: dict[Case, str] = field(default_factory=dict)
    took_s: dict[Case, float] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)


def chosen(request: pytest.FixtureRequest) -> list[Case]:
    """The cases whose tests are to run; all of them for a test of what is passed."""
    items = [item for item in request.session.items if item.path == request.path]
    cases = [item.callspec.params["case"] for item in items if hasattr(item, "callspec")]
    return cases if len(cases) == len(items) else list(CASES)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(
    request: pytest.FixtureRequest,
    stack: Stack,
    world_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Played:
    """Play all cases."""
    folder = tmp_path_factory.mktemp("crash")
    waiting = sorted(chosen(request), key=lambda case: len(case.points))
    played = Played()
    async with AsyncExitStack() as lanes:
        entered = [
            lanes.enter_async_context(
                a_lane(stack, world_template, number, folder, files=files(), shown=SHOWN)
            )
            for number in range(min(LANES, len(waiting)))
        ]
        opened = await asyncio.gather(*entered)
        await asyncio.gather(*(play_all(lane, waiting, played) for lane in opened))
        played.passed = {name for lane in opened for name in lane.passed.read_text().splitlines()}
    return played


async def play_all(lane: Lane, waiting: list[Case], played: Played) -> None:
    while waiting:
        case = waiting.pop()
        began = time.monotonic()
        for is_last in (False, False, True):
            try:
                await play(lane, case)
            except Exception as error:  # one case must not keep the others from being played
                await lane.clear()
                if isinstance(error, NotPassed) and not is_last:
                    continue  # the processes have shared the work otherwise, and nothing was tried
                played.failures[case] = f"{type(error).__name__}: {error}"
            break
        played.took_s[case] = time.monotonic() - began


async def play(lane: Lane, case: Case) -> None:
    scene = SCENES[case.scene]
    person = await lane.person(is_greeted=scene.greets)
    calls = (await lane.world.town.call("GET", "/calls"))["calls"]
    stage = Stage(lane, case.scene, case.points, person, calls[-1]["n"] if calls else 0)
    if not scene.arms_itself:
        stage.arm()
    await scene.play(stage)
    await judge(stage, scene.end, scene.states)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_process_that_is_killed_at_any_point_loses_and_repeats_nothing(case: Case, played: Played) -> None:
    print(f"played in {played.took_s[case]:.1f} s")
    failure = played.failures.get(case)
    assert failure is None, failure


def test_every_point_that_is_passed_has_its_death(played: Played) -> None:
    assert played.passed - {point for case in CASES for point in case.points} == set()
