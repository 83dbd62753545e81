"""The plain way: each file is asked for, and boto3 copies the stream that comes, several side by side."""

import json
import os
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, Any, cast

from boto3.s3.transfer import TransferConfig

from devstack.parts.s3 import s3_client
from shared.storage.stores import PART_BYTES


def main() -> None:
    """Copy what BENCH_OPTIONS names and say how long it took."""
    env = dict(os.environ)
    options = json.loads(env["BENCH_OPTIONS"])
    bot = f"bot{env['BOT_TOKEN']}"
    config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
    with s3_client(env) as client:

        def copy(file_id: str) -> None:
            query = f"{env['TELEGRAM_API_URL']}/{bot}/getFile?file_id={file_id}"
            with urllib.request.urlopen(query) as answer:  # noqa: S310 - the sandbox
                path = str(json.load(answer)["result"]["file_path"])
            with closing(_opened(env, bot, path)) as stream:
                client.upload_fileobj(stream, env["R2_BUCKET_NAME"], f"boto3/{file_id}", Config=config)

        client.list_buckets()  # the first call reads botocore's models
        began = time.time()
        with ThreadPoolExecutor(options["at_once"]) as pool:
            list(pool.map(copy, options["file_ids"]))
        sys.stdout.write(f"took {time.time() - began}\n")


def _opened(env: dict[str, str], bot: str, path: str) -> IO[Any]:
    if path.startswith("/"):
        return open(path, "rb")
    return cast("IO[Any]", urllib.request.urlopen(f"{env['TELEGRAM_API_URL']}/file/{bot}/{path}"))  # noqa: S310


if __name__ == "__main__":
    main()
