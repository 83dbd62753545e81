from collections.abc import Callable
from typing import Any

import pytest
from camunda.external_task.external_task import ExternalTask, TaskResult

from shared.engine.client import EngineClient
from shared.engine.errors import UnreadableValue
from shared.engine.results import BpmnError, Completion, Failure, library_task, outcome_of, report
from shared.engine.task_records import FetchedTask
from shared.errors import AuthorError
from tests.fakes.web import Request, Response, serving

RAW: dict[str, Any] = {
    "activityId": "work",
    "activityInstanceId": "work:1",
    "executionId": "e1",
    "id": "t1",
    "lockExpirationTime": "2026-01-02T12:01:00.000+0000",
    "processDefinitionId": "audit:3:d1",
    "processDefinitionKey": "audit",
    "processInstanceId": "p1",
    "retries": None,
    "workerId": "w",
    "topicName": "analyse",
    "tenantId": "tenant",
    "variables": {
        "rows": {"type": "Json", "value": '{"a": [1]}', "valueInfo": {}},
        "people": {
            "type": "Object",
            "value": '["x"]',
            "valueInfo": {"serializationDataFormat": "application/json"},
        },
        "since": {"type": "Date", "value": "2026-01-02T12:00:00.000+0000", "valueInfo": {}},
        "nothing": {"type": "Null", "value": None, "valueInfo": {}},
    },
    "priority": 0,
    "businessKey": "bk",
    "extensionProperties": {"title": "T"},
}


@pytest.fixture
def task() -> ExternalTask:
    return library_task(FetchedTask.from_json(RAW))


def test_the_librarys_task_gives_lists_and_maps_decoded(task: ExternalTask) -> None:
    assert task.get_variable("rows") == {"a": [1]}
    assert task.get_variables()["people"] == ["x"]
    assert task.get_variable("since") == "2026-01-02T12:00:00.000+0000"
    assert task.get_variable("nothing") is None
    assert task.get_variable("unknown") is None
    assert task.get_variable("rows", with_meta=True)["type"] == "Json"


def test_the_librarys_task_knows_the_rest(task: ExternalTask) -> None:
    assert task.get_extension_property("title") == "T"
    assert (task.get_task_id(), task.get_worker_id(), task.get_topic_name()) == ("t1", "w", "analyse")
    assert (task.get_business_key(), task.get_tenant_id()) == ("bk", "tenant")


def test_making_the_librarys_task_leaves_the_fetched_one_as_it_was() -> None:
    fetched = FetchedTask.from_json(RAW)
    library_task(fetched)
    assert fetched.variables["rows"]["value"] == '{"a": [1]}'


def test_a_json_variable_that_is_none_is_the_authors_error() -> None:
    broken = RAW | {"variables": {"rows": {"type": "Json", "value": "{"}}}
    with pytest.raises(UnreadableValue, match="rows"):
        library_task(FetchedTask.from_json(broken))


def test_a_completion_types_its_variables(task: ExternalTask) -> None:
    outcome = outcome_of(
        task.complete(
            {"n": 1, "list": [1], "typed": {"value": 2, "type": "Long"}, "plain": {"value": 3}},
            {"map": {"value": {"a": 1}, "type": "Json"}, "data": {"value": 1, "unit": "kg"}},
        ),
        "analyse",
    )
    assert outcome == Completion(
        {
            "n": {"value": 1, "type": "Integer"},
            "list": {"value": "[1]", "type": "Json"},
            "typed": {"value": 2, "type": "Long"},
            "plain": {"value": 3, "type": "Integer"},
        },
        {
            "map": {"value": '{"a": 1}', "type": "Json"},
            "data": {"value": '{"value": 1, "unit": "kg"}', "type": "Json"},
        },
    )


def test_a_variable_passed_on_with_its_meta_data_goes_back_as_it_came(task: ExternalTask) -> None:
    outcome = outcome_of(task.complete({"copy": task.get_variable("people", with_meta=True)}), "analyse")
    assert isinstance(outcome, Completion)
    assert outcome.variables == {
        "copy": {
            "type": "Object",
            "value": '["x"]',
            "valueInfo": {"serializationDataFormat": "application/json"},
        }
    }


def test_a_failure_counts_its_retries_and_its_time_out_in_milliseconds(task: ExternalTask) -> None:
    result = task.failure("no disk", "Traceback …", max_retries=3, retry_timeout=5000)
    assert outcome_of(result, "analyse") == Failure("no disk", "Traceback …", 3, 5.0)
    again = library_task(FetchedTask.from_json(RAW | {"retries": 3}))
    assert outcome_of(again.failure("no disk", {"code": 1}, 3, 5000), "analyse") == Failure(
        "no disk", '{"code": 1}', 2, 5.0
    )


def test_a_bpmn_error_brings_its_message_and_variables(task: ExternalTask) -> None:
    outcome = outcome_of(task.bpmn_error("BAD_EXPORT", "empty file", {"reason": "empty"}), "analyse")
    assert outcome == BpmnError("BAD_EXPORT", "empty file", {"reason": {"value": "empty", "type": "String"}})


@pytest.mark.parametrize("result", [None, "done", TaskResult(None)])
def test_a_result_that_says_nothing_is_the_authors_error(result: object) -> None:
    with pytest.raises(AuthorError, match="analyse"):
        outcome_of(result, "analyse")


@pytest.mark.parametrize(
    ("make", "call"),
    [
        (lambda task: task.complete({"a": 1}), "complete"),
        (lambda task: task.failure("m", "d", 0, 0), "failure"),
        (lambda task: task.bpmn_error("C", "m"), "bpmnError"),
    ],
)
async def test_each_outcome_is_one_call(
    task: ExternalTask, make: Callable[[ExternalTask], TaskResult], call: str
) -> None:
    paths: list[str] = []

    def note(request: Request) -> Response:
        paths.append(request.path)
        return Response(204)

    async with serving(note) as url, EngineClient(f"{url}/engine-rest") as client:
        await report(client, FetchedTask.from_json(RAW), outcome_of(make(task), "analyse"))
    assert paths == [f"/engine-rest/external-task/t1/{call}"]
