"""Every sentence that a person reads, in one place. Values in them are escaped by whoever renders."""

from collections.abc import Sequence
from datetime import date, datetime

from shared.markup import escape_value as esc

SKIPPED = "—"
NOT_AN_INTEGER = "That should be a whole number, like 42."
NOT_A_NUMBER = "That should be a number, like 12.5."
NOT_YES_OR_NO = "Please answer yes or no."
NOT_A_DATE = "That should be a date, like 2026-03-14."
NOT_AN_EMAIL = "That should be an e-mail address, like name@example.org."
NOT_A_DATETIME = "That should be a day and a time, like 2026-03-14 15:30."
NOT_A_PHONE = "That should be a phone number with its country code, like +49 30 123456."
NOT_A_URL = "That should be a web address, like https://example.org/page."
NOT_JSON = 'That should be JSON, like {"name": "value"}.'
NOT_A_USER = "That should be the id of a Telegram user, like 123456789."
NOT_A_LOCATION = "That should be a place, as latitude and longitude like 52.52, 13.405."
NOT_A_CHOICE = "Please choose one of the buttons."
NOT_CHOICES = "Please choose with the buttons, or list them with commas."

BUTTON_ANSWER = "Answer"
BUTTON_SKIP = "Skip"
BUTTON_SUBMIT = "Submit"
BUTTON_EDIT = "Edit"
BUTTON_BACK = "« Back"
BUTTON_KEEP = "Keep: {value}"
BUTTON_CHOSEN = "Done ({count})"
BUTTON_SHARE_PHONE = "Share my phone number"
BUTTON_SHARE_LOCATION = "Share where I am"
BUTTON_PICK_USER = "Pick a person"
WHICH_OPTION = "Which of these do you mean?"
WHICH_ANSWER = "Which answer do you want to change?"
ANSWER_CHANGED = "Your answer was changed to: {value}"
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

BUTTON_CLAIM = "I take it"
BUTTON_RELEASE = "Give it back ({name})"
CLAIM_FIRST = "Somebody has to take this first: tap “I take it”."
ASSIGN_HOW = "Reply to the step with /assign and name the person, like /assign @name."
ASSIGN_WHOM = "I do not know that person. They have to write to me or in this group once."
ASSIGN_ADMINS = "Only administrators of this group can assign a step."
YOUR_DECISION = "Your decision?"
NOT_YOURS = "This question is for somebody else."
OUTDATED = "This button is out of date. /tasks shows what waits for you."
WHICH_QUESTION = "I cannot tell which question that answers; please reply to its newest copy."
ALREADY_HERE = "That has been answered already."
WITHDRAWN = "This step is no longer needed."
EXPIRED_NOTE = "This step was taken back; no answer is needed any more."
GIVEN_UP_NOTE = "This step cannot go on just now; the people who run the process have been told."
TIME_IS_UP_NOTE = "The time for this is up; no answer is needed any more."
TIME_IS_UP = "This has expired; no answer is needed any more."
HANDED_OVER_NOTE = "Nobody answered in time, so this was handed over to somebody else."
HANDED_OVER = "This was handed over to somebody else, because no answer came in time."
TOO_LATE = "Your answer came too late: the process had already taken this step back."
SEND_SOMETHING_ELSE = "I can take texts, files and taps on buttons. /tasks shows what waits for you."
NOTHING_OPEN = "Nothing is waiting for your answer right now. /tasks shows what is."
SAVED_ENGINE_AWAY = (
    "Your answer is saved. The process engine does not answer just now; it will get it as soon as it does."
)
SEND_AS_DOCUMENT = "Please send it as a file: tap the paper clip, choose File, and pick {what}."
SEND_A_FILE = "I am waiting for a file here: tap the paper clip, choose File, and pick {what}."
STORAGE_AWAY = "The file store does not answer just now. Your file is not lost; I keep trying."
FILE_NOT_EXPECTED = "I did not expect a file just now. /tasks shows what waits for you."
BUSY_WITH_ANOTHER = "You are answering something else just now. Finish it first, then tap Answer here."
TRY_AGAIN = "That did not work just now, please try again in a moment."

HELP = """I bring you the steps of processes that need a person: I show what it is about, you answer with a \
button, a text or a file.

/tasks shows what waits for you
/status shows where your processes stand
/history shows what you have answered
/new shows what you may start
/groups shows the groups you administer, and what can be started for them
/cancel leaves or ends what waits for you
/assign, in a group as a reply to a step, says who is to do it
/help shows this"""
NO_TASKS = "Nothing waits for you."
HISTORY = "This is what you answered:"
NO_HISTORY = "You have not answered anything yet."
STATUS = "These processes are running. Tap one to see where it stands:"
NO_STATUS = "None of your processes is running."
BUTTON_SHOW = "Show: {title}"
BUTTON_SHOW_STEP = "Show"

GROUPS = "Which group is it about?"
NO_GROUPS = (
    "I know no group where I am a member and you are an administrator. Add me to yours, or pick it below."
)
BUTTON_PICK_GROUP = "Pick a group"
ANONYMOUS_ADMIN = (
    "You are writing as an anonymous administrator, so I cannot see who you are."
    " Write to me in a private chat, or turn anonymity off in your administrator rights."
)
GROUPS_IN_PRIVATE = "Let us do that in a private chat: open a chat with me and send /groups."
NOT_A_MEMBER = "I am not a member of that group. Add me to it, then pick it again."
NOT_AN_ADMIN = "Only administrators of the group can do that, and you are not one (any more)."
BUTTON_SETTINGS = "Settings"
BUTTON_IMPORT = "Import history"
BUTTON_START = "Start"
BUTTON_CANCEL = "Cancel"
BUTTON_GO_ON = "Go on with it"
STARTABLE = "This can be started:"
NOTHING_STARTABLE = "There is nothing that you may start just now."
RUNS_ALREADY = "{key} is running already, so nothing new was started."
STARTING = "Started. The first step comes in a moment."
START_CANCELLED = "All right, nothing was started."
ALREADY_RUNNING = "An import of this group is running already. Shall we go on with it?"
NOTHING_WAITS_THERE = "It is running; nothing waits for you in it just now."

CANCEL_WHICH = "What do you want to cancel?"
CANCEL_NOTHING = "Nothing that waits for you can be cancelled here."
BUTTON_CANCEL_YES = "Yes, cancel it"
BUTTON_CANCEL_NO = "No, keep it"
CANCEL_DONE = "Cancelled."
CANCEL_KEPT = "All right, nothing was cancelled."
ONE_IS_ON_ITS_WAY = "I am still storing the file that you sent before; please wait a moment."
FILE_GONE = "Telegram no longer gives me that file; please send it again."
FILE_LOST = "I could not store that file; please send it again."
CANNOT_START = "That cannot be started just now; the people who run this bot have been told why."
DONE = "Done"
LEFT = "You left “{title}”. Your answers so far are kept."
BUTTON_LEAVE = "Leave: {title}"
BUTTON_CANCEL_STEP = "Cancel: {title}"
QUESTIONS_FIRST = "Please answer the questions first."
UNKNOWN_COMMAND = "I do not know that command. /help shows those that I know."
OR_PICK_A_GROUP = "Is it another one? Pick it with the button below."
HERE_IT_IS = "Here it is:"


def and_more(held: str) -> str:
    """What a chat is told of the steps that are held back."""
    return f"… and {held} more. They come as you answer these; /tasks shows what waits for you."


def until(moment: datetime) -> str:
    """The moment up to which an answer is taken, by the zone that it carries."""
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzinfo}"


def answer_until(moment: str) -> str:
    """The line under the title of a step that expires."""
    return f"<i>until {esc(moment)}</i>"


def reminder(title: str, moment: str | None) -> str:
    """The message that reminds somebody of a step."""
    words = f"<b>{esc(title)}</b> still waits for an answer." if title else "This still waits for an answer."
    return f"{words}<br/>{answer_until(moment)}" if moment else words


def ended(title: str, note: str) -> str:
    """The message that says why a step is over whose prompts have no room for it."""
    return f"<b>{esc(title)}</b><br/>{note}" if title else note


def hello(first_name: str) -> str:
    """The greeting of /start."""
    return f"Hello {esc(first_name)}. {HELP}"


def tasks_heading(first: int, last: int, count: int) -> str:
    """The head of a page of what waits."""
    return (
        f"This waits for you ({first} to {last} of {count}):"
        if count > last - first + 1
        else "This waits for you:"
    )


def task_line(title: str, process: str, since: str) -> str:
    """One step that waits."""
    return f"• <b>{esc(title)}</b> — {esc(process)}, since {since}"


def history_line(when: str, title: str, answer: str) -> str:
    """One answer."""
    return f"• {when} <b>{esc(title)}</b>: {esc(answer)}"


def stands_at(process: str, places: Sequence[str]) -> str:
    """Where an instance stands, with the safe HTML subset."""
    return f"<b>{esc(process)}</b> stands at: {esc(', '.join(places))}"


def plain_place(process: str, places: Sequence[str]) -> str:
    """The same as the caption of a picture, which has no markup."""
    return f"{process} stands at: {', '.join(places)}"


def confirm_import(group: str) -> str:
    """The last question before the audit of a group."""
    return f"Import the history of <b>{esc(group)}</b> and audit it?"


def group_heading(group: str) -> str:
    """The head of a group's menu."""
    return f"<b>{esc(group)}</b>"


def cancel_sure(title: str) -> str:
    """The question before a step is cancelled."""
    return f"Really cancel “{esc(title)}”?"


def wrong_length(low: float | None, high: float | None, found: int) -> str:
    """A text is too short or too long."""
    return f"That has {found} characters; {_range(low, high)} are expected."


def wrong_count(low: float | None, high: float | None, found: int) -> str:
    """Too few or too many were chosen."""
    return f"You chose {found}; {_range(low, high)} are expected."


def day_out_of_range(first: date | None, last: date | None) -> str:
    """A day is too early or too late."""
    if first is not None and last is not None:
        return f"That day is out of range; a day from {first} to {last} is expected."
    return f"A day from {first} on is expected." if first is not None else f"A day up to {last} is expected."


def out_of_range(low: float | None, high: float | None) -> str:
    """A number is too small or too large."""
    return f"That is out of range; {_range(low, high)} is expected."


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def wrong_pattern(help_text: str | None) -> str:
    """A text does not match its pattern."""
    return f"That does not look right. {help_text or 'Please check it and send it again.'}"


def question(label: str, number: int, total: int, help_text: str | None, unit: str | None) -> str:
    """One question of a form, with the safe HTML subset."""
    progress = f"{number} of {total}: " if total > 1 else ""
    with_unit = f"{esc(label)} ({esc(unit)})" if unit else esc(label)
    lines = [f"{progress}<b>{with_unit}</b>"]
    if help_text:
        lines.append(f"<i>{esc(help_text)}</i>")
    return "<br/>".join(lines)


def file_kinds(accept: tuple[str, ...]) -> str:
    """What kind of file is wanted, in words."""
    return f"a {' or '.join(accept)} file" if accept else "your file"


def claimed_by(name: str | None) -> str:
    """Somebody else has taken the step."""
    return f"{name or 'Somebody'} has taken this."


def voted(caption: str) -> str:
    """A vote was counted."""
    return f"Your vote: {caption}. You can change it until this is decided."


def answered_by(caption: str, name: str | None) -> str:
    """The line under a prompt that was answered."""
    return f"✓ {esc(caption)}" + (f" · {esc(name)}" if name else "")


def taken(name: str | None, at: str) -> str:
    """Somebody was faster."""
    return f"Already answered by {name} at {at} UTC." if name else "Already answered."


def megabytes(size_bytes: int) -> str:
    """A size for people."""
    if size_bytes >= 1_000_000:
        return f"{size_bytes / 1_000_000:.1f} MB"
    return f"{size_bytes / 1_000:.1f} kB" if size_bytes >= 1_000 else f"{size_bytes} bytes"


def file_refused(reason: str, accept: tuple[str, ...], max_bytes: int) -> str:
    """Why a file was not taken, in one polite sentence."""
    kinds = " or ".join(accept)
    return {
        "wrong_extension": f"I need a {kinds} file; please send one of these.",
        "wrong_content": f"The name looks right, but the content is not {kinds or 'what its name says'};"
        " please send the real file.",
        "empty": "That file is empty; please send one with content.",
        "too_large": f"That file is too large; at most {megabytes(max_bytes)} can be taken.",
    }.get(reason, "I cannot take that file; please send another one.")


def file_stored(name: str, size_bytes: int) -> str:
    """A file arrived and was kept."""
    return f"✓ {esc(name)} ({megabytes(size_bytes)}) is stored."
