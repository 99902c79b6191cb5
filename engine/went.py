"""Went: the word to a journey that a message went out (`email.sent`), where an arrow waits for it. Once for each message.

An e-mail or a text went out when its provider took it, a feed's item and a call's task when they are there, a letter when it
was handed over with its print run. Who is held out hears it as well: she walks as if she had been written to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from engine.db import chunked, table
from engine.events import OWN, Incoming, accept
from engine.gate import Candidate
from engine.tables import Message

__all__ = ["SOURCE", "tell", "tell_of"]

SOURCE = "send"


def tell(conn: Connection, candidates: Iterable[Candidate], now: datetime) -> None:
    """These messages went out."""
    waited_for = [(each.key, each.channel, each.customer_id) for each in candidates if each.sent_awaited]
    _tell(conn, waited_for, now)


def tell_of(conn: Connection, keys: Collection[str], now: datetime) -> None:
    """The messages of these keys went out: whether that is waited for, their rows say."""
    rows = table(Message)
    for piece in chunked(sorted(keys)):
        query = select(rows.c.key, rows.c.channel, rows.c.customer_id).where(
            rows.c.key.in_(piece), rows.c.sent_awaited.is_(True)
        )
        _tell(conn, [(row.key, row.channel, row.customer_id) for row in conn.execute(query)], now)


def _tell(conn: Connection, sends: Collection[tuple[str, str, str]], now: datetime) -> None:
    if sends:
        incoming = [
            Incoming(f"{OWN}sent:{key}", f"{channel}.sent", now, customer, key, {}, SOURCE)
            for key, channel, customer in sends
        ]
        accept(conn, incoming, now)
