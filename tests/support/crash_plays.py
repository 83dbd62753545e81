"""What people do in the scenes in which processes are killed."""

import base64
import hashlib

from devstack.people import captions
from shared import texts
from tests.support.crash_lanes import until
from tests.support.crash_stage import Stage

YES = "Yes"
SMALL = b'{"a": 1}'
IN_PARTS = b'["' + b"x" * 5_300_000 + b'"]'
"""A file of two parts."""

BRANCHES = ("1", "2", "3", "4")


def decided(stage: Stage) -> None:
    """The variables of a step that was answered with Yes."""
    stage.given |= {"action": "yes", "action_yes": True, "action_no": False}


async def greeted(stage: Stage) -> None:
    """Somebody meets the bot, and gets an engine user."""
    await stage.greet()

    async def made() -> bool:
        query = "SELECT state FROM people WHERE user_id = %s"
        return bool(await stage.lane.value(query, stage.person.user_id) == "made")

    await until(made, "the engine user is made")


async def decide(stage: Stage) -> None:
    """One step with two buttons."""
    await stage.start()
    await stage.taps("Shall we?", YES)
    decided(stage)


async def started_anew(stage: Stage) -> None:
    """Both processes start on a database that knows no chores yet, and read each definition anew."""
    await stage.lane.rows("DELETE FROM chores")
    stage.lane.kill()
    await decide(stage)


async def form(stage: Stage) -> None:
    """Questions one by one, then the decision."""
    await stage.start()
    await stage.answers("1 of 3: Your name", "Ann")
    await stage.answers("2 of 3: How many", "42")
    await stage.taps("3 of 3: Which colour", "Red")
    await stage.taps(texts.say("your-decision"), YES)
    stage.given |= {"form_name": "Ann", "form_amount": 42, "form_colour": "red"}
    decided(stage)


async def tidied(stage: Stage) -> None:
    """A form of which nothing is left: its messages go together."""
    await form(stage)
    chat = stage.person

    async def is_gone() -> bool:
        return not any("of 3:" in str(message.get("text")) for message in await chat.chat())

    await until(is_gone, "the form's messages are gone")


async def side_by_side(stage: Stage) -> None:
    """As many steps at once as the process has branches, more than the chat shows at once."""
    await stage.start()
    seen: set[str] = set()

    async def next_one() -> str | None:
        for message in await stage.person.chat():
            number = str(message.get("text", "")).partition("?")[0][-1:]
            if "Branch" in str(message.get("text")) and captions(message) and number not in seen:
                return number
        return None

    for _ in BRANCHES:
        number = str(await until(next_one, "the next branch asks"))
        seen.add(number)
        question = f"Branch {number}?"
        stage.asked.append(question)
        prompt = await stage.person.sees(question, buttons=[YES], old=True)
        await stage.person.tap(YES, message=prompt)
        stage.given[f"b{number}"] = "yes"


async def shown(stage: Stage) -> None:
    """A notice, then a step that shows a picture and a file of the bucket; its person is the process's."""
    await stage.lane.rows("DELETE FROM sent_files")  # another play's files need not be read again
    await stage.start()
    await stage.sees("Welcome")
    await stage.taps(texts.say("your-decision"), YES)
    decided(stage)


async def in_group(stage: Stage) -> None:
    """A question in a group, which takes its administrator's reply."""
    group = await stage.world.town.group("Club", admins=[stage.person], members=[])
    stage.chat = stage.person.in_chat(group)
    await stage.start(chat=group)
    asked = await stage.is_asked("Your note")
    await stage.chat.say("Fine", reply_to=asked["message_id"])
    stage.given["form_note"] = "Fine"


async def moved_group(stage: Stage) -> None:
    """The group has got another id since its process began."""
    body = {"type": "group", "title": "Club", "members": [], "admins": [stage.person.user_id]}
    old = (await stage.world.town.call("POST", "/chats", body))["chat"]["id"]
    moved = await stage.world.town.call("POST", f"/chats/{old}/migrate")
    stage.chat = stage.person.in_chat(moved["migrate_to_chat_id"])
    query = "SELECT state FROM updates WHERE payload -> 'message' ->> 'migrate_to_chat_id' = %s"

    async def is_known() -> bool:
        return bool(await stage.lane.value(query, str(moved["migrate_to_chat_id"])) == "handled")

    await until(is_known, "the news of the group is handled")
    stage.arm()
    await stage.start(chat=old)
    await stage.taps("Shall we?", YES)
    decided(stage)


async def send_data(stage: Stage, content: bytes) -> None:
    await stage.is_asked("The data")
    await stage.person.send("data.json", content)


async def is_stored(stage: Stage, content: bytes) -> None:
    """The file is in the bucket and the process has its key."""
    await stage.sees("is stored")
    assert await stage.until_ended() == "COMPLETED"
    variables = await stage.world.variables(stage.instance)
    key, told = variables["s3_data"], variables["s3_data_meta"]
    digest = hashlib.sha256(content).hexdigest()
    stage.files[key] = digest
    meta = {"name": "data.json", "size": len(content), "type": "application/json", "sha256": digest}
    link = {name: told[name] for name in ("url", "url_until")}
    stage.given |= {"s3_data": key, "s3_data_meta": meta | {"bucket": stage.lane.tenant, "key": key} | link}


async def upload(stage: Stage) -> None:
    """A file whose content is not what its name says, then the right one, in one piece."""
    await stage.start()
    await send_data(stage, b"\x89PNG\r\n\x1a\n0000")
    await stage.person.sees("the content is not")
    await stage.person.send("data.json", SMALL)
    await is_stored(stage, SMALL)


async def upload_in_parts(stage: Stage) -> None:
    """A file that is stored in parts."""
    await stage.start()
    await send_data(stage, IN_PARTS)
    await is_stored(stage, IN_PARTS)


async def upload_several(stage: Stage) -> None:
    """An album of two files, one of which is taken away again before Done."""
    await stage.start()
    await stage.is_asked("The data")
    parts = [{"name": f"{each}.json", "content_base64": _encoded(f'["{each}"]')} for each in ("a", "b")]
    await stage.world.town.call(
        "POST",
        f"/chats/{stage.person.chat_id}/messages",
        {"from": stage.person.user_id, "album": [{"document": each} for each in parts]},
    )
    await stage.sees("Your files so far", buttons=["✕ a.json", "✕ b.json", "Done (2)"])
    await stage.person.tap("✕ a.json")
    await stage.sees("Your files so far", buttons=["✕ b.json", "Done (1)"], old=True)
    await stage.person.tap("Done (1)")
    assert await stage.until_ended() == "COMPLETED"
    variables = await stage.world.variables(stage.instance)
    (key,), (meta,) = variables["s3_data"], variables["s3_data_meta"]
    digest = hashlib.sha256(b'["b"]').hexdigest()
    assert (meta["name"], meta["key"], meta["sha256"]) == ("b.json", key, digest)
    stage.files[key] = digest
    stage.given |= {"s3_data": [key], "s3_data_meta": [meta]}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def upload_while_telegram_fails(stage: Stage) -> None:
    """Telegram does not give the file at once; its person is told that we go on trying."""
    await stage.start()
    await stage.world.town.fault("500", method="getFile")
    await send_data(stage, SMALL)
    await stage.person.sees("I keep trying", patience_s=30)
    await is_stored(stage, SMALL)


async def cancelled(stage: Stage) -> None:
    """The person cancels a step: the process goes another way, or ends where it knows none."""
    await stage.start()
    await stage.is_asked("Shall we?")
    await stage.person.say("/cancel")
    await stage.person.sees(texts.say("cancel-which"), buttons=["Cancel: Trip"], patience_s=30)
    await stage.person.tap("Cancel: Trip")
    await stage.person.tap(texts.say("button-cancel-yes"))
    await stage.until_states("cancelled")


async def authors_error(stage: Stage) -> None:
    """A step that its author has written wrongly is one incident."""
    await stage.start()
    await one_incident(stage, "form_x.type")
    await stage.world.engine.delete_process_instance(stage.instance, "wrong")


async def one_incident(stage: Stage, what: str) -> None:
    async def incidents() -> list[str]:
        return await stage.world.engine.incidents(stage.instance)

    (message,) = await until(incidents, "an incident")
    assert what in message


async def cannot_go_on(stage: Stage) -> None:
    """The engine cannot enter what follows; when that is mended, the answer that was kept completes."""
    await stage.start()
    await stage.taps("Shall we?", YES)
    await one_incident(stage, "is kept")
    await stage.until_states("failed")
    query = "SELECT external_task_id FROM pending_replies WHERE process_instance_id = %s"
    task = await stage.lane.value(query, stage.instance)
    await stage.world.set_variable(stage.instance, "missing", "here")
    await stage.world.engine.set_retries(task, 1)
    await stage.until_states("completed")
    await stage.world.engine.delete_process_instance(stage.instance, "nobody does the next step")
    decided(stage)
    stage.given["missing"] = "here"


async def engine_away(stage: Stage) -> None:
    """The engine does not answer at first; the person is told that their answer is saved."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    stage.lane.gateway.say("/localVariables", 503)
    await stage.person.tap(YES, message=asked)
    await stage.sees("Your answer is saved")
    decided(stage)


async def refused_once(stage: Stage) -> None:
    """The engine refuses the answer once, for a reason that is gone when it is asked."""
    await stage.start()
    asked = await stage.is_asked("Shall we?", buttons=[YES])
    stage.lane.gateway.say("/complete", 400, type="RestException", message="not now")
    await stage.person.tap(YES, message=asked)
    decided(stage)


async def slow_telegram(stage: Stage) -> None:
    """Telegram takes its time with a message and then does not answer."""
    await stage.world.town.fault("timeout", method="sendMessage", hold_s=1.2)
    await decide(stage)


async def halted(stage: Stage) -> None:
    """Telegram asks to wait."""
    await stage.world.town.fault("429", method="sendMessage", retry_after=1)
    await decide(stage)


async def unreached(stage: Stage) -> None:
    """Somebody has never started the bot; the step waits for them."""
    await stage.start()
    await stage.until_states("undeliverable")
    await stage.until_died()
    await stage.greet()
    stage.person.read = 0
    await stage.taps("Shall we?", YES)
    decided(stage)
