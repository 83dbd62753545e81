"""Parks a step: checks its contract, makes its row and prompts in one transaction, then the long lease."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from shared import deadlines, outbox, people, places, replies, texts, transitions
from shared.db import NotStorable, Tx
from shared.engine.bpmn import ActivityInfo
from shared.engine.errors import NotFound, TaskGone
from shared.engine.task_records import FetchedTask, LockOutcome
from shared.engine.values import from_engine
from shared.errors import AuthorError
from shared.models import PendingReply
from shared.service import Services
from shared.signing import derive_key
from shared.steps import contract, conversation, keyboards
from shared.steps.model import Step
from shared.steps.reading import Declared, as_text
from workers.registry import Human

log = structlog.get_logger(__name__)

UNSURE_LEASE_S = 5.0
"""A row whose lease was not yet taken is due so soon: a crash between row and lease costs this much."""

EARLIEST, LATEST = 0.4, 0.6
"""The shares of a lease between which it is renewed."""


def renewal_s(lease_s: float) -> float:
    """When to renew a lease: around half of it, spread out so that parked steps do not come due together."""
    return lease_s * random.uniform(EARLIEST, LATEST)  # noqa: S311


def _waits(task: FetchedTask, step: Step, made: Mapping[str, int]) -> bool:
    return task.id in made and not step.asks_nothing


class Parker:
    """From a task that was fetched to a pending reply that is posted and leased."""

    def __init__(self, services: Services, topics: list[Human]) -> None:
        self._services = services
        self._topics = {topic.name: topic for topic in topics}
        self._key = derive_key(services.settings.bot_token.get_secret_value())

    async def park(self, task: FetchedTask) -> None:
        """Park one task. The same task may come again at any time and meets its row."""
        await self.park_many([task])

    async def park_many(self, tasks: Sequence[FetchedTask]) -> None:
        """Park tasks that came together, in few statements; whatever is not plain goes its own way."""
        read = await asyncio.gather(*(self._read(task) for task in tasks), return_exceptions=True)
        plain = [(task, step) for task, step in zip(tasks, read, strict=True) if isinstance(step, Step)]
        try:
            made = await self._store(plain) if plain else {}
        except NotStorable:
            made = {}  # a value of one of them; alone, each shows which
        await self._lease({task.id: made[task.id] for task, step in plain if _waits(task, step, made)})
        # Known rows, authors' errors, and whatever of the world stood in the way of one.
        rest = await asyncio.gather(
            *(
                self._park_known(task, step)
                for task, step in zip(tasks, read, strict=True)
                if task.id not in made
            ),
            return_exceptions=True,
        )
        for failed in rest:
            if isinstance(failed, BaseException):
                raise failed

    async def _park_known(self, task: FetchedTask, read: Step | BaseException) -> None:
        """Park one task that may have a row: what was answered is told the engine again, and not read anew.

        The inputs that would swallow its results are gone by then, so what was read of it may be an error.
        """
        with structlog.contextvars.bound_contextvars(task=task.id, activity=task.activity_id):
            async with self._services.db.begin() as tx:
                known = await replies.by_task(tx, task.id)
                parked = await self._again(tx, known) if known else None
            try:
                reply, waits = parked or await self._reopen(task, read)
            except AuthorError as error:
                await self._incident(task, str(error))
                return
            if waits:
                await self._lease({task.id: reply.id})

    async def _store(self, plain: Sequence[tuple[FetchedTask, Step]]) -> dict[str, int]:
        """The ids of the rows that were made, by task."""
        async with self._services.db.begin() as tx:
            made = await transitions.park_many(
                tx, [_new_reply(task, step) for task, step in plain], lease_due_s=UNSURE_LEASE_S
            )
            await self._open(tx, [(made[task.id], step) for task, step in plain if task.id in made])
        return made

    async def _lease(self, parked: Mapping[str, int]) -> None:
        if not parked:
            return
        settings = self._services.settings
        lock = self._services.engine.lock
        outcomes = await asyncio.gather(
            *(lock(task_id, settings.worker_id, settings.lease_s) for task_id in parked),
            return_exceptions=True,
        )
        locked = list(zip(parked.values(), outcomes, strict=True))
        async with self._services.db.begin() as tx:
            held = [reply_id for reply_id, outcome in locked if outcome is LockOutcome.HELD]
            await transitions.leases_due(tx, held, settings.lease_s * EARLIEST, settings.lease_s * LATEST)
            for reply_id, outcome in locked:
                if outcome is LockOutcome.GONE:
                    await transitions.withdrawn(tx, reply_id)
        for (task_id, reply_id), outcome in zip(parked.items(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome  # its row is due soon, and then its lease is taken
            log.info("parked", task=task_id, reply=reply_id, lease=outcome.name.lower())

    async def _read(self, task: FetchedTask) -> Step:
        info = await self._services.definitions.activity(task.process_definition_id, task.activity_id)
        declared = await self._declared(task, info)
        topic = self._topics[task.topic]
        step = contract.read_step(declared, needs_file=topic.needs_file, may_ask=topic.may_ask)
        if any(ask.public for ask in step.asks) and not self._services.settings.r2_public_url:
            raise AuthorError(
                f"activity {task.activity_id!r}: public=true needs R2_PUBLIC_URL, and it is not set"
            )
        if not step.title and not step.asks_nothing:
            step = step.model_copy(update={"title": info.name or ""})
        offers_page = self._services.settings.upload_page_url is not None and step.chat_id > 0
        if offers_page and any(ask.is_file for ask in step.asks):
            step = step.model_copy(update={"upload_page": True})
        if step.expires_after_s is not None:
            until = datetime.now(UTC) + timedelta(seconds=step.expires_after_s)
            step = step.model_copy(update={"until": until})
        return step

    async def _declared(self, task: FetchedTask, info: ActivityInfo) -> Declared:
        # An activity without inputs has no scope of its own: what looks local to it is the process's.
        local = task.variables if info.input_names else {}
        values: dict[str, Any] = {name: from_engine(raw) for name, raw in local.items()}
        names = [name for name in info.input_names if name in values]
        # What was set on the step by other means than its diagram counts where it is a key or a typed item.
        names += sorted(name for name in values if name not in names and contract.is_item(name))
        order = {name: at for at, name in enumerate(info.property_names)}
        properties = dict(
            sorted(task.extension_properties.items(), key=lambda each: order.get(each[0], len(order)))
        )
        needs_starter = contract.says_starter(values, properties)
        starter: Any = None
        if needs_starter or not contract.names_recipient(values, properties):
            starter = await self._of_process(task, "telegram_user_id")
        if not contract.names_recipient(values, properties):
            values["telegram_user_id"] = starter
        return Declared(
            activity=task.activity_id,
            names=tuple(names),
            values=values,
            properties=properties,
            caught_codes=None if info.catches_all else info.caught_error_codes,
            local_results=bool(info.output_names),
            starter=as_text(starter) if needs_starter else None,
        )

    async def _of_process(self, task: FetchedTask, name: str) -> Any:
        try:
            return await self._services.engine.process_instance_variable(task.process_instance_id, name)
        except NotFound:
            return None

    async def _incident(self, task: FetchedTask, reason: str) -> None:
        log.warning("author's error, raising an incident", reason=reason)
        worker_id = self._services.settings.worker_id
        try:
            await self._services.engine.failure(task.id, worker_id, message=reason, details=reason, retries=0)
        except TaskGone:
            # Its instance ended before it was read, so what it lacked is perhaps nobody's mistake.
            log.info("taken back before it was parked")

    async def _again(self, tx: Tx, reply: PendingReply) -> tuple[PendingReply, bool] | None:
        """The row of a task that came again, and whether it still waits; None if it is to be read as if new.

        An answered step is never read anew: the inputs that would swallow its results are gone by then.
        """
        log.info("task came again", state=reply.state)
        if reply.state in transitions.OPEN:
            return reply, True
        if reply.outcome is None or reply.outcome["kind"] == "incident":
            return None
        await transitions.complete_again(tx, reply.id)
        return reply, False

    async def _reopen(self, task: FetchedTask, step: Step | BaseException) -> tuple[PendingReply, bool]:
        """The row of a task that ended unanswered here and is handed out again, as if it were new."""
        if isinstance(step, BaseException):
            raise step
        new = _new_reply(task, step)
        async with self._services.db.begin() as tx:
            reply, is_open = await transitions.park(tx, new, lease_due_s=UNSURE_LEASE_S)
            if not is_open:
                if again := await self._again(tx, reply):
                    return again
                is_open = await transitions.reopen(tx, reply.id, new, lease_due_s=UNSURE_LEASE_S)
                await deadlines.forget(tx, reply.id)
            if is_open:
                await self._open(tx, [(reply.id, step)])
        return reply, is_open and not step.asks_nothing

    async def _open(self, tx: Tx, opened: Sequence[tuple[int, Step]]) -> None:
        """Queue the first prompts of steps; a notice is answered by being shown."""
        at_once = self._services.settings.chat_prompts_at_once
        # By chat, so that no two processes wait for each other's chats.
        opened = sorted(opened, key=lambda each: each[1].chat_id)
        asking = [(reply_id, step.chat_id) for reply_id, step in opened if not step.asks_nothing]
        placed = await places.take(tx, asking, at_once)
        voices = await people.voices(tx, {step.chat_id for _, step in opened})
        posts: list[outbox.Post] = []
        held_chats: set[int] = set()
        for reply_id, step in opened:
            has_place = step.asks_nothing or reply_id in placed
            asks_now = has_place and bool(step.asks) and not step.claim
            has_dialog = asks_now and await transitions.open_dialog(tx, reply_id, step.chat_id)
            sign = keyboards.signer(reply_id, step.recipient_id, self._key)
            with texts.speaking(voices[step.chat_id]):
                drafts = conversation.opening(step.spoken(), sign, dialog_open=has_dialog)
            posts.append(outbox.Post(step.chat_id, drafts, reply_id, held=not has_place))
            if not has_place:
                held_chats.add(step.chat_id)
        await outbox.post_all(tx, posts)
        await deadlines.begin(tx, opened)
        for chat_id in sorted(held_chats):
            await places.tell_rest(tx, chat_id)
        for reply_id, step in opened:
            if step.asks_nothing:
                await transitions.answer(tx, reply_id, conversation.outcome(step, {}, None), None, None)


def _new_reply(task: FetchedTask, step: Step) -> transitions.NewReply:
    return transitions.NewReply(
        external_task_id=task.id,
        topic=task.topic,
        activity_id=task.activity_id,
        activity_instance_id=task.activity_instance_id,
        process_instance_id=task.process_instance_id,
        execution_id=task.execution_id,
        process_definition_id=task.process_definition_id,
        process_definition_key=task.process_definition_key,
        business_key=task.business_key,
        tenant_id=task.tenant_id,
        step=step.model_dump(mode="json", exclude_defaults=True),
        chat_id=step.chat_id,
        recipient_id=step.recipient_id,
    )
