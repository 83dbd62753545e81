"""`stepgram` as it is installed: the operator's commands, and the topics that workers serve."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared import cli

if TYPE_CHECKING:
    from shared.authoring.lint import Topics


def main() -> None:
    """Run one command of the operator."""
    cli.main(served)


def served(modules: Iterable[str] = ()) -> "Topics":
    """Every topic that workers serve: built in, installed, and of the modules named.

    Raises:
        ConfigurationError: a module cannot be imported.
    """
    from shared.authoring.lint import Topics
    from workers import registry

    registry.load(modules)
    human = {topic.name: topic for topic in registry.human_topics()}
    return Topics(human, frozenset(topic.name for topic in registry.automated_topics()))


if __name__ == "__main__":
    main()
