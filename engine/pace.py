"""The pace: a provider's rate, shared by every process, as a row that says until when it is given out.

Mass sends get four fifths of it at most, so that whoever has just done something finds a place at once (behaviour S6).
See docs/decisions/0012-the-rate-is-a-row.md.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, func, select, update

from engine.db import insert_new, table
from engine.tables import Pace

__all__ = ["PLANNED_SHARE", "take"]

PLANNED_SHARE = 0.8
"""Of the rate, what mass sends may have."""


def take(conn: Connection, name: str, rate: float, count: int, *, planned: bool) -> float:
    """Take the next `count` places of `rate` a second; returns the seconds until the first, the others follow evenly.

    Of a mass send, evenly means by its share of the rate. Places that nobody took in time are lost: there is no burst.
    """
    rows = table(Pace)
    insert_new(conn, Pace, [{"name": name, "until": 0.0, "planned_until": 0.0}])
    row = conn.execute(select(rows.c.until, rows.c.planned_until).where(rows.c.name == name).with_for_update()).one()
    now = _now(conn)
    all_from, planned_from = max(now, row.until), max(now, row.planned_until)
    begins = max(all_from, planned_from) if planned else all_from
    values = {"until": all_from + count / rate}
    if planned:
        values["planned_until"] = begins + count / (rate * PLANNED_SHARE)
    conn.execute(update(rows).where(rows.c.name == name).values(values))
    return begins - now


def _now(conn: Connection) -> float:
    """The database's clock: machines' own differ by more than a place."""
    if conn.dialect.name == "sqlite":
        return time.time()
    return float(conn.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
