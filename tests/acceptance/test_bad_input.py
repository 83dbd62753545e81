"""What people do wrong, by mistake or on purpose: one polite sentence, and nothing is lost or changed."""

import base64
import json
from typing import Any

import pytest

from devstack.people import Person, Shown, captions, describe, words
from tests.support.bpmn import external_task, process
from tests.support.world import World, until

DECISION = {
    "telegram_user_id": "${telegram_user_id}",
    "text_what": "Shall we?",
    "action_yes": "Yes",
    "action_no": "No",
}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
UPLOAD = {"telegram_user_id": "${telegram_user_id}", "s3_data": "The data"}


def decision_process() -> bytes:
    return process("decision", [external_task("decide", "render_task", inputs=DECISION)])


def upload_process(**properties: str) -> bytes:
    accept = {"s3_data.accept": ".json", **properties}
    return process("upload", [external_task("ask", "await_upload", inputs=UPLOAD, properties=accept)])


async def greeted(world: World, name: str = "Ada") -> Person:
    person = await world.town.person(name)
    await person.say("/start")
    await person.sees("Hello")
    return person


async def asked(world: World, xml: bytes, key: str) -> tuple[Person, str, Shown]:
    """A person whom a step of that process asks something."""
    await world.deploy(xml)
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    instance = await world.start_process(key, telegram_user_id=ada.user_id)
    return ada, instance, await ada.sees()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("data.txt", b"{}", "I need a .json file"),
        ("data.json", b"\x89PNG\r\n\x1a\n0000", "the content is not"),
        ("data.json", b"", "is empty"),
        ("data", b"{}", "I need a .json file"),
    ],
    ids=["wrong extension", "right extension, wrong content", "empty", "no extension"],
)
async def test_a_wrong_file_gets_its_sentence_and_the_right_one_still_counts(
    world: World, name: str, content: bytes, sentence: str
) -> None:
    ada, instance, _ = await asked(world, upload_process(), "upload")
    await ada.send(name, content)
    await ada.sees(sentence)

    await ada.send("data.json", b'{"a": 1}')
    await ada.sees("is stored")
    assert await world.until_ended(instance) == "COMPLETED"
    assert (await world.variables(instance))["s3_data_meta"]["size"] == 8


async def test_a_hostile_file_name_ends_up_harmless_in_the_key(world: World) -> None:
    ada, instance, _ = await asked(world, upload_process(), "upload")
    name = "../../etc/" + "ü" * 300 + "\u202egnp.json"
    await ada.send(name, b"[1]")
    await ada.sees("is stored")
    await world.until_ended(instance)

    variables = await world.variables(instance)
    key = variables["s3_data"]
    assert key.startswith(f"tasks/{ada.user_id}/")
    assert ".." not in key
    assert "\u202e" not in key
    assert key.count("/") == 4
    assert len(key.rpartition("/")[2].encode()) <= 255


async def test_a_photo_or_text_instead_of_a_document_gets_a_hint_how_to_send_one(world: World) -> None:
    ada, _, _ = await asked(world, upload_process(), "upload")
    await ada.send_photo(PNG)
    await ada.sees("send it as a file")
    await ada.say("here you are")
    await ada.sees("waiting for a file")
    assert await world.value("SELECT count(*) FROM uploads") == 0


async def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(world: World) -> None:
    ada, _, _ = await asked(world, upload_process(**{"s3_data.max_bytes": "10"}), "upload")
    await ada.send("data.json", b'{"a": "too long"}')
    await ada.sees("too large")
    assert await world.town.calls("getFile") == []


async def test_a_strangers_tap_is_refused_politely_and_changes_nothing(world: World) -> None:
    ada, instance, prompt = await asked(world, decision_process(), "decision")
    eve = await greeted(world, "Eve")
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    known = await eve.sees("Hello", old=True)

    told = await eve.told(await eve.press(known, data, stale=True))

    assert told
    assert await world.value("SELECT state FROM pending_replies") == "posted"
    await ada.tap("No")
    assert await world.until_ended(instance) == "COMPLETED"
    assert (await world.variables(instance))["action"] == "no"


@pytest.mark.parametrize(
    "data", ["", "1.a0..AAAAAAAAAAAAAAAA", "x" * 64, "0.gy.-100.AAAAAAAAAAAAAAAA", "1.a0."]
)
async def test_a_forged_button_is_answered_and_changes_nothing(world: World, data: str) -> None:
    ada, _, prompt = await asked(world, decision_process(), "decision")
    tap = await ada.press(prompt, data, stale=True)
    assert "out of date" in await ada.told(tap)
    assert await world.value("SELECT state FROM pending_replies") == "posted"


async def test_a_tap_on_an_old_button_says_how_the_step_ended(world: World) -> None:
    ada, _, prompt = await asked(world, decision_process(), "decision")
    data = prompt["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await ada.tap("No")
    await world.until_state("completed")

    told = await ada.told(await ada.press(prompt, data, stale=True))
    assert "Already answered by Ada" in told


async def test_of_a_double_tap_one_counts(world: World) -> None:
    ada, instance, prompt = await asked(world, decision_process(), "decision")
    first = await ada.tap("Yes", message=prompt)
    data = prompt["reply_markup"]["inline_keyboard"][0][1]["callback_data"]
    second = await ada.press(prompt, data, stale=True)

    assert await world.until_ended(instance) == "COMPLETED"
    assert await ada.told(first) == ""
    assert "Already answered" in await ada.told(second)
    assert (await world.variables(instance))["action"] == "yes"


async def test_the_same_update_delivered_twice_counts_once(world: World) -> None:
    await world.start("bot1")
    ada = await world.town.person("Ada")
    await world.town.fault("duplicate_update", count=1)
    await ada.say("/start")
    await ada.sees("Hello")
    await ada.say("/help")
    await ada.sees("I bring you the steps")

    greetings = [each for each in await ada.chat() if "Hello" in describe(each)]
    assert len(greetings) == 1
    assert await world.value("SELECT count(*) - count(DISTINCT update_id) FROM updates") == 0


async def test_a_free_text_with_nothing_open_gets_a_hint(world: World) -> None:
    await world.start("bot1")
    ada = await greeted(world)
    await ada.say("is anybody there?")
    await ada.sees("Nothing is waiting")
    await ada.send("data.json", b"{}")
    await ada.sees("did not expect a file")


async def test_an_unreachable_persons_step_waits_and_is_posted_on_start(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    ada = await world.town.person("Ada")
    instance = await world.start_process("decision", telegram_user_id=ada.user_id)
    await world.until_state("undeliverable")

    await ada.say("/start")
    await ada.tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"


async def test_a_person_who_blocked_the_bot_gets_the_step_when_they_unblock_it(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    await world.town.call("PATCH", f"/users/{ada.user_id}", {"blocked_bot": True})
    instance = await world.start_process("decision", telegram_user_id=ada.user_id)
    await world.until_state("undeliverable")

    await world.town.call("PATCH", f"/users/{ada.user_id}", {"blocked_bot": False})
    await ada.tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"


async def incident_of(world: World, xml: bytes, **variables: Any) -> str:
    await world.deploy(xml)
    await world.start("worker1")
    instance = await world.start_process("wrong", **variables)

    async def raised() -> list[str]:
        return await world.engine.incidents(instance)

    return str((await until(raised, "an incident"))[0])


async def test_an_unknown_property_is_an_incident_that_names_it(world: World) -> None:
    step = external_task("ask", "render_task", inputs=DECISION, properties={"action_yes.lable": "Yes!"})
    message = await incident_of(world, process("wrong", [step]), telegram_user_id=1)
    assert "'ask'" in message
    assert "action_yes.lable" in message
    assert "'label'" in message
    assert await world.value("SELECT count(*) FROM prompts") == 0


async def test_a_missing_recipient_is_an_incident_that_says_what_is_expected(world: World) -> None:
    step = external_task("ask", "render_task", inputs={"text_a": "Hello", "action_ok": "OK"})
    message = await incident_of(world, process("wrong", [step]))
    assert "recipient" in message
    assert "telegram_user_id" in message


async def test_raising_the_retries_after_the_authors_variable_was_mended_posts_the_step(world: World) -> None:
    await world.deploy(decision_process())
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    instance = await world.start_process("decision", telegram_user_id="nobody")

    async def raised() -> list[str]:
        return await world.engine.incidents(instance)

    assert "nobody" in (await until(raised, "an incident"))[0]
    task = (await world.engine.external_tasks("stepgram", locked=False))[0]
    await world.set_variable(task.execution_id, "telegram_user_id", ada.user_id)
    await world.engine.set_retries(task.id, 1)
    await ada.tap("Yes")
    assert await world.until_ended(instance) == "COMPLETED"


async def test_values_in_a_text_can_add_no_link_mention_command_or_button(world: World) -> None:
    await world.deploy(process("decision", [external_task("decide", "render_task", inputs=DECISION | {
        "text_what": "${value}", "Said": "${value}"})]))  # fmt: skip
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    value = '<a href="https://evil.example">win</a> https://evil.example @eve /start tg://user?id=1'
    await world.start_process("decision", telegram_user_id=ada.user_id, value=value)
    shown = await ada.sees(buttons=["Yes", "No"])
    kinds = {each["type"] for each in shown.get("entities", [])}
    assert kinds <= {"bold", "code"}
    assert captions(shown) == ["Yes", "No"]
    assert "evil" in words(shown)


async def test_longest_texts_arrive_whole_in_several_messages(world: World) -> None:
    long_step = DECISION | {"text_what": "${value}"}
    await world.deploy(process("decision", [external_task("decide", "render_task", inputs=long_step)]))
    await world.start("worker1", "bot1")
    ada = await greeted(world)
    paragraphs = [f"{number} " + "word " * 80 for number in range(9)]
    text = json.dumps("\n\n".join(paragraphs))
    await world.start_process("decision", telegram_user_id=ada.user_id, value=text)
    await ada.sees(buttons=["Yes", "No"])
    whole = "".join(words(each) for each in await ada.chat())
    assert all(f"{number} word" in whole for number in range(9))
