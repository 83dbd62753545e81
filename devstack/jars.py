"""Pinned jars: read a list, fetch it from the usual Maven repository, check each file's sha256.

A marker remembers path, size and modification time of every checked file, so that a later start neither
downloads nor hashes.
"""

import asyncio
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.maven import MavenContext, PythonResolver

from devstack.errors import ArtifactError
from devstack.reporting import Report

AT_ONCE = 8
ATTEMPTS_AT_CONTENT = 2
ATTEMPTS_AT_NETWORK = 3
PAUSE_S = 1.0
_LINE = re.compile(r"(?P<coordinate>[^\s:]+(?::[^\s:]+){2,3}) sha256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class Artifact:
    """One jar of a list, and the digest that its bytes must have."""

    group: str
    name: str
    version: str
    classifier: str
    sha256: str

    def __str__(self) -> str:
        """Name it as Maven does: `group:name:version[:classifier]`."""
        return ":".join(filter(None, (self.group, self.name, self.version, self.classifier)))

    @property
    def path(self) -> Path:
        """Give the place below a Maven cache."""
        file = "-".join(filter(None, (self.name, self.version, self.classifier))) + ".jar"
        return Path(*self.group.split("."), self.name, self.version, file)


# Takes an artifact, a folder to download into, and a function that is told of received bytes; gives the file.
Download = Callable[[Artifact, Path, Callable[[int], None]], Path]


def parse_jar_list(text: str) -> list[Artifact]:
    """Read lines of `group:name:version[:classifier] sha256:HEX`; blank lines and # comments are skipped.

    Raises ArtifactError that names the first line that is none of these.
    """
    artifacts = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ArtifactError(
                f"line {number} of the jar list is not `group:name:version[:classifier] sha256:HEX`: {line}"
            )
        group, name, version, classifier = (*match["coordinate"].split(":"), "")[:4]
        artifacts.append(Artifact(group, name, version, classifier, match["sha256"]))
    return artifacts


def default_cache_dir() -> Path:
    """Give the folder for what all stacks of this user share: STEPGRAM_CACHE_DIR, else the usual place."""
    if chosen := os.environ.get("STEPGRAM_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepgram"


def default_maven_cache() -> Path:
    """Give the folder in which Maven keeps what it fetched for this user."""
    return Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")


def from_maven(artifact: Artifact, folder: Path, received: Callable[[int], None]) -> Path:
    """Download from the usual Maven repository."""

    @contextmanager
    def progress(_filename: str, _total_bytes: int) -> Iterator[Callable[[int], None]]:
        yield received

    resolver = PythonResolver(progress_callback=progress)
    context = MavenContext(resolver=resolver, repo_cache=folder, timeout=30)
    component = context.project(artifact.group, artifact.name).at_version(artifact.version)
    return Path(component.artifact(artifact.classifier).resolve())


class JarFetcher:
    """Fetches lists of jars, several at once, into one folder per user; safe beside other fetchers.

    A file that the user's Maven cache has already is used where it lies; that folder is only read.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        maven_cache: Path | None = None,
        download: Download = from_maven,
    ) -> None:
        cache_dir = cache_dir or default_cache_dir()
        self._markers = cache_dir / "checked"
        self._store = cache_dir / "maven"
        self._maven_cache = maven_cache or default_maven_cache()
        self._download = download

    async def fetch(self, part: str, jar_list: Path, report: Report) -> list[Path]:
        """Give the files of `jar_list` in its order; nothing is read where they were checked before.

        Raises ArtifactError that names the artifact which cannot be had.
        """
        text = await asyncio.to_thread(jar_list.read_text)
        marker = self._markers / f"{jar_list.stem}.json"
        paths = _recall(marker, text)
        if paths is None:
            paths = await self._fetch_all(part, parse_jar_list(text), report)
            _remember(marker, text, paths)
        return paths

    async def _fetch_all(self, part: str, artifacts: list[Artifact], report: Report) -> list[Path]:
        counter = _Counter(part, len(artifacts), report)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="jars") as threads:
            jobs = [
                loop.run_in_executor(threads, partial(self._fetch_one, artifact, counter))
                for artifact in artifacts
            ]
            try:
                return list(await asyncio.gather(*jobs))
            finally:
                counter.stopped.set()
                threads.shutdown(cancel_futures=True)

    def _fetch_one(self, artifact: Artifact, counter: "_Counter") -> Path:
        for cache in (self._store, self._maven_cache):
            path = cache / artifact.path
            if path.exists() and _sha256(path) == artifact.sha256:
                break
        else:
            path = self._store / artifact.path
            self._fetch_into(path, artifact, counter)
        counter.finished()
        return path

    def _fetch_into(self, path: Path, artifact: Artifact, counter: "_Counter") -> None:
        """Put the artifact's file at `path` in one step, once its bytes are known to be right."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for _attempt in range(ATTEMPTS_AT_CONTENT):
            with TemporaryDirectory(dir=self._store, prefix="fetching-") as folder:
                draft = self._download_patiently(artifact, Path(folder), counter)
                found = _sha256(draft)
                if found == artifact.sha256:
                    draft.replace(path)
                    return
        raise ArtifactError(
            f"{artifact} is not the file that the list pins: sha256 {found}, expected {artifact.sha256}"
        )

    def _download_patiently(self, artifact: Artifact, folder: Path, counter: "_Counter") -> Path:
        for attempt in range(1, ATTEMPTS_AT_NETWORK + 1):
            try:
                return self._download(artifact, folder / str(attempt), counter.received)
            except _StoppedError:
                raise
            except Exception as error:  # of the network, the repository or its client
                if attempt == ATTEMPTS_AT_NETWORK:
                    raise ArtifactError(f"cannot fetch {artifact}: {error}") from error
                counter.stopped.wait(PAUSE_S)
        raise AssertionError("unreachable")


class _StoppedError(Exception):
    """Ends a download whose result nobody waits for any more."""


class _Counter:
    """Adds up what the threads receive and passes it on as progress."""

    def __init__(self, part: str, total: int, report: Report) -> None:
        self.stopped = threading.Event()
        self._part, self._total, self._report = part, total, report
        self._lock = threading.Lock()
        self._bytes = self._done = 0

    def received(self, size_bytes: int) -> None:
        if self.stopped.is_set():
            raise _StoppedError
        with self._lock:
            self._bytes += size_bytes
        self._tell()

    def finished(self) -> None:
        with self._lock:
            self._done += 1
        self._tell()

    def _tell(self) -> None:
        text = f"fetching jars, {self._bytes / 1e6:.1f} MB"
        self._report(self._part, text, done=self._done, total=self._total)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(path: Path) -> list[str | int]:
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def _remember(marker: Path, text: str, paths: list[Path]) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    content = {"list": hashlib.sha256(text.encode()).hexdigest(), "files": [_fingerprint(p) for p in paths]}
    draft = marker.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(content))
    draft.replace(marker)


def _recall(marker: Path, text: str) -> list[Path] | None:
    try:
        content = json.loads(marker.read_text())
        if content["list"] != hashlib.sha256(text.encode()).hexdigest():
            return None
        paths = [Path(path) for path, _size_bytes, _mtime_ns in content["files"]]
        return paths if [_fingerprint(path) for path in paths] == content["files"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never fetched, or files gone since: fetch, which mends either
