"""U1 to U3: files from Telegram into the bucket; how fast, in how much memory, and what others feel of it."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import psutil

from benchmarks.figures import Figure
from benchmarks.ground import NO_LIMITS, Ground, NotDone, database_of, python
from benchmarks.taps import TAPS, tap
from devstack.people import Person
from devstack.product import Product
from devstack.waiting import look_until
from tests.support.bpmn import exclusive, external_task, goto

MB = 1_000_000
ROUNDS = 3
AT_ONCE = 4
"""Files on their way at once, on both sides."""

MANY, LARGE, HUGE = (20, 20 * MB - 1000), (1, 200 * MB), (1, 2000 * MB)
PATIENCE_S = 180.0
SAMPLE_S = 0.02
STORED_LOOK_S = 0.1
"""Of some seconds: who measures must not be what keeps the cores busy."""
TELEGRAM_BYTES_PER_S = 800_000
"""The pace of each download while taps are measured: a file is on its way for longer than a round of taps."""

SETTINGS = {**NO_LIMITS, "UPLOADS_AT_ONCE": str(AT_ONCE), "PERSON_BYTES_A_DAY": str(10**12)}


async def bench(ground: Ground) -> list[Figure]:
    """All three, on files of zeros that lie on this disk."""
    await ground.town.call("POST", "/limits", {"enforce": False})
    with TemporaryDirectory(prefix="bench-files-", dir=ground.stack.state.folder) as folder:
        work = _Work(ground, Path(folder))
        try:
            figures = [
                await _speed(work, "U1 200 MB", LARGE, is_local=True),
                await _speed(work, "U1 20 x 20 MB", MANY, is_local=False),
                *await _memory(work),
                await _taps(work),
            ]
        finally:
            await ground.town.call("POST", "/downloads", {"local_dir": "", "bytes_per_s": 0})
            await ground.town.call("POST", "/limits", {"enforce": True})
    return figures


class _Work:
    """People who wait with files, and a bot that takes them."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground = ground
        self.folder = folder

    async def local(self, is_local: bool) -> None:
        """Let Telegram be played by a server on this disk, or by Telegram's own."""
        where = str(self.folder / "local") if is_local else ""
        await self.ground.town.call("POST", "/downloads", {"local_dir": where})

    @asynccontextmanager
    async def asked(
        self, count: int, settings: dict[str, str], *, files: int = 1, again_and_again: bool = False
    ) -> AsyncIterator[tuple[Product, list[Person]]]:
        """As many people of whom each is asked for a file, or for up to so many, and the product."""
        people = await self.ground.people(count)
        inputs = {"telegram_user_id": "${telegram_user_id}", "s3_file": "The file"}
        many = {"s3_file.max_files": str(files)} if files > 1 else {}
        again = exclusive("again", {"${again}": [goto("work")]}, [])
        step = external_task("work", "await_upload", inputs=inputs, properties=many)
        key = await self.ground.deploy(step, again)
        async with self.ground.product({**SETTINGS, **settings}) as product:
            await asyncio.gather(product.start("worker_u", "workers"), product.start("bot_u", "bot"))
            each_has = [{"telegram_user_id": each.user_id, "again": again_and_again} for each in people]
            await self.ground.start(key, each_has)
            await asyncio.gather(*(each.sees("The file", patience_s=60) for each in people))
            yield product, people
        await self.ground.forget(key)

    def file(self, size_bytes: int, number: int) -> Path:
        """A file of zeros with a few bytes of its own; it takes no room on most disks."""
        path = self.folder / f"{number}-{size_bytes}.payload"
        with path.open("wb") as file:
            file.write(b"%d " % number)
            file.truncate(size_bytes)
        return path

    async def stored(self, product: Product, person: Person, files: int, size_bytes: int) -> float:
        """Somebody has sent files; the seconds from the first getFile until all are in the bucket.

        The bot sleeps while they are sent: what people upload is not to be done at the same time.
        """
        since = len(await self.ground.town.calls("getFile"))
        bot = psutil.Process(product.pid("bot_u"))
        bot.suspend()
        try:
            await asyncio.gather(*(self.send(person, at, size_bytes) for at in range(files)))
            await self.quiet_disk()
        finally:
            bot.resume()
        query = "SELECT count(*) FROM uploads WHERE state = 'stored' AND chat_id = %s"

        async def count() -> int:
            return int(await self.ground.value(database_of(product), query, person.chat_id))

        if await look_until(lambda found: found >= files, count, PATIENCE_S, STORED_LOOK_S) < files:
            raise NotDone(f"not all of {files} files were stored within {PATIENCE_S:.0f} s")
        ended = time.time()
        first = (await self.ground.town.calls("getFile"))[since]
        return float(ended - first["at"])

    async def quiet_disk(self) -> None:
        """What the program before has stored is on the disk: writing it is not at the next one's cost."""
        await asyncio.to_thread(os.sync)

    async def send(self, person: Person, number: int, size_bytes: int) -> None:
        """Somebody sends a file."""
        body = {"from": person.user_id, "document": {"path": str(self.file(size_bytes, number))}}
        await person.town.call("POST", f"/chats/{person.chat_id}/messages", body)


async def _speed(work: _Work, id_: str, what: tuple[int, int], *, is_local: bool) -> Figure:
    """In turns with boto3, each once more to warm up."""
    count, size_bytes = what
    await work.local(is_local)
    rates: dict[str, list[float]] = {"ours": [], "boto3": []}
    settings = {"TELEGRAM_LOCAL_FILES": "1"} if is_local else {}
    async with work.asked(ROUNDS + 1, settings, files=count) as (product, people):
        for number, person in enumerate(people):
            for name in ("ours", "boto3") if number % 2 == 0 else ("boto3", "ours"):
                if name == "ours":
                    took_s = await work.stored(product, person, count, size_bytes)
                else:
                    took_s = await _boto3(work, count, size_bytes)
                rate = count * size_bytes / MB / took_s
                work.ground.say(f"{id_} {name}: {rate:.0f} MB/s" + (" (warming up)" if number == 0 else ""))
                if number:
                    rates[name].append(rate)
    ratio = median(ours / other for ours, other in zip(rates["ours"], rates["boto3"], strict=True))
    detail: dict[str, object] = {
        "mb_per_s": {name: round(median(found), 1) for name, found in rates.items()},
        "at_once": AT_ONCE,
        "ours": "from the first getFile until the last row says stored",
    }
    what_it_is = (
        f"{count} x {size_bytes // MB} MB from Telegram into S3, times boto3 with the same stream and parts"
    )
    return Figure(id_, what_it_is, ratio, 0.9, detail=detail)


async def _boto3(work: _Work, count: int, size_bytes: int) -> float:
    """The same files by boto3's own upload_fileobj; its own word of how long that took."""
    person = (await work.ground.people(1))[0]
    ids = []
    for number in range(count):
        body = {"from": person.user_id, "document": {"path": str(work.file(size_bytes, number))}}
        sent = await person.town.call("POST", f"/chats/{person.chat_id}/messages", body)
        ids.append(sent["message"]["document"]["file_id"])
    name = work.ground.fresh_name("boto3")
    await work.quiet_disk()
    options = {"file_ids": ids, "at_once": AT_ONCE}
    await work.ground.launch_peer(name, python("benchmarks.peers.boto3_copy"), "", options)

    async def said() -> list[str]:
        text = await asyncio.to_thread(work.ground.stack.state.log_file(name).read_text)
        return [line for line in text.splitlines() if line.startswith("took ")]

    if not (lines := await look_until(bool, said, PATIENCE_S)):
        raise NotDone("boto3's copy did not end; see its log")
    return float(lines[-1].split()[1])


async def _memory(work: _Work) -> list[Figure]:
    """The bot's resident memory while a file goes through it, over what it has when idle."""
    await work.local(True)
    grown: dict[str, float] = {}
    for name, (_, size_bytes) in (("200 MB", LARGE), ("2 GB", HUGE)):
        async with work.asked(1, {"TELEGRAM_LOCAL_FILES": "1"}) as (product, people):
            process = psutil.Process(product.pid("bot_u"))
            idle = process.memory_info().rss
            async with _peak(process) as peak:
                await work.send(people[0], 0, size_bytes)
                await people[0].sees("is stored", patience_s=PATIENCE_S)
            grown[name] = (max(peak) - idle) / MB
            work.ground.say(f"U2 {name}: {grown[name]:.0f} MB over {idle / MB:.0f} MB")
    detail: dict[str, object] = {"grown_mb": {name: round(found, 1) for name, found in grown.items()}}
    most, ratio = max(grown.values()), grown["2 GB"] / max(grown["200 MB"], 1.0)
    return [
        Figure("U2", "MB of memory over idle while 200 MB or 2 GB pass", most, 64, False, detail),
        Figure("U2 same", "the same for 2 GB, times that for 200 MB", ratio, 1.2, False, dict(detail)),
    ]


@asynccontextmanager
async def _peak(process: psutil.Process) -> AsyncIterator[list[int]]:
    seen = [0]

    async def sample() -> None:
        while True:
            seen.append(process.memory_info().rss)
            await asyncio.sleep(SAMPLE_S)

    sampling = asyncio.create_task(sample())
    try:
        yield seen
    finally:
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling


async def _taps(work: _Work) -> Figure:
    """Taps beside eight uploads at the pace of a network, and without them, in turns."""
    await work.local(False)
    await work.ground.town.call("POST", "/downloads", {"bytes_per_s": TELEGRAM_BYTES_PER_S})
    waits_s: dict[str, list[float]] = {"idle": [], "busy": []}
    async with work.asked(8, {"UPLOADS_AT_ONCE": "8"}, again_and_again=True) as (product, people):
        for number in range(ROUNDS):
            for name in ("idle", "busy") if number % 2 == 0 else ("busy", "idle"):
                async with _uploading(work, people if name == "busy" else []):
                    found = await tap(work.ground, "render_task", _working_already)
                work.ground.say(f"U3 {name}: p95 {1000 * _p95(found):.0f} ms")
                waits_s[name] += found
        failed = await work.ground.value(
            database_of(product), "SELECT count(*) FROM uploads WHERE state IN ('failed', 'refused')"
        )
    detail: dict[str, object] = {
        f"{name}_ms": {"p50": round(1000 * median(found), 1), "p95": round(1000 * _p95(found), 1)}
        for name, found in waits_s.items()
    }
    detail |= {
        "uploads": 8,
        "each_mb_per_s": TELEGRAM_BYTES_PER_S / MB,
        "taps": TAPS * ROUNDS,
        "uploads_not_stored": failed,
    }
    ratio = _p95(waits_s["busy"]) / _p95(waits_s["idle"])
    return Figure(
        "U3", "tap to next prompt, p95 beside 8 uploads, times without them", ratio, 1.3, False, detail
    )


@asynccontextmanager
async def _working_already(_: str) -> AsyncIterator[None]:
    yield


def _p95(found: Sequence[float]) -> float:
    return quantiles(found, n=20)[-1]


@asynccontextmanager
async def _uploading(work: _Work, people: Sequence[Person]) -> AsyncIterator[None]:
    """Each of the people has sent a file that is on its way as long as the block runs."""
    for number, person in enumerate(people):
        await work.send(person, number, MANY[1])
    for person in people:
        await person.sees("⏳", patience_s=30)  # it is told how far it is
    yield
    for person in people:
        await person.sees("The file", patience_s=60)
