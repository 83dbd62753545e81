"""Reads a stored update: what the handlers rely on is checked, as python-telegram-bot takes whatever comes.

It builds its objects from values of any type, and a chat whose id is a text would only be noticed half-way
through a handler, where it looks like a mistake of ours that is worth another try.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from telegram import Bot, Chat, Update

from shared.errors import AuthorError
from shared.inbox import KINDS


class Poison(AuthorError):
    """An update that cannot be read; it is set aside, and the queue behind it goes on."""


Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""What a bigint of Postgres takes."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _User(_Part):
    id: Number
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None


class _Chat(_Part):
    id: Number
    type: str
    title: str | None = None

    @model_validator(mode="after")
    def _id_fits_type(self) -> "_Chat":
        if (self.type == Chat.PRIVATE) != (self.id > 0):
            raise ValueError("only a private chat has a positive id")
        return self


class _Placed(_Part):
    """Something that somebody did in a chat."""

    person: _User | None = Field(None, alias="from")
    chat: _Chat

    @model_validator(mode="after")
    def _is_their_own_chat(self) -> "_Placed":
        _check_own_chat(self.person, self.chat)
        return self


class _Entity(_Part):
    type: str
    offset: Number
    length: Number


class _Document(_Part):
    file_id: str
    file_name: str | None = None
    mime_type: str | None = None
    file_size: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class _ChatShared(_Part):
    chat_id: Number


class _Contact(_Part):
    phone_number: str
    first_name: str


class _Location(_Part):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class _SharedUser(_Part):
    user_id: Number


class _UsersShared(_Part):
    users: list[_SharedUser] | None = None


class _Replied(_Part):
    message_id: Number
    text: str | None = None
    person: _User | None = Field(None, alias="from")


class _Message(_Placed):
    message_id: Number
    text: str | None = None
    entities: list[_Entity] | None = None
    document: _Document | None = None
    reply_to_message: _Replied | None = None
    chat_shared: _ChatShared | None = None
    users_shared: _UsersShared | None = None
    contact: _Contact | None = None
    location: _Location | None = None
    migrate_to_chat_id: Annotated[int, Field(ge=-(2**63), lt=0)] | None = None


class _TappedMessage(_Part):
    message_id: Number
    chat: _Chat


class _CallbackQuery(_Part):
    id: str
    person: _User = Field(alias="from")
    message: _TappedMessage | None = None

    @model_validator(mode="after")
    def _is_their_own_chat(self) -> "_CallbackQuery":
        if self.message is not None:
            _check_own_chat(self.person, self.message.chat)
        return self


class _Member(_Part):
    status: str
    is_member: bool | None = None


class _ChatMemberUpdated(_Placed):
    new_chat_member: _Member


class _Update(_Part):
    """What the handlers use of an update, and what it must be."""

    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _CallbackQuery | None = None
    my_chat_member: _ChatMemberUpdated | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "_Update":
        if sum(getattr(self, kind) is not None for kind in KINDS) > 1:
            raise ValueError("more than one thing happened at once")
        return self


def _check_own_chat(person: _User | None, chat: _Chat) -> None:
    if person is not None and chat.type == Chat.PRIVATE and chat.id != person.id:
        raise ValueError("nobody acts in the private chat of another person")


def read(payload: Mapping[str, Any], bot: Bot) -> Update:
    """The update, with only what means something to us.

    Raises:
        Poison: it is not what Telegram promises; the reason names the place, never what somebody said there.
    """
    known = {kind: payload[kind] for kind in KINDS if payload.get(kind) is not None}
    try:
        _Update.model_validate(known)
        return Update.de_json({"update_id": payload["update_id"], **known}, bot)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3]]
        raise Poison(f"not an update that can be read: {'; '.join(wrong)}") from None
    except Exception as error:
        raise Poison(f"not an update that can be read: {type(error).__name__}: {error}") from error
