"""Outcomes from a file: what customers did, as events, with what is known of them besides.

They are events like those that came in live: journeys that wait for one move on by it, unless the file is history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, update

from dsl.ir import CHANNELS
from engine import customers, events
from engine.db import table
from engine.errors import Invalid
from engine.importing.cells import attribute, needed, past, short
from engine.tables import Event

__all__ = ["OutcomeRows"]

_OURS = (*CHANNELS, "consent")


class OutcomeRows:
    """An event whose id is there already is passed over; without an `id`, the same outcome is the same event."""

    name = "outcomes"
    known = ("id", "customer_id", "event", "at", "campaign", "payload.")
    """`event` is its name, as `mailing.responded`; `payload.amount:number` … is what it says besides."""
    required = ("customer_id", "event", "at")

    def __init__(self, now: datetime, zone: str, *, history: bool = False) -> None:
        """With `history` the events are kept, and nobody moves by them."""
        self._now = now
        self._zone = ZoneInfo(zone)
        self._history = history

    def begin(self, columns: Sequence[str]) -> None:
        for column in columns:
            if column.startswith("payload."):
                attribute(column, "")  # an unknown type is an error of the header

    def read(self, cells: Mapping[str, str]) -> events.Incoming:
        customer = customers.customer_id(cells["customer_id"], "customer_id")
        name = needed("event", cells)
        family, dot, _ = name.partition(".")
        if family in _OURS:
            reason = f"names that begin with {family}. are Parcours' own; answers to our sends go to POST /v1/answers"
            raise Invalid("event", name, reason)
        if name == "shop.purchased":
            raise Invalid("event", name, "import purchases as orders, so that facts know them")
        if not dot:
            raise Invalid("event", name, "an event's name has its family before a dot, as mailing.responded")
        at = past("at", cells["at"], self._zone, self._now, "an outcome")
        payload: dict[str, Any] = {}
        for column, cell in cells.items():
            if column.startswith("payload."):
                field, value = attribute(column, cell)
                if value is not None:
                    payload[field] = value
        if campaign := short("campaign", cells):
            payload["campaign"] = campaign
        ident = short("id", cells)
        if ident.startswith(events.OWN):
            raise Invalid("id", ident, f"ids that begin with {events.OWN} are Parcours' own")
        if not ident:
            of = "\0".join((customer, name, at.isoformat(), json.dumps(payload, sort_keys=True)))
            ident = f"import:{sha256(of.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
        return events.Incoming(ident, name, at, customer, None, payload, "import")

    def keep(self, conn: Connection, rows: list[events.Incoming]) -> int:
        new = events.accept(conn, rows, self._now)
        if self._history and new:
            target = table(Event)
            conn.execute(
                update(target).where(target.c.id == bindparam("of")).values(fate="unheard"),
                [{"of": ident} for ident in new],
            )
        return len(new)
