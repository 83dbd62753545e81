"""Starts processes of ours as forks of one that has imported everything: a start costs no second of imports.

    python -m tests.support.preloaded

reads one order to a line from its standard input, `{"module", "arguments", "env", "log"}` as JSON, and writes
the process id to a line of its standard output. What runs then is the same entry point in a process and a
session of its own, with nothing but that environment. It ends at the end of its input; what it has started
does not.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import psutil
from botocore.loaders import JSONFileLoader
from sqlalchemy.orm import configure_mappers

from devstack.processes import spawn
from devstack.product import CHECKOUT, Product
from shared import queues, texts
from shared.service import settle_heap
from shared.settings import load_settings
from shared.storage import Storage
from shared.texts.voice import catalogue
from workers import registry

KINDS = ("bot", "workers")


def preload(kinds: Sequence[str] = KINDS) -> None:
    """Import what the entry points need, also what libraries load when they are used for the first time."""
    for kind in kinds:
        importlib.import_module(f"{kind}.__main__")
        del sys.modules[f"{kind}.__main__"]  # it is to run, not to be imported
    for module in ("h11", "anyio._backends._asyncio"):
        importlib.import_module(module)
    registry.load()
    read_models_once()
    Storage.from_settings(load_settings())
    for language in texts.LANGUAGES:
        catalogue(language)
    configure_mappers()
    for queue in [each for each in gc.get_objects() if isinstance(each, queues.Queue)]:
        queues._claim_statement(queue)
        queues._due_query(queue)
    settle_heap()


def read_models_once() -> None:
    """Let botocore keep the models of services that it has read: each session reads them anew."""
    read = cache(partial(JSONFileLoader.load_file, JSONFileLoader()))
    JSONFileLoader.load_file = lambda _, path: read(path)  # type: ignore[method-assign, assignment]


def run_as_main(kind: str, arguments: Sequence[str] = ()) -> None:
    """In a fork: run an entry point as `python -m` does, then end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    sys.argv = [kind, *arguments]
    runpy.run_module(kind, run_name="__main__", alter_sys=True)
    sys.exit()


def serve() -> None:
    """Start what is ordered until the input ends."""
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for them
    print("ready", flush=True)
    while line := sys.stdin.readline():
        order = json.loads(line)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        pid = os.fork()
        if not pid:
            _become(order, log)
        os.close(log)
        print(pid, flush=True)


def _become(order: Mapping[str, Any], log: int) -> None:
    os.setsid()
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    # What the interpreter reads of it is read by now.
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path not in sys.path]
    run_as_main(order["module"], order["arguments"])


class Preloaded:
    """The starter: takes the place of :func:`devstack.processes.spawn`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._answer()

    def spawn(self, argv: list[str], env: Mapping[str, str], log: Path) -> psutil.Process:
        """Start a process as its command line says; a program that is not preloaded starts as usual."""
        at = argv.index("-m") + 1
        if argv[at] not in KINDS:
            return spawn(argv, env, log)
        order = {"module": argv[at], "arguments": argv[at + 1 :], "env": dict(env), "log": str(log)}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return psutil.Process(int(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the preloaded process has ended; what it said is above")
        return line


@contextmanager
def preloaded(product: Product) -> Iterator[Preloaded]:
    """A starter for processes of a product's stack, as long as the block runs."""
    # Its forks keep this command line, by which whoever ends them knows that they are the stack's.
    argv = [sys.executable, "-X", product.mark, "-m", __name__]
    with subprocess.Popen(
        argv, cwd=CHECKOUT, env=product.env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        try:
            yield Preloaded(process)
        finally:
            process.stdin.close()


if __name__ == "__main__":
    serve()
