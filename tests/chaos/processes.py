"""The processes that the people run: buttons, a form, a file, a group's buttons, a group's form, a timer."""

from collections.abc import Mapping

from tests.chaos.words import mark
from tests.support.bpmn import (
    end,
    exclusive,
    external_task,
    goto,
    on_timer,
    process,
)
from tests.support.bpmn_xml import Content, Node

PREFIX = "chaos_"
PATIENCE_OF_A_TIMER = "PT4S"


def files() -> dict[str, bytes]:
    """Every process as a BPMN file, by its key."""
    made = {
        "choose": [_choose(), _by("verdict", yes="agreed", no="refused", later=goto("decide"))],
        "form": [_form(), _by("action", send="sent", drop="dropped")],
        "file": [_file(), _check(), _by("action", keep="kept", drop="dropped")],
        "vote": [_vote(), _by("action", yes="agreed", no="refused")],
        "note": [_note(), end("noted")],
        "late": [_late(), end("answered")],
    }
    return {f"{PREFIX}{key}": process(f"{PREFIX}{key}", body) for key, body in made.items()}


def _by(variable: str, **ends: str | Node) -> Node:
    """Go on by the value of a variable."""
    branches = {
        f"${{{variable} == '{value}'}}": [end(then) if isinstance(then, str) else then]
        for value, then in ends.items()
    }
    return exclusive("by_" + variable, branches)


def _text(step: str, round_: object = 1) -> dict[str, Content]:
    return {"text_what": mark("${case}", step, round_, "text")}


def _labels(step: str, *names: str) -> dict[str, Content]:
    """A label for each field, which names the case; labels with expressions are inputs."""
    return {f"{name}.label": mark("${case}", step, 1, name.partition("_")[2]) for name in names}


def _choose() -> Node:
    """Buttons, round after round until somebody decides; only the outputs leave the step."""
    inputs = {**_text("decide", "${round}"), "action_yes": "Yes", "action_no": "No", "action_later": "Later"}
    outputs = {"verdict": "${action}", "round": "${round + 1}"}
    return external_task("decide", "render_task", inputs=inputs, outputs=outputs)


def _form() -> Node:
    """Texts and buttons one by one, then the decision."""
    properties = {
        "form_name.type": "string",
        "form_name.required": "true",
        "form_amount.type": "integer",
        "form_amount.required": "true",
        "form_colour.type": "choice",
        "form_colour.required": "true",
        "form_colour.options": "red=Red|green=Green|blue=Blue",
        "form_sure.type": "boolean",
        "form_sure.required": "true",
    }
    labels = _labels("fill", "form_name", "form_amount", "form_colour", "form_sure")
    inputs = {**_text("fill"), **labels, "action_send": "Send", "action_drop": "Drop"}
    return external_task("fill", "render_task", inputs=inputs, properties=properties)


def _file() -> Node:
    inputs = {**_text("upload"), **_labels("upload", "s3_data"), "s3_data": "The data"}
    return external_task("upload", "await_upload", inputs=inputs, properties={"s3_data.accept": ".json"})


def _check() -> Node:
    inputs = {**_text("check"), "action_keep": "Keep", "action_drop": "Drop"}
    return external_task("check", "render_task", inputs=inputs)


def _vote() -> Node:
    """Buttons in a group, for whom the case's rule allows."""
    inputs = {**_text("vote"), **_in_the_group(), "allow": "${allow}", "action_yes": "Yes", "action_no": "No"}
    return external_task("vote", "render_task", inputs=inputs)


def _note() -> Node:
    """A question in a group, answered by a reply."""
    properties = {"form_note.type": "string", "form_note.required": "true"}
    inputs = {**_text("note"), **_labels("note", "form_note"), **_in_the_group(), "allow": "${allow}"}
    return external_task("note", "render_task", inputs=inputs, properties=properties)


def _late() -> Node:
    """Buttons that nobody taps: the engine takes the step back."""
    inputs = {**_text("wait"), "action_yes": "Yes"}
    timer = on_timer(PATIENCE_OF_A_TIMER, [end("over")])
    return external_task("wait", "render_task", inputs=inputs, on=[timer])


def _in_the_group() -> Mapping[str, Content]:
    return {"chat_id": "${chat}"}
