"""Realistic exports of a chat's history as Telegram Desktop writes them, of any size, from a seed.

``python -m devstack.exports --size 500MB --people 300 --days 400 -o result.json`` writes one, and
``--broken truncated`` one that must be refused. The shape is that of "Machine-readable JSON" of a single
chat: its key order, its one-space indentation, null for the name of a deleted account, ``text`` as a string
or a list, reactions, replies, forum topics, media that were not exported, service messages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from devstack.exports.messages import Author
from devstack.exports.vocabulary import CHAT_NAME

CHUNK_BYTES = 1 << 17


@dataclass(frozen=True)
class ExportPlan:
    """What an export should be like; the same plan always gives the same bytes."""

    size_bytes: int = 1_000_000
    people: int = 300
    days: int = 400
    seed: int = 1
    name: str = CHAT_NAME
    control_characters: bool = False
    """Write some control characters as ``\\x0B``, which is no JSON but what Telegram Desktop does."""


def export_chunks(plan: ExportPlan) -> Iterator[bytes]:
    """The export in chunks; the whole is ``plan.size_bytes`` long to within a few messages."""
    author = Author(plan.people, plan.days, plan.seed, plan.control_characters)
    buffer = bytearray(author.head(plan.name).encode())
    sent_bytes = 0
    while (written_bytes := sent_bytes + len(buffer)) < plan.size_bytes:
        buffer += author.message(written_bytes / plan.size_bytes).encode()
        if len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer)
            sent_bytes += len(buffer)
            buffer.clear()
    yield bytes(buffer) + author.tail().encode()


def export_bytes(plan: ExportPlan) -> bytes:
    """The export in one piece, for small ones."""
    return b"".join(export_chunks(plan))
