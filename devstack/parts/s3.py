"""S3 by s3proxy on a folder: path-style addresses, signed requests, presigned ones too."""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from devstack.jars import JarFetcher
from devstack.parts.base import Command, Part, http_status
from devstack.parts.java import java_command, java_env, properties
from devstack.reporting import Report
from devstack.state import State

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "stepgram"
_ACCESS_KEY_ID = "stepgram"
_JARS = Path(__file__).parent.parent / "data" / "s3proxy-4.1.0.jars"
_ARRIVING = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""How the name of a file ends while its bytes arrive: s3proxy writes its attributes and renames it then."""


class S3(Part):
    """The object store; the bucket exists once it is ready."""

    def __init__(self, state: State) -> None:
        super().__init__("s3", state)
        self._jars: list[Path] = []

    async def prepare(self, report: Report) -> None:
        """Fetch the jar."""
        self._jars = await JarFetcher().fetch(self.name, _JARS, report)

    async def command(self) -> Command:
        """See Part."""
        buckets = self.folder / "buckets"
        buckets.mkdir(exist_ok=True)
        _clear_arriving(buckets)
        settings = {
            "s3proxy.endpoint": self.url,
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": _ACCESS_KEY_ID,
            "s3proxy.credential": self.state.secret("s3"),
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": str(buckets),
            # Pages of any origin may send files by a signed address: they are served at free ports.
            "s3proxy.cors-allow-origins": "*",
            "s3proxy.cors-allow-methods": "GET PUT HEAD",
            "s3proxy.cors-allow-headers": "*",
            "s3proxy.cors-exposed-headers": "ETag",
        }
        file = self.folder / "s3proxy.properties"
        file.touch(mode=0o600)
        file.write_text(properties(settings))
        arguments = ["--properties", str(file)]
        argv = java_command(self.folder, self._jars, "org.gaul.s3proxy.Main", arguments, heap_mb=256)
        return Command(argv, marker=argv[-1], env=java_env())

    async def is_healthy(self) -> bool:
        """Tell whether it refuses an unsigned request."""
        return await http_status(self.url) == 403

    async def furnish(self) -> None:
        """Make the bucket."""
        await asyncio.to_thread(self._make_bucket)

    def env(self) -> dict[str, str]:
        """See Part."""
        return {
            "R2_ACCESS_KEY_ID": _ACCESS_KEY_ID,
            "R2_SECRET_ACCESS_KEY": self.state.secret("s3"),
            "R2_ENDPOINT_URL": self.url,
            "R2_BUCKET_NAME": BUCKET,
        }

    def _make_bucket(self) -> None:
        with s3_client(self.env()) as client:
            if BUCKET not in [bucket.get("Name") for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=BUCKET)


def _clear_arriving(buckets: Path) -> None:
    """Take away what was arriving when the server was killed: it would be listed, which no S3 does."""
    for file in buckets.rglob("*"):
        if _ARRIVING.search(file.name) and file.is_file() and not _has_attributes(file):
            file.unlink()


def _has_attributes(file: Path) -> bool:
    """Whether a file is, or may be, a whole object that is called so: not every file system can tell."""
    try:
        return any(name.startswith("user.") for name in os.listxattr(file))  # others are the system's
    except (AttributeError, OSError):
        return True


@contextmanager
def s3_client(env: Mapping[str, str]) -> "Iterator[S3Client]":
    """Give a client for the bucket that the settings of `env` name, beside the product's own."""
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=env["R2_ENDPOINT_URL"],
        aws_access_key_id=env["R2_ACCESS_KEY_ID"],
        aws_secret_access_key=env["R2_SECRET_ACCESS_KEY"],
        region_name="auto",
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )
    try:
        yield client
    finally:
        client.close()
