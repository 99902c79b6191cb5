"""What is pressed and loaded in a message, written down as an answer, or as a machine's doing (`email.scanned`).

Besides what a visitor calls itself (`engine.machines`), its manner tells a link scanner: it comes as the mail arrives, it follows
several links within a moment, and it goes on as it began. No arrow hears `email.scanned`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select, update

from engine import events, receipts
from engine.db import table
from engine.events import Answered
from engine.machines import looker
from engine.tables import Event, Message

__all__ = ["Visit", "record"]

_MOMENT = timedelta(seconds=2)
_GOES_ON = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody, or something, that loads what a message links to."""

    agent: str
    """Its User-Agent."""
    address: str
    """Its IP address; kept only in a mark that tells one visitor of this message from another."""
    at: datetime


def record(
    conn: Connection, sent: Answered, what: str, payload: Mapping[str, Any], visit: Visit, soon: timedelta
) -> bool:
    """Keep a click or an open. False where it is a machine's. `soon` after the send, nobody can have read it yet."""
    seen = looker(visit.agent)
    by = seen.by if seen.kind == "machine" else _by_manner(conn, sent, what, payload, visit, soon)
    receipts.came_out(conn, sent.key, f"email.{'scanned' if by else what}", visit.at)
    if by:
        mark = {"what": what, "by": by, "visitor": _mark(sent, visit)}
        events.answer(conn, sent, "scanned", visit.at, source="link", payload={**payload, **mark})
        return False
    if what == "opened":
        payload = {**payload, "human": seen.kind == "person"} | ({"by": seen.by} if seen.by else {})
    source = "pixel" if what == "opened" else "link"
    events.answer(conn, sent, what, visit.at, source=source, payload=payload)
    return True


def _by_manner(
    conn: Connection, sent: Answered, what: str, payload: Mapping[str, Any], visit: Visit, soon: timedelta
) -> str:
    """What gives a scanner away that calls itself a browser; empty for a person. Only mail is scanned so."""
    if sent.channel != "email":
        return ""
    message, event = table(Message), table(Event)
    of = select(message.c.settled_at, message.c.reserved_at).where(message.c.key == sent.key)
    went = conn.execute(of.with_for_update()).one()  # one visit after the other: each sees those before it
    if visit.at - (went.settled_at or went.reserved_at) < soon:
        return "sooner after the send than anybody reads"
    before = conn.execute(
        select(event.c.seq, event.c.name, event.c.at, event.c.payload, event.c.fate).where(
            event.c.message_key == sent.key,
            event.c.name.in_(("email.clicked", "email.scanned")),
            event.c.at > visit.at - _GOES_ON,
        )
    ).all()
    mark = _mark(sent, visit)
    if any(row.name == "email.scanned" and row.payload.get("visitor") == mark for row in before):
        return "a scanner that goes on"
    others = [
        row
        for row in before
        if what == "clicked" and row.at > visit.at - _MOMENT and row.payload.get("link") != payload.get("link")
    ]
    if not others:
        return ""
    by = "several links within a moment"
    # The first of them was taken for hers; unless it has moved her already, it is a scanner's too.
    for row in others:
        if row.name == "email.clicked" and row.fate is None:
            told = {**row.payload, "what": "clicked", "by": by, "visitor": mark}
            conn.execute(
                update(event)
                .where(event.c.seq == row.seq, event.c.fate.is_(None))
                .values(name="email.scanned", payload=told)
            )
    return by


def _mark(sent: Answered, visit: Visit) -> str:
    return sha256(f"{sent.key}\0{visit.agent}\0{visit.address}".encode()).hexdigest()[:16]
