"""The people who have met the bot, and the groups that it knows."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx, notify
from shared.models import Chat, Person
from shared.queues import Queue
from shared.quiet import zone_of
from shared.texts import Voice, default_voice, fitting, speaking

ENGINE_USERS = Queue("people", Person, ("queued",), poison="refused", max_attempts=5)
"""People whose engine user has yet to be made."""


async def meet(
    tx: Tx,
    user_id: int,
    first_name: str,
    *,
    last_name: str | None = None,
    username: str | None = None,
    language_code: str | None = None,
    wants_engine_user: bool = False,
) -> None:
    """Remember a person as Telegram names them now; on first contact their engine user is queued."""
    values = {
        "first_name": first_name,
        "last_name": last_name,
        "username": username,
        "language_code": language_code,
    }
    statement = insert(Person).values(
        user_id=user_id, state="queued" if wants_engine_user else "none", **values
    )
    again: dict[str, Any] = dict(values)
    news = [getattr(Person, name).is_distinct_from(value) for name, value in values.items()]
    if wants_engine_user:
        again["state"] = case((Person.state.in_(("none", "refused")), "queued"), else_=Person.state)
        news.append(Person.state.in_(("none", "refused")))  # the whitelist may have been mended
    # Most updates bring no news, and then nothing is written.
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["user_id"], set_=again, where=or_(*news))
    )
    if wants_engine_user:
        await notify(tx, ENGINE_USERS.name)


async def has_started(tx: Tx, user_id: int) -> bool:
    """Whether a person has asked the bot for something before, so that their engine user was queued."""
    return await tx.scalar(select(Person.state).where(Person.user_id == user_id)) not in {None, "none"}


async def voices(tx: Tx, chat_ids: Iterable[int]) -> dict[int, Voice]:
    """How chats wish to be spoken to: a person as they chose, else as their Telegram is, else by default."""
    found: dict[int, Voice] = {}
    wanted = set(chat_ids)
    if some := [chat_id for chat_id in wanted if chat_id > 0]:
        people = select(Person.user_id, Person.language, Person.time_zone, Person.language_code)
        for user_id, language, zone, code in await tx.execute(people.where(Person.user_id.in_(some))):
            found[user_id] = _voice(zone, language, code)
    if some := [chat_id for chat_id in wanted if chat_id < 0]:
        chats = select(Chat.chat_id, Chat.language, Chat.time_zone)
        for chat_id, language, zone in await tx.execute(chats.where(Chat.chat_id.in_(some))):
            found[chat_id] = _voice(zone, language)
    return {chat_id: found.get(chat_id) or default_voice() for chat_id in wanted}


def _voice(zone: str | None, *languages: str | None) -> Voice:
    return Voice(fitting(*languages), zone_of(zone) or default_voice().zone)


@asynccontextmanager
async def speaking_to(tx: Tx, chat_id: int, *, language_code: str | None = None) -> AsyncIterator[None]:
    """Speak to a chat as it wishes; ``language_code`` is what Telegram tells of somebody who is new."""
    chosen = (await voices(tx, [chat_id]))[chat_id]
    if chosen is default_voice() and language_code:
        chosen = replace(chosen, language=fitting(language_code))
    with speaking(chosen):
        yield


async def quiet_hours(tx: Tx, user_id: int) -> str | None:
    """The quiet hours that a person has chosen, "" for none at all, None where they have not."""
    return await tx.scalar(select(Person.quiet_hours).where(Person.user_id == user_id))


async def choose(tx: Tx, chat_id: int, **wishes: str | None) -> None:
    """Keep how a person or a group wishes to be spoken to: ``language``, ``time_zone``, ``quiet_hours``."""
    table, own = (Person, Person.user_id) if chat_id > 0 else (Chat, Chat.chat_id)
    await tx.execute(update(table).where(own == chat_id).values(**wishes))


async def by_username(tx: Tx, username: str) -> tuple[int, str] | None:
    """The id and the name of a person by their Telegram username, if they have met the bot."""
    known = func.lower(Person.username) == username.lower()
    found = (await tx.scalars(select(Person).where(known).order_by(Person.id.desc()).limit(1))).first()
    if found is None:
        return None
    return found.user_id, " ".join(filter(None, (found.first_name, found.last_name)))


async def remember_group(tx: Tx, chat_id: int, kind: str, title: str, *, is_member: bool) -> None:
    """Remember a group, and whether the bot is in it."""
    values = {"type": kind, "title": title, "is_member": is_member, "updated_at": func.now()}
    statement = insert(Chat).values(chat_id=chat_id, **values)
    news = or_(Chat.title != title, Chat.is_member != is_member, Chat.type != kind)
    await tx.execute(statement.on_conflict_do_update(index_elements=["chat_id"], set_=values, where=news))


async def group_moved(tx: Tx, old_id: int, new_id: int) -> None:
    """A group became a supergroup with a new id."""
    moved = (await tx.execute(select(Chat).where(Chat.chat_id == old_id))).scalar_one_or_none()
    if moved is not None:
        await remember_group(tx, new_id, "supergroup", moved.title, is_member=moved.is_member)
        await remember_group(tx, old_id, moved.type, moved.title, is_member=False)


async def groups(tx: Tx, limit: int = 100) -> Sequence[Chat]:
    """The groups where the bot is known to be a member, by title."""
    statement = select(Chat).where(Chat.is_member).order_by(Chat.title, Chat.chat_id).limit(limit)
    return (await tx.scalars(statement)).all()


async def group(tx: Tx, chat_id: int) -> Chat | None:
    """One known group."""
    return (await tx.execute(select(Chat).where(Chat.chat_id == chat_id))).scalar_one_or_none()
