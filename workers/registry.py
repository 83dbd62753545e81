"""The topics that workers serve: the built-in human topics, and automated ones as async functions."""

import importlib
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TypeVar

from camunda.external_task.external_task import ExternalTask, TaskResult

from shared.errors import ConfigurationError
from workers.tools import Tools

Handler = (
    Callable[[ExternalTask], Awaitable[TaskResult]] | Callable[[ExternalTask, Tools], Awaitable[TaskResult]]
)

ENTRY_POINT_GROUP = "stepgram.topics"
"""Installed packages name modules here whose import registers topics."""

BUILT_IN_MODULES = ("workers.handlers.analyse_export",)


@dataclass(frozen=True)
class Automated:
    """A topic that needs no person: its function and how long the engine locks a task for it."""

    name: str
    handler: Handler
    lock_s: int

    async def run(self, task: ExternalTask, tools: Tools) -> TaskResult:
        """Call the function, with the tools where it takes them."""
        if len(inspect.signature(self.handler).parameters) > 1:
            return await self.handler(task, tools)  # type: ignore[call-arg]
        return await self.handler(task)  # type: ignore[call-arg]


@dataclass(frozen=True)
class Human:
    """A topic whose steps wait for a person: what a step of it must and must not ask for."""

    name: str
    needs_file: bool = False
    may_ask: bool = True


_human = {
    topic.name: topic
    for topic in (
        Human("render_task"),
        Human("await_upload", needs_file=True),
        Human("send_message", may_ask=False),
    )
}
_automated: dict[str, Automated] = {}


H = TypeVar("H", bound=Handler)


def topic(name: str, *, lock_s: int = 60) -> Callable[[H], H]:
    """Register an async function as the handler of the automated topic ``name``.

    The function takes camunda's ExternalTask, and the :class:`~workers.tools.Tools` if it has a second
    parameter, and returns the task's TaskResult (``task.complete``, ``task.bpmn_error``,
    ``task.failure``). A WorldError or an unexpected exception lets the engine hand the task out again
    later; an AuthorError is an incident at once. ``lock_s`` is extended while the function runs.

    Raises:
        ConfigurationError: the topic has a handler already, or the handler is no async function.
    """

    def register(handler: H) -> H:
        is_async: bool = inspect.iscoroutinefunction(handler)
        if not is_async:
            raise ConfigurationError(f"the handler of topic {name!r} must be an async function")
        known = _automated.get(name)
        if name in _human or (known and known.handler is not handler):
            raise ConfigurationError(f"topic {name!r} has a handler already")
        _automated[name] = Automated(name, handler, lock_s)
        return handler

    return register


def load(modules: Iterable[str] = ()) -> None:
    """Import the modules that register topics: built in, installed by entry point, and named here.

    Raises:
        ConfigurationError: a module cannot be imported; the message names it.
    """
    named = [*BUILT_IN_MODULES, *(point.value for point in entry_points(group=ENTRY_POINT_GROUP)), *modules]
    for module in named:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigurationError(f"TOPIC_MODULES: cannot import {module!r}: {error}") from error


def human_topics(chosen: Iterable[str] = ()) -> list[Human]:
    """The human topics among ``chosen``; all of them if nothing is chosen."""
    wanted = set(chosen)
    return [known for known in _human.values() if not wanted or known.name in wanted]


def automated_topics(chosen: Iterable[str] = ()) -> list[Automated]:
    """The automated topics among ``chosen``; all of them if nothing is chosen."""
    wanted = set(chosen)
    return [known for known in _automated.values() if not wanted or known.name in wanted]


def check_chosen(chosen: Iterable[str]) -> None:
    """Refuse a choice that names a topic nobody registered.

    Raises:
        ConfigurationError: the message names the topic and those that exist.
    """
    known = {*_human, *_automated}
    if unknown := sorted(set(chosen) - known):
        raise ConfigurationError(
            f"TOPICS names {', '.join(unknown)}, which no module registers; known: {', '.join(sorted(known))}"
        )
