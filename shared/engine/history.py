"""What the engine remembers; history level activity is enough unless a method says more."""

from datetime import datetime
from typing import Any

from shared.engine.errors import NotFound
from shared.engine.records import ActivityEnd, HistoricActivity, HistoricInstance
from shared.engine.rest import Json, Rest, path_of
from shared.engine.values import format_time, from_engine

PAGE = 500
"""Of one answer; engines may refuse to give more, or to give all."""


class History(Rest):
    """The history part of the REST API."""

    async def activity_end(self, activity_instance_id: str) -> ActivityEnd:
        """How the activity of an external task ended: the question after a completion answered TaskGone.

        A look-up by primary key, 4 ms at a million rows. The external task log could say it as well, but it
        needs history level full and has no index by task.
        """
        query = {"activityInstanceId": activity_instance_id}
        found = await self._call("GET", "/history/activity-instance", params=query)
        return HistoricActivity.from_json(found[0]).end if found else ActivityEnd.UNKNOWN

    async def canceled_activities(
        self, activity_type: str, finished_after: datetime
    ) -> list[HistoricActivity]:
        """Activities of a type (``serviceTask``) that were left by another way than their end, oldest first.

        ``finished_after`` is included, and an end is stamped before its transaction commits: let two calls
        overlap by some seconds. A BPMN error of our own is among them.
        """
        query = {
            "canceled": "true",
            "activityType": activity_type,
            "finishedAfter": format_time(finished_after),
            "sortBy": "endTime",
            "sortOrder": "asc",
        }
        return [
            HistoricActivity.from_json(raw) for raw in await self._all("/history/activity-instance", query)
        ]

    async def history_activities(self, instance_id: str) -> list[HistoricActivity]:
        """The activities that an instance ran through, in the order of their start."""
        query = {"processInstanceId": instance_id, "sortBy": "occurrence", "sortOrder": "asc"}
        return [
            HistoricActivity.from_json(raw) for raw in await self._all("/history/activity-instance", query)
        ]

    async def history_variables(self, instance_id: str) -> dict[str, Any]:
        """The last values of an instance's own variables, not of inner scopes; level audit or full."""
        query = {
            "processInstanceId": instance_id,
            "activityInstanceIdIn": instance_id,
            "deserializeValues": "false",
        }
        found = await self._all("/history/variable-instance", query)
        return {raw["name"]: from_engine(raw) for raw in found}

    async def history_instance(self, instance_id: str) -> HistoricInstance | None:
        """An instance, running or ended; None where the history has none."""
        try:
            return HistoricInstance.from_json(
                await self._call("GET", path_of("history", "process-instance", instance_id))
            )
        except NotFound:
            return None

    async def incidents(self, instance_id: str) -> list[str]:
        """The messages of an instance's open incidents."""
        found = await self._call(
            "GET", "/incident", params={"processInstanceId": instance_id, "maxResults": PAGE}
        )
        return [raw["incidentMessage"] or "" for raw in found]

    async def _all(self, path: str, query: dict[str, str]) -> list[Json]:
        """Every row of a query, page by page."""
        rows: list[Json] = []
        while True:
            page = await self._call(
                "GET", path, params=query | {"firstResult": len(rows), "maxResults": PAGE}
            )
            rows += page
            if len(page) < PAGE:
                return rows
