"""camunda-external-task-client-python3's own worker with a handler that does nothing."""

import json
import os
import sys

from camunda.external_task.external_task import ExternalTask, TaskResult
from camunda.external_task.external_task_worker import ExternalTaskWorker


def do_nothing(task: ExternalTask) -> TaskResult:
    """Be done at once."""
    return task.complete()


def main() -> None:
    """Work until killed: the library catches even KeyboardInterrupt."""
    env = os.environ
    config = {
        "auth_basic": {"username": env["ENGINE_USERNAME"], "password": env["ENGINE_PASSWORD"]},
        "sleepSeconds": 0,
        **json.loads(env["BENCH_OPTIONS"]),
    }
    worker = ExternalTaskWorker(f"python-{os.getpid()}", env["ENGINE_URL"], config)
    sys.stdout.write("started\n")
    worker.subscribe([env["BENCH_TOPIC"]], do_nothing)


if __name__ == "__main__":
    main()
