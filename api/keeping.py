"""What came in is kept: events, the profiles and purchase lines in them, in one transaction, each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from api.segment import Read
from api.state import State
from engine import customers, events

__all__ = ["keep"]


def keep(here: State, parsed: Sequence[Read], now: datetime) -> None:
    """Keep them, whole or not at all. One whose id was seen before is dropped, with all that it says."""
    with here.database.write() as conn:
        new = set(events.accept(conn, [each.event for each in parsed], now))
        fresh = [each for each in parsed if each.event.id in new]
        profiles = [
            (each.event.customer_id, each.profile)
            for each in fresh
            if each.profile is not None and each.event.customer_id is not None
        ]
        customers.put_new_or_changed(conn, profiles, now)
        customers.add_purchases(conn, [line for each in fresh for line in each.lines])
