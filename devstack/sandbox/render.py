"""The world as Bot API JSON."""

from __future__ import annotations

from devstack.sandbox.model import Chat, ChatType, Member, Message, Status, StoredFile, User
from devstack.sandbox.values import Json

ADMIN_RIGHTS = (
    "can_manage_chat",
    "can_change_info",
    "can_delete_messages",
    "can_invite_users",
    "can_restrict_members",
    "can_pin_messages",
    "can_manage_video_chats",
    "can_manage_tags",
    "can_send_welcome_messages",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
)


def user(who: User) -> Json:
    """A User."""
    out: Json = {"id": who.id, "is_bot": who.is_bot, "first_name": who.first_name}
    if who.last_name:
        out["last_name"] = who.last_name
    if who.username:
        out["username"] = who.username
    if who.language_code:
        out["language_code"] = who.language_code
    return out


def chat(place: Chat) -> Json:
    """A Chat."""
    if place.person is not None:
        names: Json = {"id": place.id, "first_name": place.person.first_name}
        if place.person.last_name:
            names["last_name"] = place.person.last_name
        if place.person.username:
            names["username"] = place.person.username
        return {**names, "type": "private"}
    out: Json = {"id": place.id, "title": place.title, "type": str(place.type)}
    if place.type is ChatType.GROUP:
        out["all_members_are_administrators"] = False
    if place.is_forum:
        out["is_forum"] = True
    return out


def chat_full(place: Chat) -> Json:
    """A ChatFullInfo."""
    gifts: Json = {
        "unlimited_gifts": False,
        "limited_gifts": False,
        "unique_gifts": False,
        "premium_subscription": False,
        "gifts_from_channels": False,
    }
    out: Json = {
        **chat(place),
        "accent_color_id": abs(place.id) % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }
    if place.person is not None and place.person.username:
        out["active_usernames"] = [place.person.username]
    return out


def member(who: Member, chat_type: ChatType) -> Json:
    """A ChatMember."""
    out: Json = {"user": user(who.user), "status": str(who.status)}
    if who.status is Status.CREATOR:
        out["is_anonymous"] = who.is_anonymous
    elif who.status is Status.ADMINISTRATOR:
        out.update(dict.fromkeys(ADMIN_RIGHTS, True))
        out.update(can_be_edited=False, can_promote_members=False, is_anonymous=who.is_anonymous)
        if chat_type is ChatType.SUPERGROUP:
            out["can_manage_topics"] = True
    elif who.status is Status.KICKED:
        out["until_date"] = 0
    return out


def message(what: Message, *, with_reply: bool = True) -> Json:
    """A Message; the one it replies to is given whole, but without its own reply."""
    out: Json = {"message_id": what.id, "from": user(what.sender)}
    if what.sender_chat is not None:
        out["sender_chat"] = chat(what.sender_chat)
    out.update(chat=chat(what.chat), date=what.date)
    if what.edit_date is not None:
        out["edit_date"] = what.edit_date
    if what.thread_id is not None:
        out.update(message_thread_id=what.thread_id, is_topic_message=True)
    if what.forward_origin is not None:
        out.update(forward_fields(what.forward_origin))
    replied = what.chat.visible(what.reply_to)
    if with_reply and replied is not None:
        out["reply_to_message"] = message(replied, with_reply=False)
    if what.album_id is not None:
        out["media_group_id"] = what.album_id
    out.update(what.content)
    if what.markup.inline is not None:
        out["reply_markup"] = {"inline_keyboard": [list(row) for row in what.markup.inline]}
    return out


def forward_fields(origin: Json) -> Json:
    """forward_origin and the older fields that say the same."""
    out: Json = {"forward_origin": origin, "forward_date": origin["date"]}
    if origin["type"] == "user":
        out["forward_from"] = origin["sender_user"]
    return out


def inaccessible(place: Chat, message_id: int) -> Json:
    """An InaccessibleMessage: what is left of a message that is gone."""
    return {"message_id": message_id, "chat": chat(place), "date": 0}


def file_ids(file: StoredFile) -> Json:
    """The fields that every kind of file has."""
    return {"file_id": file.id, "file_unique_id": file.unique_id, "file_size": file.size_bytes}


def document(file: StoredFile) -> Json:
    """A Document."""
    return {"file_name": file.name, "mime_type": file.mime_type, **file_ids(file)}


def photo_size(file: StoredFile) -> Json:
    """A PhotoSize."""
    return {**file_ids(file), "width": file.width, "height": file.height}
