from datetime import UTC, datetime, timedelta

import pytest

from shared.engine.task_records import ExternalTaskState, FetchedTask, Refusal, refusal

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
RAW = {
    "activityId": "ask",
    "activityInstanceId": "ask:1",
    "executionId": "e1",
    "id": "t1",
    "lockExpirationTime": "2026-01-02T12:01:00.000+0000",
    "processDefinitionId": "audit:3:d1",
    "processDefinitionKey": "audit",
    "processInstanceId": "p1",
    "retries": None,
    "workerId": "w",
    "topicName": "render_task",
    "tenantId": None,
    "variables": {"text_q": {"type": "String", "value": "Sure?", "valueInfo": {}}},
    "priority": 7,
    "businessKey": "bk",
    "extensionProperties": {"title": "T"},
}


def state(worker_id: str | None, left_s: float | None, *, suspended: bool = False) -> ExternalTaskState:
    return ExternalTaskState(
        id="t1",
        topic="render_task",
        worker_id=worker_id,
        lock_expires_at=None if left_s is None else NOW + timedelta(seconds=left_s),
        suspended=suspended,
        retries=None,
        error_message=None,
        process_instance_id="p1",
        execution_id="e1",
        process_definition_id="audit:3:d1",
        process_definition_key="audit",
        activity_id="ask",
        activity_instance_id="ask:1",
        business_key=None,
        tenant_id=None,
    )


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (None, Refusal.UNSEEN),
        (state("w", 60, suspended=True), Refusal.SUSPENDED),
        (state(None, None, suspended=True), Refusal.SUSPENDED),
        (state(None, None), Refusal.UNLOCKED),
        (state("other", -1), Refusal.UNLOCKED),
        (state("other", 60), Refusal.FOREIGN),
        (state("w", 60), Refusal.OTHER),
        (state("w", -60), Refusal.OTHER),
    ],
)
def test_a_refused_step_tells_by_its_state_what_to_do(task: ExternalTaskState | None, why: Refusal) -> None:
    assert refusal(task, "w", NOW) is why


def test_a_fetched_task_is_read_whole() -> None:
    task = FetchedTask.from_json(RAW)
    assert (task.id, task.topic, task.worker_id, task.activity_id) == ("t1", "render_task", "w", "ask")
    assert task.lock_expires_at == NOW + timedelta(minutes=1)
    assert task.process_definition_version == 3
    assert task.raw is RAW
    assert (task.retries, task.priority, task.business_key, task.tenant_id) == (None, 7, "bk", None)


def test_a_definition_id_without_a_version_tells_none() -> None:
    assert FetchedTask.from_json(RAW | {"processDefinitionId": "d1"}).process_definition_version is None
