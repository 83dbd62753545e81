"""A file is taken when its name, size and content agree with what the step accepts."""

import codecs
import gzip
import io
import random
import zipfile

import pytest
from PIL import Image

from shared.files import (
    FileRefused,
    FileType,
    check_declared,
    check_file,
)


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return buffer.getvalue()


GOOD: dict[str, tuple[bytes, str]] = {
    "a.json": (b'{"name": "Group", "messages": []}', "application/json"),
    "pretty.json": (b'\n\t {\n "name": 1}', "application/json"),
    "list.json": (b"[1, 2]", "application/json"),
    "empty-list.json": (b"[]", "application/json"),
    "marked.json": (codecs.BOM_UTF8 + b'{"a": 1}', "application/json"),
    "wide.json": ('{"a": "é"}'.encode("utf-16"), "application/json"),
    "wide-without-mark.json": ('{"a": "é"}'.encode("utf-16-le"), "application/json"),
    "big-endian.json": ('{"a": "é"}'.encode("utf-16-be"), "application/json"),
    "wider.json": ('{"a": 1}'.encode("utf-32"), "application/json"),
    "cut.json": (b'{"a": "\xc3', "application/json"),
    "lines.jsonl": (b'{"a": 1}\n{"a": 2}\n', "application/x-ndjson"),
    "table.csv": ("name;größe\nä;1\n".encode("cp1252"), "text/csv"),
    "note.txt": (b"BMW and MZ are no magic here", "text/plain"),
    "page.html": (b"<!DOCTYPE html><html>", "text/html"),
    "page.htm": (b"\n<p>hello", "text/html"),
    "plan.bpmn": (b"<?xml version='1.0'?><definitions/>", "application/xml"),
    "a.png": (picture("PNG"), "image/png"),
    "a.jpg": (picture("JPEG"), "image/jpeg"),
    "a.JPEG": (picture("JPEG"), "image/jpeg"),
    "a.gif": (picture("GIF"), "image/gif"),
    "a.webp": (picture("WEBP"), "image/webp"),
    "a.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "application/pdf"),
    "a.zip": (archive("a.txt"), "application/zip"),
    "a.docx": (
        archive("[Content_Types].xml", "word/document.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "a.tar.gz": (gzip.compress(b"x"), "application/x-gzip"),
    "a.mp4": (b"\0\0\0\x20ftypisom\0\0\2\0", "video/mp4"),
    "a.mov": (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime"),
    "a.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
    "a.mp3": (b"ID3\x03\0\0\0\0\0\0", "audio/mpeg"),
    "b.mp3": (b"\xff\xfb\x90\x64\0\0", "audio/mpeg"),
    "a.ogg": (b"OggS\0\2" + b"\0" * 22 + b"\1\x13OpusHead", "audio/ogg"),
    "a.parquet": (b"PAR1\x15\x04\x15\x10", "application/x-own"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_true_file_is_taken_and_its_kind_named(name: str) -> None:
    content, mime = GOOD[name]
    for accept in ((), (name[name.index(".") :].lower(), ".other")):
        found = check_file(content, name, "application/x-own", len(content), accept, None)
        assert found.mime == mime or name.endswith(".ogg")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("picture.json", picture("PNG")),
        ("text.json", b"hello"),
        ("number.json", b"42"),
        ("legacy.json", '{"a": "été"}'.encode("cp1252")),
        ("rich.json", b"{\\rtf1\\ansi hello}"),
        ("block.json", b"{ not json }"),
        ("section.json", b"[General]\nkey=1"),
        ("zip.json", archive("a.json")),
        ("zeros.json", b"\0" * 100),
        ("binary.json", b'{"a": \x01\x02}'),
        ("blank.json", b"  \n"),
        ("page.json", b"<html>"),
        ("program.json", b"MZ\x90\0" + b"\0" * 60),
        ("program.png", b"MZ\x90\0" + b"\0" * 60),
        ("text.png", b"hello"),
        ("jpeg.png", picture("JPEG")),
        ("picture.zip", picture("PNG")),
        ("picture.txt", picture("PNG")),
        ("document.txt", b"%PDF-1.7\nonly ASCII follows"),
        ("zip.csv", archive("a.txt")),
        ("text.xml", b"hello"),
        ("text.pdf", b"hello"),
        ("text.mp3", b"hello"),
        ("text.mp4", b"hello there"),
        ("program.parquet", b"\x7fELF\2\1\1\0"),
    ],
)
def test_content_that_belies_the_name_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        check_file(content, name, "application/json", len(content), (), None)
    assert refused.value.reason == "wrong_content"


@pytest.mark.parametrize(
    "name", ["a.txt", "json", ".json", "a.json.exe", "a.jsonl", "a", "a.json\u202e.exe", ""]
)
def test_another_extension_is_refused_before_anything_is_fetched(name: str) -> None:
    with pytest.raises(FileRefused) as refused:
        check_declared(name, 10, (".json",), None)
    assert refused.value.reason == "wrong_extension"
    assert refused.value.params["accept"] == (".json",)


@pytest.mark.parametrize("accept", [(".json",), ("json",), (" .JSON ",), (".zip", ".json")])
def test_an_accepted_extension_may_be_written_in_any_usual_way(accept: tuple[str, ...]) -> None:
    assert check_file(b"{}", "Export.JSON", None, 2, accept, 2) == FileType(".json", "application/json")


def test_of_two_fitting_extensions_the_longer_names_the_kind() -> None:
    packed = gzip.compress(b"x")
    assert check_file(packed, "a.tar.gz", None, len(packed), (".gz", ".tar.gz"), None).extension == ".tar.gz"


@pytest.mark.parametrize(("head", "size_bytes"), [(b"", 0), (b"{}", 0), (b"", 10)])
def test_an_empty_file_is_refused(head: bytes, size_bytes: int) -> None:
    with pytest.raises(FileRefused) as refused:
        check_file(head, "a.json", None, size_bytes, (".json",), 100)
    assert refused.value.reason == "empty"


def test_a_file_of_the_greatest_size_is_taken_and_one_byte_more_is_not() -> None:
    check_file(b"{}", "a.json", None, 100, (), 100)
    with pytest.raises(FileRefused) as refused:
        check_file(b"{}", "a.json", None, 101, (), 100)
    assert refused.value.reason == "too_large"
    assert refused.value.params["max_bytes"] == 100


def test_the_head_may_end_inside_a_character() -> None:
    text = '{"a": "' + "é" * 10
    for encoding in ("utf-8", "utf-16", "utf-16-be"):
        whole = text.encode(encoding)
        for end in range(len(whole) - 4, len(whole)):
            check_file(whole[:end], "a.json", None, 10_000, (".json",), None)


def test_a_declared_type_never_lets_a_file_pass() -> None:
    with pytest.raises(FileRefused):
        check_file(b"hello", "a.png", "image/png", 5, (".png",), None)
    assert check_file(b"x", "a.weird", "not a type\r\n", 1, (), None).mime == "application/octet-stream"


def test_no_bytes_make_the_check_fail_otherwise_than_by_refusing() -> None:
    dice = random.Random(7)
    endings = [name.rpartition(".")[2] for name in GOOD]
    for _ in range(300):
        head = dice.randbytes(dice.choice((1, 2, 3, 8, 300)))
        with_name = f"x.{dice.choice(endings)}"
        try:
            check_file(head, with_name, None, len(head), (), None)
        except FileRefused:
            continue
