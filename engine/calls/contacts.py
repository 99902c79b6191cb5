"""What an agent should know before she rings: who the customer is, and the last ten times that somebody was in touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from engine.db import table
from engine.tables import CallTask, Customer, Event, Exposure, Message

__all__ = ["TEN", "Contact", "Person", "contacts", "people"]

TEN = 10
_MADE = ("sent", "delivered", "unknown", "sending", "reserved")


@dataclass(slots=True)
class Contact:
    """A message that went out to her, and what she answered; or a contact that somebody else made (`parcours import exposures`)."""

    key: str
    at: datetime
    channel: str
    journey: str
    state: str
    status: str
    answers: list[str] = field(default_factory=list[str])
    """`clicked`, `interested` … the oldest first."""
    outcome: str | None = None
    """Of a call that was made."""
    notes: str | None = None
    campaign: str | None = None
    """Of a contact of others, which has no journey and no box."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is called."""

    id: str
    first_name: str | None
    last_name: str | None
    language: str | None
    zone: str | None
    country: str | None
    city: str | None
    email: str | None


def contacts(conn: Connection, customer_id: str, besides: str | None = None, most: int = TEN) -> list[Contact]:
    """The last contacts of a customer, the newest first, without the message of the key `besides`: ours, and those of others."""
    both = [*_ours(conn, customer_id, besides, most), *_others(conn, customer_id, most)]
    return sorted(both, key=lambda each: (each.at, each.key), reverse=True)[:most]


def people(conn: Connection, customers: Sequence[str]) -> dict[str, Person]:
    """Who these customers are; one who is not known is missing."""
    target = table(Customer)
    columns = [target.c[name] for name in Person.__dataclass_fields__]
    found = conn.execute(select(*columns).where(target.c.id.in_(customers)))
    return {row.id: Person(*row) for row in found}


def _others(conn: Connection, customer_id: str, most: int) -> list[Contact]:
    rows = table(Exposure)
    query = (
        select(rows.c.id, rows.c.at, rows.c.channel, rows.c.campaign)
        .where(rows.c.customer_id == customer_id)
        .order_by(rows.c.at.desc(), rows.c.id.desc())
        .limit(most)
    )
    return [
        Contact(row.id, row.at, row.channel, "", "", "elsewhere", campaign=row.campaign) for row in conn.execute(query)
    ]


def _ours(conn: Connection, customer_id: str, besides: str | None, most: int) -> list[Contact]:
    message, event, task = table(Message), table(Event), table(CallTask)
    query = (
        select(
            message.c.key,
            message.c.reserved_at,
            message.c.channel,
            message.c.journey,
            message.c.state,
            message.c.status,
        )
        .where(message.c.customer_id == customer_id, message.c.status.in_(_MADE), message.c.key != (besides or ""))
        .order_by(message.c.reserved_at.desc(), message.c.key.desc())
        .limit(most)
    )
    found = {row.key: Contact(*row) for row in conn.execute(query)}
    if not found:
        return []
    answers = select(event.c.message_key, event.c.name).where(event.c.message_key.in_(found)).order_by(event.c.seq)
    for key, name in conn.execute(answers):
        what = name.partition(".")[2]
        if what not in found[key].answers:
            found[key].answers.append(what)
    calls = select(task.c.id, task.c.outcome, task.c.notes).where(task.c.id.in_(found))
    for key, outcome, notes in conn.execute(calls):
        found[key].outcome, found[key].notes = outcome, notes
    return list(found.values())
