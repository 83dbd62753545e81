"""Token buckets: 30 a second per bot, 1 a second per chat with a burst, 20 a minute per group."""

from __future__ import annotations

from tests.unit.sandbox.lab import Lab


async def sends_until_429(lab: Lab, chat: int, at_most: int = 60) -> tuple[int, int]:
    """How many sends pass, and the retry_after of the first that does not."""
    for count in range(at_most):
        response = await lab.answer("sendMessage", chat_id=chat, text=f"n {count}")
        if response.status_code == 429:
            body = response.json()
            retry_after = body["parameters"]["retry_after"]
            assert body["description"] == f"Too Many Requests: retry after {retry_after}"
            assert response.headers["retry-after"] == str(retry_after)
            return count, retry_after
    return at_most, 0


async def test_a_private_chat_takes_a_burst_and_then_one_a_second(lab: Lab) -> None:
    ann = await lab.person()
    assert await sends_until_429(lab, ann) == (20, 1)
    await lab.advance(3)
    assert await sends_until_429(lab, ann) == (3, 1)


async def test_a_group_takes_twenty_a_minute(lab: Lab) -> None:
    ann = await lab.person()
    group = await lab.group(ann)
    count, retry_after = await sends_until_429(lab, group)
    assert (count, retry_after) == (20, 3)
    await lab.advance(30)
    assert (await sends_until_429(lab, group))[0] == 10


async def test_a_bot_sends_thirty_a_second_to_all_together(lab: Lab) -> None:
    people = [await lab.person(f"P{n}") for n in range(4)]
    await lab.control("POST", "/limits", per_bot_s=10)
    counts = [(await sends_until_429(lab, person, 5))[0] for person in people]
    assert sum(counts) <= 11  # the clock runs on meanwhile


async def test_paid_broadcasts_pass_the_bot_s_limit_but_not_the_chat_s(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/limits", per_bot_s=0.001)
    assert (await lab.answer("sendMessage", chat_id=ann, text="x")).status_code == 429
    assert await lab.call("sendMessage", chat_id=ann, text="x", allow_paid_broadcast=True)


async def test_edits_cost_like_sends_and_answers_to_taps_nothing(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/limits", chat_burst=2)
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    sent = await lab.call("sendMessage", chat_id=ann, text="x", reply_markup=keyboard)
    query_id = await lab.press(ann, sent, caption="Yes")
    edit = {"chat_id": ann, "message_id": sent["message_id"]}
    await lab.call("editMessageText", **edit, text="y")
    assert (await lab.answer("editMessageText", **edit, text="z")).status_code == 429
    assert await lab.call("answerCallbackQuery", callback_query_id=query_id) is True
    assert await lab.call("deleteMessage", **edit) is True


async def test_an_album_costs_as_many_as_it_has(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/limits", chat_burst=3)
    media = [{"type": "document", "media": "attach://a"}, {"type": "document", "media": "attach://a"}]
    files = {"a": ("a.txt", b"a")}
    await lab.call("sendMediaGroup", files, chat_id=ann, media=media)
    assert (await lab.answer("sendMediaGroup", files, chat_id=ann, media=media)).status_code == 429
    assert await lab.call("sendMessage", chat_id=ann, text="x")


async def test_a_refused_call_costs_nothing(lab: Lab) -> None:
    ann = await lab.person()
    await lab.control("POST", "/limits", chat_burst=1)
    for _ in range(3):
        await lab.refused("sendMessage", chat_id=ann, text="<p>", parse_mode="HTML")
    assert await lab.call("sendMessage", chat_id=ann, text="x")


async def test_limits_can_be_switched_off(lab: Lab) -> None:
    ann = await lab.person()
    await lab.unlimited()
    assert await sends_until_429(lab, ann, 40) == (40, 0)
