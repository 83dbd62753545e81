"""What a step says and in which order: its prompts as drafts, and its outcome as engine variables.

Pure functions of the step, the answers so far and a signer of buttons; who stores or sends is elsewhere.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared import texts
from shared.markup import (
    CAPTION_UNITS,
    TEXT_UNITS,
    Rich,
    escape_value,
    join,
    label_line,
    render_html,
    replaced,
    split,
    truncate,
    utf16_len,
)
from shared.models import Json
from shared.steps.keyboards import (
    FIRST_VIEW,
    Sign,
    claim_rows,
    closing_rows,
    file_rows,
    inline_keyboard,
    question_rows,
)
from shared.steps.model import Shown, Step
from shared.steps.widgets import Rows, View, keyboard_of

MESSAGE_LIMIT = 4096 - 256
"""UTF-16 units of a content message; the rest is for the line that is added when the step is over."""

REMINDER = "reminder"
"""The kind of a message that goes when its step does, and when the next one of its kind comes."""


@dataclass(frozen=True)
class Draft:
    """A message of a step that is not yet a row."""

    kind: str
    rich: Rich
    item: str | None = None
    photo: str | None = None
    document: str | None = None
    rows: Rows = ()
    keyboard: Json | None = None
    force_reply: bool = False
    reply_to: int | None = None
    thread_id: int | None = None
    countdown: tuple[int, int] | None = None
    """The characters of the text in whose place it is said how long the step still waits."""

    def content(self) -> Json:
        """The draft as the prompt's row keeps it; ``reply_markup`` has the Bot API's shape."""
        markup: Json | None = None
        if self.rows:
            markup = inline_keyboard(self.rows)
        elif self.keyboard is not None:
            markup = self.keyboard
        elif self.force_reply:
            markup = {"force_reply": True, "selective": self.reply_to is not None}
        values: Json = {
            "text": self.rich.text,
            "entities": list(self.rich.entities),
            "reply_markup": markup,
            "item": self.item,
            "photo": self.photo,
            "document": self.document,
            "reply_to": self.reply_to,
            "thread_id": self.thread_id,
            "countdown": self.countdown and list(self.countdown),
        }
        return {name: value for name, value in values.items() if value not in (None, [])}


def next_ask(step: Step, answers: Json) -> int | None:
    """The index of the first question without an answer, or None."""
    return next(
        (index for index, ask in enumerate(step.asks) if "value" not in answers.get(ask.name, {})), None
    )


def opening(step: Step, sign: Sign, *, dialog_open: bool, claimed_by: str | None = None) -> list[Draft]:
    """The first prompts of a step: what it shows, then its first question or its buttons.

    ``claimed_by`` names who has taken a step that is to be claimed.
    """
    drafts = content(step)
    if step.claim and not dialog_open:
        return _in_thread(step, _with_rows(drafts, claim_rows(step, sign, claimed_by), "action_buttons"))
    if step.asks and dialog_open:
        return _in_thread(step, _with_question(drafts, question(step, 0, sign)))
    if step.asks:
        return _in_thread(
            step, _with_rows(drafts, (((texts.say("button-answer"), sign("d", "")),),), "dialog_prompt")
        )
    if step.actions or step.review:
        return _in_thread(step, _with_rows(drafts, closing_rows(step, sign), "action_buttons"))
    return _in_thread(step, [replace(draft, kind="notice") for draft in drafts])


def ballot(step: Step, sign: Sign, votes: Json, page: int = 0) -> Draft:
    """The message of a step that several decide, with what each has chosen so far."""
    asked = opening(step, sign, dialog_open=False)[-1]
    lines = []
    for action in step.actions:
        names = [str(vote["name"]) for vote in votes.values() if vote["action"] == action.name]
        if names:
            lines.append(label_line(f"{action.caption} ({len(names)})", ", ".join(names)))
    rich = join(asked.rich, join(*lines, separator="\n"), separator="\n\n") if lines else asked.rich
    return replace(asked, rich=truncate(rich, MESSAGE_LIMIT), rows=closing_rows(step, sign, page))


def shown_anew(
    step: Step, answers: Json, sign: Sign, *, dialog_open: bool, claimed_by: str | None = None
) -> list[Draft]:
    """The prompts of a step that was begun: what it shows, then the question or buttons where it stands."""
    upcoming = next_ask(step, answers)
    if not answers or (upcoming is not None and not dialog_open):
        return opening(step, sign, dialog_open=dialog_open, claimed_by=claimed_by)
    last = closing(step, answers, sign) if upcoming is None else question(step, upcoming, sign, answers)
    return _in_thread(step, [*content(step), *([last] if last else [])])


def reminder(step: Step, answers: Json, sign: Sign, *, dialog_open: bool, reply_to: int | None) -> Draft:
    """A message that reminds of a step, as a reply to its prompt; in a private chat it can show that anew.

    A reply to it answers the question that is open.
    """
    upcoming = next_ask(step, answers) if dialog_open else None
    show = (((texts.say("button-show-step"), sign("s", "")),),)
    return Draft(
        REMINDER,
        render_html(texts.reminder(step.title, step.until)),
        item=None if upcoming is None else f"q{upcoming}",
        rows=show if step.chat_id > 0 else (),
        reply_to=reply_to,
        thread_id=step.thread_id,
    )


def _in_thread(step: Step, drafts: list[Draft]) -> list[Draft]:
    return [replace(draft, thread_id=step.thread_id) for draft in drafts]


def _with_question(drafts: list[Draft], first: Draft) -> list[Draft]:
    """Put the first question under the last text, where both fit into one message."""
    last = drafts[-1] if drafts else None
    if last is None or last.photo or last.document:
        return [*drafts, first]
    rich = join(last.rich, first.rich, separator="\n\n")
    if utf16_len(rich.text) > MESSAGE_LIMIT:
        return [*drafts, first]
    return [*drafts[:-1], replace(first, rich=rich, countdown=last.countdown)]


def _with_rows(drafts: list[Draft], rows: Rows, kind: str) -> list[Draft]:
    """Put buttons under the last message; under one of their own where that is a picture or a file."""
    last = drafts[-1] if drafts else None
    if last is None or last.photo or last.document:
        return [*drafts, Draft(kind, render_html(texts.say("your-decision")), item="actions", rows=rows)]
    return [*drafts[:-1], replace(last, kind=kind, item="actions", rows=rows)]


def content(step: Step) -> list[Draft]:
    """What a step shows in the author's order: neighbouring texts in one message, files in their own."""
    drafts: list[Draft] = []
    words = _heading(step)
    heading_ends = len(words[0].text) if step.until else 0
    was_line = False
    for item in step.shown:
        if item.kind in {"text", "line"}:
            line = _words(item)
            if item.kind == "line" and was_line:
                words[-1] = join(words[-1], line, separator="\n")
            else:
                words.append(line)
            was_line = item.kind == "line"
            continue
        drafts += _messages(words)
        words, was_line = [], False
        caption = render_html(escape_value(item.label or ""))
        if utf16_len(caption.text) > CAPTION_UNITS:
            words, caption = [caption], Rich("")  # Telegram takes no longer one; it follows as a text
        keys: dict[str, Any] = {"photo" if item.kind == "photo" else "document": item.value}
        drafts.append(Draft("task_content", caption, **keys))
    drafts += _messages(words)
    if 0 < heading_ends <= len(drafts[0].rich.text):
        drafts[0] = replace(drafts[0], countdown=(heading_ends, heading_ends))
    return drafts


def counted_down(content: Json, seconds: float) -> Json | None:
    """The content of a message that says now how long its step still waits; None where it has no place."""
    keyboard = content.get("reply_markup") or {}
    if "countdown" not in content or "force_reply" in keyboard:
        return None
    start, end = content["countdown"]
    words = texts.time_left(seconds)
    rich = replaced(Rich(content["text"], tuple(content.get("entities", ()))), start, end, words)
    if utf16_len(rich.text) > TEXT_UNITS:
        return None
    said = {"text": rich.text, "entities": list(rich.entities), "countdown": [start, start + len(words)]}
    return {**content, **said}


def _heading(step: Step) -> list[Rich]:
    lines = [f"<b>{escape_value(step.title)}</b>"] if step.title else []
    lines += [texts.answer_until(step.until)] if step.until else []
    return [render_html("<br/>".join(lines))] if lines else []


def _words(item: Shown) -> Rich:
    if item.kind == "line":
        return label_line(item.label or item.name, _value(item))
    return render_html(item.value, allow_links=item.links)


def _value(line: Shown) -> str:
    """What a line says, as the language of the moment writes it."""
    if line.currency and isinstance(line.data, int | float):
        return texts.formats.money(line.data, line.currency)
    typed = line.moment if line.moment is not None else line.data
    return line.value if typed is None else texts.formats.words(typed)


def _messages(words: list[Rich]) -> list[Draft]:
    if not words:
        return []
    return [
        Draft("task_content", part)
        for part in split(join(*words, separator="\n\n"), MESSAGE_LIMIT)
        if part.text
    ]


def question(
    step: Step,
    index: int,
    sign: Sign,
    answers: Json | None = None,
    *,
    view: View = FIRST_VIEW,
    reply_to: int | None = None,
) -> Draft:
    """The prompt of one question, with the buttons that answer it.

    A group's question is a ForceReply, which brings the people's keyboards up; ForceReply and buttons exclude
    each other in Telegram, so choices are offered by buttons alone.
    """
    ask = step.asks[index]
    unit = ask.unit or ask.currency
    help_text = ask.help or (texts.send_a_file(ask) if ask.is_file else None)
    words = render_html(texts.question(ask.label, index + 1, len(step.asks), help_text, unit))
    rows = question_rows(step, index, sign, answers or {}, view)
    keyboard = None
    if step.chat_id > 0:
        ways = [texts.say("button-back")] * (index > 0) + [texts.say("button-skip")] * (not ask.required)
        keyboard = keyboard_of(ask, ways)
    return Draft(
        kind="file_upload_prompt" if ask.is_file else "dialog_prompt",
        rich=truncate(words, MESSAGE_LIMIT),
        item=f"q{index}",
        rows=() if keyboard else rows,
        keyboard=keyboard,
        force_reply=not rows and step.chat_id < 0,
        reply_to=reply_to,
        thread_id=step.thread_id,
    )


def file_list(step: Step, index: int, sign: Sign, files: Sequence[texts.Listed]) -> Draft:
    """The files that have come for a question, each with a button that takes it away, and Done."""
    ask = step.asks[index]
    return Draft(
        kind="file_upload_prompt",
        rich=truncate(render_html(texts.file_list(files, ask.max_files)), MESSAGE_LIMIT),
        item=f"q{index}",
        rows=file_rows(index, sign, files),
        thread_id=step.thread_id,
    )


def closing(step: Step, answers: Json, sign: Sign) -> Draft | None:
    """After the last question: the answers once more with the closing buttons; None if it has none."""
    if not step.actions and not step.review:
        return None
    lines = [label_line(ask.label.rstrip(" ?:"), str(answers[ask.name]["shown"])) for ask in step.asks]
    rich = join(*lines, render_html(texts.say("your-decision")), separator="\n")
    rows = closing_rows(step, sign)
    return Draft(
        "action_buttons", split(rich, MESSAGE_LIMIT)[0], item="actions", rows=rows, thread_id=step.thread_id
    )


def outcome(step: Step, answers: Json, action: str | None, votes: Json | None = None) -> Json:
    """What the engine is told when the step is over: every variable of the contract, typed."""
    variables: Json = {}
    for ask in step.asks:
        answer = answers.get(ask.name)
        if answer is None or "value" not in answer:
            continue
        variables[ask.name] = {"value": answer["value"], "type": answer["type"]}
        if "meta" in answer:
            variables[f"{ask.name}_meta"] = answer["meta"]
    for known in step.actions:
        variables[f"action_{known.name}"] = {"value": known.name == action, "type": "Boolean"}
    if step.actions:
        variables["action"] = {"value": action, "type": "String"}
    if step.votes:
        chosen = {user_id: vote["action"] for user_id, vote in (votes or {}).items()}
        variables["votes"] = {"value": json.dumps(chosen), "type": "Json"}
    return {"kind": "complete", "variables": variables}
