"""Looks at the bucket: may we write, read, sign and delete there, and may browsers read."""

import asyncio
import uuid
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from shared.doctor.check import Finding, attempt, compare_clocks, fail, ok, skip, warn
from shared.settings import Settings
from shared.storage import ObjectMissing, Storage, StorageRefused, StorageUnavailable
from shared.storage.errors import call

BUCKET, RIGHTS, CORS, CLOCK = "bucket", "bucket rights", "bucket CORS", "bucket clock"
PREFIX = "stepgram-doctor/"
MEND = "set R2_ENDPOINT_URL, R2_BUCKET_NAME, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY to what is there"


class _Probe(Storage):
    """The bucket, and what only a doctor asks of it."""

    async def origins(self) -> list[str]:
        """The origins whose pages may read; none where the bucket has no CORS rules."""
        doing = "reading the CORS rules"
        try:
            answer = await call(doing, lambda: self._client.get_bucket_cors(Bucket=self.bucket))
        except ObjectMissing:
            return []
        return [origin for rule in answer["CORSRules"] for origin in rule["AllowedOrigins"]]

    async def now(self) -> datetime:
        """The store's clock, in whole seconds."""
        answer = await call("asking the time", lambda: self._client.head_bucket(Bucket=self.bucket))
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


async def examine(settings: Settings) -> list[Finding]:
    """All checks of the bucket."""
    probe = _Probe.from_settings(settings)
    try:
        there = await attempt(BUCKET, _there(probe), MEND)
        if there.state == "fail":
            return [there, *(skip(name, "the bucket cannot be reached") for name in (RIGHTS, CORS, CLOCK))]
        rest = (
            attempt(RIGHTS, _rights(probe)),
            attempt(CORS, _cors(probe)),
            attempt(CLOCK, compare_clocks(CLOCK, probe.now(), precision_s=1.0)),
        )
        return [there, *await asyncio.gather(*rest)]
    finally:
        await probe.aclose()


async def _there(probe: _Probe) -> Finding:
    await probe.check()
    return ok(BUCKET, f"{probe.bucket} is there")


async def _rights(probe: _Probe) -> Finding:
    """Store, read, sign, delete; the first that is refused is told by its own error."""
    key, content = f"{PREFIX}{uuid.uuid4().hex}", b"stepgram doctor"
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
    try:
        await probe.size_bytes(key)
    except StorageRefused:
        return warn(RIGHTS, "a missing object looks forbidden", "give the key s3:ListBucket on the bucket")
    return ok(RIGHTS, "objects can be stored, read, signed and deleted")


_ENDPOINT = "R2_ENDPOINT_URL must be the address under which people reach the store, too"


async def _cors(probe: _Probe) -> Finding:
    try:
        origins = await probe.origins()
    except StorageUnavailable as error:
        if "NotImplemented" in str(error):
            return skip(CORS, "this store has no CORS rules of a bucket; a proxy before it may set them")
        raise
    except StorageRefused:
        return skip(CORS, "the key may not read the rules (s3:GetBucketCORS)")
    if not origins:
        return ok(CORS, "no rules: pages of other origins cannot read; only a web page of yours needs that")
    return ok(CORS, f"pages may read from {', '.join(sorted(set(origins)))}")
