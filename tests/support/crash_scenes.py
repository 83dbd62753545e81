"""The scenes in which processes are killed, and the points of each at which that happens.

A scene is a process, what is done in it, and how it must end, whatever dies on the way. A case is a scene
with the points at which somebody is killed in it: one death, or one after the other. Points that are always
passed one behind the other die in one play; those that two processes pass at once have plays of their own.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support import crash_chores as chores
from tests.support import crash_page as page
from tests.support import crash_plays as plays
from tests.support import crash_times as times
from tests.support.bpmn import end, external_task, on_error, parallel, process
from tests.support.bpmn_xml import Content, Node
from tests.support.crash_stage import Stage

NOTE, PICTURE = "shown/note.txt", "shown/picture.png"
SHOWN = {
    NOTE: b"A note.",
    PICTURE: base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    ),
}
"""Objects of the bucket that a step shows."""

TERMINATED = "EXTERNALLY_TERMINATED"


@dataclass(frozen=True)
class Scene:
    """A process, what happens in it, and its end; without an ``end`` there is no instance to look at."""

    play: Callable[[Stage], Awaitable[None]]
    body: Sequence[Node] = ()
    end: str | None = "COMPLETED"
    states: tuple[str, ...] = ("completed",)
    greets: bool = True
    arms_itself: bool = False
    """Its play says from when on somebody dies; else it is from the beginning."""


@dataclass(frozen=True)
class Case:
    """A scene and its deaths."""

    scene: str
    points: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.scene}: {', then '.join(self.points)}"


def decision(id_: str = "decide", question: str = "Shall we?", **more: Any) -> Node:
    """A step with two buttons for the person of the process."""
    inputs: dict[str, Content] = {
        "telegram_user_id": "${telegram_user_id}",
        "text_what": question,
        "action_yes": "Yes",
        "action_no": "No",
    }
    return external_task(id_, "render_task", inputs=inputs, **more)


def asks(id_: str, topic: str, properties: dict[str, str], **inputs: str) -> Node:
    """A step for the person of the process."""
    to = {} if "chat_id" in inputs else {"telegram_user_id": "${telegram_user_id}"}
    return external_task(id_, topic, inputs={**to, **inputs}, properties=properties)


FORM = {
    "form_name.type": "string",
    "form_name.label": "Your name",
    "form_name.required": "true",
    "form_amount.type": "integer",
    "form_amount.label": "How many",
    "form_amount.required": "true",
    "form_colour.type": "choice",
    "form_colour.label": "Which colour",
    "form_colour.options": "red=Red|blue=Blue",
    "form_colour.required": "true",
}
NOTE_FORM = {"form_note.type": "string", "form_note.label": "Your note", "form_note.required": "true"}
DECISION = {"action_yes": "Yes", "action_no": "No"}
WAITS_FOR_A_FILE = asks("ask", "await_upload", {"s3_data.accept": ".json"}, s3_data="The data")
WAITS_FOR_FILES = asks(
    "ask", "await_upload", {"s3_data.accept": ".json", "s3_data.max_files": "3"}, s3_data="The data"
)
CANCELLABLE = {"title": "Trip", "cancellable": "true"}
SHOWS_FILES = {"photo_pic": PICTURE, "file_note": NOTE, **DECISION}
EXPIRES = {"expires_after": "PT1H", "on_expire": "LATE"}
HANDED_OVER = {"escalate_after": "PT1H", "escalate_to": "${chat}"}
IN_ITS_GROUP = {"chat_id": "${chat}", "text_what": "Shall we?", "allow": "anyone", **DECISION}


def _branch(number: str) -> list[Node]:
    return [decision(f"branch{number}", f"Branch {number}?", outputs={f"b{number}": "${action}"})]


SCENES = {
    "greeted": Scene(plays.greeted, end=None, greets=False),
    "decide": Scene(plays.decide, [decision()]),
    "started_anew": Scene(plays.started_anew, [decision()]),
    "form": Scene(plays.form, [asks("fill", "render_task", FORM, text_what="A form", **DECISION)]),
    "tidied": Scene(
        plays.tidied,
        [asks("fill", "render_task", {**FORM, "after": "delete"}, text_what="A form", **DECISION)],
    ),
    "side_by_side": Scene(
        plays.side_by_side,
        [parallel("fork", *map(_branch, plays.BRANCHES))],
        states=("completed",) * len(plays.BRANCHES),
    ),
    "shown": Scene(
        plays.shown,
        [
            asks("tell", "send_message", {}, text_what="Welcome"),
            external_task("show", "render_task", inputs=SHOWS_FILES),
        ],
        states=("completed", "completed"),
    ),
    "in_group": Scene(
        plays.in_group,
        [asks("note", "render_task", NOTE_FORM, chat_id="${chat}", text_what="A note", allow="admins")],
    ),
    "moved_group": Scene(
        plays.moved_group, [asks("decide", "render_task", {}, **IN_ITS_GROUP)], arms_itself=True
    ),
    "upload": Scene(plays.upload, [WAITS_FOR_A_FILE]),
    "upload_in_parts": Scene(plays.upload_in_parts, [WAITS_FOR_A_FILE]),
    "upload_several": Scene(plays.upload_several, [WAITS_FOR_FILES]),
    "upload_by_page": Scene(page.upload_by_page, [WAITS_FOR_A_FILE]),
    "upload_while_telegram_fails": Scene(plays.upload_while_telegram_fails, [WAITS_FOR_A_FILE]),
    "abandoned": Scene(chores.abandoned, [WAITS_FOR_A_FILE], TERMINATED, ("withdrawn",)),
    "withdrawn": Scene(chores.withdrawn, [decision()], TERMINATED, ("withdrawn",), arms_itself=True),
    "too_late": Scene(chores.too_late, [decision()], TERMINATED, ("withdrawn",), arms_itself=True),
    "cancelled": Scene(
        plays.cancelled,
        [decision(properties={**CANCELLABLE, "on_cancel": "STOP"}, on=[on_error("STOP", [end("stopped")])])],
        states=("cancelled",),
    ),
    "cancelled_whole": Scene(
        plays.cancelled, [decision(properties=CANCELLABLE)], TERMINATED, states=("cancelled",)
    ),
    "authors_error": Scene(
        plays.authors_error,
        [asks("decide", "render_task", {"form_x.type": "nonsense"}, text_what="Shall we?")],
        TERMINATED,
        states=(),
    ),
    "cannot_go_on": Scene(
        plays.cannot_go_on,
        [decision(), external_task("next", "nobody_serves_this", inputs={"needed": "${missing}"})],
        TERMINATED,
    ),
    "engine_away": Scene(plays.engine_away, [decision()]),
    "refused_once": Scene(plays.refused_once, [decision()]),
    "slow_telegram": Scene(plays.slow_telegram, [decision()]),
    "halted": Scene(plays.halted, [decision()]),
    "unreached": Scene(plays.unreached, [decision()], greets=False),
    "given_up": Scene(chores.given_up, [decision()], TERMINATED, ("failed",), greets=False, arms_itself=True),
    "lease": Scene(chores.lease, [decision()], arms_itself=True),
    "swept_answer": Scene(chores.swept_answer, [decision()], arms_itself=True),
    "swept_task": Scene(chores.swept_task, [decision()], arms_itself=True),
    "asked_again": Scene(chores.asked_again, [decision()], arms_itself=True),
    "reminded": Scene(times.reminded, [decision(properties={"reminder_after": "PT1H"})]),
    "expired": Scene(
        times.expired,
        [decision(properties=EXPIRES, on=[on_error("LATE", [end("late")])])],
        states=("expired",),
    ),
    "handed_over": Scene(
        times.handed_over,
        [asks("decide", "render_task", {}, **HANDED_OVER, text_what="Shall we?", **DECISION)],
    ),
    "started": Scene(chores.started, end=None),
    "pruned": Scene(chores.pruned, end=None),
}

COMPLETE = "engine POST /external-task/{id}/complete"
LOCK = "engine POST /external-task/{id}/lock"
ADD_TO_GROUP = "engine PUT /group/{id}/members/{id}"
HANDLED = "commit Dispatcher._in_transaction"
POLLED = ("commit Poller._poll", "commit Loop._take updates")
DONE = "commit Completer._done"
ANSWER_LOOKED_FOR = "engine GET /history/activity-instance?activityInstanceId"

FETCH = "engine POST /external-task/fetchAndLock"
SEND = "telegram sendMessage"
PUT = "s3 PutObject"
STARTS = "engine POST /process-definition/key/{id}/start"

_DEATHS: dict[str, Sequence[str | tuple[str, ...]]] = {
    "greeted": [
        ("commit Loop._take people", "engine POST /user/create", "commit EngineUsers.make"),
        (ADD_TO_GROUP, "engine GET /user/count?id"),
    ],
    "started_anew": [
        ("telegram deleteWebhook", "telegram setMyCommands"),
        ("commit Housekeeping.loop", "engine GET /process-definition/{id}/xml"),
    ],
    "decide": [
        (FETCH, "commit SharedBudget.take", "telegram getUpdates", "telegram answerCallbackQuery", DONE),
        ("commit Parker._store", "commit Loop._take prompts", *POLLED, COMPLETE, ANSWER_LOOKED_FOR),
        (SEND, HANDLED, "commit Loop._take completions"),
        "commit Loop._take changes",
        ("commit Sender.send#2", "engine POST /execution/{id}/localVariables", "telegram editMessageText"),
        ("commit Parker._lease", "commit Sender._changed"),
        LOCK,
    ],
    "form": [(HANDLED,) * 4, (SEND,) * 4, (HANDLED, "commit Loop._take prompts")],
    "tidied": ["commit Deletions.take_along", "telegram deleteMessages", "commit Deletions._made"],
    "side_by_side": [
        ("commit Parker._store", "commit Places.ask"),
        (LOCK, "commit Loop._take held"),
        ("commit Parker._lease", "telegram deleteMessage"),
    ],
    "shown": [
        ("engine GET /process-instance/{id}/variables/{id}?deserializeValue", "s3 GetObject"),
        ("s3 HeadObject", "telegram sendPhoto", "telegram sendDocument"),
    ],
    "in_group": [("telegram getChatAdministrators", HANDLED, "telegram deleteMessage")],
    "moved_group": ["commit Sender.send#1"],
    "upload": [
        (HANDLED, "commit Uploader._refuse", "commit Uploader._choose_key", "commit Uploader._arrived"),
        ("telegram sendChatAction", "telegram getFile", PUT, "s3 ListMultipartUploads"),
        ("commit Loop._take uploads", "telegram file", "commit Uploader._keep"),
    ],
    "upload_in_parts": [
        ("s3 CreateMultipartUpload", "s3 UploadPart", "s3 ListMultipartUploads", "s3 UploadPart"),
        ("s3 UploadPart", "s3 AbortMultipartUpload", "s3 CompleteMultipartUpload"),
        ("s3 UploadPart", "s3 UploadPart"),
    ],
    "upload_several": [
        (*("commit Uploader._arrived",) * 2, "commit Uploader._remove"),
        (PUT, PUT, *("commit Uploader._keep",) * 2),
    ],
    "upload_by_page": [
        (HANDLED, "s3 ListParts", "commit Loop._take upload_pages"),
        ("commit visit", "s3 CreateMultipartUpload", "commit visit", "commit Sending.close"),
        ("s3 ListMultipartUploads", "s3 CreateMultipartUpload", "s3 CompleteMultipartUpload", "s3 GetObject"),
        ("s3 ListParts", "commit visit", "s3 CompleteMultipartUpload"),
    ],
    "upload_while_telegram_fails": ["commit Uploader._say_once", "commit Loop._failed"],
    "abandoned": [
        (PUT, "s3 DeleteObject", "s3 ListMultipartUploads"),
        (PUT, "commit Uploader._abandon"),
        ("s3 UploadPart", "s3 AbortMultipartUpload"),
    ],
    "withdrawn": [
        ("commit Loop._take chores", LOCK, "commit Withdrawal.work"),
        ("engine GET /history/activity-instance?canceled", "commit Withdrawal._confirm"),
        "telegram editMessageText",
    ],
    "too_late": [
        (COMPLETE, ANSWER_LOOKED_FOR, "commit Completer._gone"),
        ("engine GET /external-task/{id}", "commit Loop._failed"),
    ],
    "cancelled": ["engine POST /external-task/{id}/bpmnError"],
    "cancelled_whole": ["engine POST /process-instance/delete"],
    "authors_error": ["engine POST /external-task/{id}/failure"],
    "cannot_go_on": [
        ("commit Completer._fault", "commit Parker._park_known"),
        "engine POST /external-task/{id}/failure",
    ],
    "engine_away": ["commit Completer._tell_person", "commit Loop._failed"],
    "refused_once": ["engine GET /external-task/{id}", "commit Completer._refused"],
    "slow_telegram": ["commit Loop._keep_claims", "commit Loop._failed"],
    "halted": ["commit SharedBudget.halt"],
    "unreached": ["commit Sender._not_sent"],
    "given_up": ["commit Leases._give_up", "engine POST /external-task/{id}/failure"],
    "lease": [("commit Loop._take leases", LOCK, "commit Leases.renew")],
    "swept_answer": [("engine POST /external-task", "commit Withdrawal._without_row")],
    "swept_task": ["engine POST /external-task/{id}/unlock"],
    "asked_again": ["commit Parker._reopen"],
    "reminded": [
        ("commit Loop._take deadlines", "commit Deadlines.meet", SEND, "telegram deleteMessage"),
    ],
    "expired": [
        ("commit Loop._take deadlines", "commit Deadlines.meet", "engine POST /external-task/{id}/bpmnError"),
    ],
    "handed_over": [("commit Loop._take deadlines", "commit Deadlines.meet")],
    "started": [
        ("commit Loop._take process_starts", STARTS, "engine GET /process-instance?businessKey"),
        (STARTS, "commit Starter.start"),
    ],
    "pruned": [
        tuple(f"commit prune#{number}" for number in range(2, 11, 2)),
        tuple(f"commit prune#{number}" for number in range(3, 11, 2)),
        ("commit Housekeeping._prune", "commit prune#1"),
        "telegram editMessageReplyMarkup",
    ],
}

CASES = tuple(
    Case(scene, (points,) if isinstance(points, str) else points)
    for scene, deaths in _DEATHS.items()
    for points in deaths
)

NO_DEATH = {
    "Webhook.receive": "as Poller._poll; Telegram delivers again what it has no answer for",
    "Tools.progress": "of automated topics, which run again",
    "Uploader.handle": "reads only",
    "Attachments._find": "reads only",
    "Attachments._forget": "if it is not done, the file_id is refused again",
    "Uploader._transfer": "notes the path that getFile has given, and gives again",
    "Uploader._tell_progress": "tells how far a file is, and does so again",
    "Uploader._quarantine": "as Uploader._refuse; a copy is made again, what was taken away is found there",
    "UploadRoutes._page": "reads only",
    "Withdrawal._feed": "reads only",
    "Withdrawal._page": "reads only",
    "Completer._start#1": "reads only",
    "Completer._start#2": "frees the business key of what has ended, and does so again",
    "Completer._start#3": "as Completer._done: mark and wish are one transaction, the wish's row starts once",
    "Sender._let_new_ones_pass": "reads only",
    "Deletions.leave_to_elder": "reads only",
    "Deletions._give_back": "as Loop._failed: if it is not done, claims lapse",
    "Backlog.refresh": "reads only",
    "_states": "the operator's, reads only",
    "_missing": "the operator's, reads only",
    "_replies": "the operator's, reads only",
    "_waiting": "the operator's, reads only",
    "_now": "the doctor's, reads only",
    "_server": "the doctor's, reads only",
}
"""Where transactions are opened and nobody is killed, and why."""


def files() -> dict[str, bytes]:
    """The processes of the scenes as BPMN files."""
    return {name: process(f"crash_{name}", scene.body) for name, scene in SCENES.items() if scene.body}
