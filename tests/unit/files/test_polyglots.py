"""A file is one thing only; one that holds others, as honest files do, is taken."""

import io
import random
import zipfile

import pytest
from PIL import Image

from shared.files import HEAD_BYTES, FileRefused, FileType, check_file
from shared.files.polyglots import TAIL_BYTES, Ends, check
from tests.unit.files.archiving import tarred, told, zipped

ZIP = zipped({"a.txt": b"x" * 100})


def picture(kind: str, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size)).save(buffer, kind)
    return buffer.getvalue()


JPEG, PNG, GIF = picture("JPEG"), picture("PNG"), picture("GIF")
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"
PDF_END = b"\nendstream\nendobj\nxref\n0 2\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n"
WITH_COMMENT_TO_THE_END = ZIP[:-2] + (len(PDF_END)).to_bytes(2, "little") + PDF_END


def ends_of(content: bytes, chunk_bytes: int = 10_000) -> Ends:
    ends = Ends()
    for at in range(0, len(content), chunk_bytes):
        ends.add(content[at : at + chunk_bytes])
    return ends


def is_taken(name: str, content: bytes) -> bool:
    kind = check_file(content[:HEAD_BYTES], name, None, len(content), (), None)
    try:
        check(ends_of(content), kind)
    except FileRefused as refused:
        return refused.reason != "two_in_one"
    return True


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jpg", JPEG),
        ("motion.jpg", JPEG + b"\0\0\0\x20ftypisom\0\0\2\0" + bytes(500)),
        ("preview.jpg", JPEG + JPEG),
        ("a.png", PNG),
        ("a.gif", GIF),
        ("a.pdf", PDF + PDF_END),
        ("attached.pdf", PDF + b"stream\n" + ZIP + PDF_END),
        ("about.txt", b"A PDF begins with %PDF-1.7 and a zip with PK."),
        ("about.md", b"<h1 align=center>Title</h1>\n<!-- html -->"),
        ("a.csv", b"name,html\nx,<script>\n"),
        ("page.html", b"<!DOCTYPE html><html><script>1</script>"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.zip", ZIP),
        ("a.docx", zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})),
        ("pdf.zip", zipped({"a.pdf": PDF + PDF_END}, zipfile.ZIP_STORED)),
        ("pdf.tar", tarred({"a.pdf": PDF + PDF_END})),
        ("zip.tar", tarred({"a.zip": ZIP})),
        ("a.json", b'{"a": "PK\\u0005\\u0006"}'),
        ("a.parquet", b"PAR1" + bytes(100)),
    ],
    ids=told,
)
def test_an_honest_file_is_taken_whatever_it_holds(name: str, content: bytes) -> None:
    assert is_taken(name, content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("archive.jpg", JPEG + ZIP),
        ("archive.gif", GIF + ZIP),
        ("archive.png", PNG + ZIP + b"some bytes that unpackers bear"),
        ("archive.mp3", b"ID3\x03\0\0\0\0\0\0" + ZIP),
        ("archive.pdf", PDF + WITH_COMMENT_TO_THE_END),
        ("archive.txt", b"just a text\n" + ZIP[:-22] + ZIP[-22:]),
        ("archive.parquet", b"PAR1" + ZIP),
        ("document.jpg", JPEG[:20] + PDF + JPEG[20:]),
        ("document.zip", zipped({"a.txt": b"x" * 50 + PDF}, zipfile.ZIP_STORED)),
        ("document.txt", b"hello\n%PDF-1.4\n" + b"x" * 2000 + PDF_END),
        ("page.txt", b"<!DOCTYPE html><html>"),
        ("page.csv", b"\xef\xbb\xbf \n<script>alert(1)</script>,b\n"),
        ("page.md", b"<!-- a note -->\n<html><body>"),
        ("picture.txt", b"<svg onload='alert(1)'>"),
    ],
    ids=told,
)
def test_a_file_that_another_program_takes_for_something_else_is_refused(name: str, content: bytes) -> None:
    if name == "archive.txt":  # control characters of a zip are no text: it is refused before
        with pytest.raises(FileRefused):
            is_taken(name, content)
    else:
        assert not is_taken(name, content)


def test_a_zip_behind_a_picture_is_found_though_its_directory_is_longer_than_what_is_seen() -> None:
    many = zipped({f"{number:0200}": b"" for number in range(400)})
    content = JPEG + many
    assert len(many) - many.find(b"PK\x01\x02") > TAIL_BYTES
    with pytest.raises(FileRefused):
        check(ends_of(content), FileType(".jpg", "image/jpeg"))


@pytest.mark.parametrize("size_bytes", [0, 1, HEAD_BYTES, TAIL_BYTES, HEAD_BYTES + TAIL_BYTES, 300_001])
@pytest.mark.parametrize("chunk_bytes", [1_000, HEAD_BYTES, TAIL_BYTES, 1_000_000])
def test_the_ends_of_a_stream_are_those_of_its_content_however_it_is_cut(
    size_bytes: int, chunk_bytes: int
) -> None:
    content = random.Random(1).randbytes(size_bytes)
    assert ends_of(content, chunk_bytes) == Ends(content[:HEAD_BYTES], content[-TAIL_BYTES:])
