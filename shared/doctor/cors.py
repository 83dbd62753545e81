"""Looks whether the upload page may send files to the bucket, and lets it where the store has rules for that.

The judge is what a browser would be told, not the rules: a proxy before the bucket, or a setting of the
server, may say the same without them.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from yarl import URL

from shared.doctor.check import Finding, fail, ok, skip, warn
from shared.doctor.probe import Probe
from shared.storage import StorageError, StorageRefused

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CORSRuleTypeDef

CORS = "bucket CORS"
RULE_ID = "stepgram-upload-page"
FIX = "run `stepgram doctor --fix`"

MAX_AGE_S = 3600
"""So long may a browser remember that it may."""

LOOKS, PAUSE_S = 6, 1.0
"""A store need not follow new rules at once."""

_NO_RULES = ("NotImplemented", "MalformedXML")
"""The answers of stores that have no CORS rules of a bucket."""


async def examine(probe: Probe, page_url: str | None, *, fix: bool = False) -> Finding:
    """May pages of the upload page's origin send parts, and read what those are called then?"""
    if not page_url:
        return await _of_nobody(probe)
    try:
        origin = str(URL(page_url).origin())
    except ValueError:
        return fail(CORS, f"UPLOAD_PAGE_URL is {page_url!r}", "give an address like https://bot.example.org")
    if not (lacks := await _lacks(probe, origin)):
        return ok(CORS, f"pages of {origin} may send files")
    if not fix:
        elsewhere = probe.store.cors_is_elsewhere
        mend = f"{FIX}; where the bucket has no rules, set {elsewhere}" if elsewhere else FIX
        return warn(CORS, f"pages of {origin} cannot send files: {lacks}", mend)
    return await _mended(probe, origin)


async def _of_nobody(probe: Probe) -> Finding:
    """No page of ours needs a rule; what others may is told."""
    try:
        rules = await probe.cors_rules()
    except StorageRefused:
        return skip(CORS, "the key may not read the rules (s3:GetBucketCORS)")
    except StorageError as error:
        if _has_no_rules(error):
            return skip(CORS, "this store has no CORS rules of a bucket; a proxy before it may set them")
        raise
    if not rules:
        return ok(CORS, "no rules: pages of other origins cannot read; only a web page of yours needs that")
    origins = {origin for rule in rules for origin in rule["AllowedOrigins"]}
    return ok(CORS, f"pages may read from {', '.join(sorted(origins))}")


async def _lacks(probe: Probe, origin: str) -> str:
    """What keeps a page from sending a part; nothing if it may."""
    async with probe.unfinished() as part:
        told = await part.preflight(origin)
        if told.get("Access-Control-Allow-Origin") not in {"*", origin}:
            return "its origin is not allowed"
        if not _names(told.get("Access-Control-Allow-Methods"), "put"):
            return "PUT is not allowed"
        if not _names(told.get("Access-Control-Allow-Headers"), "content-type"):
            return "the header Content-Type is not allowed"
        told = await part.put_from(origin, b"stepgram doctor")
        if told.get("Access-Control-Allow-Origin") not in {"*", origin}:
            return "it may not read the answers"
        if not _names(told.get("Access-Control-Expose-Headers"), "etag"):
            return "it may not read the header ETag"
    return ""


def _names(listed: str | None, wanted: str) -> bool:
    found = {each.strip().lower() for each in (listed or "").split(",")}
    return bool(found & {wanted, "*"})


async def _mended(probe: Probe, origin: str) -> Finding:
    try:
        kept = [rule for rule in await probe.cors_rules() if rule.get("ID") != RULE_ID]
        await probe.set_cors_rules([*kept, _rule(origin, probe.store.cors_headers)])
    except StorageRefused:
        return warn(
            CORS,
            "the key may not set the rules",
            "give it s3:GetBucketCORS and s3:PutBucketCORS, or set them",
        )
    except StorageError as error:
        if not _has_no_rules(error):
            raise
        elsewhere = probe.store.cors_is_elsewhere or "the origins at the server"
        return warn(CORS, "this store has no CORS rules of a bucket", f"set {elsewhere} to {origin}")
    others = f"; {len(kept)} other rules are as they were" if kept else ""
    for _ in range(LOOKS):
        if not (lacks := await _lacks(probe, origin)):
            return ok(CORS, f"set: pages of {origin} may send files now{others}")
        await asyncio.sleep(PAUSE_S)
    return warn(
        CORS, f"the rules were set{others}, and the store does not follow them yet: {lacks}", "look again"
    )


def _rule(origin: str, headers: Sequence[str]) -> "CORSRuleTypeDef":
    return {
        "ID": RULE_ID,
        "AllowedOrigins": [origin],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": list(headers),
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": MAX_AGE_S,
    }


def _has_no_rules(error: StorageError) -> bool:
    return any(word in str(error) for word in _NO_RULES)
