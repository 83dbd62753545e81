"""Starts processes that people asked for, and makes their engine users: both wait as rows."""

import secrets

import structlog

from shared import outbox, people, starts, texts
from shared.db import Tx, notify
from shared.engine.errors import FAULTS_BEFORE_GIVING_UP, EngineFault, EngineRejected, NotFound, UserIdRefused
from shared.errors import AuthorError
from shared.markup import render_html
from shared.models import Person, ProcessStart
from shared.queues import Loop, settle
from shared.service import Services
from shared.steps.conversation import Draft
from shared.transitions import FETCH_SIGNAL

log = structlog.get_logger(__name__)


class Starter:
    """The handler of the starts' queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[ProcessStart]:
        """The loop that a bot process runs."""
        return self._services.loop(starts.STARTS, self.start, concurrency=2, on_poison=self._tell)

    async def start(self, row: ProcessStart) -> None:
        """Start one process, unless an earlier try whose answer was lost has started it."""
        engine = self._services.engine
        tenant = row.tenant_id or None
        running = (
            await engine.active_instances(row.business_key, row.definition_key, tenant)
            if row.attempts > 1
            else []
        )
        try:
            instance_id = running[0].id if running else await self._started(row)
        except (NotFound, EngineRejected, EngineFault) as error:
            # A 500 may be a moment's; one that stays is the diagram's, and the person must be free to go on.
            if isinstance(error, EngineFault) and row.attempts < FAULTS_BEFORE_GIVING_UP:
                raise
            raise AuthorError(f"process {row.definition_key!r} cannot be started: {error}") from error
        async with self._services.db.begin() as tx:
            await settle(tx, row, state="started", process_instance_id=instance_id)
            await notify(tx, FETCH_SIGNAL)
        log.info("started", process=row.definition_key, instance=instance_id)

    async def _started(self, row: ProcessStart) -> str:
        engine = self._services.engine
        if row.definition_id is not None:
            return await engine.start_definition(row.definition_id, row.business_key, row.variables)
        return await engine.start_process(
            row.definition_key, row.business_key, row.variables, row.tenant_id or None
        )

    async def _tell(self, tx: Tx, row: ProcessStart, reason: str) -> None:
        async with people.speaking_to(tx, row.requested_by):
            draft = Draft("notice", render_html(texts.say("cannot-start")))
        await outbox.post(tx, row.requested_by, [draft], priority=outbox.REPLY)


class EngineUsers:
    """The handler of the queue of people whose engine user is to be made."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def loop(self) -> Loop[Person]:
        """The loop that a bot process runs."""
        return self._services.loop(people.ENGINE_USERS, self.make, concurrency=2)

    async def make(self, person: Person) -> None:
        """Make the engine user tg_user_ID of a person; an engine that refuses the id leaves them served."""
        settings, engine = self._services.settings, self._services.engine
        user_id = f"tg_user_{person.user_id}"
        state = "made"
        try:
            # Nobody signs in with it: the password only must not be guessed.
            await engine.create_user(
                user_id, person.first_name, person.last_name or "-", f"Aa1!{secrets.token_urlsafe(32)}"
            )
            if settings.engine_users_group_id:
                await engine.add_to_group(user_id, settings.engine_users_group_id)
        except (UserIdRefused, EngineRejected) as error:
            log.error(  # noqa: TRY400 - the reason says all
                "no engine user was made; the person is served all the same", reason=str(error)
            )
            state = "refused"
        async with self._services.db.begin() as tx:
            await settle(tx, person, state=state)
