"""Consent: a customer's newest word on a channel and a purpose, and the addresses that are never written to.

A change is a row and an event (`consent.withdrawn`, `consent.granted`) in one transaction: the gate reads the row before
each send, the event ends waits. Saying the same again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, select

from dsl.ir import CHANNELS
from engine.db import insert_new, inserting, table
from engine.errors import Invalid
from engine.events import OWN, Incoming, accept
from engine.tables import Consent, Suppression

__all__ = ["PURPOSES", "Word", "grant", "of", "record", "suppress", "withdraw"]

PURPOSES = ("marketing", "transactional")


@dataclass(frozen=True, slots=True)
class Word:
    """What a customer said: yes or no, to a channel, for a purpose."""

    customer_id: str
    channel: str
    granted: bool
    purpose: str = "marketing"
    message_key: str | None = None
    """The message by which she said it, where it was one: `message` in the event's payload."""


def record(conn: Connection, words: Sequence[Word], source: str, now: datetime) -> list[Word]:
    """Keep the words, and an event for each that changes something. Returns those that did.

    Raises Invalid for an unknown channel or purpose.
    """
    target = table(Consent)
    insert = inserting(conn, Consent)
    newest = {(word.customer_id, word.channel, word.purpose): word for word in words}
    for word in newest.values():
        _check(word)
    if not newest:
        return []
    statement = insert.on_conflict_do_update(
        index_elements=list(target.primary_key),
        set_={"granted": insert.excluded.granted, "at": insert.excluded.at, "source": insert.excluded.source},
        where=target.c.granted != insert.excluded.granted,
    ).returning(target.c.customer_id, target.c.channel, target.c.purpose)
    rows = [
        {
            "customer_id": word.customer_id,
            "channel": word.channel,
            "purpose": word.purpose,
            "granted": word.granted,
            "at": now,
            "source": source,
        }
        for _, word in sorted(newest.items())  # in one order everywhere: two writers wait, and never deadlock
    ]
    changed = [newest[row.customer_id, row.channel, row.purpose] for row in conn.execute(statement, rows)]
    accept(
        conn,
        [
            Incoming(
                id=f"{OWN}consent:{uuid4().hex}",
                name="consent.granted" if word.granted else "consent.withdrawn",
                at=now,
                customer_id=word.customer_id,
                # No message key: it concerns every journey she is in, not the one that sent this message.
                payload={"channel": word.channel, "purpose": word.purpose, **_by(word)},
                source=source,
            )
            for word in changed
        ],
        now,
    )
    return changed


def withdraw(
    conn: Connection,
    customer_id: str,
    channel: str,
    purpose: str,
    source: str,
    now: datetime,
    message_key: str | None = None,
) -> bool:
    """Withdraw consent, at once. False if it was withdrawn already: then there is no second event."""
    return bool(record(conn, [Word(customer_id, channel, False, purpose, message_key)], source, now))


def grant(
    conn: Connection,
    customer_id: str,
    channel: str,
    purpose: str,
    source: str,
    now: datetime,
    message_key: str | None = None,
) -> bool:
    """Grant consent. False if it stood already."""
    return bool(record(conn, [Word(customer_id, channel, True, purpose, message_key)], source, now))


def of(conn: Connection, customer_id: str) -> list[Consent]:
    """Every word of a customer that is kept, by channel and purpose."""
    target = table(Consent)
    query = select(target).where(target.c.customer_id == customer_id).order_by(target.c.channel, target.c.purpose)
    return [Consent(**row) for row in conn.execute(query).mappings()]


def suppress(conn: Connection, channel: str, address: str, reason: str, source: str, now: datetime) -> None:
    """Never write to this address again, for any journey and purpose. The first reason stays."""
    if channel not in CHANNELS:
        raise Invalid("channel", channel, f"it must be one of {', '.join(CHANNELS)}")
    insert_new(
        conn, Suppression, [{"channel": channel, "address": address, "reason": reason, "at": now, "source": source}]
    )


def _by(word: Word) -> dict[str, str]:
    return {} if word.message_key is None else {"message": word.message_key}


def _check(word: Word) -> None:
    if word.channel not in CHANNELS:
        raise Invalid("channel", word.channel, f"it must be one of {', '.join(CHANNELS)}")
    if word.purpose not in PURPOSES:
        raise Invalid("purpose", word.purpose, f"it must be one of {', '.join(PURPOSES)}")
