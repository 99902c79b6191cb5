"""A text message that came in: STOP and START at once, HELP answered, anything else a reply to what was sent.

A STOP from a number that is nobody's suppresses the number, for who may have it one day, until it sends START. Each counts
once, by the gateway's id: a webhook that is played again neither withdraws nor grants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from dsl.replies import first_word
from engine import consent, customers, events, suppressions
from engine.db import table
from engine.errors import Invalid
from engine.events import OWN, Answered, Incoming
from engine.sms.keywords import asked, help_in, language_of
from engine.tables import Customer, Message

__all__ = ["Text", "take"]

_STOPPED = "stopped"
_SENT = ("reserved", "sending", "sent", "delivered", "unknown")


@dataclass(frozen=True, slots=True)
class Text:
    """What came in: the gateway's id, whose number, which of ours, and the words."""

    id: str
    sender: str
    to: str
    text: str
    media: tuple[str, ...] = ()


def take(conn: Connection, came: Text, now: datetime, name: str, language: str) -> str:
    """Keep it; returns what is said back, if anything. `name` and `language`: the project's own."""
    phone, ours = _number(came.sender), _number(came.to)
    sent = _answered(conn, phone, ours)
    people = dict.fromkeys([sent.customer_id] if sent is not None else [])
    people.update(dict.fromkeys(customers.by_phone(conn, phone)))
    wish = asked(came.text)
    if wish == "help":
        return help_in(_language(conn, list(people)), language_of(came.text), language, name=name)
    payload: dict[str, object] = {"text": came.text, "keyword": first_word(came.text)}
    if came.media:
        payload["media"] = list(came.media)
    kept = Incoming(
        id=f"{OWN}sms:{came.id}",
        name="sms.replied" if wish is None else f"sms.{wish}",
        at=now,
        customer_id=next(iter(people), None),
        message_key=sent.key if sent is not None else None,
        payload=payload,
        source="sms",
    )
    if events.accept(conn, [kept], now) and wish is not None:
        key = sent.key if sent is not None else None
        words = [consent.Word(person, "sms", wish == "start", message_key=key) for person in people]
        said = f"sms {first_word(came.text)}"
        consent.record(conn, words, said, now)
        if wish == "start":
            _lift(conn, phone, said, now)
        elif not people and phone.startswith("+"):
            consent.suppress(conn, "sms", phone, _STOPPED, said, now)
    return ""


def _lift(conn: Connection, phone: str, said: str, now: datetime) -> None:
    """Take back what a STOP of this number did; not that it is a landline."""
    if any(each.reason == _STOPPED for each in suppressions.listed(conn, channel="sms", address=phone)):
        suppressions.lift(conn, "sms", phone, "who has the number", said, now)


def _number(text: str) -> str:
    """The number as E.164; a short code or a name as it came: it can answer nothing."""
    try:
        return customers.clean({"phone": text})["phone"] or text
    except Invalid:
        return text


def _answered(conn: Connection, phone: str, ours: str) -> Answered | None:
    """The newest send between the two numbers; else the newest from a sender that can't be answered to, a name."""
    rows = table(Message)
    query = (
        select(rows.c.key, rows.c.customer_id, rows.c.sender)
        .where(rows.c.channel == "sms", rows.c.address == phone, rows.c.status.in_(_SENT))
        .order_by(rows.c.reserved_at.desc(), rows.c.key.desc())
        .limit(100)
    )
    found = conn.execute(query).all()
    same = next((row for row in found if row.sender is not None and _number(row.sender) == ours), None)
    row = same or next((row for row in found if row.sender is None or not row.sender.startswith("+")), None)
    return None if row is None else Answered(row.key, row.customer_id, "sms", [])


def _language(conn: Connection, people: list[str]) -> str | None:
    if not people:
        return None
    rows = table(Customer)
    return conn.execute(select(rows.c.language).where(rows.c.id == people[0])).scalar()
