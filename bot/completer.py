"""Tells the engine the answers, until it knows them: every answer of the engine has one meaning here."""

from datetime import UTC, datetime, timedelta

import structlog

from bot.starting import business_key_of, started_by
from shared import outbox, people, starts, texts, transitions
from shared.engine.errors import (
    FAULTS_BEFORE_GIVING_UP,
    EngineFault,
    EngineRejected,
    EngineUnauthorized,
    EngineUnavailable,
    TaskGone,
)
from shared.engine.records import ActivityEnd
from shared.engine.task_records import LockOutcome, Refusal, refusal
from shared.markup import escape_value, render_html
from shared.models import Json, PendingReply
from shared.queues import Later, Loop
from shared.service import Services
from shared.steps.conversation import Draft
from shared.steps.model import Step

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""Four connections saturate an engine; more only add latency."""

SUSPENDED_PAUSE_S = 10.0
STRANGE_PAUSE_S, STRANGE_PATIENCE = 60.0, timedelta(hours=1)
"""How long an answer waits for an engine that knows its process, before it counts as too late."""

ENDS = {
    "complete": "completed",
    "bpmn_error": "cancelled",
    "cancel_instance": "cancelled",
    "incident": "failed",
}


def _end_of(outcome: Json) -> str:
    """The state of a step whose outcome the engine knows."""
    return "expired" if outcome.get("expired") else ENDS[outcome["kind"]]


class Completer:
    """The handler of the completions' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine
        self._worker_id = services.settings.worker_id

    def loop(self) -> Loop[PendingReply]:
        """The loop that a bot process runs."""
        return self._services.loop(transitions.COMPLETIONS, self.tell, concurrency=AT_ONCE)

    async def tell(self, reply: PendingReply) -> None:
        """Tell the engine one outcome."""
        with structlog.contextvars.bound_contextvars(task=reply.external_task_id, activity=reply.activity_id):
            if reply.topic == starts.START_TOPIC:
                await self._start(reply)
                return
            try:
                await self._call(reply)
            except TaskGone:
                await self._gone(reply)
            except EngineRejected as error:
                await self._refused(reply, error)
            except EngineFault as error:
                await self._fault(reply, error)
            except (EngineUnavailable, EngineUnauthorized):
                await self._tell_person(reply)
                raise
            else:
                await self._done(reply, _end_of(reply.outcome or {}))

    async def _start(self, reply: PendingReply) -> None:
        """A start form was filled in: the wish to start is a row, whose handler starts once."""
        outcome = reply.outcome or {}
        if outcome["kind"] != "complete":
            await self._done(reply, ENDS[outcome["kind"]])
            return
        by = reply.answered_by or reply.chat_id
        variables = {**outcome["variables"], **started_by(by)}
        key, process = business_key_of(reply.business_key or "", variables), reply.process_definition_key
        async with self._services.db.begin() as tx:
            known = await starts.running(tx, process, key, reply.tenant_id)
        is_over = known is not None and known.state == "started"
        if is_over and not await self._engine.active_instances(key, process, reply.tenant_id):
            async with self._services.db.begin() as tx:
                await starts.ended(tx, known.id if known else 0)
        wish = starts.Wish(process, key, variables, by, reply.process_definition_id, reply.tenant_id)
        async with self._services.db.begin() as tx:
            made = await starts.request(tx, wish)
            async with people.speaking_to(tx, reply.chat_id):
                words = texts.say("starting") if made else texts.say("runs-already", key=escape_value(key))
            draft = Draft("notice", render_html(words))
            await outbox.post(tx, reply.chat_id, [draft], priority=outbox.REPLY)
            await transitions.completed(tx, reply, "completed" if made else "failed")

    async def _call(self, reply: PendingReply) -> None:
        outcome = reply.outcome or {}
        task_id = reply.external_task_id
        if outcome["kind"] == "bpmn_error":
            await self._engine.bpmn_error(task_id, self._worker_id, outcome["code"], outcome["message"])
        elif outcome["kind"] == "cancel_instance":
            await self._engine.delete_process_instance(reply.process_instance_id, outcome["reason"])
        elif outcome["kind"] == "incident":
            await self._engine.failure(task_id, self._worker_id, outcome["message"], retries=0)
        else:
            await self._complete(reply, outcome["variables"])

    async def _complete(self, reply: PendingReply, variables: Json) -> None:
        step = Step.model_validate(reply.step)
        # Inputs are local to the step and would swallow results of the same name; they are kept in our row.
        await self._engine.delete_local_variables(reply.execution_id, step.shadows)
        if step.local_results:
            await self._engine.complete(reply.external_task_id, self._worker_id, local_variables=variables)
        else:
            await self._engine.complete(reply.external_task_id, self._worker_id, variables)

    async def _done(self, reply: PendingReply, state: str) -> None:
        async with self._services.db.begin() as tx:
            await transitions.completed(tx, reply, state)
        log.info("told the engine", reply=reply.id, state=state)

    async def _gone(self, reply: PendingReply) -> None:
        """Done by an earlier try whose answer was lost, or taken back by the engine."""
        end = await self._engine.activity_end(reply.activity_instance_id)
        if end is ActivityEnd.UNKNOWN and await self._is_strange(reply):
            raise Later("the engine knows neither the task nor its instance", retry_after_s=STRANGE_PAUSE_S)
        # Where the history is silent, a repeated try most likely met its own success.
        done = end is ActivityEnd.COMPLETED or (end is ActivityEnd.UNKNOWN and reply.attempts > 1)
        if done or (reply.outcome or {})["kind"] != "complete":
            await self._done(reply, _end_of(reply.outcome or {}))
            return
        log.info("withdrawn before its answer arrived", reply=reply.id)
        async with self._services.db.begin() as tx:
            if await transitions.withdrawn(tx, reply.id, answered=True) and reply.answered_by is not None:
                async with people.speaking_to(tx, reply.chat_id):
                    draft = Draft("notice", render_html(texts.say("too-late")))
                await outbox.post(tx, reply.chat_id, [draft], priority=outbox.REPLY)

    async def _is_strange(self, reply: PendingReply) -> bool:
        """Whether this may be another engine than the step's, which an operator has an hour to mend."""
        if await self._engine.history_instance(reply.process_instance_id) is not None:
            return False
        log.warning("the engine does not know the instance; is it the right one?", reply=reply.id)
        since = reply.answered_at or datetime.now(UTC)
        return datetime.now(UTC) - since < STRANGE_PATIENCE

    async def _refused(self, reply: PendingReply, error: EngineRejected) -> None:
        """400: what the task says of itself decides whether to wait, to lock it, or to give up."""
        task = await self._engine.external_task(reply.external_task_id)
        why = refusal(task, self._worker_id, datetime.now(UTC))
        # A lock that meets the suspension leaves the task active in a suspended instance.
        if why is Refusal.SUSPENDED or error.is_suspension:
            raise Later("the process is suspended", retry_after_s=SUSPENDED_PAUSE_S)
        if why in {Refusal.UNLOCKED, Refusal.UNSEEN}:
            settings = self._services.settings
            held = await self._engine.lock(reply.external_task_id, self._worker_id, settings.lease_s)
            if held is LockOutcome.GONE:
                await self._gone(reply)
                return
            raise Later("the lock was lost and is taken again", retry_after_s=0.1)
        if why is Refusal.FOREIGN and task is not None and task.lock_expires_at is not None:
            wait_s = (task.lock_expires_at - datetime.now(UTC)).total_seconds()
            raise Later(f"{task.worker_id} holds the task", retry_after_s=min(max(wait_s, 1.0), 60.0))
        outcome = reply.outcome or {}
        if not outcome.get("refused"):
            # What it was refused for may have ended just now: a suspension, somebody's lock.
            async with self._services.db.begin() as tx:
                await transitions.note_outcome(tx, reply, {**outcome, "refused": True})
            raise Later("refused, for a reason that is gone", retry_after_s=0.5)
        await self._incident(reply, str(error))

    async def _fault(self, reply: PendingReply, error: EngineFault) -> None:
        """500: the step that follows cannot be entered; after a few of these an operator has to look.

        They are counted apart from the tries, most of which may have met an engine that was away.
        """
        outcome = reply.outcome or {}
        faults = outcome.get("faults", 0) + 1
        if faults >= FAULTS_BEFORE_GIVING_UP:
            await self._incident(reply, str(error))
            return
        async with self._services.db.begin() as tx:
            await transitions.note_outcome(tx, reply, {**outcome, "faults": faults})
        raise error

    async def _incident(self, reply: PendingReply, message: str) -> None:
        """An incident in the engine; the answer is kept, and raising the retries completes with it again."""
        log.error("the answer cannot be completed, raising an incident", reason=message, reply=reply.id)
        text = f"the answer of activity {reply.activity_id!r} is kept but cannot be completed: {message}"
        await self._engine.failure(reply.external_task_id, self._worker_id, text, retries=0)
        await self._done(reply, "failed")

    async def _tell_person(self, reply: PendingReply) -> None:
        """Once per answer: it is saved, although the engine does not know it yet."""
        if reply.answered_by is None:
            return
        async with self._services.db.begin() as tx:
            async with people.speaking_to(tx, reply.chat_id):
                draft = Draft("notice", render_html(texts.say("saved-engine-away")))
            key = f"saved:{reply.id}:{reply.answered_at}"
            await outbox.post(tx, reply.chat_id, [draft], dedupe=key, priority=outbox.REPLY)
