"""The topic ``analyse_export``: what was going on in a chat, from the history that somebody exported.

A task of it reads the variables ``export_key`` (the export's key in the bucket), ``telegram_user_id`` (whose
chat sees the progress) and ``group_name``. It leaves ``summary`` (HTML subset), ``analysis_key`` and
``chart_key`` (JSON and PNG in the bucket), ``audit_members``, ``audit_messages`` and an empty
``export_problem``; or, for a file that is no usable export, the BPMN error BAD_EXPORT with
``export_problem``, a sentence for the person who sent it.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from camunda.external_task.external_task import ExternalTask, TaskResult

from shared.errors import AuthorError, WorldError
from shared.files.telegram_export import ExportRefused
from shared.markup import escape_value
from shared.storage import ObjectMissing
from workers.handlers.export.process import analyse
from workers.handlers.export.summary import summarise
from workers.handlers.export.tally import Analysis
from workers.registry import topic
from workers.tools import Tools

BAD_EXPORT = "BAD_EXPORT"
FILE_GONE = "The file is no longer in the store. Please send it again."
PROGRESS_INTERVAL_S = 3.0

log = structlog.get_logger(__name__)


@topic("analyse_export")
async def analyse_export(task: ExternalTask, tools: Tools) -> TaskResult:
    """Analyse the export and store the result; repeated, it overwrites what it stored before.

    Raises:
        AuthorError: a variable is missing or malformed.
        WorldError: the bucket does not answer.
        AnalysisBroken: the analysis ended without an answer.
    """
    inputs = Inputs.of(task)
    with TemporaryDirectory(prefix="stepgram-") as folder:
        chart = Path(folder) / "chart.png"
        try:
            analysis = await _analyse(tools, inputs, chart)
        except (ExportRefused, ObjectMissing) as error:
            reason = str(error) if isinstance(error, ExportRefused) else FILE_GONE
            log.info("export refused", process_instance=task.get_process_instance_id(), reason=reason)
            return task.bpmn_error(BAD_EXPORT, reason, {"export_problem": reason})
        keys = await _store(tools, task.get_process_instance_id(), analysis, chart.read_bytes())
    return task.complete({**keys, **_variables(analysis, inputs.group_name)})


@dataclass(frozen=True)
class Inputs:
    """The variables of one task."""

    export_key: str
    chat_id: int
    group_name: str

    @classmethod
    def of(cls, task: ExternalTask) -> "Inputs":
        """Read them.

        Raises:
            AuthorError: one is missing or malformed.
        """
        export_key = task.get_variable("export_key")
        if not isinstance(export_key, str) or not export_key:
            raise _wrong(task, "export_key", export_key, "the key of a file in the bucket")
        user_id = task.get_variable("telegram_user_id")
        try:
            chat_id = int(user_id)
        except (TypeError, ValueError):
            raise _wrong(task, "telegram_user_id", user_id, "a Telegram user id, like 123456789") from None
        return cls(export_key, chat_id, str(task.get_variable("group_name") or ""))


def _wrong(task: ExternalTask, name: str, found: object, allowed: str) -> AuthorError:
    return AuthorError(f"activity {task.get_activity_id()!r}: {name} is {found!r}; it must be {allowed}")


async def _analyse(tools: Tools, inputs: Inputs, chart: Path) -> Analysis:
    async with tools.storage.open(inputs.export_key) as export:
        progress = Progress(tools, inputs, export.size_bytes)
        await progress.begin()
        try:
            analysis = await analyse(export, chart, progress.report)
        except ExportRefused:
            await progress.give_up()
            raise
        await progress.end(analysis.messages)
        return analysis


class Progress:
    """Shows in one message how far the analysis is, at most every PROGRESS_INTERVAL_S."""

    def __init__(self, tools: Tools, inputs: Inputs, size_bytes: int) -> None:
        self._tools = tools
        self._chat_id = inputs.chat_id
        self._size_bytes = size_bytes
        self._of = f" of <b>{escape_value(inputs.group_name)}</b>" if inputs.group_name else ""
        self._due_s = 0.0

    async def begin(self) -> None:
        """Say that the work has begun."""
        await self._show(f"⏳ Reading the history{self._of}…")

    async def report(self, messages: int, read_bytes: int) -> None:
        """Say how far it is, unless the last word is too fresh."""
        if time.monotonic() >= self._due_s:
            share = min(read_bytes / max(self._size_bytes, 1), 1)
            await self._show(f"⏳ Reading the history{self._of}: {share:.0%}, {messages:,} messages")

    async def end(self, messages: int) -> None:
        """Say that the work is done."""
        await self._show(f"✓ Read the history{self._of}: {messages:,} messages")

    async def give_up(self) -> None:
        """Say that the work has ended early; why, is for the next step to tell."""
        await self._show(f"✗ The history{self._of} could not be read")

    async def _show(self, text: str) -> None:
        self._due_s = time.monotonic() + PROGRESS_INTERVAL_S
        try:
            await self._tools.progress(self._chat_id, text)
        except WorldError as error:  # a courtesy, no reason to start again
            log.warning("progress not shown", error=str(error))


async def _store(tools: Tools, instance_id: str, analysis: Analysis, chart_png: bytes) -> dict[str, str]:
    """Put the result under keys that only depend on the process instance."""
    analysis_key, chart_key = f"analyses/{instance_id}/analysis.json", f"analyses/{instance_id}/chart.png"
    document = json.dumps(analysis.to_json(), ensure_ascii=False, indent=1).encode()
    await tools.storage.put_bytes(analysis_key, document, content_type="application/json")
    await tools.storage.put_bytes(chart_key, chart_png, content_type="image/png")
    return {"analysis_key": analysis_key, "chart_key": chart_key}


def _variables(analysis: Analysis, group_name: str) -> dict[str, str | int]:
    return {
        "summary": summarise(analysis, group_name),
        "audit_members": analysis.members,
        "audit_messages": analysis.messages,
        "export_problem": "",
    }
