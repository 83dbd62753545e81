"""Deploying: the files are checked first, and what changes for people is told."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from shared.authoring.lint import Topics, check_files, told
from shared.authoring.lint.diagram import Process, read
from shared.engine.client import EngineClient
from shared.engine.errors import UnreadableDiagram
from shared.engine.records import DeployedDefinition
from shared.errors import AuthorError
from shared.operating.changes import Change, changes

IS_BPMN = (".bpmn", ".bpmn20.xml")


def refuse_findings(files: Sequence[Path], topics: Topics) -> None:
    """Check the diagrams among some files.

    Raises:
        AuthorError: what was found, as text.
    """
    findings = check_files([path for path in files if path.name.endswith(IS_BPMN)], topics)
    if len(findings) == 1 and findings[0].rule == "unreadable":
        raise AuthorError(f"{findings[0].file}: {findings[0].message}")
    if findings:
        raise AuthorError(f"mend this, or deploy with --no-lint\n{told(findings, 'text')}")


async def deploy(
    engine: EngineClient, files: Sequence[Path], tenant_id: str | None, topics: Topics
) -> AsyncIterator[str]:
    """Deploy files, each only if it changed; a line for each definition, and for what changed in it."""
    contents = {path.name: path.read_bytes() for path in files}
    for name, content in contents.items():
        after = _processes(content)
        before = {key: await engine.latest_definition(key, tenant_id) for key in after}
        for definition in await engine.deploy(name, {name: content}, tenant_id=tenant_id):
            same = before.get(definition.key)
            unchanged = ", unchanged" if same is not None and same.id == definition.id else ""
            yield f"{name}: {definition.key} version {definition.version} ({definition.id}){unchanged}"
            if same is not None and not unchanged:
                async for line in _changes(engine, same, after.get(definition.key), topics):
                    yield line


async def _changes(
    engine: EngineClient, before: DeployedDefinition, after: Process | None, topics: Topics
) -> AsyncIterator[str]:
    old = _processes(await engine.definition_xml(before.id)).get(before.key)
    for change in changes(old, after, topics.human.keys()):
        yield f"  {change.step}: {change.what}{await _waiting(engine, before, change)}"
        for detail in change.details:
            yield f"    {detail}"


async def _waiting(engine: EngineClient, before: DeployedDefinition, change: Change) -> str:
    if not change.touches_the_waiting:
        return ""
    count = await engine.waiting_at(before.key, change.step, before.tenant_id)
    return f"; instances that wait at it, and keep their version: {count}" if count else ""


def _processes(content: bytes) -> dict[str, Process]:
    try:
        return {process.id: process for process in read(content)}
    except UnreadableDiagram:
        return {}  # the engine says what is wrong with it
