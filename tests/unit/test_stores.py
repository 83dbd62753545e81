"""What is different among the stores of the S3 API, told by their addresses."""

import boto3
import pytest

from shared.settings import Settings
from shared.storage import Storage
from shared.storage.stores import MAX_PARTS, PART_BYTES, part_bytes_for, store_at
from tests.fakes.web import Request, Response, serving

R2 = "https://account.r2.cloudflarestorage.com"
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _no_configuration_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def at(endpoint: str | None) -> Storage:
    return Storage.from_settings(
        Settings(
            r2_bucket_name="files",
            r2_endpoint_url=endpoint,
            r2_access_key_id="id",
            r2_secret_access_key="secret",  # type: ignore[arg-type]
        )
    )


@pytest.mark.parametrize(
    ("endpoint", "name", "region", "addressing"),
    [
        (None, "AWS S3", None, "virtual"),
        ("https://s3.eu-central-1.amazonaws.com", "AWS S3", "eu-central-1", "virtual"),
        ("https://files.s3.eu-central-1.amazonaws.com", "AWS S3", "eu-central-1", "virtual"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "AWS S3", "cn-north-1", "virtual"),
        ("https://s3.amazonaws.com", "AWS S3", "us-east-1", "virtual"),
        (R2, "Cloudflare R2", "auto", "path"),
        ("https://account.eu.r2.cloudflarestorage.com", "Cloudflare R2", "auto", "path"),
        ("https://minio.example.org:9000", "S3 of another kind", "us-east-1", "path"),
        ("http://127.0.0.1:8081", "S3 of another kind", "us-east-1", "path"),
        ("https://s3.amazonaws.com.evil.example", "S3 of another kind", "us-east-1", "path"),
        ("https://r2.cloudflarestorage.com.evil.example", "S3 of another kind", "us-east-1", "path"),
    ],
)
def test_a_store_is_told_by_its_address(
    endpoint: str | None, name: str, region: str | None, addressing: str
) -> None:
    store = store_at(endpoint)
    assert (store.name, store.region, store.addressing) == (name, region, addressing)
    assert bool(store.cors_is_elsewhere) is (name == "S3 of another kind")


async def test_an_address_of_aws_names_the_bucket_and_its_region_so_that_nothing_redirects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for endpoint in (None, "https://s3.eu-central-1.amazonaws.com"):
        storage = at(endpoint)
        address = await storage.presign_get("a/b", 60)
        assert address.startswith("https://files.s3.eu-central-1.amazonaws.com/a/b?")
        assert "%2Feu-central-1%2Fs3%2F" in address
        await storage.aclose()


@pytest.mark.parametrize("endpoint", [None, R2, "http://127.0.0.1:9000"])
async def test_no_store_is_sent_an_acl_an_encryption_or_a_checksum_header(endpoint: str | None) -> None:
    store, sent = store_at(endpoint), dict[str, str]()

    def take(request: Request) -> Response:
        sent.update({name.lower(): value for name, value in request.headers.items()})
        return Response(headers={"ETag": '"x"'})

    async with serving(take) as url:
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=url,
            region_name=store.region or "eu-central-1",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            config=store.config,
        )
        storage = Storage(client, "files", store=store)
        await storage.put_bytes("k", b"data", content_type="text/plain")
        await storage.aclose()
    assert sent["content-type"] == "text/plain"
    assert [name for name in sent if "acl" in name or "encryption" in name or "checksum" in name] == []
    assert "TRAILER" not in sent["x-amz-content-sha256"]


@pytest.mark.parametrize(
    ("size_bytes", "part_bytes"),
    [
        (None, PART_BYTES),
        (0, PART_BYTES),
        (2 * 10**9, PART_BYTES),
        (80_000 * MIB, 8 * MIB),
        (90_000 * MIB, 9 * MIB),
    ],
)
def test_the_parts_of_an_object_have_one_size_and_are_never_too_many(
    size_bytes: int | None, part_bytes: int
) -> None:
    assert part_bytes_for(size_bytes) == part_bytes
    assert -(-(size_bytes or 0) // part_bytes) <= MAX_PARTS
