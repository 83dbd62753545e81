"""Which pages may send files to the bucket, told by and set at a small store that keeps CORS rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from lxml import etree

from shared.doctor import cors
from shared.doctor.check import Finding
from shared.doctor.probe import Probe
from shared.settings import Settings
from tests.fakes.web import Request, Response, serving

PAGE = "https://bot.example.org/upload?x=1"
ORIGIN = "https://bot.example.org"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Rule = dict[str, list[str]]
OURS: Rule = {
    "ID": ["stepgram-upload-page"],
    "AllowedOrigin": [ORIGIN],
    "AllowedMethod": ["GET", "PUT"],
    "AllowedHeader": ["*"],
    "ExposeHeader": ["ETag"],
    "MaxAgeSeconds": ["3600"],
}
OTHERS: Rule = {
    "ID": ["of-the-website"],
    "AllowedOrigin": ["https://www.example.org"],
    "AllowedMethod": ["GET"],
}


@dataclass
class Store:
    """Keeps CORS rules and follows them; whatever else is asked of it just works."""

    rules: list[Rule] = field(default_factory=list)
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By method of what is asked of the rules: status and code."""
    is_slow: int = 0
    """So many preflights are answered by the old rules after they have been set."""
    aborted: int = 0
    begun: int = 0
    _old: list[Rule] = field(default_factory=list)
    _left: int = 0

    async def __call__(self, request: Request) -> Response:
        if "cors" in request.query:
            return self._of_rules(request)
        if request.method == "POST":
            self.begun += 1
            answer = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            return Response(body=answer.encode())
        if request.method == "DELETE":
            self.aborted += 1
            return Response(204)
        return self._of_a_page(request)

    def _of_rules(self, request: Request) -> Response:
        if request.method in self.refuses:
            status, code = self.refuses[request.method]
            return Response(status, body=f"<Error><Code>{code}</Code></Error>".encode())
        if request.method == "PUT":
            self._old, self._left = self.rules, self.is_slow
            self.rules = read(request.body)
            return Response()
        if not self.rules:
            return Response(404, body=b"<Error><Code>NoSuchCORSConfiguration</Code></Error>")
        return Response(body=written(self.rules))

    def _of_a_page(self, request: Request) -> Response:
        origin = request.headers.get("Origin", "")
        method = request.headers.get("Access-Control-Request-Method", request.method)
        rules = self.rules
        if request.method == "OPTIONS" and self._left > 0:
            rules, self._left = self._old, self._left - 1
        rule = next(
            (each for each in rules if origin in each["AllowedOrigin"] and method in each["AllowedMethod"]),
            None,
        )
        if rule is None:
            return Response(403 if request.method == "OPTIONS" else 200)
        headers = {"Access-Control-Allow-Origin": origin}
        for name, key in (("Methods", "AllowedMethod"), ("Headers", "AllowedHeader")):
            headers[f"Access-Control-Allow-{name}"] = ", ".join(rule.get(key, []))
        return Response(
            headers=headers | {"Access-Control-Expose-Headers": ",".join(rule.get("ExposeHeader", []))}
        )


def read(body: bytes) -> list[Rule]:
    rules = []
    for each in etree.fromstring(body):
        rule: Rule = {}
        for part in each:
            rule.setdefault(etree.QName(part).localname, []).append(part.text or "")
        rules.append(rule)
    return rules


def written(rules: list[Rule]) -> bytes:
    inner = "".join(
        "<CORSRule>"
        + "".join(f"<{name}>{value}</{name}>" for name, values in rule.items() for value in values)
        + "</CORSRule>"
        for rule in rules
    )
    return f"<CORSConfiguration xmlns='{NAMESPACE}'>{inner}</CORSConfiguration>".encode()


@asynccontextmanager
async def probing(store: Store) -> AsyncIterator[Probe]:
    async with serving(store) as url:
        values = {"r2_bucket_name": "files", "r2_endpoint_url": url, "r2_access_key_id": "id"}
        probe = Probe.from_settings(Settings.model_validate(values | {"r2_secret_access_key": "secret"}))
        yield probe
        await probe.aclose()
    assert store.begun == store.aborted, "what the doctor begins it takes away"


async def look(store: Store, *, fix: bool = False, page: str | None = PAGE) -> Finding:
    async with probing(store) as probe:
        return await cors.examine(probe, page, fix=fix)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cors, "PAUSE_S", 0.0)


async def test_a_page_that_may_send_files_is_told_and_nothing_is_changed() -> None:
    for fix in (False, True):
        store = Store([OTHERS, OURS])
        found = await look(store, fix=fix)
        assert (found.state, found.found) == ("ok", f"pages of {ORIGIN} may send files")
        assert store.rules == [OTHERS, OURS]


@pytest.mark.parametrize(
    ("rules", "lacks"),
    [
        ([], "its origin is not allowed"),
        ([OTHERS], "its origin is not allowed"),
        ([OURS | {"AllowedMethod": ["GET"]}], "its origin is not allowed"),
        ([OURS | {"AllowedHeader": ["x-other"]}], "the header Content-Type is not allowed"),
        ([OURS | {"ExposeHeader": []}], "it may not read the header ETag"),
    ],
)
async def test_what_a_page_lacks_is_told_with_how_to_mend_it_and_nothing_is_changed(
    rules: list[Rule], lacks: str
) -> None:
    store = Store(list(rules))
    found = await look(store)
    assert (found.state, found.found) == ("warn", f"pages of {ORIGIN} cannot send files: {lacks}")
    assert "stepgram doctor --fix" in found.mend
    assert store.rules == rules


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [OURS]),
        ([OTHERS], [OTHERS, OURS]),
        ([OURS | {"AllowedOrigin": ["https://old.example.org"]}, OTHERS], [OTHERS, OURS]),
        ([OURS | {"ExposeHeader": []}], [OURS]),
    ],
)
async def test_fix_lets_the_page_send_files_and_keeps_the_rules_of_others(
    before: list[Rule], after: list[Rule]
) -> None:
    store = Store(before)
    found = await look(store, fix=True)
    assert (str(found.state), found.found.startswith(f"set: pages of {ORIGIN} may send files now")) == (
        "ok",
        True,
    )
    assert ("1 other rules" in found.found) is (OTHERS in before)
    assert store.rules == after


async def test_fix_says_so_when_the_store_does_not_follow_its_new_rules() -> None:
    found = await look(Store(is_slow=3), fix=True)
    assert found.state == "ok"
    found = await look(Store(is_slow=100), fix=True)
    assert (str(found.state), "does not follow them yet" in found.found) == ("warn", True)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            (501, "NotImplemented"),
            f"set MINIO_API_CORS_ALLOW_ORIGIN of MinIO, s3proxy.cors-allow-origins of s3proxy to {ORIGIN}",
        ),
        ((400, "MalformedXML"), "MINIO_API_CORS_ALLOW_ORIGIN"),
        ((403, "AccessDenied"), "s3:PutBucketCORS"),
    ],
)
async def test_fix_says_what_to_do_where_the_store_has_no_rules_or_the_key_no_right(
    method: str, answer: tuple[int, str], told: str
) -> None:
    found = await look(Store([OTHERS], {method: answer}), fix=True)
    assert (str(found.state), told in found.mend) == ("warn", True)


async def test_no_page_needs_no_rule() -> None:
    assert (await look(Store(), page=None)).state == "ok"
    found = await look(Store([OTHERS]), page=None)
    assert found.found == "pages may read from https://www.example.org"
    assert (await look(Store(refuses={"GET": (501, "NotImplemented")}), page=None)).state == "skip"
    assert (await look(Store(refuses={"GET": (403, "AccessDenied")}), page=None)).state == "skip"


async def test_an_address_that_is_none_names_its_setting() -> None:
    found = await look(Store(), page="no address")
    assert (str(found.state), "UPLOAD_PAGE_URL" in found.found) == ("fail", True)


async def test_r2_is_told_the_header_by_its_name() -> None:
    store = Store()
    async with probing(store) as probe:
        probe.store = replace(probe.store, cors_headers=("content-type", "*"))
        await cors.examine(probe, PAGE, fix=True)
    assert store.rules[0]["AllowedHeader"] == ["content-type", "*"]
