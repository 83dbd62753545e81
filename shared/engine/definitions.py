"""What only the deployed XML tells of an activity: order, outputs, and which BPMN errors are caught."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from shared.engine.bpmn import ActivityInfo, StartInfo, read_activities, read_starts
from shared.engine.errors import NotFound
from shared.engine.instances import Instances

CACHE_SIZE = 512
"""Definitions kept; a deployed definition never changes, so none gets old."""


class Definitions:
    """The activities of deployed process definitions, each definition read once."""

    def __init__(self, client: Instances, *, cache_size: int = CACHE_SIZE) -> None:
        self._client = client
        self._cache_size = cache_size
        self._known: OrderedDict[str, _Read] = OrderedDict()
        self._loading = asyncio.Lock()

    async def activity(self, definition_id: str, activity_id: str) -> ActivityInfo:
        """What the XML says of an activity.

        Raises:
            NotFound: no such definition, or no such activity in it.
            UnreadableDiagram: the engine's XML cannot be read.
            EngineError: the engine did not give the XML.
        """
        activities = (await self._read(definition_id)).activities
        if activity_id not in activities:
            raise NotFound(f"the process definition {definition_id} has no activity {activity_id!r}")
        return activities[activity_id]

    async def start(self, definition_id: str, key: str) -> StartInfo | None:
        """The start event by which people start a process, None where it has none.

        Raises:
            as :meth:`activity`.
        """
        return (await self._read(definition_id)).starts.get(key)

    async def _read(self, definition_id: str) -> "_Read":
        known = self._known.get(definition_id)
        if known is None:
            async with self._loading:  # the first of many tasks of a new definition reads it for all
                known = self._known.get(definition_id)
                if known is None:
                    known = await self._load(definition_id)
        self._known.move_to_end(definition_id)
        return known

    async def _load(self, definition_id: str) -> "_Read":
        xml = await self._client.definition_xml(definition_id)
        self._known[definition_id] = read = _Read(read_activities(xml), read_starts(xml))
        if len(self._known) > self._cache_size:
            self._known.popitem(last=False)
        return read


@dataclass(frozen=True)
class _Read:
    activities: Mapping[str, ActivityInfo]
    starts: Mapping[str, StartInfo]
