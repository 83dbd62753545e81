"""The stores of the S3 API that differ, and in what: nothing else in the code asks which store it talks to.

What all of them take is done for all alike, and so is no difference:

- No ACL is ever sent: R2 has none (https://developers.cloudflare.com/r2/api/s3/api/), and AWS refuses them on
  new buckets (https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html).
- No ``x-amz-server-side-encryption: AES256``: R2 does not implement the header (same page of R2), AWS and R2
  encrypt by themselves.
- No checksums in trailers: boto3 sends them by default since 1.36, other stores than AWS refuse or
  ignore them (https://github.com/boto/botocore/pull/3277 made them the default).
- All parts but the last have one size: R2 insists on it, AWS wants 5 MiB at least and 10,000 parts at most
  (https://developers.cloudflare.com/r2/objects/multipart-objects/,
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
- Unfinished uploads are asked for by their exact key, or all of the bucket's: MinIO does not know prefixes
  there (https://github.com/minio/minio/issues/20989, "working as intended"; old versions list nothing
  without one, https://github.com/minio/minio/issues/7632).
- A presigned address holds for a week at most, by the rules of the signature that all of them use
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html).
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from botocore.config import Config

PART_BYTES = 8 * 1024 * 1024
"""Size of a part as a rule."""

MAX_PARTS = 10_000
MAX_LINK_S = 7 * 86_400
"""The longest life of a presigned address."""

_AWS_HOST = re.compile(
    r"(?:^|\.)s3(?:[.-](?P<region>[a-z]{2}-[a-z-]+-\d))?\.amazonaws\.com(?:\.cn)?$", re.IGNORECASE
)
_R2_HOST = re.compile(r"\.r2\.cloudflarestorage\.com$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Store:
    """A kind of store, as far as it is unlike the others."""

    name: str
    region: str | None
    """The region to sign for; None lets boto3 find out."""
    addressing: Literal["path", "virtual"]
    cors_headers: tuple[str, ...] = ("*",)
    """What a CORS rule must name so that a browser may send any header."""
    cors_is_elsewhere: str = ""
    """Where origins are allowed if the bucket has no CORS rules."""

    @property
    def config(self) -> Config:
        """How boto3 is to talk to it."""
        return Config(
            signature_version="s3v4",
            s3={"addressing_style": self.addressing},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # what fails longer is tried again by its row
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=5,
            read_timeout=20,
            max_pool_connections=32,
            tcp_keepalive=True,
        )


def store_at(endpoint_url: str | None) -> Store:
    """The kind of store at an address; AWS where there is none.

    AWS insists on the bucket's own region. There the bucket stands in the host name: AWS means to give the
    other form up (https://aws.amazon.com/blogs/aws/amazon-s3-path-deprecation-plan-the-rest-of-the-story/),
    and boto3 left alone signs for a host that redirects while a bucket is new, which a browser's preflight
    does not follow (https://github.com/boto/boto3/issues/2989).

    R2's region is ``auto`` (https://developers.cloudflare.com/r2/api/s3/api/); its CORS rules have not always
    understood ``*`` among the headers, so the one that browsers send is named.

    Whatever else: MinIO, s3proxy and others cannot be told apart by their address. They take any region, and
    not all of them know bucket names in the host. MinIO's free edition and s3proxy have no CORS rules of a
    bucket, only a setting of the server (https://github.com/minio/minio/issues/21332,
    https://github.com/gaul/s3proxy/pull/287).
    """
    if endpoint_url is None:
        return Store("AWS S3", None, "virtual")
    host = urlsplit(endpoint_url).hostname or ""
    if found := _AWS_HOST.search(host):
        return Store("AWS S3", found["region"] or "us-east-1", "virtual")
    if _R2_HOST.search(host):
        return Store("Cloudflare R2", "auto", "path", cors_headers=("content-type", "*"))
    return Store(
        "S3 of another kind",
        "us-east-1",
        "path",
        cors_is_elsewhere="MINIO_API_CORS_ALLOW_ORIGIN of MinIO, s3proxy.cors-allow-origins of s3proxy",
    )


def part_bytes_for(size_bytes: int | None, least_bytes: int = PART_BYTES) -> int:
    """The size of all parts but the last, for an object of a size; of an unknown one ``least_bytes``."""
    size_bytes = size_bytes or 0
    mib = 1024 * 1024
    needed = -(-size_bytes // MAX_PARTS)
    return max(least_bytes, -(-needed // mib) * mib)
