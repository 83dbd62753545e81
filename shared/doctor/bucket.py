"""Looks at the bucket: may we write, read, sign and delete there, and may browsers read."""

import asyncio

import aiohttp
from yarl import URL

from shared.doctor import cors
from shared.doctor.check import Finding, attempt, compare_clocks, fail, ok, skip, warn
from shared.doctor.probe import PREFIX, Probe, new_key
from shared.settings import Settings
from shared.storage import StorageRefused

__all__ = ["BUCKET", "CLOCK", "CORS", "PREFIX", "RIGHTS", "examine"]

BUCKET, RIGHTS, CORS, CLOCK = "bucket", "bucket rights", cors.CORS, "bucket clock"
MEND = "set R2_ENDPOINT_URL, R2_BUCKET_NAME, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY to what is there"


async def examine(settings: Settings, *, fix: bool = False) -> list[Finding]:
    """All checks of the bucket; with ``fix`` its CORS rules are set as the upload page needs them."""
    probe = Probe.from_settings(settings)
    try:
        there = await attempt(BUCKET, _there(probe), MEND)
        if there.state == "fail":
            return [there, *(skip(name, "the bucket cannot be reached") for name in (RIGHTS, CORS, CLOCK))]
        rest = (
            attempt(RIGHTS, _rights(probe)),
            attempt(CORS, cors.examine(probe, settings.upload_page_url, fix=fix)),
            attempt(CLOCK, compare_clocks(CLOCK, probe.now(), precision_s=1.0)),
        )
        return [there, *await asyncio.gather(*rest)]
    finally:
        await probe.aclose()


async def _there(probe: Probe) -> Finding:
    await probe.check()
    return ok(BUCKET, f"{probe.bucket} is there")


async def _rights(probe: Probe) -> Finding:
    """Store, read, sign, delete, begin in parts; the first that is refused is told by its own error."""
    key, content = new_key(), b"stepgram doctor"
    await probe.put_bytes(key, content, content_type="text/plain")
    try:
        async with probe.open(key) as stored:
            await stored.read()
        signed = URL(await probe.presign_get(key, 60), encoded=True)
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.get(signed, timeout=timeout) as answer,
        ):
            found = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return fail(RIGHTS, f"a presigned address cannot be read: {type(error).__name__}", _ENDPOINT)
    finally:
        await probe.delete(key)
    if found != content:
        return fail(RIGHTS, f"a presigned address answers {answer.status}", _ENDPOINT)
    async with probe.unfinished() as part:
        if (status := await part.put(b"stepgram doctor")) != 200:
            return fail(RIGHTS, f"a presigned address for a part answers {status}", _ENDPOINT)
    try:
        await probe.size_bytes(key)
    except StorageRefused:
        return warn(RIGHTS, "a missing object looks forbidden", "give the key s3:ListBucket on the bucket")
    return ok(RIGHTS, "objects can be stored whole and in parts, read, signed and deleted")


_ENDPOINT = "R2_ENDPOINT_URL must be the address under which people reach the store, too"
