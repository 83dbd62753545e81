"""A seed is a whole run: replayed, it is the same run."""

from tests.chaos.plan import GROUPS, MOST_CASES, PEOPLE, make_plan
from tests.chaos.schedule import BOTS, CALL_FAULTS, UPDATE_FAULTS, WORKERS
from tests.chaos.scripts import SCRIPTS

MINUTE_S = 60.0


def test_a_seed_and_a_duration_give_the_same_plan_again() -> None:
    assert make_plan(3, MINUTE_S) == make_plan(3, MINUTE_S)
    assert make_plan(3, MINUTE_S) != make_plan(4, MINUTE_S)


def test_a_minute_has_every_script_and_every_kind_of_fault() -> None:
    for seed in range(20):
        plan = make_plan(seed, MINUTE_S)
        assert {case.script for case in plan.cases} == set(SCRIPTS)
        assert {fault.kind for fault in plan.faults if fault.lane == "telegram"} == {
            *CALL_FAULTS,
            *UPDATE_FAULTS,
        }
        assert {fault.target for fault in plan.faults if fault.lane == "parts"} == {
            "engine",
            "postgres",
            "s3",
        }
        assert {fault.target for fault in plan.faults if fault.lane == "processes"} == {*WORKERS, *BOTS}


def test_two_minutes_have_all_people_groups_and_cases() -> None:
    plan = make_plan(5, 2 * MINUTE_S)
    assert len(plan.cases) == MOST_CASES
    assert {case.person for case in plan.cases if case.group is None} == set(range(PEOPLE))
    assert {case.group for case in plan.cases} == {None, *range(GROUPS)}


def test_both_ways_of_receiving_are_drawn() -> None:
    assert {make_plan(seed, MINUTE_S).uses_webhook for seed in range(20)} == {True, False}
