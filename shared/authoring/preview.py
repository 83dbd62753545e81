"""Shows each step of a diagram as its person will see it, with sample values for what is computed."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.authoring.lint import Topics
from shared.authoring.lint.diagram import Node, read
from shared.engine.bpmn_xml import VENDORS
from shared.markup import Rich
from shared.models import Json
from shared.steps import contract, conversation
from shared.steps.conversation import Draft
from shared.steps.fields import TYPES, InvalidAnswer, Widget, kept, read_answer, skipped
from shared.steps.keys import STEP_KEYS
from shared.steps.model import Ask, Step
from shared.steps.reading import Declared, as_text
from shared.steps.widgets import widget_of

WIDTH = 64
SOMEBODY = 1
_COMPUTED = re.compile(r"[$#]\{\s*([^}]*?)\s*\}")
_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}


@dataclass(frozen=True)
class Preview:
    """One step: its messages in the order in which a person who answers everything sees them."""

    element: str
    title: str
    drafts: tuple[Draft, ...]
    problems: tuple[str, ...]


def previews(
    content: bytes, topics: Topics, values: Mapping[str, Any], only: str | None = None
) -> list[Preview]:
    """Every human step of a file, or the one called ``only``; ``values`` are those of process variables.

    Raises:
        UnreadableDiagram: the file cannot be read.
    """
    found = []
    for process in read(content):
        for node in process.nodes.values():
            topic = topics.human.get(node.topic or "")
            if topic is None or node.info is None or only not in (None, node.id):
                continue
            declared = _declared(node, values)
            step, problems = contract.examine(declared, needs_file=topic.needs_file, may_ask=topic.may_ask)
            if not step.title and not step.asks_nothing:
                step = step.model_copy(update={"title": node.info.name or ""})
            told = tuple(f"{each.name}: {each.found}" for each in problems)
            found.append(Preview(node.id, node.info.name or node.id, tuple(_messages(step.spoken())), told))
    return found


def _declared(node: Node, values: Mapping[str, Any]) -> Declared:
    inputs = {name: _value(given, values) for name, given in _inputs(node)}
    properties = {name: str(_value(given, values)) for name, given in node.properties.items()}
    if not contract.names_recipient(inputs, properties):
        inputs["telegram_user_id"] = SOMEBODY
    for name in (*contract.RECIPIENT_NAMES, "recipient", "escalate_to"):
        if "‹" in as_text(inputs.get(name)):
            inputs[name] = SOMEBODY
    # What a key will be is known when the process runs; the step is shown as without it.
    for given in (inputs, properties):
        for name in [each for each in given if each in STEP_KEYS and each != "title"]:
            if "‹" in as_text(given[name]):
                del given[name]
    return Declared(
        node.id, tuple(name for name in inputs if name in node.inputs), inputs, properties, None, False, ""
    )


def _inputs(node: Node) -> list[tuple[str, Any]]:
    """The inputs as they are written; lists and maps as the reader of diagrams gives them."""
    texts = {
        child.get("name"): child.text or ""
        for vendor in VENDORS
        for child in node.element.iter(f"{vendor}inputParameter")
        if len(child) == 0
    }
    return [(name, texts.get(name, value)) for name, value in node.inputs.items()]


def _value(given: Any, values: Mapping[str, Any]) -> Any:
    """A text with its expressions computed as far as a name goes, and marked ‹so› beyond."""
    if not isinstance(given, str):
        return given
    whole = _COMPUTED.fullmatch(given.strip())
    if whole and whole[1] in values:
        return values[whole[1]]
    return _COMPUTED.sub(lambda match: as_text(values.get(match[1], f"‹{match[1]}›")), given)


def _messages(step: Step) -> Iterator[Draft]:
    def sign(item: str, option: str) -> str:
        return f"{item}.{option}"

    yield from conversation.opening(step, sign, dialog_open=not step.claim)
    answers: Json = {}
    for index, ask in enumerate(step.asks):
        if index or step.claim:
            yield conversation.question(step, index, sign, answers)
        answers[ask.name] = _sample(ask)
    closing = conversation.closing(step, answers, sign) if step.asks else None
    if closing is not None:
        yield closing


def _sample(ask: Ask) -> Json:
    """An answer that fits, for the summary; the field's own default or first options where it has them."""
    if ask.is_file:
        return {"value": "key", "type": "String", "shown": f"export{ask.accept[0] if ask.accept else '.pdf'}"}
    if ask.default is not None:
        return skipped(ask)
    if ask.options and widget_of(ask) in {Widget.ONE, Widget.MANY}:
        return read_answer(ask, ask.options[0].caption)
    for words in (*re.findall(r"`([^`]+)`", TYPES[ask.type].takes), "words", "yes"):
        try:
            return kept(ask, TYPES[ask.type].read(ask, words))
        except InvalidAnswer:
            continue
    return {"value": None, "type": "Null", "shown": "…"}


def as_terminal(shown: Sequence[Preview]) -> str:
    """The steps as text."""
    lines: list[str] = []
    for each in shown:
        lines += [f"━━ {each.title} ({each.element})", *(f"!! {problem}" for problem in each.problems)]
        for draft in each.drafts:
            lines += ["", *_file_line(draft), *draft.rich.text.splitlines()]
            lines += ["  ".join(f"[ {caption} ]" for caption in row) for row in _captions(draft)]
        lines.append("")
    return "\n".join(lines)


def _file_line(draft: Draft) -> list[str]:
    shown = draft.photo or draft.document
    return [f"({'picture' if draft.photo else 'document'}: {shown})"] if shown else []


def _captions(draft: Draft) -> list[list[str]]:
    """The rows of buttons, also those of a reply keyboard."""
    if draft.keyboard is not None:
        return [[str(key["text"]) for key in row] for row in draft.keyboard.get("keyboard", [])]
    return [[button[0] for button in row] for row in draft.rows]


def as_html(shown: Sequence[Preview]) -> str:
    """The steps as one page without scripts."""
    body = "".join(
        f"<section><h2>{html.escape(each.title)} <small>{html.escape(each.element)}</small></h2>"
        + "".join(f'<p class="problem">{html.escape(problem)}</p>' for problem in each.problems)
        + "".join(_bubble(draft) for draft in each.drafts)
        + "</section>"
        for each in shown
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Preview</title>{_STYLE}{body}</html>\n'
    )


def _bubble(draft: Draft) -> str:
    shown = "".join(f'<div class="file">{html.escape(line)}</div>' for line in _file_line(draft))
    rows = "".join(
        '<div class="row">' + "".join(f"<span>{html.escape(caption)}</span>" for caption in row) + "</div>"
        for row in _captions(draft)
    )
    return f'<div class="bubble">{shown}{_marked(draft.rich)}</div>{rows}'


def _marked(rich: Rich) -> str:
    """Text with its formatting as HTML."""
    units = rich.text.encode("utf-16-le")
    marks: dict[int, list[str]] = {}
    for entity in rich.entities:
        tag = _TAGS.get(entity["type"])
        if tag is not None:
            marks.setdefault(entity["offset"], []).append(f"<{tag}>")
            marks.setdefault(entity["offset"] + entity["length"], []).insert(0, f"</{tag}>")
    cuts = sorted({0, len(units) // 2, *marks})
    parts = []
    for at, until in zip(cuts, [*cuts[1:], cuts[-1]], strict=True):
        parts += [*marks.get(at, []), html.escape(units[2 * at : 2 * until].decode("utf-16-le"))]
    return "".join(parts).replace("\n", "<br>")


_STYLE = """<style>
body{font:15px/1.4 system-ui,sans-serif;background:#dfe7ee;margin:2rem auto;max-width:34rem;color:#16181d}
h2{font-size:1rem;margin:2rem 0 .5rem}small{color:#556}.problem{color:#a11}
.bubble{background:#fff;border-radius:12px;padding:.6rem .8rem;margin:.5rem 0 .25rem;overflow-wrap:anywhere}
.file{color:#245;font-style:italic}code{background:#eef;border-radius:4px;padding:0 .2em}
.row{display:flex;gap:.25rem;margin:.25rem 0}
.row span{flex:1;text-align:center;background:#b9cbdc;border-radius:8px;padding:.35rem .5rem}
</style>"""
