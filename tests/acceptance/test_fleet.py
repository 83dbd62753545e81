"""The fleet: processes come, go and are killed, and nobody who answers notices more than a moment of it."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping

import httpx
import psutil

from devstack.balancer import balancing
from devstack.people import Person, Shown
from devstack.product import Product
from tests.acceptance.test_bad_input import DECISION, greeted
from tests.support.bpmn import external_task, process
from tests.support.bpmn_xml import Node
from tests.support.world import World, until

SECRET = "a-secret-of-the-tests"
PATIENCE_S = 15.0


def chain(steps: int) -> bytes:
    """A process that asks the same person one decision after the other."""
    return process("chain", [decision(number) for number in range(steps)])


def decision(number: int) -> Node:
    inputs = DECISION | {"text_what": f"Shall we, {number}?"}
    return external_task(f"decide{number}", "render_task", inputs=inputs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def next_prompt(ada: Person, number: int) -> Shown:
    return await ada.sees(f"Shall we, {number}?", buttons=["Yes", "No"], patience_s=PATIENCE_S)


async def walked(ada: Person, steps: int) -> list[float]:
    """Answer these steps and the last one with No; the seconds from each tap to the next prompt."""
    waits = []
    prompt = await next_prompt(ada, 0)
    for number in range(1, steps + 1):
        await ada.tap("Yes", message=prompt)
        tapped = time.monotonic()
        prompt = await next_prompt(ada, number)
        waits.append(time.monotonic() - tapped)
    await ada.tap("No", message=prompt)
    return waits


async def page(address: str, path: str) -> tuple[int, str]:
    """The status and text of a page of a process; 0 where nobody listens."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        try:
            answer = await http.get(f"http://{address}{path}")
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text


@contextlib.asynccontextmanager
async def webhook_bots(world: World, count: int) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Settings of webhook bots behind one address, by the bots' names."""
    ports = [free_port() for _ in range(count)]
    async with balancing(ports) as address:
        yield {
            f"bot{number}": {
                "WEBHOOK_URL": f"{address}/telegram",
                "WEBHOOK_SECRET": SECRET,
                "LISTEN_ADDRESS": f"127.0.0.1:{port}",
            }
            for number, port in enumerate(ports)
        }


async def test_a_rolling_restart_loses_nothing_and_delays_nobody(world: World) -> None:
    """Two workers and two webhook bots are restarted in turn while people answer one step after the other."""
    await world.deploy(chain(3))
    async with webhook_bots(world, 2) as bots:
        settings: Mapping[str, Mapping[str, str]] = {**bots, "worker0": {}, "worker1": {}}
        await asyncio.gather(*(world.start(name, settings=its) for name, its in settings.items()))
        people = [await greeted(world, name) for name in ("Ada", "Bob")]

        async def restarted() -> None:
            for name, its in settings.items():
                await world.stop(name)
                await world.start(name, settings=its)

        rolling = asyncio.create_task(restarted())
        instances, waits = list[str](), list[float]()

        async def busy(person: Person) -> None:
            while not rolling.done():
                instances.append(await world.start_process("chain", telegram_user_id=person.user_id))
                waits.extend(await walked(person, 2))

        await asyncio.gather(*map(busy, people))
        await rolling
        for instance in instances:
            assert await world.until_ended(instance) == "COMPLETED"
            assert (await world.variables(instance))["action"] == "no"
        await world.until_state("completed")
        print("tap to next prompt:", sorted(round(each, 2) for each in waits))
        assert max(waits) < PATIENCE_S
        assert await world.value("SELECT count(*) FROM pending_replies") == 3 * len(instances)
        assert await world.value("SELECT count(*) FROM updates WHERE state <> 'handled'") == 0


async def test_a_killed_leader_is_followed_within_five_seconds(world: World) -> None:
    await world.start("bot1", "bot2")

    async def leader() -> str:
        leads = [name for name in ("bot1", "bot2") if "leading:" in world.log(name)]
        return leads[0] if len(leads) == 1 else ""

    first = await until(leader, "one of them leads")
    await greeted(world)
    second = {"bot1": "bot2", "bot2": "bot1"}[first]
    await world.stop(first, kill=True)
    killed = time.monotonic()
    bob = await world.town.person("Bob")
    await bob.say("/start")
    await bob.sees("Hello")
    print("seconds from the kill to the answer:", round(time.monotonic() - killed, 2))
    assert "leading:" in world.log(second)
    assert time.monotonic() - killed < 5


async def test_the_next_step_appears_at_once_though_another_engine_node_made_it(world: World) -> None:
    """The worker's poll waits at one node for eight seconds while the bot completes at the other."""
    steps, poll_s = 4, 8
    await world.deploy(chain(steps + 1))
    async with world.stack.second_engine(database="engine") as other:
        urls = [world.product.env["ENGINE_URL"], other.env["ENGINE_URL"]]
        ports = [httpx.URL(url).port or 0 for url in urls]
        served: list[int] = []
        async with balancing(ports, served) as address, balancing(ports[1:]) as second_alone:
            await world.start(
                "worker1", settings={"ENGINE_URL": f"{address}/engine-rest", "POLL_S": str(poll_s)}
            )
            await world.start("bot1", settings={"ENGINE_URL": f"{second_alone}/engine-rest"})
            ada = await greeted(world)
            await world.start_process("chain", telegram_user_id=ada.user_id)
            waits = await walked(ada, steps)
            print("tap to next prompt over two nodes:", [round(wait, 2) for wait in waits])
            assert max(waits) < poll_s * 3 / 4
            assert set(served) == set(ports)
            await world.stop("worker1", "bot1")


async def test_the_health_pages_tell_the_truth_and_bad_requests_cost_nothing(world: World) -> None:
    """One world for all of it: a worker, a webhook bot, and a database that goes away and comes back."""
    health = {"worker1": f"127.0.0.1:{free_port()}", "bot0": f"127.0.0.1:{free_port()}"}
    await world.deploy(chain(1))
    async with webhook_bots(world, 1) as bots:
        hook = bots["bot0"]["LISTEN_ADDRESS"]
        await world.start("worker1", settings={"HEALTH_ADDRESS": health["worker1"], "LOG_FORMAT": "json"})
        own = {"HEALTH_ADDRESS": health["bot0"], "LOG_FORMAT": "json"}
        await world.start("bot0", settings={**bots["bot0"], **own})
        ada = await greeted(world)
        instance = await world.start_process("chain", telegram_user_id=ada.user_id)
        await world.until_state("posted")  # a tap that overtakes the record of its prompt leaves that out
        await ada.tap("Yes")
        await world.until_ended(instance)
        await world.until_tidy()

        await step_is_followed_by_one_id(world)
        await metrics_are_shown(health)
        await bad_requests_cost_nothing(world.product, hook)

        addresses = [*health.values(), hook]
        assert [(await page(each, "/readyz"))[0] for each in addresses] == [200, 200, 200]
        await world.stack.stop_part("postgres", kill=True)
        try:
            for each in addresses:
                status, text = await page(each, "/readyz")
                assert status == 503
                assert json.loads(text)["checks"]["database"] != "ok"
                assert (await page(each, "/livez"))[0] == 200, "nobody must restart it for that"
        finally:
            await world.stack.start_part("postgres")

        async def all_ready() -> bool:
            return [(await page(each, "/readyz"))[0] for each in addresses] == [200] * 3

        await until(all_ready, "ready again")


async def step_is_followed_by_one_id(world: World) -> None:
    task = await world.value("SELECT external_task_id FROM pending_replies")

    async def complete() -> bool:
        return "step completed" in world.log("bot0")

    await until(complete, "the last line is written")
    lines = [json.loads(line) for name in ("worker1", "bot0") for line in world.log(name).splitlines()]
    mine = [line["event"] for line in lines if line.get("task") == task]
    assert {"step created", "parked", "step posted", "step answered", "step completed"} <= set(mine)
    assert {line["activity"] for line in lines if str(line["event"]).startswith("step ")} == {"decide0"}


async def metrics_are_shown(health: Mapping[str, str]) -> None:
    shown = "".join([(await page(address, "/metrics"))[1] for address in health.values()])
    step = 'activity="decide0",process="chain",topic="render_task"'
    for event in ("created", "posted", "answered"):
        assert f"stepgram_steps_{event}_total{{{step}}} 1.0" in shown
    for text in (
        'operation="POST /external-task/fetchAndLock",outcome="ok"',
        'method="sendMessage",outcome="ok"',
        'stepgram_queue_length{queue="completions"} 0.0',
        'stepgram_webhook_requests_total{outcome="stored"}',
        "stepgram_database_up 1.0",
        "process_resident_memory_bytes",
    ):
        assert text in shown
    assert "bot1000001" not in shown


async def bad_requests_cost_nothing(product: Product, address: str) -> None:
    """Ten megabytes a time, with no secret and with the right one: memory and answers stay as they were."""
    bot = psutil.Process(product.pid("bot0"))
    before = bot.memory_info().rss
    body = b"x" * 10_000_000
    headers = [{}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}, {"X-Telegram-Bot-Api-Secret-Token": SECRET}]
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        for each in headers * 10:
            with contextlib.suppress(httpx.WriteError, httpx.ReadError):  # it hangs up while we still send
                answer = await http.post(f"http://{address}/telegram", content=body, headers=each)
                assert answer.status_code in {403, 413}
        junk = await http.post(f"http://{address}/telegram", content=b"[" * 900_000, headers=headers[2])
        assert junk.status_code == 400
    grown = bot.memory_info().rss - before
    print("the bot grew by", grown, "bytes")
    assert grown < 10_000_000
    assert (await page(address, "/livez"))[0] == 200
