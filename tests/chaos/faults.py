"""Makes the faults of a plan, one after another in each lane, and mends everything at the end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import httpx

from devstack.errors import DevstackError
from devstack.people import Town
from devstack.product import Product
from tests.chaos.evidence import Disturbance
from tests.chaos.schedule import Fault

PART_TRIES = 3
Say = Callable[[str], None]


class Fleet:
    """The processes of the product by name, each with its own settings."""

    def __init__(self, product: Product, settings: Mapping[str, Mapping[str, str]]) -> None:
        self.product = product
        self._settings = settings

    async def start(self) -> None:
        """Start all and wait until they serve."""
        await asyncio.gather(
            *(self.product.start(name, _module(name), settings=own) for name, own in self._settings.items())
        )

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        await self.product.stop(name, kill=True)

    def launch(self, name: str) -> None:
        """Start one again, as a supervisor would: without waiting for it."""
        self.product.launch(name, _module(name), settings=self._settings[name])

    async def end(self) -> None:
        """Kill what runs; everything has been judged."""
        alive = [name for name in self._settings if name in self.product.stack.state.processes]
        await asyncio.gather(*(self.kill(name) for name in alive))

    def dead(self) -> list[str]:
        """Processes that ended by themselves."""
        return [name for name in self.product.ended() if name in self._settings]


def _module(name: str) -> str:
    return "workers" if name.startswith("worker") else "bot"


class Trouble:
    """Everything that goes wrong in a run."""

    def __init__(self, fleet: Fleet, town: Town, say: Say) -> None:
        self._fleet = fleet
        self._town = town
        self._say = say
        self.disturbances: list[Disturbance] = []
        self.made = 0

    async def make(self, faults: Sequence[Fault], duration_s: float) -> None:
        """Run the lanes side by side. What a slow lane has not begun when the time is over is left out."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as lanes:
            for lane in sorted({fault.lane for fault in faults}):
                mine = [fault for fault in faults if fault.lane == lane]
                lanes.create_task(self._run(mine, begun, begun + duration_s))

    async def _run(self, faults: Sequence[Fault], begun: float, over: float) -> None:
        act: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "parts": self._part,
            "processes": self._process,
            "telegram": self._telegram,
        }
        for fault in faults:
            await asyncio.sleep(max(0.0, begun + fault.at_s - time.monotonic()))
            if time.monotonic() >= over:
                self._say(f"left out: {fault}")
                continue
            self.made += 1
            await act[fault.lane](fault)

    async def _part(self, fault: Fault) -> None:
        stack, begin = self._fleet.product.stack, time.time()
        await stack.stop_part(fault.target, kill=fault.kind == "kill")
        await asyncio.sleep(fault.lasting_s)
        await self._bring_back(fault.target)
        if fault.target == "postgres":
            self.disturbances.append(Disturbance("postgres was away", begin, time.time()))
        self._say(f"{fault.target}: away for {time.time() - begin:.1f} s")

    async def _bring_back(self, part: str) -> None:
        """Start a part, again if it is too busy with whom it serves to answer its own start in time."""
        for _ in range(PART_TRIES):
            try:
                await self._fleet.product.stack.start_part(part)
            except (DevstackError, httpx.HTTPError) as error:
                self._say(f"{part} did not start: {error!r}")
            else:
                return
        raise LookupError(f"{part} did not come back")

    async def _process(self, fault: Fault) -> None:
        begin = time.time()
        await self._fleet.kill(fault.target)
        self.disturbances.append(Disturbance(f"{fault.target} was killed", begin, time.time()))
        await asyncio.sleep(fault.lasting_s)
        self._fleet.launch(fault.target)

    async def _telegram(self, fault: Fault) -> None:
        details = {"retry_after": round(fault.lasting_s)} if fault.kind == "429" else {}
        held = {"hold_s": fault.lasting_s} if fault.kind == "timeout" else {}
        await self._town.fault(fault.kind, method=fault.target, count=fault.count, **details, **held)

    async def heal(self) -> None:
        """Nothing goes wrong any more, and whatever ended by itself is started again."""
        await self._town.call("DELETE", "/faults")
        for name in self._fleet.dead():
            self._say(f"{name} had ended by itself")
            self._fleet.launch(name)
