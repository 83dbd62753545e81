"""Camunda Modeler's element templates of the built-in topics, from the table of the contract's keys.

python -m shared.authoring.templates bpmn/element-templates/stepgram.json
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shared.steps.contract import MAX_CAPTION
from shared.steps.fields import TYPES
from shared.steps.keys import FLAG, KINDS, STEP_KEYS, Key

Json = dict[str, Any]

VERSION = 2
PERSON = "${telegram_user_id}"
GROUPS = {
    "who": "Who answers",
    "message": "Message",
    "buttons": "Buttons",
    "file": "File",
    "field": "Question",
    "step": "Step",
    "export": "Export",
}
_IN_A_MESSAGE = ("title",)
_OF_WHO = ("allow", "claim", "votes")
HTML = "Simple HTML: b, i, code, br, lists. Show a variable by an input of its own, which becomes a line."


def templates() -> list[Json]:
    """All templates, one for each use of a topic."""
    return [
        _template(
            "render_task",
            "ask a person",
            "A message with two buttons. Sets action, action_approve and action_reject.",
            [
                *_who(),
                *_message("text_request"),
                _button("action_approve", "First button", "Approve"),
                _button("action_reject", "Second button", "Reject"),
                *_step(),
            ],
        ),
        _template(
            "render_task",
            "ask a question",
            "Asks for one value, checked by its type. Sets form_answer; more questions: inputs named form_…",
            [*_who(), *_message("text_request"), *_keys("field", "form_answer", "field"), *_step()],
            suffix=".form",
        ),
        _template(
            "await_upload",
            "ask for a file",
            "Waits for a file. Sets s3_file (its key or URL) and s3_file_meta.",
            [
                *_who(),
                *_message("text_ask"),
                _input("s3_file", "Name of the file for the person", "", "file", notEmpty=True),
                *_keys("s3", "s3_file", "file", but=("label",)),
                *_step(),
            ],
        ),
        _template(
            "send_message",
            "tell a person",
            "Shows a message and goes on at once.",
            [*_who(but=_OF_WHO), *_message("text_notice")],
        ),
        _template(
            "analyse_export",
            "analyse an export",
            "Analyses a Telegram Desktop export; a file that is none throws the BPMN error BAD_EXPORT.",
            [
                _input(
                    "export_key", "Key of the export in the bucket", "${s3_file}", "export", notEmpty=True
                ),
                _input(
                    "telegram_user_id",
                    "Who sees the progress",
                    "${telegram_user_id}",
                    "export",
                    notEmpty=True,
                ),
                _input("group_name", "Name of the group", "", "export", notEmpty=True),
            ],
        ),
    ]


def written() -> str:
    """The file of the templates."""
    return json.dumps(templates(), indent=2, ensure_ascii=False) + "\n"


def _template(topic: str, name: str, description: str, properties: list[Json], *, suffix: str = "") -> Json:
    hidden = [
        {"type": "Hidden", "value": value, "binding": {"type": "property", "name": f"camunda:{of}"}}
        for of, value in (("type", "external"), ("topic", topic))
    ]
    used = {each["group"] for each in properties}
    return {
        "name": f"Stepgram: {name}",
        "id": f"stepgram.{topic}{suffix}",
        "version": VERSION,
        "description": description,
        "appliesTo": ["bpmn:Task", "bpmn:ServiceTask"],
        "elementType": {"value": "bpmn:ServiceTask"},
        "entriesVisible": True,
        "groups": [{"id": id_, "label": label} for id_, label in GROUPS.items() if id_ in used],
        "properties": [*hidden, *properties],
    }


def _input(name: str, label: str, value: str, group: str, **constraints: Any) -> Json:
    made: Json = {"group": group, "label": label, "type": "String"}
    if value:
        made["value"] = value
    if constraints:
        made["constraints"] = constraints
    return {**made, "binding": {"type": "camunda:inputParameter", "name": name}}


def _who(but: Iterable[str] = ()) -> list[Json]:
    described = "A Telegram user id, the id of a group, or an expression that gives one."
    person = _input("telegram_user_id", "Telegram user or group", PERSON, "who", notEmpty=True)
    rules = [_key(STEP_KEYS[name], name, "who") for name in _OF_WHO if name not in but]
    return [{"description": described, **person}, *rules]


def _message(name: str) -> list[Json]:
    title = [_key(STEP_KEYS[each], each, "message") for each in _IN_A_MESSAGE]
    text = {**_input(name, "Text", "", "message", notEmpty=True), "type": "Text", "description": HTML}
    return [*title, text]


def _button(name: str, label: str, caption: str) -> Json:
    tapped = f'Tapped: action is "{name.removeprefix("action_")}". Further buttons: inputs named action_…'
    made = _input(name, label, caption, "buttons", notEmpty=True, maxLength=MAX_CAPTION)
    return {"description": tapped, **made}


def _step() -> list[Json]:
    rest = [key for name, key in STEP_KEYS.items() if name not in (*_IN_A_MESSAGE, *_OF_WHO, "recipient")]
    return [_key(key, key.name, "step") for key in rest]


def _keys(kind: str, item: str, group: str, but: Iterable[str] = ()) -> list[Json]:
    return [_key(key, f"{item}.{name}", group) for name, key in KINDS[kind].keys.items() if name not in but]


def _key(key: Key, name: str, group: str) -> Json:
    """A property that may stay empty, which counts as not given."""
    made: Json = {
        "group": group,
        "label": key.name.replace("_", " ").capitalize(),
        "description": _plain(f"{key.means}. Empty: {key.default}. Example: {key.example}"),
        "type": "String",
        "binding": {"type": "camunda:property", "name": name},
    }
    if choices := _choices(key):
        made["type"] = "Dropdown"
        made["value"] = ""
        made["choices"] = [{"name": caption, "value": value} for value, caption in choices.items()]
    return made


def _choices(key: Key) -> Mapping[str, str]:
    """The values of a key that takes one of some words."""
    if key.name == "type":
        words = list(TYPES)
    elif key.takes == FLAG:
        words = ["true", "false"]
    elif re.fullmatch(r"`\w+`(, `\w+`)*", key.takes):
        words = re.findall(r"\w+", key.takes)
    else:
        return {}
    return {"": "(default)", **{word: word for word in words}}


def _plain(markdown: str) -> str:
    """Markdown as the Modeler shows it: without links and marks."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", markdown).replace("`", "").replace("\\|", "|")
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written())
