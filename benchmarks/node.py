"""npm's client: installed by name and lock file into the state folder, where node and npm are there."""

import asyncio
import os
import shutil
from pathlib import Path

from benchmarks.ground import NODE_FOLDER, NotDone
from devstack.product import CHECKOUT

INSTALLED = CHECKOUT / ".devstack" / "bench_node"
FILES = ("package.json", "package-lock.json", "client.js")


async def node_client() -> list[str]:
    """The command that runs npm's client.

    Raises:
        NotDone: node or npm is not there, or does not install it.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotDone("node or npm is not on this machine, so npm's client is not measured")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    fresh = _is_installed(INSTALLED)
    for name in FILES:
        shutil.copyfile(NODE_FOLDER / name, INSTALLED / name)
    if not fresh:
        await _install(npm)
    return [node, str(INSTALLED / "client.js")]


def _is_installed(folder: Path) -> bool:
    lock = folder / "package-lock.json"
    same = lock.exists() and lock.read_bytes() == (NODE_FOLDER / "package-lock.json").read_bytes()
    return same and (folder / "node_modules" / ".package-lock.json").exists()


async def _install(npm: str) -> None:
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts")
    made = await asyncio.create_subprocess_exec(
        npm,
        "ci",
        *quiet,
        cwd=INSTALLED,
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await made.communicate()
    if made.returncode != 0:
        raise NotDone(f"npm ci failed, so npm's client is not measured: {out.decode()[-300:].strip()}")
