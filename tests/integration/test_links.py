"""Links to the bot: they open a step or begin a process for whoever may do that anyway."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from shared import texts
from shared.engine.client import EngineClient
from shared.models import PendingReply, Person, ProcessStart, Prompt
from shared.signing import LINKS, Link, derive_key, short_key, sign_link
from tests.fakes.conversation import Conversation
from tests.fakes.rows import all_of, snapshot
from tests.fakes.services import TOKEN, Fakes
from tests.fakes.telegram import Telegram, captions
from tests.support import shell
from tests.support.bpmn import end, process

SURE = {"text_a": "Sure?", "action_yes": "Yes, sure"}
FORM = {"form_why.required": "true"}


@pytest.fixture
def talk(fakes: Fakes, telegram: Telegram) -> Conversation:
    return Conversation(fakes, telegram)


def token(link: Link, user_id: int | None = None, *, days: float = 7, key: str = TOKEN) -> str:
    return sign_link(link, datetime.now(UTC) + timedelta(days=days), user_id, derive_key(key, LINKS))


def to_step(reply_id: int) -> Link:
    return Link("step", str(reply_id))


def offer(talk: Conversation, *people: int, start: Mapping[str, str] = FORM) -> Link:
    """Deploy a process that these people may start; where a link to it leads."""
    talk.fakes.engine.offer(
        "expense", process("expense", [end("done")], start=start), *people, name="An expense"
    )
    return Link("process", short_key("expense"))


async def follow(talk: Conversation, person: int, start: str) -> None:
    await talk.say(person, f"/start {start}")


async def instances(talk: Conversation) -> int:
    await talk.complete()
    await talk.start()
    await talk.send()
    return len(talk.fakes.engine.instances)


async def test_a_link_shows_its_step_anew_again_and_again_and_takes_nothing_else(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/start")
    reply_id = await talk.ask(ann, SURE, {"title": "Mine"})
    for _ in range(2):
        await follow(talk, ann, token(to_step(reply_id), ann))
        assert await talk.last(ann) == "Mine\n\nSure?"
        assert await talk.buttons(ann) == ["Yes, sure"], "the older copy has lost its buttons"
    await talk.tap(ann, "Yes, sure")
    await follow(talk, ann, token(to_step(reply_id), ann))
    assert (await talk.last(ann)).startswith("Already answered by Ann")


async def test_a_link_goes_on_with_a_form_where_it_stands(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/start")
    reply_id = await talk.ask(ann, {"form_a": None, "form_b": None}, {"review": "true"})
    await talk.say(ann, "One")
    await follow(talk, ann, token(to_step(reply_id)))
    assert "2 of 2: b" in await talk.last(ann)


@pytest.mark.parametrize(
    "what", ["forged", "truncated", "expired", "another's", "of another bot", "no token"]
)
async def test_a_link_that_is_not_ours_or_not_theirs_changes_nothing(talk: Conversation, what: str) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.say(ann, "/start")
    reply_id = await talk.ask(ann, SURE)
    right = token(to_step(reply_id), ann)
    start = {
        "forged": right[:-1] + ("A" if right[-1] != "A" else "B"),
        "truncated": right[:-1],
        "expired": token(to_step(reply_id), ann, days=-0.001),
        "another's": token(to_step(reply_id), bob),
        "of another bot": token(to_step(reply_id), ann, key="1:other"),
        "no token": "ref_2026",
    }[what]
    before = await snapshot(talk.db, PendingReply, ProcessStart, Person)
    await follow(talk, ann, start)
    assert await talk.last(ann) == texts.say("link-not-valid")
    assert await snapshot(talk.db, PendingReply, ProcessStart, Person) == before
    assert await talk.buttons(ann) == ["Yes, sure"]


async def test_a_link_to_a_step_gives_nobody_the_right_to_answer_it(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.say(bob, "/start")
    reply_id = await talk.ask(ann, SURE)
    await follow(talk, bob, token(to_step(reply_id)))
    assert await talk.last(bob) == texts.say("link-not-valid")
    await talk.tap(ann, "Yes, sure")
    await follow(talk, bob, token(to_step(reply_id)))
    assert await talk.last(bob) == texts.say("link-not-valid"), "how it ended is not told either"


@pytest.mark.parametrize(("kind", "has_address"), [("supergroup", True), ("group", False)])
async def test_a_groups_step_stays_in_its_group_and_the_link_points_there(
    talk: Conversation, kind: str, has_address: bool
) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/start")
    group = await talk.telegram.group(ann, type=kind)
    reply_id = await talk.ask(group, SURE)
    shown = await talk.telegram.last(group)
    await follow(talk, ann, token(to_step(reply_id)))
    told = await talk.telegram.last(ann)
    assert told["text"] == texts.say("answer-in-group")
    addresses = [row[0]["url"] for row in told.get("reply_markup", {}).get("inline_keyboard", [])]
    expected = f"https://t.me/c/{-group - 10**12}/{shown['message_id']}"
    assert addresses == ([expected] if has_address else [])
    assert len(await talk.telegram.texts(group)) == 1
    assert (await talk.reply(reply_id)).chat_id == group


async def test_a_link_begins_the_form_of_a_process_once_and_again_when_that_is_over(
    talk: Conversation,
) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/start")
    start = token(offer(talk, ann))
    for _ in range(2):
        await follow(talk, ann, start)
        assert "why" in await talk.last(ann)
    assert len(await all_of(talk.db, PendingReply)) == 1
    await talk.say(ann, "Lunch")
    assert await instances(talk) == 1
    await follow(talk, ann, start)
    await talk.say(ann, "Dinner")
    assert await instances(talk) == 2


async def test_two_taps_on_a_link_to_a_process_without_a_form_make_one_instance(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/start")
    start = token(offer(talk, ann, start={}))
    await follow(talk, ann, start)
    assert await talk.last(ann) == texts.say("starting")
    await follow(talk, ann, start)
    assert await talk.last(ann) == texts.say("already-here")
    assert await instances(talk) == 1
    talk.fakes.engine.instances.clear()  # it ends at once
    await follow(talk, ann, start)
    assert await instances(talk) == 0
    async with talk.db.begin() as tx:
        await tx.execute(update(ProcessStart).values(created_at=text("now() - interval '2 minutes'")))
    await follow(talk, ann, start)
    assert await instances(talk) == 1, "a later wish is another instance"
    async with talk.db.begin() as tx:
        await tx.execute(update(ProcessStart).values(created_at=text("now() - interval '2 minutes'")))
    await follow(talk, ann, start)
    assert await instances(talk) == 1, "while one runs, it is the one"


async def test_a_link_to_a_process_starts_nothing_for_whoever_may_not(talk: Conversation) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.say(bob, "/start")
    start = token(offer(talk, ann, start={}))
    await follow(talk, bob, start)
    assert await talk.last(bob) == texts.say("link-not-valid")
    assert await instances(talk) == 0
    assert await all_of(talk.db, PendingReply) == []


async def test_a_new_person_who_follows_a_link_is_greeted_first(talk: Conversation) -> None:
    ann = await talk.telegram.person("Ann", started=False)
    reply_id = await talk.ask(ann, SURE)
    assert (await talk.reply(reply_id)).state == "undeliverable"
    await follow(talk, ann, token(to_step(reply_id)))
    told = await talk.telegram.texts(ann)
    assert told[0].startswith(texts.say("hello", name="Ann"))
    assert told[-1] == "Sure?"
    assert await talk.buttons(ann) == ["Yes, sure"]
    (person,) = await all_of(talk.db, Person)
    assert person.state == "queued", "their engine user is made"
    await follow(talk, ann, token(to_step(reply_id)))
    assert not (await talk.last(ann)).startswith(texts.say("hello", name="Ann"))
    assert len([each for each in await all_of(talk.db, Prompt) if "Hello" in each.content["text"]]) == 1


async def test_a_link_that_is_followed_in_a_group_does_nothing_there(talk: Conversation) -> None:
    ann = await talk.telegram.ann()
    group = await talk.telegram.group(ann)
    reply_id = await talk.ask(group, SURE)
    await talk.say(ann, f"/start@stepgram_bot {token(to_step(reply_id))}", group)
    assert await talk.last(group) == texts.say("groups-in-private")
    assert captions(await talk.message_with(group, "Yes, sure")) == ["Yes, sure"]


Run = Callable[..., tuple[str, str | None]]


@pytest.fixture
def stepgram(
    monkeypatch: pytest.MonkeyPatch,
    talk: Conversation,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
) -> Run:
    """Runs `stepgram link` against that Telegram and database, and the engine in memory; what it printed."""
    settings = {
        "DATABASE_URL": database_url,
        "TELEGRAM_API_URL": talk.telegram.running.url,
        "BOT_TOKEN": TOKEN,
    }
    for name, value in {**settings, "ENGINE_URL": "http://127.0.0.1:1/engine-rest"}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[str, str | None]:
        return shell.stepgram(monkeypatch, capsys, "link", *arguments)

    return run


@pytest.mark.parametrize("by", ["step", "task"])
async def test_an_operators_link_to_a_persons_step_serves_that_person(
    talk: Conversation, stepgram: Run, by: str
) -> None:
    ann, bob = await talk.telegram.ann(), await talk.telegram.ann("Bob")
    await talk.say(ann, "/start")
    await talk.say(bob, "/start")
    reply_id = await talk.ask(ann, SURE)
    named = str(reply_id) if by == "step" else (await talk.reply(reply_id)).external_task_id
    out, why = await asyncio.to_thread(stepgram, f"--{by}", named, "--expires", "PT1H")
    assert why is None
    address, _, start = out.strip().partition("?start=")
    assert address == "https://t.me/stepgram_bot"
    await follow(talk, bob, start)
    assert await talk.last(bob) == texts.say("link-not-valid")
    await follow(talk, ann, start)
    assert await talk.last(ann) == "Sure?"


async def test_no_link_is_made_to_what_does_not_wait(talk: Conversation, stepgram: Run) -> None:
    ann = await talk.telegram.ann()
    reply_id = await talk.ask(ann, SURE)
    await talk.tap(ann, "Yes, sure")
    for arguments, told in [
        (("--step", str(reply_id)), f"the step {reply_id} is answered; a link leads to one that waits"),
        (("--task", "nothing"), "the step 'nothing' is not there"),
        (
            ("--step", str(reply_id), "--expires", "soon"),
            "--expires 'soon': an ISO 8601 duration is expected",
        ),
    ]:
        out, why = await asyncio.to_thread(stepgram, *arguments)
        assert (out, told in str(why), "\n" in str(why)) == ("", True, False)


async def test_an_operators_link_to_a_process_is_made_where_there_is_one(
    talk: Conversation, stepgram: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await talk.telegram.ann()
    await talk.say(ann, "/start")
    offer(talk, ann)

    async def latest(self: EngineClient, key: str, tenant_id: str | None = None) -> str | None:
        return key if key == "expense" else None

    monkeypatch.setattr(EngineClient, "latest_definition", latest)
    out, why = await asyncio.to_thread(stepgram, "--start", "expense", "--for", str(ann))
    assert why is None
    await follow(talk, ann, out.strip().partition("?start=")[2])
    assert "why" in await talk.last(ann)
    _, why = await asyncio.to_thread(stepgram, "--start", "expanse")
    assert why == "stepgram link: the engine has no process 'expanse'"
