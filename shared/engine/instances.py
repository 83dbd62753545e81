"""Process definitions and instances: deploy, start, look, delete."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from shared.engine.errors import NotFound
from shared.engine.records import DeployedDefinition, ProcessInstance
from shared.engine.rest import Rest, path_of
from shared.engine.tasks import Variables
from shared.engine.values import from_engine, storable

_NONE: Variables = {}


class Instances(Rest):
    """The deployment, process definition and process instance parts of the REST API."""

    async def version(self) -> str:
        """The engine's version, such as 7.24.0."""
        return str((await self._call("GET", "/version"))["version"])

    async def deploy(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        enable_duplicate_filtering: bool = True,
        deploy_changed_only: bool = False,
        tenant_id: str | None = None,
    ) -> list[DeployedDefinition]:
        """Deploy files {name: content}; the process definitions of the deployment.

        Where duplicate filtering finds nothing new, they are those of the deployment that was there. With
        ``deploy_changed_only`` they are the changed ones only.

        Raises:
            EngineRejected: the engine cannot parse a file; the message says where and why.
        """
        form = aiohttp.FormData()
        form.add_field("deployment-name", name)
        form.add_field("enable-duplicate-filtering", str(enable_duplicate_filtering).lower())
        form.add_field("deploy-changed-only", str(deploy_changed_only).lower())
        if tenant_id is not None:
            form.add_field("tenant-id", tenant_id)
        for file, content in files.items():
            form.add_field(file, content, filename=file, content_type="application/octet-stream")
        deployment = await self._call("POST", "/deployment/create", data=form)
        definitions = await self._call(
            "GET", "/process-definition", params={"deploymentId": deployment["id"]}
        )
        return [DeployedDefinition.from_json(raw) for raw in definitions]

    async def definition_xml(self, definition_id: str) -> bytes:
        """The BPMN file of a process definition, as it was deployed.

        Raises:
            NotFound: there is no such definition.
        """
        answer = await self._call("GET", path_of("process-definition", definition_id, "xml"))
        return str(answer["bpmn20Xml"]).encode()

    async def definition(self, definition_id: str) -> DeployedDefinition:
        """One version of a process.

        Raises:
            NotFound: there is no such definition.
        """
        return DeployedDefinition.from_json(
            await self._call("GET", path_of("process-definition", definition_id))
        )

    async def latest_definition(self, key: str, tenant_id: str | None = None) -> DeployedDefinition | None:
        """The version of a process that a start would take; None where there is none."""
        query = {"key": key, "latestVersion": "true", **_of_tenant(tenant_id)}
        answer = await self._call("GET", "/process-definition", params=query)
        return DeployedDefinition.from_json(answer[0]) if answer else None

    async def version_of(
        self, key: str, version: str, tenant_id: str | None = None
    ) -> DeployedDefinition | None:
        """A version of a process by its number, or the newest with a version tag; None if there is none."""
        which = {"version": version} if version.isascii() and version.isdigit() else {"versionTag": version}
        query = {
            "key": key,
            **which,
            "sortBy": "version",
            "sortOrder": "desc",
            "maxResults": "1",
            **_of_tenant(tenant_id),
        }
        answer = await self._call("GET", "/process-definition", params=query)
        return DeployedDefinition.from_json(answer[0]) if answer else None

    async def startable(self, user_id: str, limit: int = 50) -> list[DeployedDefinition]:
        """The latest versions of the processes that a user may start as a candidate starter, by name.

        Those of every tenant that our own user belongs to are among them.
        """
        query = {
            "startableBy": user_id,
            "latestVersion": "true",
            "active": "true",
            "startableInTasklist": "true",
            "sortBy": "name",
            "sortOrder": "asc",
            "maxResults": limit,
        }
        answer = await self._call("GET", "/process-definition", params=query)
        return [DeployedDefinition.from_json(raw) for raw in answer]

    async def start_process(
        self,
        key: str,
        business_key: str | None = None,
        variables: Variables = _NONE,
        tenant_id: str | None = None,
    ) -> str:
        """Start an instance of the latest version; its id.

        Raises:
            NotFound: no such process, none without a tenant, none that our user may start.
            NoAnswer: it may have been started.
        """
        tenant = () if tenant_id is None else ("tenant-id", tenant_id)
        return await self._start(("key", key, *tenant), business_key, variables)

    async def start_definition(
        self, definition_id: str, business_key: str | None = None, variables: Variables = _NONE
    ) -> str:
        """Start an instance of one version of a process, which may be a tenant's; its id.

        Raises:
            as :meth:`start_process`.
        """
        return await self._start((definition_id,), business_key, variables)

    async def _start(self, what: tuple[str, ...], business_key: str | None, variables: Variables) -> str:
        path = path_of("process-definition", *what, "start")
        answer = await self._call("POST", path, json={"businessKey": business_key, "variables": variables})
        return str(answer["id"])

    async def process_instance(self, instance_id: str) -> ProcessInstance | None:
        """An instance that has not ended; None when it has, or when our user may not read it."""
        try:
            return ProcessInstance.from_json(
                await self._call("GET", path_of("process-instance", instance_id))
            )
        except NotFound:
            return None

    async def process_instance_variable(self, instance_id: str, name: str) -> Any:
        """The value of a process variable.

        Raises:
            NotFound: the instance has ended, or has no such variable.
            UnreadableValue: the value does not fit its type.
        """
        path = path_of("process-instance", instance_id, "variables", name)
        return from_engine(await self._call("GET", path, params={"deserializeValue": "false"}))

    async def places(self, instance_id: str) -> list[str]:
        """The ids of the activities where an instance stands, each once; none when it has ended."""
        try:
            tree = await self._call("GET", path_of("process-instance", instance_id, "activity-instances"))
        except NotFound:
            return []
        found: dict[str, None] = {}
        _collect(tree, found)
        return list(found)

    async def running_instances(self, key: str | None = None, limit: int = 50) -> list[ProcessInstance]:
        """Instances that have not ended, of one process or of all, by process."""
        query = {
            "sortBy": "definitionKey",
            "sortOrder": "asc",
            "maxResults": str(limit),
            **({} if key is None else {"processDefinitionKey": key}),
        }
        answer = await self._call("GET", "/process-instance", params=query)
        return [ProcessInstance.from_json(raw) for raw in answer]

    async def waiting_at(self, key: str, activity_id: str, tenant_id: str | None = None) -> int:
        """How many instances of a process, of any version, stand at an activity."""
        query = {"processDefinitionKey": key, "activityIdIn": activity_id, **_of_tenant(tenant_id)}
        return int((await self._call("GET", "/process-instance/count", params=query))["count"])

    async def instance_variables(self, instance_id: str) -> dict[str, Any]:
        """The variables of a running instance, not of inner scopes.

        Raises:
            NotFound: the instance has ended.
            UnreadableValue: a value does not fit its type.
        """
        path = path_of("process-instance", instance_id, "variables")
        answer = await self._call("GET", path, params={"deserializeValues": "false"})
        return {name: from_engine(raw) for name, raw in sorted(answer.items())}

    async def active_instances(
        self, business_key: str, definition_key: str, tenant_id: str | None = None
    ) -> list[ProcessInstance]:
        """The instances of a process and business key that have not ended, suspended ones among them."""
        query = {
            "businessKey": business_key,
            "processDefinitionKey": definition_key,
            "maxResults": 500,
            **_of_tenant(tenant_id),
        }
        answer = await self._call("GET", "/process-instance", params=query)
        return [ProcessInstance.from_json(raw) for raw in answer]

    async def delete_process_instance(self, instance_id: str, reason: str) -> None:
        """Have an instance cancelled, with the reason in its history; one that is gone is fine.

        It is done by the engine's job executor a moment later (0.2 s where that is idle): the one call that
        writes a reason, for DELETE takes none and an annotation goes to the operation log only.
        """
        body = {
            "processInstanceIds": [instance_id],
            "deleteReason": storable(reason),
            "failIfNotExists": False,
            "skipCustomListeners": False,
        }
        await self._call("POST", "/process-instance/delete", json=body)


def _of_tenant(tenant_id: str | None) -> dict[str, str]:
    """A query for what a tenant has, or, with None, for what belongs to no tenant."""
    return {"withoutTenantId": "true"} if tenant_id is None else {"tenantIdIn": tenant_id}


def _collect(node: Mapping[str, Any], found: dict[str, None]) -> None:
    """The leaves of a tree of activity instances, and the transitions that wait for a job."""
    below = [*node.get("childActivityInstances", []), *node.get("childTransitionInstances", [])]
    for child in below:
        _collect(child, found)
    if not below:
        found.setdefault(str(node["activityId"]))
