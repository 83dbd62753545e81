"""Runs every part side by side and tells what they found."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Sequence

from shared.doctor import bucket, database, engine, scanner, telegram
from shared.doctor.check import Finding, State, fail
from shared.errors import StepgramError
from shared.settings import Settings

PARTS: dict[str, Callable[[Settings], Awaitable[list[Finding]]]] = {
    engine.ENGINE: engine.examine,
    database.SERVER: database.examine,
    bucket.BUCKET: bucket.examine,
    telegram.TOKEN: telegram.examine,
    scanner.SCANNER: scanner.examine,
}


async def examine(settings: Settings, *, fix: bool = False) -> list[Finding]:
    """What every part found, in the order of the parts; with ``fix`` what can be mended from here is."""
    looks = PARTS | ({bucket.BUCKET: functools.partial(bucket.examine, fix=True)} if fix else {})
    found = await asyncio.gather(*(_part(name, look(settings)) for name, look in looks.items()))
    return [finding for findings in found for finding in findings]


async def _part(name: str, findings: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await findings
    except StepgramError as error:  # a setting that is missing or malformed
        return [fail(name, str(error))]


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed."""
    return all(finding.state is not State.FAIL for finding in findings)


def told(findings: Sequence[Finding], form: str) -> str:
    """The findings as lines for people, or as JSON for machines."""
    if form == "json":
        return json.dumps([vars(finding) for finding in findings], ensure_ascii=False, indent=1)
    return "\n".join(finding.line() for finding in findings)
