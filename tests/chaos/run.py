"""One run: a stack of its own, the product on it, people, faults, and a verdict."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devstack.balancer import balancing
from devstack.people import Person, Town
from devstack.ports import choose
from devstack.product import Product
from devstack.sandbox.serve import RunningSandbox, running_sandbox
from devstack.stack import running_stack
from devstack.waiting import look_until
from shared.engine.client import EngineClient
from shared.engine.values import to_engine
from shared.errors import WorldError
from tests.chaos import processes
from tests.chaos.collect import collect, ended_keys, is_started, live_buttons, unfinished
from tests.chaos.evidence import Button
from tests.chaos.faults import Fleet, Trouble
from tests.chaos.judge import UNSETTLED, Breach, judge
from tests.chaos.people import Actor, Journal
from tests.chaos.plan import PEOPLE, Case, Plan, make_plan
from tests.chaos.schedule import BOTS, WORKERS
from tests.support.engine_work import settings_of

STALLED_S = 60.0
"""When nothing goes wrong any more and no instance has ended for so long, the rest never will."""

SETTLE_S, CALM_S = 30.0, 6.0
"""The last changes of messages, and those that follow a touch, come so soon; after such a pause none does."""

SETTINGS = {
    "CLAIM_S": "5",
    "FETCH_LOCK_S": "8",
    "POLL_S": "2",
    "WITHDRAWAL_INTERVAL_S": "1",
    "LOG_LEVEL": "INFO",
}
Say = Callable[[str], None]


@dataclass
class Run:
    """Everything of one run."""

    plan: Plan
    town: Town
    engine: EngineClient
    env: Mapping[str, str]
    """The product's settings, also while a part is away."""

    say: Say
    journal: Journal = field(default_factory=Journal)
    people: list[Person] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    async def populate(self) -> None:
        """Make the people and their groups; everybody says /start and does not wait for an answer."""
        self.people = [await self.town.person(f"P{number}") for number in range(PEOPLE)]
        for group in self.plan.groups:
            admin, *members = (self.people[number] for number in group.members)
            self.groups.append(
                await self.town.group(f"Group {group.number}", admins=[admin], members=members)
            )
        for person in self.people:
            await person.say("/start")

    def actors(self) -> list[Actor]:
        """Each person in each chat where they have something to do."""
        own: dict[tuple[int, int], list[Case]] = {}
        strange: dict[tuple[int, int], list[Case]] = {}
        for case in self.plan.cases:
            chat = self.people[case.person].chat_id if case.group is None else self.groups[case.group]
            own.setdefault((case.person, chat), []).append(case)
            for stranger in case.strangers:
                strange.setdefault((stranger, chat), []).append(case)
        return [
            Actor(
                self.people[number].in_chat(chat),
                own.get((number, chat), []),
                strange.get((number, chat), []),
                self.journal,
            )
            for number, chat in sorted({*own, *strange})
        ]

    async def start_cases(self) -> None:
        """Start every instance at its time."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as starts:
            for case in self.plan.cases:
                await asyncio.sleep(max(0.0, begun + case.start_s - time.monotonic()))
                starts.create_task(self._start(case))

    async def _start(self, case: Case) -> None:
        """Start one; after an answer that did not come, look first whether it was started."""
        variables = {name: to_engine(value) for name, value in self._variables(case).items()}
        while True:
            try:
                if not await is_started(self.env, case.key):
                    await self.engine.start_process(f"{processes.PREFIX}{case.script}", case.key, variables)
            except (WorldError, httpx.HTTPError):
                await asyncio.sleep(1.0)
            else:
                return

    def _variables(self, case: Case) -> dict[str, object]:
        user_id = self.people[case.person].user_id
        values: dict[str, object] = {"case": case.number, "telegram_user_id": user_id}
        if case.script == "choose":
            values["round"] = 1
        if case.group is not None:
            values["chat"] = self.groups[case.group]
            values["allow"] = str(user_id) if case.allow == "ids" else case.allow
        return values

    async def drain(self) -> None:
        """Wait until every instance has ended, as long as now and then one does."""
        fewest, give_up = len(self.plan.cases), time.monotonic() + STALLED_S
        while (left := await unfinished(self.env)) != 0 and time.monotonic() < give_up:
            if left is not None and left < fewest:
                fewest, give_up = left, time.monotonic() + STALLED_S
            await asyncio.sleep(0.5)
        self.say(f"{left} instances have not ended" if left else "every instance has ended")

    async def verdict(self, trouble: Trouble) -> list[Breach]:
        """Judge what is left when everything has calmed down."""

        async def look(untouchable: Sequence[Button] = ()) -> list[Breach]:
            evidence = await collect(self.env, self.town, self.journal, trouble.disturbances, untouchable)
            return judge(self.plan, evidence)

        await _until_settled(look)
        return await look(await self._touch_the_rest())

    async def _touch_the_rest(self) -> list[Button]:
        """Tap every button of an ended instance; those that stay live although they were touched."""
        ended = await ended_keys(self.env)
        left = [each for each in await live_buttons(self.town) if f"case{each.question.case}" in ended]
        owners = {case.number: self.people[case.person] for case in self.plan.cases}
        for button in left:
            person = owners[button.question.case].in_chat(button.chat_id)
            shown = [each for each in await person.chat() if each["message_id"] == button.message_id]
            for message in shown:
                rows = message["reply_markup"]["inline_keyboard"]
                await person.press(message, rows[0][0]["callback_data"])
        if left:
            self.say(f"touched {len(left)} messages that were live still")
        touched = set(left)

        async def still() -> list[Button]:
            return [each for each in await live_buttons(self.town) if each in touched]

        return await look_until(lambda found: not found, still, SETTLE_S if left else 0.0)


async def _until_settled(look: Callable[[], Awaitable[list[Breach]]]) -> None:
    """Wait until no breach is left that may mend itself, or none has done so for a while."""
    begun = changed = time.monotonic()
    before: list[Breach] | None = None
    while left := [breach for breach in await look() if breach.rule in UNSETTLED]:
        if left != before:
            before, changed = left, time.monotonic()
        if time.monotonic() > min(begun + SETTLE_S, changed + CALM_S):
            return
        await asyncio.sleep(1.0)


async def run(seed: int, duration_s: float, folder: Path, say: Say) -> list[Breach]:
    """Run a plan to its end and give every breach."""
    plan = make_plan(seed, duration_s)
    for line in plan.lines():
        say(line)
    began = time.monotonic()

    def told(what: str) -> None:
        say(f"[{time.monotonic() - began:6.1f} s] {what}")

    async with _world(plan, folder, told) as (made, fleet, sandbox):
        return await _live_through(made, fleet, sandbox, told)


async def _live_through(made: Run, fleet: Fleet, sandbox: RunningSandbox, say: Say) -> list[Breach]:
    await made.populate()
    actors = made.actors()
    trouble = Trouble(fleet, made.town, say)
    say("chaos begins")
    async with asyncio.TaskGroup() as life:
        living = [life.create_task(_wake(sandbox, actors))]
        living += [life.create_task(actor.live()) for actor in actors]
        await _chaos(made, trouble)
        say(f"chaos is over: {trouble.made} faults")
        await made.drain()
        breaches = await made.verdict(trouble)
        for task in living:
            task.cancel()
    return breaches


async def _chaos(made: Run, trouble: Trouble) -> None:
    """Start the instances and make the faults, side by side, and mend everything at the end."""
    async with asyncio.TaskGroup() as chaos:
        chaos.create_task(made.start_cases())
        chaos.create_task(trouble.make(made.plan.faults, made.plan.duration_s))
        chaos.create_task(asyncio.sleep(made.plan.duration_s))
    await trouble.heal()


async def _wake(sandbox: RunningSandbox, actors: Sequence[Actor]) -> None:
    """Let people look at a chat when something happens in it."""
    by_chat: dict[int, list[Actor]] = {}
    for actor in actors:
        by_chat.setdefault(actor.person.chat_id, []).append(actor)
    with sandbox.sandbox.watch() as events:
        while True:
            event = await events.get()
            for actor in by_chat.get(int(str(event.get("chat_id") or 0)), []):
                actor.changed.set()


@asynccontextmanager
async def _world(plan: Plan, folder: Path, say: Say) -> AsyncIterator[tuple[Run, Fleet, RunningSandbox]]:
    async with AsyncExitStack() as held:
        stack = await held.enter_async_context(running_stack(folder, parts=("engine", "postgres", "s3")))
        sandbox = await held.enter_async_context(running_sandbox())
        town = await held.enter_async_context(Town(sandbox.url))
        settings = {**SETTINGS, "TELEGRAM_API_URL": sandbox.url, "BOT_TOKEN": sandbox.token}
        product = Product(stack, settings)
        engine = await held.enter_async_context(EngineClient.from_settings(settings_of(product.env)))
        await product.command("migrate")
        for key, xml in processes.files().items():
            await engine.deploy(key, {f"{key}.bpmn": xml})
        # A stack tells the address of what runs; ours must be known to who starts while a part is away.
        env = product.env
        own = await _settings_of_each(plan, held)
        fleet = Fleet(product, {name: {**env, **settings} for name, settings in own.items()})
        held.push_async_callback(fleet.end)
        await fleet.start()
        say("stack and product run")
        yield Run(plan, town, engine, env, say), fleet, sandbox


async def _settings_of_each(plan: Plan, held: AsyncExitStack) -> dict[str, Mapping[str, str]]:
    each: dict[str, Mapping[str, str]] = {name: {} for name in (*WORKERS, *BOTS)}
    if plan.uses_webhook:
        replicas: list[int] = []
        for _ in BOTS:
            replicas.append(choose(replicas))
        address = await held.enter_async_context(balancing(replicas))
        webhook = {"WEBHOOK_URL": f"{address}/telegram", "WEBHOOK_SECRET": f"secret-{plan.seed}"}
        for name, port in zip(BOTS, replicas, strict=True):
            each[name] = {**webhook, "LISTEN_ADDRESS": f"127.0.0.1:{port}"}
    return each
