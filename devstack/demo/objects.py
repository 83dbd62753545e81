"""The objects in the bucket: the export as it was sent, what was counted in it, the chart."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
from botocore.exceptions import ClientError

from devstack.demo.scene import Checks, Scene
from devstack.parts.s3 import s3_client

_PNG = b"\x89PNG\r\n\x1a\n"


def check_objects(scene: Scene, checks: Checks, variables: Mapping[str, Any]) -> None:
    """Compare what the variables of Ada's instance lead to with the export that she sent."""
    audit = scene.cast.audit
    bucket = scene.env["R2_BUCKET_NAME"]

    def read(variable: str) -> bytes:
        """The object; what kept us from it, for then it compares unequal."""
        try:
            return client.get_object(Bucket=bucket, Key=variables[variable])["Body"].read()
        except (KeyError, ClientError) as error:
            return repr(error).encode()

    with s3_client(scene.env) as client:
        checks.equal(
            "objects: the stored export is what Ada sent, by sha256",
            sha256(audit.export),
            sha256(read("s3_chatHistory")),
        )
        analysis = _decoded(read("analysis_key"))
        for name, count in counts_of(audit.export).items():
            shown = f" ({count:,})" if isinstance(count, int) else ""
            checks.equal(
                f"objects: the analysis counts {name} as the generator wrote them{shown}",
                count,
                analysis.get(name),
            )
        checks.equal("objects: the chart is a PNG", _PNG, read("chart_key")[: len(_PNG)])
    address = f"{scene.env['R2_ENDPOINT_URL']}/{bucket}/{variables.get('s3_chatHistory')}"
    with httpx.Client(timeout=10, trust_env=False, verify=False) as http:  # noqa: S501 - there is no TLS
        unsigned = http.get(address)
    checks.equal("objects: without a signature nobody gets the export", 403, unsigned.status_code)


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(content))
    except ValueError:
        return {"unreadable": content}


def counts_of(export: bytes) -> dict[str, Any]:
    """Count an export anew, in the plainest way, by the names that the analysis uses."""
    messages = json.loads(export)["messages"]
    written = [each for each in messages if each["type"] == "message"]
    hours = Counter(int(each["date"][11:13]) for each in written)
    return {
        "messages": len(written),
        "service_messages": len(messages) - len(written),
        "writers": len({each["from_id"] for each in written if each["from_id"].startswith("user")}),
        "messages_by_day": dict(Counter(each["date"][:10] for each in written)),
        "messages_by_hour": [hours[hour] for hour in range(24)],
    }


def sha256(content: bytes) -> str:
    """Give the digest in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
