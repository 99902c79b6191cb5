"""Events: what came in, kept once. Answers of channels and business events alike; the dispatcher takes them from here.

Accepted means kept: `accept` runs in the caller's transaction, and what it wrote is committed with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, select

from engine.db import chunked, insert_new_returning, table
from engine.tables import Event, Message

__all__ = ["OWN", "Answered", "Incoming", "StoredEvent", "accept", "answer", "sent_as", "since"]

OWN = "parcours:"
"""Ids of events that we make ourselves begin so; no sender's may."""
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event on its way in. `id` is the sender's own: a second one of the same id is dropped."""

    id: str
    name: str
    at: datetime
    customer_id: str | None = None
    message_key: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    source: str = "api"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept."""

    seq: int
    id: str
    name: str
    customer_id: str | None
    message_key: str | None
    at: datetime
    received_at: datetime
    payload: Mapping[str, Any]
    source: str
    fate: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The send that an answer belongs to."""

    key: str
    customer_id: str
    channel: str
    links: Sequence[Mapping[str, str]]


def accept(conn: Connection, events: Sequence[Incoming], now: datetime) -> list[str]:
    """Keep the events that are new, and say which ids were (in no order). Repeats, also within `events`, are dropped."""
    first: dict[str, Incoming] = {}
    for event in events:
        first.setdefault(event.id, event)
    rows = [
        {
            "id": event.id,
            "name": event.name,
            "customer_id": event.customer_id,
            "message_key": event.message_key,
            "at": event.at,
            "received_at": now,
            "payload": dict(event.payload),
            "source": event.source,
        }
        for event in first.values()
    ]
    new: list[str] = []
    for piece in chunked(rows, _CHUNK):
        new.extend(insert_new_returning(conn, Event, piece, "id"))
    return new


def answer(
    conn: Connection,
    message: Answered,
    what: str,
    now: datetime,
    *,
    source: str,
    payload: Mapping[str, Any] | None = None,
    event_id: str | None = None,
) -> bool:
    """Keep an answer to a send (`what`: clicked, opened, answered …). False if `event_id` was there already."""
    incoming = Incoming(
        id=OWN + (event_id or f"{source}:{uuid4().hex}"),
        name=f"{message.channel}.{what}",
        at=now,
        customer_id=message.customer_id,
        message_key=message.key,
        payload=payload or {},
        source=source,
    )
    return bool(accept(conn, [incoming], now))


def sent_as(conn: Connection, key: str) -> Answered | None:
    """The send of a key, or None."""
    message = table(Message)
    row = conn.execute(
        select(message.c.key, message.c.customer_id, message.c.channel, message.c.links).where(message.c.key == key)
    ).first()
    return None if row is None else Answered(row.key, row.customer_id, row.channel, row.links or [])


def since(
    conn: Connection, seq: int, limit: int, *, name: str | None = None, customer_id: str | None = None
) -> list[StoredEvent]:
    """The events after a sequence number, oldest first."""
    target = table(Event)
    query = select(target).where(target.c.seq > seq).order_by(target.c.seq).limit(limit)
    if name is not None:
        query = query.where(target.c.name == name)
    if customer_id is not None:
        query = query.where(target.c.customer_id == customer_id)
    return [StoredEvent(**row) for row in conn.execute(query).mappings()]
