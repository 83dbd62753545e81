"""A minute of `make chaos`, on a stack of its own: it restarts engine and Postgres."""

from pathlib import Path

import pytest

from tests.chaos.run import run

SEED = 6
DURATION_S = 60.0


@pytest.mark.timeout(480)
async def test_a_minute_of_chaos_breaks_no_rule(tmp_path: Path) -> None:
    lines: list[str] = []
    breaches = await run(SEED, DURATION_S, tmp_path, lines.append)
    assert not breaches, "\n".join([*lines, *map(str, breaches)])
