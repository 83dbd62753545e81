"""Draws a BPMN diagram as a picture, with the places where an instance stands."""

import io
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lxml import etree
from PIL import Image, ImageDraw, ImageFont

from shared.engine.bpmn_xml import parse

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_DC = "{http://www.omg.org/spec/DD/20100524/DC}"
_WAYPOINT = "{http://www.omg.org/spec/DD/20100524/DI}waypoint"

MARGIN = 20
SCALE = 2.0
LARGEST_PX = 4_000
"""Of one side: Telegram takes pictures whose sides are 10,000 together, and a phone shows no more."""

FONT_UNITS = 12
INK, PAPER, NOTE = "#22242a", "#ffffff", "#6b7280"
HERE, DONE = "#ffc24b", "#e3f3e6"


@dataclass(frozen=True)
class _Box:
    element: etree._Element
    x: float
    y: float
    width: float
    height: float
    label: "tuple[float, float] | None"
    """Where a label of its own begins; None where the name stands inside."""

    @property
    def kind(self) -> str:
        return str(self.element.tag).removeprefix(_BPMN)


def draw(xml: bytes, *, here: Collection[str] = (), done: Collection[str] = ()) -> bytes | None:
    """A PNG of the diagram with the elements of ``here`` marked, those of ``done`` paler.

    None where the file has no diagram.

    Raises:
        UnreadableDiagram: the file is no XML.
    """
    root = parse(xml)
    boxes, lines = list(_boxes(root)), list(_lines(root))
    if not boxes:
        return None
    points = [point for line in lines for point in line]
    points += [(box.x, box.y) for box in boxes]
    points += [(box.x + box.width, box.y + box.height + FONT_UNITS * 2) for box in boxes]
    left, top = min(x for x, _ in points) - MARGIN, min(y for _, y in points) - MARGIN
    width, height = max(x for x, _ in points) + MARGIN - left, max(y for _, y in points) + MARGIN - top
    scale = min(SCALE, LARGEST_PX / max(width, height))
    picture = Image.new("RGB", (round(width * scale), round(height * scale)), PAPER)
    pen = _Pen(ImageDraw.Draw(picture), left, top, scale)
    for box in sorted(boxes, key=lambda each: -each.width * each.height):  # what is inside comes later
        name = box.element.get("id")
        pen.box(box, HERE if name in here else DONE if name in done else PAPER, is_here=name in here)
    for line in lines:
        pen.arrow(line)
    target = io.BytesIO()
    picture.save(target, "PNG", optimize=True)
    return target.getvalue()


def _boxes(root: etree._Element) -> Iterator[_Box]:
    elements = {each.get("id"): each for each in root.iter(f"{_BPMN}*") if each.get("id")}
    for shape in root.iter(f"{_DI}BPMNShape"):
        element, bounds = elements.get(shape.get("bpmnElement")), shape.find(f"{_DC}Bounds")
        if element is None or bounds is None:
            continue
        x, y, width, height = (float(bounds.get(name) or 0) for name in ("x", "y", "width", "height"))
        own = shape.find(f"{_DI}BPMNLabel/{_DC}Bounds")
        label = None if own is None else (float(own.get("x") or 0), float(own.get("y") or 0))
        yield _Box(element, x, y, width, height, label)


def _lines(root: etree._Element) -> Iterator[list[tuple[float, float]]]:
    for edge in root.iter(f"{_DI}BPMNEdge"):
        points = [(float(each.get("x") or 0), float(each.get("y") or 0)) for each in edge.iter(_WAYPOINT)]
        if len(points) > 1:
            yield points


class _Pen:
    def __init__(self, to: ImageDraw.ImageDraw, left: float, top: float, scale: float) -> None:
        self._to = to
        self._left, self._top, self._scale = left, top, scale
        self._font = ImageFont.truetype(_font_file(), max(6, round(FONT_UNITS * scale)))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (x - self._left) * self._scale, (y - self._top) * self._scale

    def box(self, box: _Box, fill: str, *, is_here: bool) -> None:
        """An activity, an event or a gateway, with its name."""
        corners = (*self._at(box.x, box.y), *self._at(box.x + box.width, box.y + box.height))
        stroke = round((3 if is_here or box.kind == "endEvent" else 1.5) * self._scale)
        if box.kind == "textAnnotation":
            words = box.element.findtext(f"{_BPMN}text") or ""
            lines = "\n".join(textwrap.wrap(words, max(8, int(box.width / (FONT_UNITS * 0.55)))))
            self._to.multiline_text(self._at(box.x + 4, box.y + 4), lines, NOTE, self._font)
            return
        if box.kind.endswith("Event"):
            self._to.ellipse(corners, fill=fill, outline=INK, width=stroke)
            if box.kind in {"boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent"}:
                inset = 3 * self._scale
                inner = (corners[0] + inset, corners[1] + inset, corners[2] - inset, corners[3] - inset)
                self._to.ellipse(inner, outline=INK, width=round(self._scale))
        elif box.kind.endswith("Gateway"):
            self._gateway(box, fill, stroke)
        else:
            radius = round(8 * self._scale)
            self._to.rounded_rectangle(corners, radius, fill=fill, outline=INK, width=stroke)
        self._name(box)

    def _gateway(self, box: _Box, fill: str, stroke: int) -> None:
        middle_x, middle_y = box.x + box.width / 2, box.y + box.height / 2
        corners = [
            self._at(*point)
            for point in (
                (middle_x, box.y),
                (box.x + box.width, middle_y),
                (middle_x, box.y + box.height),
                (box.x, middle_y),
            )
        ]
        self._to.polygon(corners, fill=fill, outline=INK, width=stroke)
        sign = {"exclusiveGateway": "×", "parallelGateway": "+", "inclusiveGateway": "○"}.get(box.kind, "")
        self._to.text(self._at(middle_x, middle_y), sign, INK, self._font, anchor="mm")

    def _name(self, box: _Box) -> None:
        words = box.element.get("name") or ""
        inside = box.kind.endswith(("Task", "task", "Activity", "ubProcess", "transaction"))
        if not words:
            return
        if inside:
            lines = "\n".join(textwrap.wrap(words, max(8, int(box.width / (FONT_UNITS * 0.55))))[:5])
            if box.kind.endswith("ubProcess"):
                at, anchor = self._at(box.x + box.width / 2, box.y + 6), "ma"
            else:
                at, anchor = self._at(box.x + box.width / 2, box.y + box.height / 2), "mm"
            self._to.multiline_text(at, lines, INK, self._font, anchor=anchor, align="center")
            return
        lines = "\n".join(textwrap.wrap(words, 16)[:4])
        if box.label is not None:
            self._to.multiline_text(self._at(*box.label), lines, INK, self._font)
        else:
            at = self._at(box.x + box.width / 2, box.y + box.height + 2)
            self._to.multiline_text(at, lines, INK, self._font, anchor="ma", align="center")

    def arrow(self, points: list[tuple[float, float]]) -> None:
        """A flow, with its head."""
        path = [self._at(*point) for point in points]
        self._to.line(path, fill=INK, width=round(1.5 * self._scale), joint="curve")
        (from_x, from_y), (to_x, to_y) = path[-2:]
        length = max(1.0, ((to_x - from_x) ** 2 + (to_y - from_y) ** 2) ** 0.5)
        along = ((to_x - from_x) / length, (to_y - from_y) / length)
        size = 7 * self._scale
        back = (to_x - along[0] * size, to_y - along[1] * size)
        side = (-along[1] * size / 2, along[0] * size / 2)
        head = [(to_x, to_y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
        self._to.polygon(head, fill=INK)


def _font_file() -> str:
    """DejaVu Sans has Latin, Greek and Cyrillic, and comes with matplotlib, whose import would cost 40 MB."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None  # noqa: S101, PT018 - a dependency of ours
    return str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")
