"""sendMessage, sendChatAction, forwardMessage, copyMessage, setMessageReaction."""

from __future__ import annotations

from devstack.sandbox import render
from devstack.sandbox.errors import bad_request
from devstack.sandbox.methods.common import Access, Call, charge, chat_of, message_of, post, target_of
from devstack.sandbox.methods.texts import caption_content, formatted_text, text_content
from devstack.sandbox.model import Message
from devstack.sandbox.values import Json, JsonValue

ACTIONS = frozenset(
    {
        "typing",
        "choose_sticker",
        "find_location",
        "pick_up_location",
        *(
            f"{verb}_{what}"
            for verb in ("record", "upload")
            for what in ("video", "audio", "voice", "video_note")
        ),
        "upload_photo",
        "upload_document",
    }
)


async def send_message(call: Call) -> JsonValue:
    """Send text."""
    if not call.params.text("text"):
        raise bad_request("message text is empty")
    text = formatted_text(call.params, "text")
    target = target_of(call)
    content = text_content(call, text)
    charge(call, target.chat)
    return render.message(post(call, target, content, []))


async def send_chat_action(call: Call) -> JsonValue:
    """Show that the bot is at work."""
    action = call.params.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = chat_of(call, Access.WRITE)
    call.sandbox.publish({"event": "typing", "chat_id": chat.id, "action": action})
    return True


async def forward_message(call: Call) -> JsonValue:
    """Send a message on, with its origin."""
    source = _source(call, "forward")
    target = target_of(call)
    charge(call, target.chat)
    message = post(call, target, dict(source.content), list(source.files))
    message.forward_origin = source.forward_origin or {
        "type": "user",
        "sender_user": render.user(source.sender),
        "date": source.date,
    }
    return render.message(message)


async def copy_message(call: Call) -> JsonValue:
    """Send a message's content as the bot's own, with another caption where one is given."""
    source = _source(call, "copy")
    target = target_of(call)
    content: Json = dict(source.content)
    if "caption" in call.params.values:
        content.pop("caption", None)
        content.pop("caption_entities", None)
        content.update(caption_content(call, call.params))
    charge(call, target.chat)
    return {"message_id": post(call, target, content, list(source.files)).id}


async def set_message_reaction(call: Call) -> JsonValue:
    """Put the bot's reaction on a message; bots may use one emoji."""
    message = message_of(call, chat_of(call, Access.READ), "react")
    given = call.params.json("reaction", "reaction types")
    reactions = given if isinstance(given, list) else []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if any(not isinstance(one, dict) or one.get("type") != "emoji" for one in reactions):
        raise bad_request("REACTION_INVALID")
    message.reactions[call.bot.id] = reactions
    call.sandbox.show_edit(message)
    return True


def _source(call: Call, purpose: str) -> Message:
    message = message_of(call, chat_of(call, Access.READ, "from_chat_id"), purpose)
    if message.is_service:
        raise bad_request(f"the message can't be {'forwarded' if purpose == 'forward' else 'copied'}")
    return message
