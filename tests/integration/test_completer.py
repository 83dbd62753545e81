"""Telling the engine an answer: what each of its answers means, until it knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.completer import STRANGE_PATIENCE, Completer
from shared import replies, texts, transitions
from shared.db import Database
from shared.engine.errors import (
    FAULTS_BEFORE_GIVING_UP,
    EngineFault,
    EngineRejected,
    EngineUnauthorized,
    EngineUnavailable,
    NoAnswer,
    OptimisticLocking,
)
from shared.engine.records import ActivityEnd
from shared.errors import WorldError
from shared.models import PendingReply, Prompt
from shared.queues import Later, LostClaim, claim
from shared.transitions import COMPLETIONS
from tests.fakes.rows import all_of, change, get, lapse
from tests.fakes.services import Fakes
from tests.fakes.steps import ANN
from tests.fakes.waiting import running, until
from workers import registry
from workers.parker import Parker

SURE = {"telegram_user_id": ANN, "text_a": "Sure?", "action_yes": "Yes"}
YES = {"action": {"value": "yes", "type": "String"}}
COMPLETE = {"kind": "complete", "variables": YES}
WORKER = "stepgram"


@pytest.fixture
def fakes(db: Database) -> Fakes:
    return Fakes(db)


async def answered(
    fakes: Fakes, outcome: dict[str, Any] | None = None, *, by: int | None = ANN, **given: Any
) -> tuple[str, int]:
    """A step that was answered: the ids of its task and of its row."""
    task = fakes.engine.give(SURE, **given)
    await fakes.engine.lock(task.id, WORKER, 30)
    await Parker(fakes.services, registry.human_topics()).park(task)
    async with fakes.db.begin() as tx:
        reply = await replies.by_task(tx, task.id)
        assert reply is not None
        assert await transitions.answer(tx, reply.id, outcome or COMPLETE, by, "Ann" if by else None)
    return task.id, reply.id


async def tell(fakes: Fakes, *, tries: int = 1) -> None:
    """Claim the one answer and tell the engine."""
    await change_due(fakes)
    async with fakes.db.begin() as tx:
        (row,) = await claim(tx, COMPLETIONS, 10, 60)
    row.attempts = tries
    await Completer(fakes.services).tell(row)


async def change_due(fakes: Fakes) -> None:
    """Let every pause come to its end."""
    await lapse(fakes.db, PendingReply)


async def state(fakes: Fakes, reply_id: int) -> str:
    """The state of a row."""
    return (await get(fakes.db, PendingReply, reply_id)).state


# the outcomes


async def test_an_answer_completes_its_task(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    await tell(fakes)
    held = fakes.engine.held[task_id]
    assert (held.end, held.variables, held.local_variables) == (ActivityEnd.COMPLETED, YES, {})
    row = await get(fakes.db, PendingReply, reply_id)
    assert (row.state, row.outcome) == ("completed", COMPLETE)
    assert row.closed_at is not None


async def test_inputs_that_would_swallow_the_results_are_deleted_first(fakes: Fakes) -> None:
    task_id, _ = await answered(fakes)
    await tell(fakes)
    assert fakes.engine.held[task_id].deleted == ("action_yes",)
    names = [name for name, _ in fakes.engine.calls]
    assert names.index("delete_local_variables") < names.index("complete")


async def test_the_results_of_an_activity_with_outputs_are_told_locally(fakes: Fakes) -> None:
    task_id, _ = await answered(fakes, outputs=["decision"])
    await tell(fakes)
    held = fakes.engine.held[task_id]
    assert (held.variables, held.local_variables) == ({}, YES)


async def test_a_cancellation_throws_the_steps_code(fakes: Fakes) -> None:
    outcome = {"kind": "bpmn_error", "code": "GIVEN_UP", "message": "by Ann"}
    task_id, reply_id = await answered(fakes, outcome)
    await tell(fakes)
    assert fakes.engine.held[task_id].error_code == "GIVEN_UP"
    assert await state(fakes, reply_id) == "cancelled"


async def test_a_cancellation_without_a_code_ends_the_instance(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes, {"kind": "cancel_instance", "reason": "by Ann"})
    await tell(fakes)
    assert fakes.engine.held[task_id].end is ActivityEnd.CANCELED
    assert await state(fakes, reply_id) == "cancelled"


async def test_an_incident_is_raised_and_says_why(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes, {"kind": "incident", "message": "no such picture"}, by=None)
    await tell(fakes)
    assert (fakes.engine.held[task_id].retries, fakes.engine.held[task_id].incident) == (0, "no such picture")
    assert await state(fakes, reply_id) == "failed"


# what the engine may answer


@pytest.mark.parametrize(
    "error", [EngineUnavailable("away"), EngineUnauthorized("wrong password"), NoAnswer("?")]
)
async def test_an_engine_that_is_away_is_told_later_and_the_person_is_told_once(
    fakes: Fakes, error: Exception
) -> None:
    _, reply_id = await answered(fakes)
    before = len(await all_of(fakes.db, Prompt))
    for _ in range(3):
        fakes.engine.fail("complete", error)
        with pytest.raises(WorldError):
            await tell(fakes)
    assert await state(fakes, reply_id) == "answered"
    said = (await all_of(fakes.db, Prompt))[before:]
    assert ["Your answer is saved" in prompt.content["text"] for prompt in said] == [True]
    assert [prompt.chat_id for prompt in said] == [ANN]
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_nobody_is_told_of_an_outcome_that_nobody_gave(fakes: Fakes) -> None:
    await answered(fakes, {"kind": "incident", "message": "x"}, by=None)
    before = len(await all_of(fakes.db, Prompt))
    fakes.engine.fail("failure", EngineUnavailable("away"))
    with pytest.raises(WorldError):
        await tell(fakes)
    assert len(await all_of(fakes.db, Prompt)) == before


async def test_two_transactions_of_the_engine_that_met_are_tried_again_in_silence(fakes: Fakes) -> None:
    _, reply_id = await answered(fakes)
    before = len(await all_of(fakes.db, Prompt))
    fakes.engine.fail("complete", OptimisticLocking("met"))
    with pytest.raises(WorldError):
        await tell(fakes)
    assert (await state(fakes, reply_id), len(await all_of(fakes.db, Prompt))) == ("answered", before)


async def test_a_lost_answer_of_the_engine_is_cleared_up_by_its_history(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    fakes.engine.fail("complete", NoAnswer("connection closed"), after=True)
    with pytest.raises(WorldError):
        await tell(fakes)
    await tell(fakes, tries=2)
    assert fakes.engine.held[task_id].variables == YES
    assert await state(fakes, reply_id) == "completed"
    assert fakes.engine.count("complete") == 2


async def test_an_answer_to_a_step_that_was_taken_back_is_withdrawn_and_says_so(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    (prompt,) = await all_of(fakes.db, Prompt)
    await change(fakes.db, prompt, state="sent", message_id=77)
    fakes.engine.cancel(task_id)
    await tell(fakes)
    assert await state(fakes, reply_id) == "withdrawn"
    shown, said = await all_of(fakes.db, Prompt)
    assert (shown.state, "taken back" in shown.content["text"]) == ("retiring", True)
    assert (said.chat_id, said.content["text"]) == (ANN, texts.say("too-late"))


async def test_a_task_that_vanishes_after_a_refusal_is_withdrawn(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    fakes.engine.fail("complete", EngineRejected("no lock", status=400, type_="X"))
    fakes.engine.cancel(task_id)
    await tell(fakes)
    assert await state(fakes, reply_id) == "withdrawn"


@pytest.mark.parametrize(("tries", "becomes"), [(1, "withdrawn"), (2, "completed")])
async def test_where_the_history_is_silent_a_repetition_met_its_own_success(
    fakes: Fakes, tries: int, becomes: str
) -> None:
    task_id, reply_id = await answered(fakes)
    fakes.engine.held[task_id].finish(ActivityEnd.UNKNOWN)
    await tell(fakes, tries=tries)
    assert await state(fakes, reply_id) == becomes


async def test_an_answer_waits_for_an_engine_that_knows_its_process(fakes: Fakes) -> None:
    """An engine without its data, or another one, is no reason to call an answer too late."""
    task_id, reply_id = await answered(fakes)
    held = fakes.engine.held.pop(task_id)
    with pytest.raises(Later, match="knows neither the task nor its instance"):
        await tell(fakes)
    fakes.engine.held[task_id] = held
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_an_answer_that_no_engine_knows_for_an_hour_came_too_late(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    del fakes.engine.held[task_id]
    long_ago = datetime.now(UTC) - STRANGE_PATIENCE
    await change(fakes.db, PendingReply, reply_id, answered_at=long_ago)
    await tell(fakes)
    assert await state(fakes, reply_id) == "withdrawn"


@pytest.mark.parametrize(
    ("outcome", "becomes"),
    [
        ({"kind": "bpmn_error", "code": "X", "message": "m"}, "cancelled"),
        ({"kind": "incident", "message": "m"}, "failed"),
    ],
)
async def test_an_end_other_than_by_an_answer_is_over_with_its_task(
    fakes: Fakes, outcome: dict[str, Any], becomes: str
) -> None:
    task_id, reply_id = await answered(fakes, outcome)
    fakes.engine.cancel(task_id)
    await tell(fakes)
    assert await state(fakes, reply_id) == becomes


async def test_a_suspended_process_is_waited_for(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    fakes.engine.held[task_id].suspended = True
    with pytest.raises(Later, match="suspended"):
        await tell(fakes)
    assert await state(fakes, reply_id) == "answered"
    fakes.engine.held[task_id].suspended = False
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_a_suspension_that_ends_right_after_its_refusal_is_no_incident(fakes: Fakes) -> None:
    """The task is read after it was refused, and by then there may be nothing wrong with it."""
    _, reply_id = await answered(fakes)
    fakes.engine.fail("complete", EngineRejected("is suspended", status=400, type_="X"))
    with pytest.raises(Later):
        await tell(fakes)
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_a_suspension_that_the_task_does_not_tell_of_is_waited_for(fakes: Fakes) -> None:
    """A lock that meets the suspension leaves the task active in a suspended instance."""
    _, reply_id = await answered(fakes)
    told = EngineRejected(
        "ENGINE-03043 Execution with id 'e' is suspended.", status=400, type_="RestException"
    )
    for _ in range(3):
        fakes.engine.fail("complete", told)
        with pytest.raises(Later, match="suspended"):
            await tell(fakes)
    assert await state(fakes, reply_id) == "answered"
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_a_lock_that_was_lost_is_taken_again(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    fakes.engine.held[task_id].worker_id = None
    with pytest.raises(Later):
        await tell(fakes)
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_a_foreign_lock_is_waited_for(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    await fakes.engine.unlock(task_id)
    await fakes.engine.lock(task_id, "somebody", 20)
    with pytest.raises(Later, match="somebody holds the task") as waiting:
        await tell(fakes)
    assert waiting.value.retry_after_s is not None
    assert 15 < waiting.value.retry_after_s <= 20
    fakes.engine.held[task_id].locked_until = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(Later):
        await tell(fakes)
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


async def test_what_the_engine_refuses_as_it_stands_is_an_incident_with_the_answer_kept(
    fakes: Fakes,
) -> None:
    task_id, reply_id = await answered(fakes)
    refused = EngineRejected("cannot parse the value", status=400, type_="X")
    fakes.engine.fail("complete", refused, refused)
    with pytest.raises(Later):
        await tell(fakes)
    await tell(fakes)
    row = await get(fakes.db, PendingReply, reply_id)
    assert (row.state, row.outcome) == ("failed", COMPLETE | {"refused": True})
    incident = fakes.engine.held[task_id].incident or ""
    assert "the answer of activity 'ask' is kept but cannot be completed: cannot parse" in incident


async def test_a_fault_behind_the_step_is_tried_a_few_times_and_then_an_incident(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    for tries in range(1, FAULTS_BEFORE_GIVING_UP):
        fakes.engine.fail("complete", EngineFault("no flow matches", type_="X"))
        with pytest.raises(WorldError):
            await tell(fakes, tries=tries)
    assert await state(fakes, reply_id) == "answered"
    fakes.engine.fail("complete", EngineFault("no flow matches", type_="X"))
    await tell(fakes, tries=FAULTS_BEFORE_GIVING_UP)
    assert await state(fakes, reply_id) == "failed"
    assert "no flow matches" in (fakes.engine.held[task_id].incident or "")


async def test_a_fault_after_a_long_outage_is_tried_again_too(fakes: Fakes) -> None:
    _, reply_id = await answered(fakes)
    fakes.engine.fail("complete", EngineFault("not quite up yet", type_="X"))
    with pytest.raises(WorldError):
        await tell(fakes, tries=50)
    assert await state(fakes, reply_id) == "answered"


async def test_raising_the_retries_of_an_incident_completes_with_the_kept_answer(fakes: Fakes) -> None:
    task_id, reply_id = await answered(fakes)
    fakes.engine.fail("complete", *[EngineRejected("no", status=400, type_="X")] * 2)
    with pytest.raises(Later):
        await tell(fakes)
    await tell(fakes)
    task = fakes.engine.held[task_id].task
    await fakes.engine.lock(task_id, WORKER, 30)
    await Parker(fakes.services, registry.human_topics()).park(task)
    await tell(fakes)
    assert await state(fakes, reply_id) == "completed"


# side by side


async def test_a_late_completer_changes_nothing(fakes: Fakes) -> None:
    _, reply_id = await answered(fakes)
    await change_due(fakes)
    async with fakes.db.begin() as tx:
        (late,) = await claim(tx, COMPLETIONS, 1, 60)
    await tell(fakes)
    with pytest.raises(LostClaim):
        await Completer(fakes.services).tell(late)
    assert await state(fakes, reply_id) == "completed"


async def test_two_processes_complete_every_answer_once(fakes: Fakes) -> None:
    for _ in range(20):
        await answered(fakes)
    loops = [Completer(fakes.services).loop().run for _ in range(2)]

    async def all_done() -> bool:
        return all(row.state == "completed" for row in await all_of(fakes.db, PendingReply))

    async with running(*loops):
        await until(all_done, "all are completed")
    assert fakes.engine.count("complete") == 20


async def test_an_engine_that_comes_back_gets_what_was_kept(fakes: Fakes) -> None:
    _, reply_id = await answered(fakes)
    fakes.engine.fail("complete", *[EngineUnavailable("away")])

    async def done() -> bool:
        return await state(fakes, reply_id) == "completed"

    async with running(Completer(fakes.services).loop().run):
        await until(done, "the answer arrives")
