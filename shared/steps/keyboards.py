"""The buttons of a step: to take it, under its questions, and at its end."""

from collections.abc import Callable, Sequence

from shared import texts
from shared.models import Json
from shared.signing import sign
from shared.steps.model import Action, Step
from shared.steps.widgets import Button, Rows, View, in_rows, paged, rows_of

Sign = Callable[[str, str], str]
"""From an item and an option to the callback data of a button of this step."""

FIRST_VIEW = View()


def signer(reply_id: int, user_id: int | None, key: bytes) -> Sign:
    """Signs the buttons of one step, for one person or, with None, for anyone."""
    return lambda item, option: sign(reply_id, item, option, user_id, key)


def inline_keyboard(rows: Rows) -> Json:
    """Rows of buttons in the Bot API's shape."""
    return {"inline_keyboard": [[_inline_button(*button) for button in row] for row in rows]}


def _inline_button(caption: str, data: str, style: str = "") -> Json:
    # No callback data of ours begins like an address, and no address is of anybody but Telegram.
    does = "url" if data.startswith("https://t.me/") else "callback_data"
    return {"text": caption, does: data, **({"style": style} if style else {})}


def claim_rows(step: Step, sign: Sign, claimed_by: str | None, page: int = 0) -> Rows:
    """Under a step that one person takes: Claim; once it is taken its own buttons, and Release."""
    if claimed_by is None:
        return (((texts.say("button-claim"), sign("c", "1")),),)
    answer: Rows = (((texts.say("button-answer"), sign("d", "")),),)
    own = answer if step.asks else closing_rows(step, sign, page)
    release = texts.say("button-release", name=shortened(claimed_by, 20))
    return (*own, ((release, sign("c", "0")),))


def question_rows(step: Step, index: int, sign: Sign, answers: Json, view: View = FIRST_VIEW) -> Rows:
    """The rows under a question: its widget, the ways past it, and the buttons that need no form."""
    ask = step.asks[index]

    def press(option: str) -> str:
        return sign(f"q{index}", option)

    partial = answers.get(ask.name, {})
    rows = rows_of(ask, partial, press, view)
    if ask.is_file and step.upload_page:
        rows = (*rows, ((texts.say("button-upload-page"), press("u")),))
    ways: list[Button] = []
    if not ask.required:
        ways.append((texts.say("button-skip"), press("s")))
    free = [at for at, action in enumerate(step.actions) if action.without_form]
    early = _action_rows(step, free, sign, view.actions, lambda page: press(f"a{page}"), press("n"))
    kept = partial.get("before")
    if kept is not None and not ask.takes_many:  # the list of files says what there is
        ways.append((texts.say("button-keep", value=shortened(str(kept["shown"]))), press("k")))
    # A group's question without any button is a ForceReply instead.
    if index > 0 and (step.chat_id > 0 or rows or ways or early):
        ways.insert(0, (texts.say("button-back"), press("b")))
    return (*rows, *in_rows(ways), *early)


def file_rows(index: int, sign: Sign, files: Sequence[texts.Listed]) -> Rows:
    """Under the list of files: one button for each to take it away, and Done."""
    here = [each for each in files if each.is_stored]
    away = [(f"✕ {shortened(each.name, 20)}", sign(f"q{index}", f"x{each.number}")) for each in here]
    return (*in_rows(away), ((texts.say("button-chosen", count=len(here)), sign(f"q{index}", "d")),))


def closing_rows(step: Step, sign: Sign, page: int = 0) -> Rows:
    """The buttons that end a step, its actions or Submit; and Edit, where there is something to edit."""
    edit = [(texts.say("button-edit"), sign("r", "0"))] if step.asks else []
    if step.actions:
        every = range(len(step.actions))
        rows = _action_rows(step, every, sign, page, lambda to: sign("p", str(to)), sign("p", "n"))
        return (*rows, *in_rows(edit))
    return in_rows([(texts.say("button-submit"), sign("r", "1")), *edit])


def edit_rows(step: Step, answers: Json, sign: Sign) -> Rows:
    """The answers of a step as buttons, each to be given anew."""
    each = [
        (
            (
                f"{shortened(ask.label.rstrip(' ?:'), 20)}: {shortened(str(answers[ask.name]['shown']))}",
                sign("e", str(at)),
            ),
        )
        for at, ask in enumerate(step.asks)
    ]
    return (*each, ((texts.say("button-back"), sign("r", "2")),))


def _action_rows(
    step: Step, which: Sequence[int], sign: Sign, page: int, to: Callable[[int], str], nowhere: str
) -> Rows:
    """A page of some of a step's own buttons; the way back stands on every page."""
    buttons = {at: _action_button(step.actions[at], sign(f"a{at}", "")) for at in which}
    ahead = [buttons[at] for at in which if not step.actions[at].leads_back]
    back = [buttons[at] for at in which if step.actions[at].leads_back]
    shown, turn = paged(len(ahead), page, to, nowhere)
    if not turn:
        return in_rows([*ahead, *back])
    return (*in_rows(ahead[shown.start : shown.stop]), *turn, *in_rows(back))


def _action_button(action: Action, data: str) -> Button:
    return (action.caption, data, action.style) if action.style else (action.caption, data)


def shortened(words: str, limit: int = 30) -> str:
    """Words that fit on a button."""
    return words if len(words) <= limit else words[: limit - 1] + "…"
