"""An archive is taken when all that is in it can be seen, is not too much, and stays where it is unpacked."""

import io
import random
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.files import FileRefused
from shared.files.archives import FREE_BYTES, Limits, check
from tests.unit.files.archiving import (
    MIB,
    PACKERS,
    encrypted_zip,
    linked_zip,
    lying_zip,
    nested,
    overlapping_zip,
    tarred,
    tarred_as,
    told,
    zipped,
)

LIMITS = Limits(entries=100, ratio=100, depth=1, unpacked_bytes=64 * MIB)
OFFICE = zipped({"[Content_Types].xml": b"<Types/>", "xl/sheet1.xml": b'<c r="A1"><v>1</v></c>' * 400_000})
NOISE = random.Random(1).randbytes(300_000)
PROGRAM = b"MZ\x90\0" + bytes(100)


def judged(content: bytes, extension: str = ".zip", limits: Limits = LIMITS) -> str | None:
    """Why an archive is refused, if it is."""
    try:
        check(io.BytesIO(content), len(content), extension, limits)
    except FileRefused as refused:
        return refused.reason
    return None


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        (".zip", zipped({"a.txt": b"x", "folder/b.txt": NOISE, "folder/": b""})),
        (".zip", zipped({"a.txt": b"stored"}, zipfile.ZIP_STORED)),
        (".zip", zipped({"a.txt": b"x" * 1000}, zipfile.ZIP_BZIP2)),
        (".zip", zipped({"a.txt": b"x" * 1000}, zipfile.ZIP_LZMA)),
        (".zip", zipped({})),
        (".zip", zipped({"отчёт.txt": b"x", "a\\b.txt": b"x", "..a.txt": b"x", "a..": b"x"})),
        (".zip", zipped({"tool.exe": PROGRAM, "data.dat": PROGRAM})),
        (".zip", zipped({"letter.docx": zipped({"word/document.xml": b"<w/>"})})),
        (".xlsx", OFFICE),
        (".tar", tarred({"a.txt": b"x", "b.bin": NOISE})),
        (".tar", tarred({"a.zip": zipped({"a.txt": b"x"})})),
        (".tar.gz", tarred({"a.txt": b"x"}, "gz")),
        (".tgz", tarred({"a.txt": b"x", "b.zip": zipped({"a.txt": b"x"})}, "gz")),
        (".tar.bz2", tarred({"a.txt": b"x"}, "bz2")),
        (".tar.xz", tarred({"a.txt": b"x"}, "xz")),
        *((extension, pack(NOISE)) for extension, pack in PACKERS.items()),
        (".gz", PACKERS[".gz"](b"a") + PACKERS[".gz"](b"b")),
        (".gz", PACKERS[".gz"](zipped({"a.txt": b"x"}))),
        (".txt", b"no archive at all"),
    ],
    ids=told,
)
def test_an_honest_archive_is_taken(extension: str, content: bytes) -> None:
    assert judged(content, extension) is None


@pytest.mark.parametrize(
    "name",
    [
        "../a.txt",
        "a/../../b",
        "/etc/passwd",
        "\\\\server\\x",
        "..\\a.txt",
        "C:\\a.txt",
        "c:a.txt",
        "a/..",
        "a\nb",
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred, lambda entries: tarred(entries, "gz")])
def test_an_entry_that_could_land_elsewhere_is_refused(name: str, pack: Callable[..., bytes]) -> None:
    assert judged(pack({"good.txt": b"x", name: b"x"}), "") == "archive_unsafe"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_with_anything_but_files_and_folders_is_refused(kind: bytes) -> None:
    assert judged(tarred_as(kind), ".tar") == "archive_unsafe"


@pytest.mark.parametrize(
    ("reason", "content"),
    [
        ("archive_unsafe", linked_zip()),
        ("archive_unsafe", overlapping_zip()),
        ("archive_unsafe", zipped({"a.txt": b"x"}) + zipped({"b.txt": b"x"})),
        ("archive_unsafe", zipped({"holiday.jpg": PROGRAM})),
        ("archive_encrypted", encrypted_zip()),
        ("archive_broken", lying_zip()),
        ("archive_broken", zipped({"a.txt": NOISE})[:-100]),
        ("archive_broken", zipped({"a.txt": b"x"}) + b"behind it"),
        ("archive_broken", zipped({"a.txt": NOISE}).replace(NOISE[1000:1004], b"abcd")),
        ("archive_broken", PACKERS[".gz"](NOISE)[:-20]),
        ("archive_broken", PACKERS[".xz"](NOISE)[:-20]),
        ("archive_broken", PACKERS[".bz2"](NOISE)[:-20]),
        ("archive_broken", tarred({"a.txt": NOISE}, "gz")[:-5000]),
        ("archive_broken", tarred({"a.txt": NOISE})[:100_000]),
        ("archive_unreadable", b"7z\xbc\xaf\x27\x1c" + bytes(50)),
        ("archive_unreadable", b"Rar!\x1a\x07\x01\0" + bytes(50)),
        ("archive_unreadable", b"\x28\xb5\x2f\xfd" + bytes(50)),
        ("archive_unreadable", zipped({"inner.bin": b"Rar!\x1a\x07\x01\0" + bytes(50)})),
        ("archive_too_large", zipped({"zeros": bytes(FREE_BYTES + 1)})),
        ("archive_too_large", zipped({"zeros": bytes(FREE_BYTES + 1)}, zipfile.ZIP_BZIP2)),
        ("archive_too_large", zipped({"inner.zip": zipped({"zeros": bytes(FREE_BYTES + 1)})})),
        ("archive_too_large", zipped({str(number): b"" for number in range(101)})),
        ("archive_too_large", tarred({str(number): b"" for number in range(101)})),
        ("archive_too_deep", nested(2)),
        ("archive_too_deep", nested(2, tarred)),
        ("archive_too_deep", PACKERS[".gz"](PACKERS[".gz"](PACKERS[".gz"](b"x")))),
    ],
    ids=told,
)
def test_an_archive_with_a_trick_is_refused(reason: str, content: bytes) -> None:
    assert judged(content, "") == reason


@pytest.mark.parametrize("extension", PACKERS)
def test_what_one_stream_unpacks_to_is_limited_too(extension: str) -> None:
    assert judged(PACKERS[extension](bytes(FREE_BYTES)), extension) is None
    assert judged(PACKERS[extension](bytes(FREE_BYTES + 1)), extension) == "archive_too_large"


def test_entries_are_counted_through_all_depths() -> None:
    whole = zipped({f"{outer}.zip": zipped({str(inner): b"x" for inner in range(9)}) for outer in range(10)})
    assert judged(whole) is None
    assert judged(whole, limits=replace(LIMITS, entries=99)) == "archive_too_large"


def test_a_depth_of_none_takes_no_archive_in_an_archive() -> None:
    assert judged(nested(1), limits=replace(LIMITS, depth=0)) == "archive_too_deep"
    assert judged(nested(0), limits=replace(LIMITS, depth=0)) is None
    assert judged(nested(3), limits=replace(LIMITS, depth=3)) is None


def test_a_large_archive_may_unpack_to_its_ratio_and_no_more() -> None:
    half = MIB // 2
    content = zipped({"noise": random.Random(2).randbytes(half), "zeros": bytes(40 * MIB)})
    assert judged(content) is None
    assert judged(content, limits=replace(LIMITS, ratio=30)) == "archive_too_large"
    assert judged(content, limits=replace(LIMITS, unpacked_bytes=40 * MIB)) == "archive_too_large"


def test_what_is_called_a_packed_tar_is_one() -> None:
    assert judged(PACKERS[".gz"](b"x"), ".tar.gz") == "wrong_content"
    assert judged(PACKERS[".gz"](b"x"), ".tgz") == "wrong_content"


def test_a_directory_that_claims_to_be_enormous_is_not_read() -> None:
    whole = bytearray(zipped({"a.txt": b"x"}))
    end = whole.find(b"PK\x05\x06")
    whole[end + 12 : end + 16] = (0x7FFFFFFF).to_bytes(4, "little")
    assert judged(bytes(whole)) == "archive_too_large"


def test_looking_into_an_archive_takes_no_memory_of_its_size() -> None:
    content = tarred({"zeros": bytes(60 * MIB)}, "gz")
    tracemalloc.start()
    try:
        assert judged(content, ".tgz", replace(LIMITS, ratio=10_000)) is None
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_no_bytes_make_the_look_fail_otherwise_than_by_refusing() -> None:
    dice = random.Random(3)
    good = [zipped({"a.txt": b"hello" * 50, "b/c.txt": b"x"}), tarred({"a": b"x" * 600}, "gz"), nested(1)]
    for _ in range(400):
        bad = bytearray(dice.choice(good))
        for _ in range(dice.randint(1, 4)):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        judged(bytes(bad))
