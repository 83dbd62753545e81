"""Looks at ClamAV: does it answer, and does it find what every scanner is meant to find."""

from collections.abc import AsyncIterator

from shared.doctor.check import Finding, attempt, ok, one_line, skip, warn
from shared.files.scanning import Infected, scan, version
from shared.settings import Settings

SCANNER = "ClamAV"
MEND = "start clamd, and let CLAMD_ADDRESS be its socket's path or HOST:PORT"

_EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*")
"""In parts, so that no scanner takes this file for the harmless virus itself (https://www.eicar.org)."""


async def examine(settings: Settings) -> list[Finding]:
    """The one check of the scanner."""
    if settings.clamd_address is None:
        return [skip(SCANNER, "CLAMD_ADDRESS is not set: files are not scanned")]
    return [await attempt(SCANNER, _look(settings.clamd_address), MEND)]


async def _look(address: str) -> Finding:
    about = one_line(await version(address))
    try:
        await scan(address, harmless_virus())
    except Infected as infected:
        return ok(SCANNER, f"{about}; it finds the test virus ({infected.signature})")
    return warn(SCANNER, f"{about}; it does not find the test virus", "let freshclam fetch its signatures")


async def harmless_virus() -> AsyncIterator[bytes]:
    """The EICAR test string, which does nothing and is found by every scanner."""
    yield "".join(_EICAR).encode()
