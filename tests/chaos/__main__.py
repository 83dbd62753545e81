"""python -m tests.chaos: run the chaos of a seed, print what happens and the verdict."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run


def main() -> int:
    """The exit code: 0 if no rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--duration-s", type=float, default=60.0)
    parser.add_argument("--keep", action="store_true", help="keep the logs, also when no rule was broken")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stepgram-chaos-"))
    breaches = asyncio.run(run(options.seed, options.duration_s, folder, _print))
    for breach in breaches:
        _print(f"BREACH {breach}")
    if breaches or options.keep:
        _print(f"logs are in {folder / 'logs'}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    verdict = f"{len(breaches)} breaches" if breaches else "every rule held"
    _print(f"seed {options.seed}, {options.duration_s:g} s: {verdict}")
    return 1 if breaches else 0


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
