import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack import jars
from devstack.errors import ArtifactError
from devstack.jars import Artifact, JarFetcher, parse_jar_list
from devstack.reporting import silent

RIGHT, WRONG = b"the jar", b"something else"
DIGEST = hashlib.sha256(RIGHT).hexdigest()


class Repository:
    """Answers each download with the next of `answers`: bytes, or an error."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, artifact: Artifact, folder: Path, received: Callable[[int], None]) -> Path:
        self.asked.append(str(artifact))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        path = folder / "download.jar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer)
        received(len(answer))
        return path


@pytest.fixture
def jar_list(tmp_path: Path) -> Path:
    path = tmp_path / "one.jars"
    path.write_text(f"org.example:thing:1.0:tests sha256:{DIGEST}\n")
    return path


@pytest.fixture
def fetcher_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Repository], JarFetcher]:
    monkeypatch.setattr(jars, "PAUSE_S", 0)
    return lambda repository: JarFetcher(tmp_path / "cache", tmp_path / "m2", download=repository)


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_list_has_one_artifact_per_line_with_or_without_classifier() -> None:
    text = f"# engine\n\na.b:c:1 sha256:{DIGEST}\na.b:d:2:shaded sha256:{DIGEST}\n"
    assert parse_jar_list(text) == [
        Artifact("a.b", "c", "1", "", DIGEST),
        Artifact("a.b", "d", "2", "shaded", DIGEST),
    ]


@pytest.mark.parametrize(
    "line", ["a.b:c:1", f"a.b:c sha256:{DIGEST}", "a:b:1 sha256:12", f"a:b:1:x:y sha256:{DIGEST}"]
)
def test_a_line_that_pins_nothing_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(ArtifactError, match="line 2"):
        parse_jar_list(f"a.b:c:1 sha256:{DIGEST}\n{line}\n")


@pytest.mark.parametrize("name", ["camunda-7.24.0", "operaton-1.0.3", "s3proxy-4.1.0"])
def test_the_lists_of_the_stack_can_be_read(name: str) -> None:
    path = Path(jars.__file__).parent / "data" / f"{name}.jars"
    assert parse_jar_list(path.read_text())


async def test_the_second_fetch_downloads_nothing_and_reads_nothing(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    [first] = await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, silent)
    monkeypatch.setattr(jars, "_sha256", lambda path: pytest.fail(f"{path} was read"))
    assert await fetcher_of(Repository()).fetch("engine", jar_list, silent) == [first]
    assert first.read_bytes() == RIGHT


async def test_a_jar_that_was_deleted_since_is_fetched_again(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher]
) -> None:
    [path] = await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, silent)
    path.unlink()
    assert await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, silent) == [path]


async def test_a_jar_that_was_changed_since_is_fetched_again(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher]
) -> None:
    [path] = await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, silent)
    path.write_bytes(WRONG)
    await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, silent)
    assert path.read_bytes() == RIGHT


async def test_a_jar_with_another_sha256_is_fetched_once_more(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher]
) -> None:
    [path] = await fetcher_of(Repository(WRONG, RIGHT)).fetch("engine", jar_list, silent)
    assert path.read_bytes() == RIGHT


async def test_a_jar_with_another_sha256_twice_is_an_error_that_names_it_and_is_deleted(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher], tmp_path: Path
) -> None:
    repository = Repository(WRONG, WRONG)
    with pytest.raises(ArtifactError, match=r"org\.example:thing:1\.0:tests"):
        await fetcher_of(repository).fetch("engine", jar_list, silent)
    assert len(repository.asked) == 2
    assert files_below(tmp_path / "cache") == []


async def test_a_jar_of_the_maven_cache_is_used_where_it_lies(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher], tmp_path: Path
) -> None:
    there = tmp_path / "m2" / "org" / "example" / "thing" / "1.0" / "thing-1.0-tests.jar"
    there.parent.mkdir(parents=True)
    there.write_bytes(RIGHT)
    assert await fetcher_of(Repository()).fetch("engine", jar_list, silent) == [there]


async def test_a_wrong_jar_of_the_maven_cache_is_left_alone_and_not_used(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher], tmp_path: Path
) -> None:
    there = tmp_path / "m2" / "org" / "example" / "thing" / "1.0" / "thing-1.0-tests.jar"
    there.parent.mkdir(parents=True)
    there.write_bytes(WRONG)
    [path] = await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, silent)
    assert (path.read_bytes(), there.read_bytes()) == (RIGHT, WRONG)


async def test_a_network_that_fails_for_a_moment_is_asked_again(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher]
) -> None:
    repository = Repository(OSError("reset"), OSError("reset"), RIGHT)
    assert await fetcher_of(repository).fetch("engine", jar_list, silent)


async def test_a_network_that_keeps_failing_is_an_error_that_names_the_jar(
    jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher]
) -> None:
    with pytest.raises(ArtifactError, match=r"org\.example:thing:1\.0:tests: no route"):
        await fetcher_of(Repository(*[OSError("no route")] * 3)).fetch("engine", jar_list, silent)


async def test_progress_counts_jars(jar_list: Path, fetcher_of: Callable[[Repository], JarFetcher]) -> None:
    seen: list[tuple[str, int, int]] = []

    def report(part: str, text: str, *, stage: str = "working", done: int = 0, total: int = 0) -> None:
        seen.append((part, done, total))

    await fetcher_of(Repository(RIGHT)).fetch("engine", jar_list, report)
    assert seen[-1] == ("engine", 1, 1)
