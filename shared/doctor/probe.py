"""What only a doctor asks of the bucket."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from shared.storage import ObjectMissing, Storage, StorageUnavailable
from shared.storage.errors import call

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CORSRuleOutputTypeDef, CORSRuleUnionTypeDef

PREFIX = "stepgram-doctor/"
LIMIT = aiohttp.ClientTimeout(total=10)


def new_key() -> str:
    """A key that nothing else uses."""
    return f"{PREFIX}{uuid.uuid4().hex}"


@dataclass(frozen=True)
class Part:
    """The presigned address of one part of an upload."""

    url: URL

    async def put(self, content: bytes) -> int:
        """Send the part as anybody would; the status of the answer."""
        status, _ = await self._ask("PUT", {}, content)
        return status

    async def preflight(self, origin: str) -> Mapping[str, str]:
        """What a browser is told before a page of an origin may send the part; nothing if it is refused."""
        asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        status, headers = await self._ask("OPTIONS", {"Origin": origin, **asked})
        return headers if status < 300 else {}

    async def put_from(self, origin: str, content: bytes) -> Mapping[str, str]:
        """What a browser is told when a page of an origin has sent the part."""
        _, headers = await self._ask("PUT", {"Origin": origin, "Content-Type": "text/plain"}, content)
        return headers

    async def _ask(
        self, method: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> tuple[int, Mapping[str, str]]:
        try:
            async with (
                aiohttp.ClientSession(trust_env=True, timeout=LIMIT) as session,
                session.request(
                    method, self.url, headers=headers, data=content, allow_redirects=False
                ) as answer,
            ):
                return answer.status, answer.headers.copy()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StorageUnavailable(f"{method} of a presigned part: {type(error).__name__}") from error


class Probe(Storage):
    """The bucket, and what only a doctor asks of it."""

    async def cors_rules(self) -> "Sequence[CORSRuleOutputTypeDef]":
        """The rules by which pages of other origins may do something; none where the bucket has none.

        Raises:
            StorageUnavailable, StorageRefused: see there.
        """
        try:
            answer = await call(
                "reading the CORS rules", lambda: self._client.get_bucket_cors(Bucket=self.bucket)
            )
        except ObjectMissing:
            return []
        return answer["CORSRules"]

    async def set_cors_rules(self, rules: "Sequence[CORSRuleUnionTypeDef]") -> None:
        """Replace all of them.

        Raises:
            StorageError: see there.
        """
        await call(
            "setting the CORS rules",
            lambda: self._client.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": rules}),
        )

    @asynccontextmanager
    async def unfinished(self) -> AsyncIterator[Part]:
        """The first part of an upload that is begun here, and aborted at the end."""
        key = new_key()
        begun = await call(
            "beginning an upload",
            lambda: self._client.create_multipart_upload(Bucket=self.bucket, Key=key),
        )
        where = {"Bucket": self.bucket, "Key": key, "UploadId": begun["UploadId"]}
        try:
            url = await call(
                "signing a part",
                lambda: self._client.generate_presigned_url(
                    "upload_part", Params={**where, "PartNumber": 1}, ExpiresIn=60
                ),
            )
            yield Part(URL(url, encoded=True))
        finally:
            await call(
                "aborting an upload",
                lambda: self._client.abort_multipart_upload(
                    Bucket=self.bucket, Key=key, UploadId=begun["UploadId"]
                ),
            )

    async def now(self) -> datetime:
        """The store's clock, in whole seconds."""
        answer = await call("asking the time", lambda: self._client.head_bucket(Bucket=self.bucket))
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
