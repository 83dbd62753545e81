"""The process templates, each played by its people to its end, on both engines."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from devstack.people import Person, words
from devstack.product import CHECKOUT
from tests.acceptance.test_bad_input import PNG, greeted
from tests.support.world import World, until

PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
NO_TIMES: Mapping[str, str] = MappingProxyType({})


async def deployed(world: World, name: str, times: Mapping[str, str] = NO_TIMES, **chosen: int) -> None:
    """Deploy a template as its author does, who writes ids in the place of `SET …`; start what serves it.

    `times` are durations of the file, and what stands in their place.
    """
    xml = (CHECKOUT / "bpmn" / f"{name}.bpmn").read_text()
    for setting, value in chosen.items():
        assert f"'SET {setting}'" in xml
        xml = xml.replace(f"'SET {setting}'", f"'{value}'")
    for there, instead in times.items():
        assert f'"{there}"' in xml
        xml = xml.replace(f'"{there}"', f'"{instead}"')
    await world.deploy(xml.encode())
    await world.start("worker1", "bot1")


async def started(world: World, person: Person, title: str, answers: dict[str, str]) -> str:
    """Start a process from the chat, with the answers of its start form by question; the instance's id."""

    async def known() -> bool:
        return bool(
            await world.value(
                "SELECT count(*) FROM people WHERE state = 'made' AND user_id = %s", person.user_id
            )
        )

    await until(known, "the engine knows them")
    await person.say("/new")
    await person.tap(f"{title} · v1")
    await answer(person, answers)
    await person.tap("Submit")

    async def instance() -> str | None:
        found = await world.value(
            "SELECT process_instance_id FROM process_starts WHERE requested_by = %s", person.user_id
        )
        return str(found) if found else None

    return str(await until(instance, f"{title} has started"))


async def answer(person: Person, answers: dict[str, str]) -> None:
    """Write the answers to questions, one by one."""
    for question, text in answers.items():
        await person.sees(question)
        await person.say(text)


async def ended(world: World, instance: str, event: str) -> dict[str, Any]:
    """Wait until an instance has ended by that end event; its variables."""
    assert await world.until_ended(instance) == "COMPLETED"
    assert event in [each.activity_id for each in await world.engine.history_activities(instance)]
    return await world.variables(instance)


EXPENSE = {
    "Your name": "Ada Lovelace",
    "How much did you pay?": "120",
    "In which currency?": "Euro",
    "What was it for?": "Train to the customer",
    "On which day": "2026-03-14",
    "number on the receipt": "R-17",
}


async def test_a_small_expense_is_approved_by_whoever_takes_it(any_world: World) -> None:
    world = any_world
    ada, ben = await world.town.person("Ada"), await world.town.person("Ben")
    group = await world.town.group("Approvers", admins=[ben], members=[])
    await deployed(world, "expense_approval", approvers_chat=group)
    await ada.say("/start")
    instance = await started(world, ada, "Expense approval", EXPENSE)

    there = ben.in_chat(group)
    shown = words(await there.sees("An expense to approve", buttons=["I take it"]))
    assert "Amount (EUR): 120" in shown
    assert "Mar 14, 2026" in shown
    await there.tap("I take it")
    await there.tap("Approve")

    told = words(await ada.sees("Your expense is decided"))
    assert "approved" in told
    assert "Amount (EUR): 120" in told
    variables = await ended(world, instance, "expense_approved")
    assert variables["form_amount"] == 120
    found = await world.engine.history_instance(instance)
    assert found is not None
    assert found.business_key == f"expense-{ada.user_id}-R-17"


async def test_a_large_expense_is_rejected_by_the_votes_of_a_group(any_world: World) -> None:
    world = any_world
    ada, ben, cid = [await world.town.person(name) for name in ("Ada", "Ben", "Cid")]
    group = await world.town.group("Approvers", admins=[ben], members=[cid])
    await deployed(world, "expense_approval", approvers_chat=group)
    await ada.say("/start")
    instance = await started(world, ada, "Expense approval", EXPENSE | {"How much did you pay?": "1250.50"})

    prompt = await ben.in_chat(group).sees("please vote", buttons=["Approve", "Reject"])
    await ben.in_chat(group).tap("Reject", message=prompt)
    await ben.in_chat(group).sees_change(prompt, lambda message: "Reject (1): Ben" in words(message))
    await cid.in_chat(group).tap("Reject", message=prompt)

    told = words(await ada.sees("Your expense is decided"))
    assert "rejected" in told
    assert "Amount (EUR): 1250.5" in told
    variables = await ended(world, instance, "expense_rejected")
    assert set(variables["votes"].values()) == {"reject"}


async def test_a_colleague_and_their_mentor_work_side_by_side_until_all_are_told(any_world: World) -> None:
    world = any_world
    await deployed(world, "employee_onboarding")
    ada, ben, cid = [await greeted(world, name) for name in ("Ada", "Ben", "Cid")]
    instance = await started(
        world,
        ada,
        "Employee onboarding",
        {
            "new colleague?": str(ben.user_id),
            "their mentor?": str(cid.user_id),
            "their first?": "2026-04-01",
        },
    )

    data = {
        "full name": "Ben Bitdiddle",
        "birthday": "1990-05-17",
        "phone": "+49 30 123456",
        "e-mail": "ben@example.org",
        "Where do you live": "Main Street 1, 12345 Town",
        "T-shirt": "L",
        "What do you need": "Laptop, Headset",
        "parking space": "no",
    }
    await answer(ben, data)
    await ben.tap("Submit")
    await ben.sees("passport or identity card")
    shown = words(await cid.sees("You are the mentor"))
    assert "Equipment: laptop, headset" in shown
    assert "Apr 1, 2026" in shown
    await ben.send("passport.png", PNG, "image/png")
    await ben.sees("sign your contract")
    await cid.say("Room 3")
    await cid.tap("All is ready")
    await ben.send("contract.pdf", PDF, "application/pdf")

    assert "Room 3" in words(await ben.sees("See you soon"))
    assert "Ben Bitdiddle" in words(await cid.sees("Your new colleague"))
    await ada.sees("Onboarding is complete")
    variables = await ended(world, instance, "onboarded")
    assert variables["form_equipment"] == ["laptop", "headset"]
    assert variables["form_parking"] is False
    assert variables["identity_meta"]["name"] == "passport.png"
    assert variables["contract_key"] == variables["contract_meta"]["key"]
    assert {"action", "s3_identity", "form_place"}.isdisjoint(variables)


async def test_a_text_goes_back_to_its_author_until_it_is_approved_and_posted(any_world: World) -> None:
    world = any_world
    ada, ben = await world.town.person("Ada"), await world.town.person("Ben")
    channel = await world.town.group("Readers", admins=[ben], members=[])
    await deployed(world, "content_publication", publication_chat=channel)
    await ada.say("/start")
    await ben.say("/start")
    instance = await started(
        world, ada, "Content publication", {"The title": "On engines", "Who edits it": str(ben.user_id)}
    )

    await answer(ada, {"Write the text": "Engines are useful."})
    await ada.sees("an attachment")
    await ada.send("notes.pdf", PDF, "application/pdf")
    await ada.tap("Submit")
    await ben.sees("Engines are useful.")
    await ben.sees("What should change?", buttons=["Approve", "Reject"])
    await ben.say("Say which engines.")
    await ben.tap("Ask for changes")
    assert "Say which engines." in words(await ada.sees("Write the text"))
    await ada.say("Process engines are useful.")
    await ada.tap("Skip", message=await ada.sees("an attachment", buttons=["Skip"]))
    await ada.tap("Submit", message=await ada.sees(buttons=["Submit"]))
    await ben.sees("Process engines are useful.")
    await ben.tap("Approve")

    await ben.in_chat(channel).sees("On engines: Process engines are useful.")
    await ada.sees("Your text is approved and posted")
    variables = await ended(world, instance, "content_published")
    assert variables["action_change"] is False
    assert variables["s3_attachment"] is None


async def test_an_author_can_give_up_a_text(any_world: World) -> None:
    world = any_world
    await deployed(world, "content_publication")
    ada, ben = await greeted(world, "Ada"), await greeted(world, "Ben")
    instance = await world.start_process(
        "content_publication",
        telegram_user_id=ada.user_id,
        form_title="On engines",
        form_editor=ben.user_id,
        publication_chat=-100,
    )

    await ada.sees("Write the text")
    await ada.say("/cancel")
    await ada.tap("Cancel: Your text")
    await ada.tap("Yes, cancel it")

    await ben.sees("The author has given up")
    variables = await ended(world, instance, "content_given_up")
    assert variables["publication_chat"] == -100


async def test_the_report_of_the_week_is_asked_for_by_a_timer_and_posted(any_world: World) -> None:
    world = any_world
    ada = await world.town.person("Ada")
    group = await world.town.group("The team", admins=[ada], members=[])
    await deployed(world, "weekly_report", reporter=ada.user_id, report_chat=group)
    await ada.say("/start")
    await ada.sees("Hello")
    (timer,) = await world.rest("GET", "/job?processDefinitionKey=weekly_report")
    assert timer["dueDate"]
    await world.rest("POST", f"/job/{timer['id']}/execute")

    report = {
        "new customers": "3",
        "What did we sell": "1200,50",
        "tickets": "7",
        "How is the team": "Good",
        "few sentences": "A calm week.",
    }
    await answer(ada, report)
    await ada.tap("Post it")

    posted = words(await ada.in_chat(group).sees("The week in numbers"))
    assert "1200.5" in posted
    assert "A calm week." in posted
    instance = str(await world.value("SELECT process_instance_id FROM pending_replies"))
    variables = await ended(world, instance, "report_posted")
    assert (variables["form_customers"], variables["form_mood"]) == (3, "good")
    assert len(await world.rest("GET", "/job?processDefinitionKey=weekly_report")) == 1, "the next week waits"


async def test_an_incident_is_taken_assessed_and_mended(any_world: World) -> None:
    world = any_world
    ada, ben, cid = [await world.town.person(name) for name in ("Ada", "Ben", "Cid")]
    group = await world.town.group("Responders", admins=[ben], members=[])
    await deployed(world, "incident_response", responders_chat=group, duty_lead=cid.user_id)
    await ada.say("/start")
    await cid.say("/start")
    instance = await started(
        world, ada, "Incident response", {"What happened?": "The shop is down", "Which system": "shop"}
    )

    there = ben.in_chat(group)
    await there.sees("The shop is down", buttons=["I take it"])
    await there.tap("I take it")
    await there.tap("Answer")
    await there.sees("How severe is it?", buttons=["Critical"])
    await there.tap("Critical")
    await there.tap("I am on it")
    await cid.sees("A critical incident, in work")
    await there.tap("I take it", message=await there.sees("Mend the incident", buttons=["I take it"]))
    await there.tap("Answer")
    question = await there.sees("What was the cause")
    await there.say("A disk was full; it is larger now.", reply_to=question["message_id"])
    await there.tap("It is resolved")

    assert "A disk was full" in words(await ada.sees("Resolved"))
    variables = await ended(world, instance, "incident_resolved")
    assert variables["form_severity"] == "critical"


async def test_an_incident_that_nobody_takes_is_told_to_the_lead(any_world: World) -> None:
    world = any_world
    ada, ben, cid = [await world.town.person(name) for name in ("Ada", "Ben", "Cid")]
    group = await world.town.group("Responders", admins=[ben], members=[])
    settings = {"responders_chat": group, "duty_lead": cid.user_id}
    await deployed(world, "incident_response", {"PT30M": "PT3S"}, **settings)
    await ada.say("/start")
    await cid.say("/start")
    await cid.sees("Hello")
    instance = await world.start_process(
        "incident_response", telegram_user_id=ada.user_id, form_what="The shop is down", form_where="shop"
    )

    await ben.in_chat(group).sees("The shop is down", buttons=["I take it"])
    await cid.sees("Nobody has taken this incident")
    await ada.sees("Nobody has taken the incident that you reported")
    await ended(world, instance, "incident_unanswered")
