"""The picture of a diagram: what is drawn, and where an instance stands."""

import io
from pathlib import Path

import pytest
from PIL import Image

from shared.drawing import HERE, LARGEST_PX, draw
from shared.engine.bpmn import read_activities
from shared.engine.errors import UnreadableDiagram
from tests.support.bpmn import end, process

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "bpmn").glob("*.bpmn"))


def colours(png: bytes) -> set[tuple[int, ...]]:
    with Image.open(io.BytesIO(png)) as picture:
        assert max(picture.size) <= LARGEST_PX
        counted = picture.convert("RGB").getcolors(1 << 24)
        assert counted
        return {colour for _, colour in counted}  # type: ignore[misc]


def rgb(name: str) -> tuple[int, ...]:
    return tuple(int(name[at : at + 2], 16) for at in (1, 3, 5))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_is_drawn_and_only_where_an_instance_stands_is_marked(path: Path) -> None:
    xml = path.read_bytes()
    plain = draw(xml)
    assert plain is not None
    assert rgb(HERE) not in colours(plain)
    step = next(each.id for each in read_activities(xml).values() if each.topic)
    marked = draw(xml, here=[step])
    assert marked is not None
    assert rgb(HERE) in colours(marked)


def test_a_file_without_a_diagram_gives_no_picture() -> None:
    assert draw(process("own", [end("done")])) is None


def test_what_is_no_diagram_is_told() -> None:
    with pytest.raises(UnreadableDiagram):
        draw(b"not <xml")
