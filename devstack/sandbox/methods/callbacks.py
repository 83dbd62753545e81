"""answerCallbackQuery."""

from __future__ import annotations

from devstack.sandbox.errors import bad_request
from devstack.sandbox.limits import CALLBACK_ANSWER_CHARS, CALLBACK_ANSWER_S
from devstack.sandbox.methods.common import Call
from devstack.sandbox.values import JsonValue


async def answer_callback_query(call: Call) -> JsonValue:
    """Answer a tap within about 15 s; costs nothing."""
    params = call.params
    query = call.sandbox.callbacks.get(params.text("callback_query_id"))
    too_old = query is None or call.sandbox.clock.now() - query.created_at > CALLBACK_ANSWER_S
    if query is None or too_old or query.bot_id != call.bot.id:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    text = params.text("text")
    if len(text) > CALLBACK_ANSWER_CHARS:
        raise bad_request("MESSAGE_TOO_LONG")
    if not query.answered:
        query.answered = True
        query.text, query.show_alert, query.url = text, params.flag("show_alert"), params.text("url")
        call.sandbox.callback_answered.fire()
        call.sandbox.publish(
            {
                "event": "callback_answer",
                "chat_id": query.chat.id,
                "user_id": query.user.id,
                "callback_query_id": query.id,
                "text": query.text,
                "show_alert": query.show_alert,
            }
        )
    return True
