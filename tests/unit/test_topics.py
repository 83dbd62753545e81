"""The registry of topics."""

from pathlib import Path

import pytest
from camunda.external_task.external_task import ExternalTask, TaskResult
from lxml import etree

from shared.errors import ConfigurationError
from workers import registry

BPMN = Path(__file__).parents[2] / "bpmn"


def test_every_topic_of_the_example_processes_is_served() -> None:
    registry.load()
    served = {topic.name for topic in registry.human_topics()}
    served |= {topic.name for topic in registry.automated_topics()}
    used = {
        value
        for file in BPMN.glob("*.bpmn")
        for element in etree.parse(file).iter()
        for name, value in element.attrib.items()
        if etree.QName(name).localname == "topic"
    }
    assert used
    assert used <= served


def test_a_topic_has_one_handler() -> None:
    with pytest.raises(ConfigurationError, match="render_task"):

        @registry.topic("render_task")
        async def again(task: ExternalTask) -> TaskResult:
            raise NotImplementedError


def test_a_handler_must_be_async() -> None:
    with pytest.raises(ConfigurationError, match="async"):

        @registry.topic("blocking")
        def blocking(task: ExternalTask) -> TaskResult:
            raise NotImplementedError


def test_a_choice_of_topics_that_nobody_registered_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="no_such_topic"):
        registry.check_chosen(["render_task", "no_such_topic"])


def test_a_module_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no_such_module"):
        registry.load(["no_such_module"])
